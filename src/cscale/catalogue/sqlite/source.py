"""`ItemSource` over one archive's catalogue in SQLite."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.describing import REQUIRED, queryables, told_by_items
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.sqlite.aggregation import aggregate
from cscale.catalogue.sqlite.schema import connect
from cscale.catalogue.sqlite.search import Found, Search, read_bodies
from cscale.catalogue.sqlite.state import CurrentState, extent, properties
from cscale.catalogue.sqlite.ways import Position, Query, Way
from cscale.catalogue.statistics import CollectionStatistics, Extent
from cscale.errors import NotFound
from cscale.identity import Caller
from cscale.net.signing import Signer
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.source import CollectionList, ItemPage

T = TypeVar("T")

_THREADS = 2
"""One may wait for a disk. More fight for the interpreter: with four, a page under load costs half again."""


class SqliteCatalogue:
    """One archive's items and collections.

    Reads happen in threads, each inside one transaction: an answer shows one state of the archive,
    also while an ingest is under way.

    Args:
        path: The database file; made if there is none.
        data_url: The address under which the site serves its files.
        secret: Seals the cursors; shared by all processes of the site.
        columns: The typed columns of a catalogue that is made.
        way: The way searches take to their candidates where both lead there; None to choose by estimate.
    """

    def __init__(
        self,
        path: Path,
        *,
        data_url: str,
        secret: bytes,
        columns: Mapping[str, Kind] = COLUMNS,
        way: Way | None = None,
    ) -> None:
        self._path = path
        self._signer = Signer(secret, "items")
        self._inflater = Inflater(data_url)
        self._state = CurrentState()
        self._way: Way | None = way
        self._quick = ThreadPoolExecutor(_THREADS, thread_name_prefix="catalogue")
        self._patient = ThreadPoolExecutor(_THREADS, thread_name_prefix="catalogue-long")
        self._of_thread = threading.local()
        self._connections: list[sqlite3.Connection] = []
        connect(path, columns=columns).close()

    def close(self) -> None:
        """Let reads under way finish and close the files."""
        self._quick.shutdown()
        self._patient.shutdown()
        while self._connections:
            self._connections.pop().close()

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        """See `ItemSource.search`."""
        after = self._position(request)
        try:
            return await self._in_thread(lambda connection: self._search(connection, request, after))
        except _LongSearchError as search:
            query = search.query
            return await self._in_thread(lambda connection: self._found(connection, query), self._patient)

    async def collections(self, caller: Caller) -> CollectionList:
        """See `ItemSource.collections`."""
        return CollectionList(await self._in_thread(lambda connection: self._collections(connection)))

    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        """See `ItemSource.collection`."""
        found = await self._in_thread(lambda connection: self._collections(connection, collection_id))
        if not found:
            raise NotFound(f"no collection {collection_id!r} here; /collections lists them")
        return found[0]

    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        """See `ItemSource.item`."""
        request = SearchRequest(collections=(collection_id,), ids=(item_id,), limit=1)
        page = await self._in_thread(lambda connection: self._search(connection, request, None))
        if not page.items:
            raise NotFound(f"no item {item_id!r} in collection {collection_id!r} here")
        return page.items[0]

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `ItemSource.queryables`."""
        found = await self._in_thread(lambda connection: self._queryables(connection, collection_id))
        if found is None:
            raise NotFound(f"no collection {collection_id!r} here; /collections lists them")
        return found

    async def extents(self) -> Mapping[str, Extent]:
        """See `Catalogue.extents`."""
        return await self._in_thread(self._extents, self._patient)

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        """See `Aggregates.aggregate`."""
        return await self._in_thread(
            lambda connection: aggregate(connection, self._state.of(connection), self._inflater, request),
            self._patient,
        )

    def _search(
        self, connection: sqlite3.Connection, request: SearchRequest, after: Position | None
    ) -> ItemPage:
        query = Query(request, after, self._way, self._state.of(connection).columns)
        if query.is_long:
            raise _LongSearchError(query)
        return self._found(connection, query)

    def _found(self, connection: sqlite3.Connection, query: Query) -> ItemPage:
        known, request = self._state.of(connection).collections, query.request
        asked = known if request.collections is None else dict.fromkeys(request.collections)
        where = [known[name] for name in asked if name in known]
        found = [
            Search(connection, collection, query, self._inflater).first(request.limit + 1)
            for collection in where
        ]
        ranked = list(islice(merge(*found), request.limit + 1))
        page = ranked[: request.limit]
        more = len(ranked) > request.limit
        return ItemPage(
            items=self._open(connection, page),
            token=self._token(request, page[-1]) if more else None,
            matched=_matched(request, where, len(page), more=more),
        )

    def _open(self, connection: sqlite3.Connection, page: Sequence[Found]) -> list[OpenItem]:
        bodies = read_bodies(connection, [found.n for found in page], self._inflater)
        return [OpenItem(found.id, found.collection, body) for found, body in zip(page, bodies, strict=True)]

    def _token(self, request: SearchRequest, last: Found) -> str:
        return request.seal([last.values, last.id, last.collection], self._signer)

    def _position(self, request: SearchRequest) -> Position | None:
        position = request.opened(self._signer)
        if position is None:
            return None
        values, item_id, collection = position
        return Position(tuple(values), item_id, collection)

    def _collections(self, connection: sqlite3.Connection, only: str | None = None) -> list[Collection]:
        found = []
        for each in self._state.of(connection).collections.values():
            if only is None or each.id == only:
                body = connection.execute("SELECT body FROM collection WHERE n = ?", [each.n]).fetchone()[0]
                if body is None and not each.items:
                    continue  # it was never described, and its last item is gone
                own: Collection = msgspec.json.decode(body) if body else {}
                if not own.keys() >= REQUIRED:
                    own = told_by_items(each.id, extent(connection, each)) | own
                found.append(own)
        return found

    def _extents(self, connection: sqlite3.Connection) -> dict[str, Extent]:
        known = self._state.of(connection).collections
        return {each.id: extent(connection, each) for each in known.values()}

    def _queryables(self, connection: sqlite3.Connection, only: str | None) -> dict[str, Any] | None:
        """What the columns hold first, then whatever else was seen."""
        state = self._state.of(connection)
        if only is not None and only not in state.collections:
            return None
        seen = properties(connection, state.collections[only] if only is not None else None)
        return queryables(state.columns, seen)

    async def _in_thread(
        self, work: Callable[[sqlite3.Connection], T], threads: ThreadPoolExecutor | None = None
    ) -> T:
        pool = self._quick if threads is None else threads
        return await asyncio.get_running_loop().run_in_executor(pool, self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._reading() as connection:
            return work(connection)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection, inside one read transaction."""
        connection: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = connect(self._path)
            self._connections.append(connection)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")


class _LongSearchError(Exception):
    """A search that may take long: others shall not wait for it."""

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.query = query


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
