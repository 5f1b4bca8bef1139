"""The catalogue in SQLite: it keeps the promises of every source, whichever way it takes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cscale.catalogue.bodies import DATA
from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.catalogue.sqlite.ways import Way
from cscale.errors import BadConfiguration, BadCursor, NotFound
from cscale.identity import ANONYMOUS
from cscale.stac.items import Collection, Item, read_body
from cscale.stac.search import SearchRequest
from cscale.stac.source import ItemSource
from cscale.stac.times import Interval
from cscale.testing.archives import plain_item
from cscale.testing.items import ItemSourceTests, walk
from tests.catalogue.conftest import Opened, put

BOX = {"type": "Polygon", "coordinates": [[[1, 2], [3, 2], [3, 4], [1, 4], [1, 2]]]}


class SqliteTests(ItemSourceTests):
    way: Way | None = None

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        with TemporaryDirectory() as directory:
            path = Path(directory, "catalogue.sqlite")
            with writing(path) as writer:
                for collection in collections:
                    writer.put_collection(collection)
                for item in items:
                    writer.put(item)
            source = SqliteCatalogue(path, data_url="https://example.org/data", secret=b"s", way=self.way)
            try:
                yield source
            finally:
                source.close()


class TestTheShorterWay(SqliteTests):
    way = None


class TestByBox(SqliteTests):
    way = "box"
    examples = 10


class TestByTime(SqliteTests):
    way = "time"
    examples = 10


class TestByColumn(SqliteTests):
    way = "column"
    examples = 20


async def test_a_cursor_survives_a_restart_and_is_shared_by_processes(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"), plain_item(id="b"))
    first = await opened().search(ANONYMOUS, SearchRequest(limit=1))
    again = await opened().search(ANONYMOUS, SearchRequest(limit=1, token=first.token))
    assert [item.id for item in (*first.items, *again.items)] == ["a", "b"]


async def test_a_cursor_of_another_site_is_refused(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"), plain_item(id="b"))
    page = await opened(secret=b"theirs").search(ANONYMOUS, SearchRequest(limit=1))
    with pytest.raises(BadCursor, match="not one that this service made"):
        await opened(secret=b"ours").search(ANONYMOUS, SearchRequest(limit=1, token=page.token))


async def test_a_walk_goes_on_over_a_change(path: Path, opened: Opened) -> None:
    put(path, *(plain_item(id=name) for name in "bdf"))
    source = opened()
    page = await source.search(ANONYMOUS, SearchRequest(limit=2))
    put(path, plain_item(id="a"), plain_item(id="e"))
    with writing(path) as writer:
        writer.remove("one", "d")  # the last item of the page
    rest = await source.search(ANONYMOUS, SearchRequest(limit=9, token=page.token))
    assert [item.id for item in (*page.items, *rest.items)] == ["b", "d", "e", "f"]


@pytest.mark.parametrize("name", ["a\x00b", "a\x00", "\ud800", ""])
async def test_what_no_item_can_be_called_finds_none(path: Path, opened: Opened, name: str) -> None:
    put(path, plain_item(id="a"))
    with pytest.raises(NotFound):
        await opened().item(ANONYMOUS, "one", name)
    page = await opened().search(ANONYMOUS, SearchRequest(ids=(name, "a")))
    assert [item.id for item in page.items] == ["a"]


async def test_local_assets_lead_to_where_the_site_serves_them(path: Path, opened: Opened) -> None:
    put(path, plain_item(assets={"data": {"href": f"{DATA}/scenes/a%20b.tif"}}))
    item = await opened(data_url="http://127.0.0.1:8311/data/").item(ANONYMOUS, "one", "a")
    assert read_body(item.body)["assets"]["data"]["href"] == "http://127.0.0.1:8311/data/scenes/a%20b.tif"


async def test_a_collection_nobody_described_is_told_by_its_items(path: Path, opened: Opened) -> None:
    stretch = {"start_datetime": "2019-05-31T00:00:00Z", "end_datetime": "2019-07-02T12:00:00Z"}
    put(
        path,
        plain_item(id="a", geometry=BOX, bbox=[1, 2, 3, 4], properties={"datetime": None, **stretch}),
        plain_item(id="b", properties={"datetime": "2020-06-01T10:30:00Z"}),
    )
    source = opened()
    [collection] = (await source.collections(ANONYMOUS)).collections
    assert collection["id"] == "one"
    assert collection["extent"] == {
        "spatial": {"bbox": [[1, 2, 3, 4]]},
        "temporal": {"interval": [["2019-05-31T00:00:00Z", "2020-06-01T10:30:00Z"]]},
    }
    put(path, plain_item(id="c", properties={"datetime": "2021-01-01T00:00:00Z"}))
    [collection] = (await source.collections(ANONYMOUS)).collections
    assert collection["extent"]["temporal"]["interval"][0][1] == "2021-01-01T00:00:00Z"


async def test_what_a_description_lacks_is_told_by_the_items(path: Path, opened: Opened) -> None:
    with writing(path) as writer:
        writer.put_collection({"type": "Collection", "id": "one", "description": "Mine", "x:y": 1})
        writer.put(plain_item())
    collection = await opened().collection(ANONYMOUS, "one")
    assert (collection["description"], collection["x:y"]) == ("Mine", 1)
    assert {"stac_version", "license", "extent", "links"} <= collection.keys()


async def test_an_answer_shows_one_state_while_items_change(path: Path, opened: Opened) -> None:
    """Readers at work during many changes see each of them whole or not at all."""
    names = [f"{n:03}" for n in range(150)]

    def change(*rounds: int) -> None:
        for round_ in rounds:
            put(path, *(plain_item(id=name, properties=_of(round_)) for name in names))

    change(0)
    source = opened()
    writes = asyncio.create_task(asyncio.to_thread(change, *range(1, 8)))
    while not writes.done():
        request = SearchRequest(limit=1000, datetime=None)
        pages = await asyncio.gather(*(source.search(ANONYMOUS, request) for _ in range(4)))
        for page in pages:
            rounds = {read_body(item.body)["properties"]["round"] for item in page.items}
            assert len(page.items) == page.matched == len(names)
            assert len(rounds) == 1, f"one answer shows the states {rounds}"
    await writes
    [last] = await walk(source, SearchRequest(limit=1000))
    assert {read_body(item.body)["properties"]["round"] for item in last.items} == {7}


def _of(round_: int) -> dict[str, object]:
    return {"datetime": f"2020-06-0{round_ + 1}T00:00:00Z", "round": round_}


async def test_statistics_follow_every_change(path: Path, opened: Opened) -> None:
    """An item whose time reaches further than any before is found at once by the reader at work."""
    put(path, plain_item(id="a"))
    source = opened()
    early = SearchRequest(limit=1)
    assert (await source.search(ANONYMOUS, early)).matched == 1
    stretch = {"start_datetime": "2000-01-01T00:00:00Z", "end_datetime": "2020-01-01T00:00:00Z"}
    put(path, plain_item(id="b", properties={"datetime": "2020-01-01T00:00:00Z", **stretch}))
    wanted = replace(early, datetime=Interval.parse("2000-01-01T00:00:00Z"))
    assert [item.id for item in (await source.search(ANONYMOUS, wanted)).items] == ["b"]


def test_a_file_that_is_no_catalogue_is_refused(path: Path) -> None:
    path.write_bytes(b"this is no database, and longer than a header of one" * 10)
    with pytest.raises(BadConfiguration, match="cannot be used as a catalogue"):
        SqliteCatalogue(path, data_url="https://example.org/data", secret=b"s")


def test_a_catalogue_of_another_format_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(BadConfiguration, match="format 99"):
        SqliteCatalogue(path, data_url="https://example.org/data", secret=b"s")


async def test_a_collection_that_nobody_described_goes_with_its_last_item(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a", collection="told"), plain_item(id="b", collection="untold"))
    with writing(path) as writer:
        writer.put_collection({"id": "told", "type": "Collection"})
        writer.remove(None, "a")
        writer.remove(None, "b")
    assert [each["id"] for each in (await opened().collections(ANONYMOUS)).collections] == ["told"]
    with pytest.raises(NotFound, match="untold"):
        await opened().collection(ANONYMOUS, "untold")
