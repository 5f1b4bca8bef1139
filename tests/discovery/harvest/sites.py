"""Harvests of catalogues that a test changes, and of sites that fail as it says."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.discovery import SourcePage
from cscale.discovery.harvest import Harvested, Kept, Manner, Report, Rhythm, Shelf, harvest
from cscale.errors import SiteError
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.items import Item, open_body, read_body
from cscale.stac.search import SearchRequest
from tests.discovery.federations import Local

EACH_TIME = Rhythm(rotation=0)
"""Everything is read anew at each harvest."""

Held = dict[tuple[str, str], Item]
"""Items by collection and id."""


class Archive:
    """A site without a network between: its items, changed by a test, and how it answers.

    Attributes:
        fails_after: How many answers it gives before it fails; None: it does not.
        leaves: What it leaves of any search to others.
        says_leaves: What it says that it leaves; less than the truth is a lie.
    """

    def __init__(self, path: Path, page: int = 1000, leaves: frozenset[str] = frozenset()) -> None:
        self._path = path
        with writing(path):
            pass
        self._catalogue = SqliteCatalogue(path, data_url="http://site.test/data", secret=b"s")
        self._local = Local(self._catalogue, page, leaves)
        self.fails_after: int | None = None
        self.asked: list[SearchRequest] = []
        self.held: Held = {}
        self.collections_held: set[str] = set()
        self.spoil: Callable[[SourcePage], SourcePage] = lambda page: page

    def hold(self, items: Sequence[Item]) -> None:
        """Hold these items and no others; collections stay where an item of theirs does."""
        wanted = {(item["collection"], item["id"]): item for item in items}
        names = {collection for collection, _ in wanted}
        with writing(self._path) as writer:
            for collection, item_id in self.held.keys() - wanted.keys():
                writer.remove(collection, item_id)
            for gone in self.collections_held - names:
                writer.remove_collection(gone)
            for item in wanted.values():
                writer.put(item)
        self.held, self.collections_held = wanted, names

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        self._answer()
        self.asked.append(request)
        return self.spoil(await self._local.search(caller, request, token))

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        self._answer()
        return await self._local.collections(caller)

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        return await self._local.queryables(caller, collection_id)

    def item_url(self, collection_id: str, item_id: str) -> str:
        return self._local.item_url(collection_id, item_id)

    def collection_url(self, collection_id: str) -> str:
        return self._local.collection_url(collection_id)

    def _answer(self) -> None:
        if self.fails_after is not None:
            if self.fails_after <= 0:
                raise SiteError("it fails as the test wants")
            self.fails_after -= 1

    def close(self) -> None:
        self._catalogue.close()


class Static:
    """A site whose items can only be walked.

    Attributes:
        items_held: What it holds.
        breaks_at: After how many items the walk breaks off; None: it does not.
        rejected: How many it says that it left out.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.items_held = list(items)
        self.breaks_at: int | None = None
        self.rejected = 0

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        return [{"id": name} for name in sorted({item["collection"] for item in self.items_held})], ()

    async def items(self, caller: Caller) -> AsyncIterator[msgspec.Raw]:
        for n, item in enumerate(self.items_held):
            if n == self.breaks_at:
                raise SiteError("the walk breaks off")
            yield msgspec.Raw(msgspec.json.encode(item))

    def item_url(self, collection_id: str, item_id: str) -> str:
        return f"http://site.test/{collection_id}/{item_id}.json"

    def collection_url(self, collection_id: str) -> str:
        return f"http://site.test/{collection_id}.json"


def harvested(source: Any, shelf: Shelf, rhythm: Rhythm = EACH_TIME, **manner: Any) -> Harvested:
    return Harvested("alpha", "stac-api http://site.test", source, shelf, rhythm, Manner(**manner))


async def harvest_once(source: Any, shelf: Shelf, rhythm: Rhythm = EACH_TIME, **manner: Any) -> Report:
    return await harvest(harvested(source, shelf, rhythm, **manner))


async def kept_items(kept: Kept, request: SearchRequest | None = None) -> Held:
    """All that is kept, each once."""
    found: Held = {}
    token: str | None = None
    while True:
        page = await kept.search(ANONYMOUS, request or SearchRequest(limit=100), token)
        for raw in page.features:
            item = msgspec.json.decode(raw)
            name = (item["collection"], item["id"])
            assert name not in found
            found[name] = item
        token = page.token
        if token is None:
            return found


def as_kept(item: Item) -> Item:
    """An item without structural links, as a catalogue keeps it."""
    return read_body(open_body(item))
