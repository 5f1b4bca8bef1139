"""One search in one collection: its first matches, each checked exactly."""

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import shapely

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.sqlite.ways import Query, Walk, Ways
from cscale.catalogue.statistics import CollectionStatistics
from cscale.stac.evaluation import OrderKey, Value, order_key, sort_value, sortable
from cscale.stac.geometry import Box
from cscale.stac.items import Item

_BATCH = 128
_FIXED = 7  # columns before the sort values


class Found(NamedTuple):
    """A match: comparable by the order of the answer.

    Attributes:
        key: Its sort values' key.
        id: The item's id.
        collection: The id of its collection.
        n: Its number in the database.
        values: Its sort values.
    """

    key: OrderKey
    id: str
    collection: str
    n: int
    values: tuple[Value, ...]


class _ItemHead(msgspec.Struct):
    """What a filter may speak of, read without the assets."""

    properties: dict[str, Any]
    geometry: Any = None
    bbox: Any = None


class Search:
    """A query run in one collection.

    Args:
        connection: Inside a transaction.
        collection: Where to search.
        query: What for.
        inflater: Reads bodies, where columns do not tell enough.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        collection: CollectionStatistics,
        query: Query,
        inflater: Inflater,
    ) -> None:
        self._connection = connection
        self._collection = collection
        self._query = query
        self._inflater = inflater
        self._ways = Ways(connection, collection, query)

    def first(self, limit: int) -> list[Found]:
        """The first matches in the order of the request, at most `limit`."""
        query, batch = self._query, min(limit, _BATCH)
        if walks := self._ways.walks():
            return list(islice((found for walk in walks for found in self._matches(walk, batch)), limit))
        after = (query.after_key, query.after.id, query.after.collection) if query.after else None
        matches = (found for found in self._matches(None, _BATCH) if after is None or found[:3] > after)
        return heapq.nsmallest(limit, matches)

    def _matches(self, walk: Walk | None, batch: int) -> Iterator[Found]:
        """All matches, in an order or in none: those that the columns let through, checked exactly."""
        sql, values = self._ways.sql(walk)
        rows = self._connection.execute(sql, values)
        while some := rows.fetchmany(batch):
            inside = self._inside(some)
            heads = self._heads([row[0] for row, is_in in zip(some, inside, strict=True) if is_in])
            for row, is_in in zip(some, inside, strict=True):
                if is_in and (found := self._found(row, heads.get(row[0]))) is not None:
                    yield found

    def _found(self, row: Sequence[Any], head: Item | None) -> Found | None:
        """The match of a row, unless what its columns do not tell speaks against it."""
        query = self._query
        if query.accepts is not None and head is not None:
            head |= {"id": row[1], "collection": self._collection.id}
            if query.accepts(head) is not True:
                return None
        values = self._sort_values(row, head)
        key = order_key(values, query.request.sortby)
        return Found(key, row[1], self._collection.id, row[0], values)

    def _sort_values(self, row: Sequence[Any], head: Item | None) -> tuple[Value, ...]:
        values: list[Value] = []
        for each, stored in zip(self._query.request.sortby, row[_FIXED:], strict=True):
            if each.name == "collection":
                values.append(self._collection.id)
            elif each.name in self._query.unread:
                values.append(sort_value(head or {}, each.name))
            elif isinstance(stored, bytes):
                values.append(sortable(msgspec.json.decode(stored)))
            else:
                values.append(stored)
        return tuple(values)

    def _inside(self, rows: Sequence[Sequence[Any]]) -> list[bool]:
        """Which rows' geometries meet the area: by their boxes where those decide, else exactly."""
        area = self._query.area
        if area is None:
            return [True] * len(rows)
        inside, doubtful = [], []
        for at, row in enumerate(rows):
            decided = self._decided_by_box(row)
            inside.append(decided is not False)
            if decided is None:
                doubtful.append(at)
        if doubtful:
            geometries = _geometries([rows[at] for at in doubtful])
            for at, meets in zip(doubtful, shapely.intersects(area, geometries), strict=True):
                inside[at] = bool(meets)
        return inside

    def _decided_by_box(self, row: Sequence[Any]) -> bool | None:
        geometry, west, south, east, north = row[2:_FIXED]
        if geometry is None:
            return False
        if not self._query.area_is_box:
            return None
        if not geometry:
            return True  # the item is its box, and the box was compared in SQL
        for part in self._query.parts:
            if part[0] <= west <= east <= part[2] and part[1] <= south and north <= part[3]:
                return True
        return None

    def _heads(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        """What filter and order need of the items themselves, if they do."""
        if not numbers or (self._query.accepts is None and not self._query.unread):
            return {}
        bodies = read_bodies(self._connection, numbers, self._inflater)
        decoded = (_HEAD.decode(body + b"]}") for body in bodies)
        return {n: msgspec.structs.asdict(head) for n, head in zip(numbers, decoded, strict=True)}


_HEAD = msgspec.json.Decoder(_ItemHead)


def dictionaries(connection: sqlite3.Connection) -> Callable[[int], bytes]:
    """Reads the dictionaries of bodies."""

    def load(number: int) -> bytes:
        row = connection.execute("SELECT data FROM dictionary WHERE n = ?", [number]).fetchone()
        return bytes(row[0])

    return load


def read_bodies(connection: sqlite3.Connection, numbers: Sequence[int], inflater: Inflater) -> list[bytes]:
    """The open bodies of items, by their numbers, in their order."""
    sql = f"SELECT n, dictionary, data FROM body WHERE n IN ({','.join('?' * len(numbers))})"  # noqa: S608  # only question marks
    found = {n: (dictionary, data) for n, dictionary, data in connection.execute(sql, numbers)}
    return inflater.inflate([found[n] for n in numbers], dictionaries(connection))


def _geometries(rows: Sequence[Sequence[Any]]) -> list[shapely.Geometry]:
    """The geometries of rows that have one: as stored, or the box itself."""
    read: list[shapely.Geometry] = shapely.from_wkb([row[2] or None for row in rows]).tolist()
    for at, row in enumerate(rows):
        if not row[2]:
            read[at] = Box(*row[3:_FIXED]).geometry()
    return read
