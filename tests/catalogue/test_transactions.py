"""Changes of a catalogue through `Transactions`: whole or not at all, and never of what was not seen."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cscale.catalogue.sqlite.source import SqliteCatalogue
from cscale.catalogue.sqlite.store import SqliteStore
from cscale.catalogue.transactions import StoreTransactions
from cscale.errors import BadInput, Conflict, NotFound, PreconditionFailed
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item, read_body
from cscale.stac.search import SearchRequest
from cscale.stac.transaction import Change
from cscale.stac.transaction.changes import creation, patch, removal, replacement
from cscale.testing.archives import collections, plain_item

DATA = "http://a.test/data"


class Opened:
    """A catalogue, open for searches and for changes."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteStore(folder)
        self.source: SqliteCatalogue = self.store.source(data_url=DATA, secret=b"s")
        self.changes = StoreTransactions(self.store, self.source, data_url=DATA)

    async def item(self, item_id: str) -> Item:
        return read_body((await self.source.item(ANONYMOUS, "one", item_id)).body)

    async def change(self, item_id: str, change: Change, collection: str = "one") -> None:
        await self.changes.change_items(ANONYMOUS, collection, {item_id: change})

    async def ids(self) -> list[str]:
        page = await self.source.search(ANONYMOUS, SearchRequest(limit=100))
        return sorted(item.id for item in page.items)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    made = Opened(tmp_path)
    with made.store.writing() as writer:
        writer.put_collection(collections()[0])
        writer.put(plain_item(id="held"))
    yield made
    made.source.close()


def tags(item: dict[str, Any]) -> frozenset[str]:
    return frozenset({f'"{item["properties"].get("gsd")}"'})


async def test_items_are_made_changed_and_removed(opened: Opened) -> None:
    await opened.change("new", creation(plain_item(id="new"), "it"))
    assert await opened.item("new") == plain_item(id="new")
    with pytest.raises(Conflict):
        await opened.change("new", creation(plain_item(id="new"), "it"))
    await opened.change("new", patch({"properties": {"gsd": 10}}, "it", None, tags))
    assert (await opened.item("new"))["properties"]["gsd"] == 10
    await opened.change("new", replacement(plain_item(id="new"), "it", '"10"', tags))
    assert "gsd" not in (await opened.item("new"))["properties"]
    await opened.change("new", removal("it", None, tags))
    assert await opened.ids() == ["held"]
    with pytest.raises(NotFound):
        await opened.change("new", removal("it", None, tags))


async def test_all_of_a_request_is_done_or_nothing(opened: Opened) -> None:
    both = {name: creation(plain_item(id=name), name) for name in ("a", "held")}
    with pytest.raises(Conflict, match="held"):
        await opened.changes.change_items(ANONYMOUS, "one", both)
    with pytest.raises(BadInput):
        await opened.changes.change_items(
            ANONYMOUS, "one", {"a": creation(plain_item(id="a"), "a"), "b": creation({"id": "b"}, "b")}
        )
    assert await opened.ids() == ["held"]
    with pytest.raises(NotFound, match="nowhere"):
        await opened.change("a", creation(plain_item(id="a"), "a"), "nowhere")


async def test_of_changes_at_once_one_is_made_of_what_it_saw(opened: Opened) -> None:
    tried = [
        opened.change("held", patch({"properties": {"gsd": number}}, "it", '"None"', tags))
        for number in range(8)
    ]
    done = await asyncio.gather(*tried, return_exceptions=True)
    refused = [each for each in done if each is not None]
    assert len(refused) == len(tried) - 1
    assert {type(each) for each in refused} == {PreconditionFailed}
    assert (await opened.item("held"))["properties"]["gsd"] == done.index(None)


async def test_the_sites_own_files_move_with_it(opened: Opened, tmp_path: Path) -> None:
    assets = {"red": {"href": f"{DATA}/a/b.tif"}, "far": {"href": "https://b.test/c.tif"}}
    await opened.change("held", patch({"assets": assets}, "it", None, tags))
    assert (await opened.item("held"))["assets"] == assets
    moved = opened.store.source(data_url="https://new.test/data", secret=b"s")
    item = read_body((await moved.item(ANONYMOUS, "one", "held")).body)
    moved.close()
    assert {key: asset["href"] for key, asset in item["assets"].items()} == {
        "red": "https://new.test/data/a/b.tif",
        "far": "https://b.test/c.tif",
    }


async def test_collections_are_made_changed_and_removed_with_their_items(opened: Opened) -> None:
    new = collections()[2]
    await opened.changes.change_collection(ANONYMOUS, "two", creation(new, "it"))
    assert await opened.source.collection(ANONYMOUS, "two") == new
    with pytest.raises(Conflict):
        await opened.changes.change_collection(ANONYMOUS, "two", creation(new, "it"))
    await opened.change("a", creation(plain_item(id="a", collection="two"), "it"), "two")
    await opened.changes.change_collection(ANONYMOUS, "two", patch({"title": "Two"}, "it", None, tags))
    assert (await opened.source.collection(ANONYMOUS, "two"))["title"] == "Two"
    assert await opened.ids() == ["a", "held"]
    await opened.changes.change_collection(ANONYMOUS, "two", removal("it", None, tags))
    assert await opened.ids() == ["held"]
    with pytest.raises(NotFound):
        await opened.source.collection(ANONYMOUS, "two")
