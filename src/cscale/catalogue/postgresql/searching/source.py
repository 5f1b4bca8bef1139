"""`ItemSource` and `Aggregates` over one archive's catalogue in PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from cscale.catalogue.describing import queryables
from cscale.catalogue.postgresql.connection import Place, Pool, Reader
from cscale.catalogue.postgresql.schema import opened
from cscale.catalogue.postgresql.searching.aggregation import aggregate
from cscale.catalogue.postgresql.searching.query import Position, Query, Way
from cscale.catalogue.postgresql.searching.search import Bodies, Found, Search
from cscale.catalogue.postgresql.searching.state import (
    FIRST,
    CurrentState,
    State,
    described,
    extent,
    properties,
)
from cscale.catalogue.postgresql.searching.ways import FEW
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.statistics import CollectionStatistics, Extent
from cscale.errors import NotFound
from cscale.identity import Caller
from cscale.net.signing import Signer
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.aggregation.counting import Counts, answer
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import NEWEST_FIRST, SearchRequest
from cscale.stac.source import CollectionList, ItemPage

STATEMENT_TIMEOUT = 30.0
"""How long one statement of a search may take, seconds."""
_IN_LOOP = 50  # bodies that are inflated in the event loop; more keep it too long


class PostgresCatalogue:
    """One archive's items and collections.

    A search is one read-only transaction: an answer shows one state of the archive, also while an
    ingest is under way. Any number of processes may serve one database.

    Args:
        place: Where the catalogue lies; made if there is none.
        data_url: The address under which the site serves its files.
        secret: Seals the cursors; shared by all processes of the site.
        columns: The typed columns of a catalogue that is made.
        way: The way searches take to their candidates where it leads there; None to choose by estimate.
        few: Fewer items than this are not worth a stretch of time of their own.
        statement_timeout: How long one statement of a search may take, seconds.

    Raises:
        BadConfiguration: If the database cannot be reached or used, or holds another format.
    """

    def __init__(
        self,
        place: Place,
        *,
        data_url: str,
        secret: bytes,
        columns: Mapping[str, Kind] = COLUMNS,
        way: Way | None = None,
        few: float = FEW,
        statement_timeout: float = STATEMENT_TIMEOUT,
    ) -> None:
        self._signer = Signer(secret, "items")
        self._bodies = Bodies(data_url)
        self._state = CurrentState()
        self._way: Way | None = way
        self._few = few
        with opened(place, columns):
            pass
        self._pool = Pool(place, statement_timeout)

    def close(self) -> None:
        """Let go of the database; searches under way finish."""
        self._pool.close()

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        """See `ItemSource.search`."""
        after = self._position(request)
        try:
            return await self._transact(request, after)
        except psycopg.errors.InternalError_:  # its geometry library gives up on what ours can compare
            return await self._transact(request, after, all_here=True)

    async def collections(self, caller: Caller) -> CollectionList:
        """See `ItemSource.collections`."""
        async with self._pool.reading(FIRST) as (reader, rows):
            state = await self._state.of(reader, rows)
            return CollectionList(await described(reader, list(state.collections.values())))

    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        """See `ItemSource.collection`."""
        async with self._pool.reading(FIRST) as (reader, rows):
            state = await self._state.of(reader, rows)
            known = _known(state, collection_id)
            found = await described(reader, [known])
        if not found:
            raise NotFound(f"no collection {collection_id!r} here; /collections lists them")
        return found[0]

    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        """See `ItemSource.item`."""
        request = SearchRequest(collections=(collection_id,), ids=(item_id,), limit=1)
        page = await self.search(caller, request)
        if not page.items:
            raise NotFound(f"no item {item_id!r} in collection {collection_id!r} here")
        return page.items[0]

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `ItemSource.queryables`: what the columns hold first, then whatever else was seen."""
        async with self._pool.reading(FIRST) as (reader, rows):
            state = await self._state.of(reader, rows)
            only = None if collection_id is None else _known(state, collection_id)
            seen = await properties(reader, only)
        return queryables({name: kind for name, (_, kind) in state.columns.items()}, seen)

    async def extents(self) -> Mapping[str, Extent]:
        """See `Catalogue.extents`."""
        async with self._pool.reading(FIRST) as (reader, rows):
            known = (await self._state.of(reader, rows)).collections
            return {each.id: await extent(reader, each) for each in known.values()}

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        """See `Aggregates.aggregate`."""
        try:
            return await self._aggregate(request)
        except psycopg.errors.InternalError_:  # as of a search
            return await self._aggregate(request, all_here=True)

    async def _transact(
        self, request: SearchRequest, after: Position | None, *, all_here: bool = False
    ) -> ItemPage:
        async with self._pool.reading(FIRST) as (reader, rows):
            state = await self._state.of(reader, rows)
            return await self._search(reader, state, request, after, all_here=all_here)

    async def _aggregate(self, request: AggregateRequest, *, all_here: bool = False) -> AggregationCollection:
        search = replace(request.search, sortby=NEWEST_FIRST, token=None)
        async with self._pool.reading(FIRST) as (reader, rows):
            state = await self._state.of(reader, rows)
            where = _asked(state, search)
            if not where:
                return AggregationCollection([answer(name, Counts(), request) for name in request.names])
            query = Query(search, where, state.columns, _odd(state, where), None, all_here)
            return await aggregate(reader, query, self._bodies, request)

    async def _search(
        self, reader: Reader, state: State, request: SearchRequest, after: Position | None, *, all_here: bool
    ) -> ItemPage:
        where = _asked(state, request)
        if not where:
            return ItemPage(items=[], matched=0 if request.token is None else None)
        query = Query(request, where, state.columns, _odd(state, where), after, all_here)
        found = await Search(reader, query, self._bodies, self._way, self._few).first(request.limit + 1)
        page = found[: request.limit]
        more = len(found) > request.limit
        return ItemPage(
            items=await self._open(reader, page),
            token=self._token(request, page[-1]) if more else None,
            matched=_matched(request, where, len(page), more=more),
        )

    async def _open(self, reader: Reader, page: Sequence[Found]) -> list[OpenItem]:
        rows = [(found.dictionary, found.data) for found in page]
        await self._bodies.know(reader, {found.dictionary for found in page})
        if len(rows) <= _IN_LOOP:
            bodies = self._bodies.read(rows)
        else:
            bodies = await asyncio.to_thread(self._bodies.read, rows)
        return [OpenItem(found.id, found.collection, body) for found, body in zip(page, bodies, strict=True)]

    def _token(self, request: SearchRequest, last: Found) -> str:
        return request.seal([last.values, last.id, last.collection], self._signer)

    def _position(self, request: SearchRequest) -> Position | None:
        position = request.opened(self._signer)
        if position is None:
            return None
        values, item_id, collection = position
        return Position(tuple(values), item_id, collection)


def _asked(state: State, request: SearchRequest) -> list[CollectionStatistics]:
    """The collections to search in, in order of id."""
    known = state.collections
    asked = known if request.collections is None else set(request.collections)
    return [known[name] for name in known if name in asked]


def _odd(state: State, where: Sequence[CollectionStatistics]) -> frozenset[str]:
    """The columns that do not fit some item of these collections."""
    return frozenset(name for each in where for name in state.odd.get(each.n, ()))


def _known(state: State, collection_id: str) -> CollectionStatistics:
    if collection_id not in state.collections:
        raise NotFound(f"no collection {collection_id!r} here; /collections lists them")
    return state.collections[collection_id]


def _matched(
    request: SearchRequest, where: Sequence[CollectionStatistics], returned: int, *, more: bool
) -> int | None:
    """How many items match, where that is known without counting them."""
    if not more and request.token is None:
        return returned
    selects = (request.ids, request.bbox, request.intersects, request.datetime, request.filter, request.q)
    if all(part is None for part in selects):
        return sum(collection.items for collection in where)
    return None
