"""What every `ItemSource` promises, as tests that a subclass runs on its own source.

    class TestMySource(ItemSourceTests):
        @asynccontextmanager
        async def open_source(self, items, collections):
            ...  # make a source that holds exactly these
            yield source

Each promise is tried on archives drawn from `archives.items`, with searches from `searches.requests`,
against the plain meaning of a search (`cscale.stac.evaluation`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from itertools import chain, cycle, repeat
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cscale.errors import BadCursor, NotFound
from cscale.identity import ANONYMOUS
from cscale.stac import evaluation
from cscale.stac.items import STRUCTURAL, Collection, Item, OpenItem, close_body, own_links, read_body
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.source import ItemPage, ItemSource
from cscale.testing import archives
from cscale.testing.archives import items
from cscale.testing.searches import requests

__all__ = ["ItemSourceTests", "brute_force", "items", "requests", "walk"]

Check = Callable[["ItemSourceTests", ItemSource, list[Item], SearchRequest], Awaitable[None]]


def brute_force(held: Iterable[Item], request: SearchRequest) -> list[Item]:
    """All items that match a request, in its order: what the pages of any source must add up to."""

    def place(item: Item) -> Any:
        values = [evaluation.sort_value(item, field.name) for field in request.sortby]
        return evaluation.order_key(values, request.sortby), item["id"], item["collection"]

    return sorted(filter(evaluation.matcher(request), held), key=place)


async def walk(
    source: ItemSource, request: SearchRequest, limits: Iterable[int] = (), at_most: int = 1000
) -> list[ItemPage]:
    """All pages of a search, from token to token.

    Args:
        source: What is searched.
        request: What for.
        limits: The limit of each page; the request's own where they are used up.
        at_most: More pages than this are taken for a walk without end.
    """
    pages: list[ItemPage] = []
    token = None
    for limit in chain(limits, repeat(request.limit)):
        pages.append(await source.search(ANONYMOUS, replace(request, limit=limit, token=token)))
        token = pages[-1].token
        if token is None:
            return pages
        assert len(pages) < at_most, f"the walk does not end: {len(pages)} pages, and still a token"
    raise AssertionError("unreachable: the limits never end")


def on_archives(check: Check) -> Callable[["ItemSourceTests"], None]:
    """The test that tries a promise on many archives, each with some searches."""

    def test(self: "ItemSourceTests") -> None:
        async def on_one(held: list[Item], searches: list[SearchRequest]) -> None:
            async with self.open_source(held, archives.collections()) as source:
                for request in searches:
                    await check(self, source, held, request)

        def run(held: list[Item], searches: list[SearchRequest]) -> None:
            asyncio.run(on_one(held, searches))

        run.__qualname__ = f"{type(self).__qualname__}.{check.__name__}"  # failures are kept under it
        searches = st.lists(requests(), min_size=1, max_size=self.searches)
        options = settings(
            max_examples=self.examples,
            deadline=None,
            phases=set(settings().phases) - {Phase.explain},  # it asks each failure again, many times
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        options(given(items(), searches)(run))()

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


class ItemSourceTests:
    """The promises of `ItemSource`. A subclass says how to make one that holds given items."""

    examples = 25
    """How many archives each promise is tried on; fewer where a source is slow to make."""
    searches = 4
    """How many searches at most each archive is asked."""
    empty_last_page = False
    """Whether a token may lead to an empty last page: a source that cannot know better says True."""

    def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AbstractAsyncContextManager[ItemSource]:
        """A source that holds exactly these.

        Args:
            items: Valid STAC items.
            collections: Those that they belong to, and perhaps others.
        """
        raise NotImplementedError

    def same_item(self, expected: Item, got: Item) -> bool:
        """Whether an answer's item is the one that was handed in; its structural links do not count."""
        return _as_handed_in(expected) == _as_handed_in(got)

    def assert_same(self, expected: Sequence[Item], got: Sequence[OpenItem]) -> None:
        """Assert that an answer's items are these, in this order."""
        assert [_name(item) for item in expected] == [(item.id, item.collection) for item in got]
        for item, open_item in zip(expected, got, strict=True):
            read = read_body(open_item.body)
            assert self.same_item(item, read), f"the source changed the item {item} into {read}"

    @on_archives
    async def test_a_walk_gives_every_match_once_and_in_order(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """The pages of a search add up to its brute-force answer, whatever their size."""
        self.assert_same(brute_force(held, request), _items_of(await walk(source, request)))

    @on_archives
    async def test_the_limit_may_change_between_pages(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """A token is good for a page of any size."""
        pages = await walk(source, request, limits=[2, 1, 3, 1])
        self.assert_same(brute_force(held, request), _items_of(pages))

    @on_archives
    async def test_no_page_is_longer_than_its_limit(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """A page holds as many items as were asked for, or fewer."""
        for page in await walk(source, request):
            assert len(page.items) <= request.limit

    @on_archives
    async def test_the_last_page_has_no_token(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """A token promises more, unless the source says that it cannot know."""
        pages = await walk(source, request)
        if not self.empty_last_page:
            assert all(page.items for page in pages[1:]), "a token led to an empty page"

    @on_archives
    async def test_a_page_asked_for_again_is_the_same(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """Tokens hold no state that a use wears out, also where searches run at once."""
        tokens = [None, *(page.token for page in (await walk(source, request))[:-1])]
        again = [source.search(ANONYMOUS, replace(request, token=token)) for token in tokens]
        self.assert_same(brute_force(held, request), _items_of(await asyncio.gather(*again)))

    @on_archives
    async def test_matched_is_exact_where_it_is_given(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """The number of matches is right on every page, or not told."""
        for page in await walk(source, request):
            assert page.matched in (None, len(brute_force(held, request)))

    @on_archives
    async def test_a_token_of_another_search_is_refused(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """A token is good for the search it was made for, and no other."""
        mine = SearchRequest(sortby=request.sortby, limit=1)
        token = (await source.search(ANONYMOUS, mine)).token
        others = [
            replace(mine, ids=("a",)),
            replace(mine, collections=archives.COLLECTIONS),
            replace(mine, filter={"op": "isNull", "args": [{"property": "nowhere"}]}),
            replace(mine, sortby=(SortField("nowhere", descending=True), *mine.sortby)),
        ]
        for other in others if token else ():
            with pytest.raises(BadCursor):
                await source.search(ANONYMOUS, replace(other, token=token))

    @on_archives
    async def test_a_changed_token_is_refused(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """What the source did not make is no token of it."""
        mine = SearchRequest(sortby=request.sortby, limit=1)
        token = (await source.search(ANONYMOUS, mine)).token
        for changed in ["", "x", "é", *(_changed(token) if token else ())]:
            with pytest.raises(BadCursor):
                await source.search(ANONYMOUS, replace(mine, token=changed))

    @on_archives
    async def test_bodies_are_open_and_close_to_the_item(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """A body lacks its end and its structural links; with them it is the item's JSON."""
        here = {"rel": "self", "href": "https://example.org/here"}
        page = await source.search(ANONYMOUS, replace(request, limit=100))
        for expected, item in zip(brute_force(held, request), page.items, strict=True):
            whole = msgspec.json.decode(close_body(item.body, b""))
            assert not STRUCTURAL & {link["rel"] for link in whole["links"]}
            assert self.same_item(expected, whole)
            linked = msgspec.json.decode(close_body(item.body, msgspec.json.encode(here)))
            assert linked == whole | {"links": [*whole["links"], here]}

    @on_archives
    async def test_each_item_is_found_by_its_address(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """Each item is found in its collection, and nothing where there is none."""
        there = {_name(item): item for item in held}
        for collection in (*archives.COLLECTIONS, "nowhere"):
            for item_id in ("a", "nothing", *(item["id"] for item in held)):
                if item := there.get((item_id, collection)):
                    self.assert_same([item], [await source.item(ANONYMOUS, collection, item_id)])
                else:
                    with pytest.raises(NotFound):
                        await source.item(ANONYMOUS, collection, item_id)

    @on_archives
    async def test_collections_are_listed_in_order_and_found(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """Each collection is listed once, by its id, without structural links, and found by it."""
        listed = (await source.collections(ANONYMOUS)).collections
        names = [collection["id"] for collection in listed]
        assert names == sorted(set(names))
        assert {item["collection"] for item in held} <= set(names)
        for collection in listed:
            assert collection == await source.collection(ANONYMOUS, collection["id"])
            assert collection["type"] == "Collection"
            assert {"stac_version", "description", "license", "extent"} <= collection.keys()
            assert not STRUCTURAL & {link["rel"] for link in collection.get("links", [])}
        with pytest.raises(NotFound):
            await source.collection(ANONYMOUS, "nowhere")

    @on_archives
    async def test_queryables_are_the_properties_of_a_schema(
        self, source: ItemSource, held: list[Item], request: SearchRequest
    ) -> None:
        """Queryables are told of all, of each collection, and of no other."""
        names = [collection["id"] for collection in (await source.collections(ANONYMOUS)).collections]
        for name in (None, *names):
            schemas = await source.queryables(ANONYMOUS, name)
            assert all(isinstance(schema, Mapping) for schema in schemas.values())
            assert msgspec.json.encode(schemas)
        with pytest.raises(NotFound):
            await source.queryables(ANONYMOUS, "nowhere")


def _items_of(pages: Iterable[ItemPage]) -> list[OpenItem]:
    return [item for page in pages for item in page.items]


def _name(item: Item) -> tuple[str, str]:
    return item["id"], item["collection"]


def _as_handed_in(item: Item) -> Item:
    return item | {"links": [link for link in own_links(item) if link.get("rel") not in STRUCTURAL]}


def _changed(token: str) -> Iterable[str]:
    """A token with one character changed, at its end and here and there, one cut short, one longer."""
    for at, other in zip(range(len(token) - 1, -1, -5), cycle("Aa0_")):  # one is endless
        if token[at] != other:
            yield token[:at] + other + token[at + 1 :]
    yield token[:-2]
    yield "A" + token
