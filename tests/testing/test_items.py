"""The conformance kit: it passes a plain source, and finds every way in which one can be wrong."""

import inspect
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings

from cscale.errors import BadCursor, NotFound
from cscale.identity import ANONYMOUS, Caller
from cscale.net.signing import Signer
from cscale.stac.evaluation import order_key, sort_value
from cscale.stac.items import Collection, Item, OpenItem, open_body
from cscale.stac.search import SearchRequest
from cscale.stac.source import CollectionList, ItemPage, ItemSource
from cscale.testing.items import ItemSourceTests, brute_force, walk


class Plain:
    """A source in memory: the meaning of the protocol, written down as plainly as can be."""

    def __init__(self, items: Sequence[Item], collections: Sequence[Collection]) -> None:
        self._items = items
        self._collections = collections
        self._signer = Signer(b"secret", "test")

    def answer(self, request: SearchRequest) -> list[Item]:
        return brute_force(self._items, request)

    def open(self, item: Item) -> OpenItem:
        return OpenItem(item["id"], item["collection"], open_body(item))

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        matches = self.answer(request)
        start = self.start(request)
        end = start + request.limit
        items = [self.open(item) for item in matches[start:end]]
        return ItemPage(items, self.token(request, end, len(matches)), len(matches))

    def token(self, request: SearchRequest, end: int, total: int) -> str | None:
        return self._signer.seal(f"{request.digest()} {end}".encode()) if end < total else None

    def start(self, request: SearchRequest) -> int:
        if request.token is None:
            return 0
        digest, _, at = (self._signer.open(request.token) or b"").decode().partition(" ")
        if digest != request.digest():
            raise BadCursor("token: not of this search")
        return int(at)

    async def collections(self, caller: Caller) -> CollectionList:
        return CollectionList([await self.collection(caller, each["id"]) for each in self._collections])

    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        for collection in self._collections:
            if collection["id"] == collection_id:
                return collection
        raise NotFound(f"no collection {collection_id}")

    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        page = await self.search(caller, SearchRequest(collections=(collection_id,), ids=(item_id,)))
        if not page.items:
            raise NotFound(f"no item {item_id}")
        return page.items[0]

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        if collection_id is not None:
            await self.collection(caller, collection_id)
        return {"gsd": {"type": "number"}}


class PlainTests(ItemSourceTests):
    source: type[Plain] = Plain
    examples = 60

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        yield self.source(items, collections)


class TestAPlainSource(PlainTests):
    pass


class LosesTies(Plain):
    def start(self, request: SearchRequest) -> int:
        start, matches = super().start(request), self.answer(request)
        moment = matches[start - 1]["properties"].get("datetime") if start else None
        while start and start < len(matches) and matches[start]["properties"].get("datetime") == moment:
            start += 1
        return start


class Repeats(Plain):
    def start(self, request: SearchRequest) -> int:
        return max(0, super().start(request) - 1) if request.limit > 1 else super().start(request)


class Drops(Plain):
    """Does not evaluate one parameter."""

    dropped: str

    def answer(self, request: SearchRequest) -> list[Item]:
        changes: dict[str, Any] = {self.dropped: None}
        return super().answer(replace(request, **changes))


class DropsFilter(Drops):
    dropped = "filter"


class DropsBbox(Drops):
    dropped = "bbox"


class DropsIntersects(Drops):
    dropped = "intersects"


class DropsDatetime(Drops):
    dropped = "datetime"


class DropsIds(Drops):
    dropped = "ids"


class DropsCollections(Drops):
    dropped = "collections"


class DropsFreeText(Drops):
    dropped = "q"


class DropsSecondField(Plain):
    def answer(self, request: SearchRequest) -> list[Item]:
        return super().answer(replace(request, sortby=request.sortby[:1]))


class BreaksTiesBackwards(Plain):
    def answer(self, request: SearchRequest) -> list[Item]:
        def place(item: Item) -> Any:
            return order_key([sort_value(item, field.name) for field in request.sortby], request.sortby)

        backwards = sorted(super().answer(request), key=lambda item: item["id"], reverse=True)
        return sorted(backwards, key=place)


class MixesIdsOfCollections(Plain):
    def answer(self, request: SearchRequest) -> list[Item]:
        return list({item["id"]: item for item in super().answer(request)}.values())


class TooLongPages(Plain):
    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        return await super().search(caller, replace(request, limit=request.limit + 1))


class AlwaysOneMorePage(Plain):
    def token(self, request: SearchRequest, end: int, total: int) -> str | None:
        return super().token(request, end, total + 1)


class TokensKeepTheLimit(Plain):
    def token(self, request: SearchRequest, end: int, total: int) -> str | None:
        page = end // request.limit
        return self._signer.seal(f"{request.digest()} {page}".encode()) if end < total else None

    def start(self, request: SearchRequest) -> int:
        return super().start(request) * request.limit


class TokensOfAnySearch(Plain):
    def token(self, request: SearchRequest, end: int, total: int) -> str | None:
        return self._signer.seal(f" {end}".encode()) if end < total else None

    def start(self, request: SearchRequest) -> int:
        if request.token is None:
            return 0
        opened = self._signer.open(request.token)
        if opened is None:
            raise BadCursor("token: not mine")
        return int(opened)


class UnsignedTokens(Plain):
    def token(self, request: SearchRequest, end: int, total: int) -> str | None:
        return f"{request.digest()}-padding-{end}" if end < total else None

    def start(self, request: SearchRequest) -> int:
        if request.token is None:
            return 0
        digest, _, at = request.token.partition("-padding-")
        if digest != request.digest():
            raise BadCursor("token: not of this search")
        return int(at)


class TokensWearOut(Plain):
    def __init__(self, items: Sequence[Item], collections: Sequence[Collection]) -> None:
        super().__init__(items, collections)
        self._used: set[str] = set()

    def start(self, request: SearchRequest) -> int:
        if request.token in self._used:
            raise BadCursor("token: used up")
        self._used |= {request.token} if request.token else set()
        return super().start(request)


class MatchedIsThePage(Plain):
    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        page = await super().search(caller, request)
        return replace(page, matched=len(page.items))


class ChangesItems(Plain):
    def open(self, item: Item) -> OpenItem:
        properties = {name: value for name, value in item["properties"].items() if value is not None}
        return super().open(item | {"properties": properties})


class ClosedBodies(Plain):
    def open(self, item: Item) -> OpenItem:
        return OpenItem(item["id"], item["collection"], msgspec.json.encode(item))


class KeepsStructuralLinks(Plain):
    def open(self, item: Item) -> OpenItem:
        last = msgspec.json.encode(item["links"])[:-1]
        rest = {name: value for name, value in item.items() if name != "links"}
        return OpenItem(item["id"], item["collection"], msgspec.json.encode(rest)[:-1] + b',"links":' + last)


class FindsInAnyCollection(Plain):
    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        page = await self.search(caller, SearchRequest(ids=(item_id,)))
        if not page.items:
            raise NotFound(f"no item {item_id}")
        return page.items[0]


class CollectionsOutOfOrder(Plain):
    async def collections(self, caller: Caller) -> CollectionList:
        return CollectionList(list((await super().collections(caller)).collections)[::-1])


class InventsCollections(Plain):
    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        return self._collections[0] | {"id": collection_id}


class InventsQueryables(Plain):
    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        return {}


WRONG = {
    LosesTies: "test_a_walk_gives_every_match_once_and_in_order",
    Repeats: "test_a_walk_gives_every_match_once_and_in_order",
    DropsFilter: "test_a_walk_gives_every_match_once_and_in_order",
    DropsBbox: "test_a_walk_gives_every_match_once_and_in_order",
    DropsIntersects: "test_a_walk_gives_every_match_once_and_in_order",
    DropsDatetime: "test_a_walk_gives_every_match_once_and_in_order",
    DropsIds: "test_a_walk_gives_every_match_once_and_in_order",
    DropsCollections: "test_a_walk_gives_every_match_once_and_in_order",
    DropsFreeText: "test_a_walk_gives_every_match_once_and_in_order",
    DropsSecondField: "test_a_walk_gives_every_match_once_and_in_order",
    BreaksTiesBackwards: "test_a_walk_gives_every_match_once_and_in_order",
    MixesIdsOfCollections: "test_a_walk_gives_every_match_once_and_in_order",
    ChangesItems: "test_a_walk_gives_every_match_once_and_in_order",
    TokensKeepTheLimit: "test_the_limit_may_change_between_pages",
    TooLongPages: "test_no_page_is_longer_than_its_limit",
    AlwaysOneMorePage: "test_the_last_page_has_no_token",
    TokensWearOut: "test_a_page_asked_for_again_is_the_same",
    MatchedIsThePage: "test_matched_is_exact_where_it_is_given",
    TokensOfAnySearch: "test_a_token_of_another_search_is_refused",
    UnsignedTokens: "test_a_changed_token_is_refused",
    ClosedBodies: "test_bodies_are_open_and_close_to_the_item",
    KeepsStructuralLinks: "test_bodies_are_open_and_close_to_the_item",
    FindsInAnyCollection: "test_each_item_is_found_by_its_address",
    CollectionsOutOfOrder: "test_collections_are_listed_in_order_and_found",
    InventsCollections: "test_collections_are_listed_in_order_and_found",
    InventsQueryables: "test_queryables_are_the_properties_of_a_schema",
}


@pytest.fixture
def no_shrinking() -> Iterator[None]:
    """That a failure is found is enough here; how small it can be does not matter."""
    before = settings.get_current_profile_name()
    settings.register_profile("no shrinking", settings(), phases=[Phase.generate], database=None)
    settings.load_profile("no shrinking")
    yield
    settings.load_profile(before)


@pytest.mark.usefixtures("no_shrinking")
@pytest.mark.parametrize(
    ("source", "promise"), WRONG.items(), ids=lambda value: getattr(value, "__name__", None)
)
def test_a_broken_promise_is_found(source: type[Plain], promise: str) -> None:
    class Tests(PlainTests):
        examples = 300  # it ends at the first failure

    Tests.source = source
    try:
        getattr(Tests(), promise)()
    except (AssertionError, BadCursor, ValueError, msgspec.DecodeError, pytest.fail.Exception):
        return
    pytest.fail(f"{promise} passes a source that {source.__name__}")


def test_every_promise_is_broken_by_one() -> None:
    promises = {name for name, _ in inspect.getmembers(ItemSourceTests) if name.startswith("test_")}
    assert promises == set(WRONG.values())


def test_an_empty_last_page_is_let_pass_where_the_source_says_so() -> None:
    class Tests(PlainTests):
        source = AlwaysOneMorePage
        empty_last_page = True

    Tests().test_the_last_page_has_no_token()


async def test_a_walk_without_end_is_told() -> None:
    class Endless(Plain):
        def token(self, request: SearchRequest, end: int, total: int) -> str | None:
            return super().token(request, 0, 1)

    with pytest.raises(AssertionError, match="does not end"):
        await walk(Endless([], []), SearchRequest(), at_most=20)
    assert (await Endless([], []).search(ANONYMOUS, SearchRequest())).token
