"""One search: its first matches, each checked exactly."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from cscale.catalogue.bodies import NO_DICTIONARY, Inflater
from cscale.catalogue.conditions import Condition
from cscale.catalogue.postgresql.connection import Reader
from cscale.catalogue.postgresql.schema import column
from cscale.catalogue.postgresql.searching.query import Position, Query, Way
from cscale.catalogue.postgresql.searching.ways import Walk, choose, walks
from cscale.stac.evaluation import OrderKey, Value, order_key, sort_value
from cscale.stac.items import Item

_BATCH = 100
_BIGGEST_BATCH = 2000
_IN_LOOP = 20  # bodies that are read in the event loop; more keep it too long
_FIXED = 5  # columns before the sort values


class Found(NamedTuple):
    """A match: comparable by the order of the answer.

    Attributes:
        key: Its sort values' key.
        id: The item's id.
        collection: The id of its collection.
        values: Its sort values.
        dictionary: The number of its body's dictionary.
        data: Its body as it is stored.
    """

    key: OrderKey
    id: str
    collection: str
    values: tuple[Value, ...]
    dictionary: int
    data: bytes


class _ItemHead(msgspec.Struct):
    """What a filter may speak of, read without the assets."""

    properties: dict[str, Any]
    geometry: Any = None
    bbox: Any = None


_HEAD = msgspec.json.Decoder(_ItemHead)


class Bodies:
    """Reads stored bodies; of one catalogue, for all its searches.

    Args:
        data_url: The address under which the site serves its files.
    """

    def __init__(self, data_url: str) -> None:
        self._inflater = Inflater(data_url)
        self._dictionaries: dict[int, bytes] = {}

    async def know(self, reader: Reader, numbers: set[int]) -> None:
        """Load these dictionaries, as far as they are not known."""
        if missing := numbers - self._dictionaries.keys() - {NO_DICTIONARY}:
            cursor = await reader.execute(
                "SELECT n, data FROM dictionary WHERE n = ANY(%s)", [list(missing)], binary=True
            )
            self._dictionaries |= dict(await cursor.fetchall())

    def read(self, rows: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """The bodies of (dictionary, data) rows whose dictionaries are known."""
        return self._inflater.inflate(rows, self._dictionaries.__getitem__)


class Search:
    """A query under way.

    Args:
        reader: Inside a transaction.
        query: What is asked.
        bodies: Reads items, where columns do not tell enough.
        way: The way to take where it leads there; None to choose by estimate.
        few: Fewer items than this are not worth a stretch of their own.
    """

    def __init__(self, reader: Reader, query: Query, bodies: Bodies, way: Way | None, few: float) -> None:
        self._reader = reader
        self._query = query
        self._bodies = bodies
        self._few = few
        self.way = choose(query, way)
        self._names = {each.n: each.id for each in query.collections}
        self._checked = query.accepts is not None or bool(query.doubtful)
        self._needed = query.where(self.way)

    async def first(self, limit: int) -> list[Found]:
        """The first matches in the order of the request, at most `limit`."""
        if await self.needed() is None:
            return []
        if self.way == "read":
            return await self._sorted_here(limit)
        found: list[Found] = []
        for walk in walks(self._query, self.way, self._few):
            found += await self._walk(walk, limit - len(found))
            if len(found) >= limit:
                break
        return found

    async def needed(self) -> list[Condition] | None:
        """What all candidates satisfy; None where there can be none."""
        if self._query.request.ids is not None and not await self._narrow_to_ids():
            return None
        return self._needed

    async def items(self, needed: Sequence[Condition]) -> AsyncIterator[list[Item]]:
        """The items that match, in no order and without their assets, some at a time.

        Args:
            needed: What the candidates satisfy: `needed`, and what else is asked of them.
        """
        async for rows in self._candidates(needed):
            yield await asyncio.to_thread(self._items, rows)

    def _items(self, rows: Sequence[tuple[Any, ...]]) -> list[Item]:
        return [item for _, item in self._read(rows)]

    async def _narrow_to_ids(self) -> bool:
        """Where in time the items of these ids stand, so that few partitions are looked into."""
        cursor = await self._reader.execute(
            "SELECT array_agg(t) FROM held WHERE id = ANY(%s::text[]) AND collection = ANY(%s::integer[])",
            [self._query.ids, list(self._names)],
        )
        row = await cursor.fetchone()
        moments = row[0] if row else None
        self._needed.append(("i.t = ANY(%s::bigint[])", [moments]))
        return bool(moments)

    async def _walk(self, walk: Walk, limit: int) -> list[Found]:
        """The first matches of a stretch."""
        after = None if walk.fresh else self._query.after
        batch = min(max(limit, _BATCH), _BIGGEST_BATCH) if self._checked else limit
        found: list[Found] = []
        while True:
            rows = await self._fetch(*self._sql(walk, after, batch))
            found += await self._matches(rows)
            if len(found) >= limit or len(rows) < batch:
                return found[:limit]
            last = rows[-1]
            after = Position(last[_FIXED:], last[1], self._names[last[0]])
            batch = min(2 * batch, _BIGGEST_BATCH)

    def _sql(self, walk: Walk, after: Position | None, limit: int) -> Condition:
        query = self._query
        needed = [*self._needed, *walk.conditions]
        if after is not None:
            needed.append(query.beyond(after, self.way))
        select, selected = self._select()
        order, ordered = query.order_by(self.way, without_first=walk.without_first)
        sql = f"{select} WHERE {' AND '.join(sql for sql, _ in needed)} ORDER BY {order} LIMIT %s"
        return sql, [*selected, *(value for _, bound in needed for value in bound), *ordered, limit]

    def _select(self) -> Condition:
        """What is read of each candidate; a field of the order that has no column is NULL."""
        query = self._query
        doubt = "coalesce(i.odd && %s::text[], false)" if query.doubtful else "false"
        bound: list[Any] = [query.doubtful] if query.doubtful else []
        sort = []
        for field in query.request.sortby:
            if field.name == "collection":
                sql, names = query.name
                bound += names
            elif field.name in ("datetime", "id"):
                sql = {"datetime": "i.t", "id": "i.id"}[field.name]
            elif field.name in query.columns and query.columns[field.name][1] != "strings":
                sql = f"i.{column(query.columns[field.name][0])}"
            else:
                sql = "NULL"
            sort.append(sql)
        read = ["i.collection", "i.id", doubt, "i.dictionary", "i.body", *sort]
        return f"SELECT {', '.join(read)} FROM item i", bound  # noqa: S608  # our own names

    async def _fetch(self, sql: str, bound: list[Any]) -> list[tuple[Any, ...]]:
        cursor = await self._reader.execute(sql.encode(), bound, binary=True)
        return await cursor.fetchall()

    async def _sorted_here(self, limit: int) -> list[Found]:
        """All candidates, and the first of them kept."""
        query = self._query
        after = (query.after_key, query.after.id, query.after.collection) if query.after else None
        first: list[Found] = []
        async for rows in self._candidates(self._needed):
            matches = await self._matches(rows)
            beyond = [found for found in matches if after is None or found[:3] > after]
            first = heapq.nsmallest(limit, [*first, *beyond])
        return first

    async def _candidates(self, needed: Sequence[Condition]) -> AsyncIterator[list[tuple[Any, ...]]]:
        """All candidates, in no order, some at a time; their bodies' dictionaries are known."""
        select, selected = self._select()
        sql = f"{select} WHERE {' AND '.join(sql for sql, _ in needed)}"
        bound = [*selected, *(value for _, values in needed for value in values)]
        async with self._reader.cursor("candidates", binary=True) as cursor:
            await cursor.execute(sql.encode(), bound)
            while rows := await cursor.fetchmany(_BIGGEST_BATCH):
                await self._bodies.know(self._reader, {row[3] for row in rows})
                yield rows

    async def _matches(self, rows: Sequence[tuple[Any, ...]]) -> list[Found]:
        reads = self._checked or self.way == "read"
        if not reads:
            return [self._found(row, row[_FIXED:]) for row in rows]
        await self._bodies.know(self._reader, {row[3] for row in rows})
        if len(rows) <= _IN_LOOP:
            return self._checked_by_item(rows)
        return await asyncio.to_thread(self._checked_by_item, rows)

    def _checked_by_item(self, rows: Sequence[tuple[Any, ...]]) -> list[Found]:
        """The matches among candidates, as far as only the items themselves tell."""
        found = []
        for row, head in self._read(rows):
            values = row[_FIXED:]
            if self.way == "read":
                values = tuple(sort_value(head, field.name) for field in self._query.request.sortby)
            found.append(self._found(row, values))
        return found

    def _read(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], Item]]:
        """The candidates that match, with what filter and order need of the items themselves."""
        query = self._query
        for row, body in zip(rows, self._bodies.read([row[3:5] for row in rows]), strict=True):
            head: Item = msgspec.structs.asdict(_HEAD.decode(body + b"]}"))
            head |= {"id": row[1], "collection": self._names[row[0]]}
            accepts = query.accepts_odd if row[2] else query.accepts
            if accepts is None or accepts(head) is True:
                yield row, head

    def _found(self, row: tuple[Any, ...], values: tuple[Value, ...]) -> Found:
        key = order_key(values, self._query.request.sortby)
        return Found(key, row[1], self._names[row[0]], values, row[3], row[4])
