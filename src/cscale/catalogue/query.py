"""One search in one collection: the shorter way to its first matches, each checked exactly.

There are three ways to the candidates: through the R*Tree to all that lie in the box, then sorted; or in
the order of the answer until the page is full, through the (collection, newest first, id) index or that
of the column it is sorted by. All give the same answer; the statistics tell which is shortest.
"""

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec
import shapely

from cscale.catalogue import columns
from cscale.catalogue.bodies import Inflater
from cscale.catalogue.rows import can_name
from cscale.catalogue.schema import COLUMNS, INDEXED, column, index
from cscale.catalogue.statistics import CollectionStatistics
from cscale.stac.cql2 import compile_filter
from cscale.stac.evaluation import OrderKey, Value, order_key, search_area, sort_value, sortable
from cscale.stac.geometry import Box
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest

Way = Literal["box", "time", "column", "ids"]

_BATCH = 128
_ROW_BY_TIME = 1.0  # the relative cost of one candidate each way, measured
_ROW_BY_BOX = 2.0
_ROW_BY_COLUMN = 2.0
_LET_THROUGH = 0.1  # the share of items that a filter is taken to accept


class Position(NamedTuple):
    """Where a page ended.

    Attributes:
        values: The sort values of its last item.
        id: That item's id.
        collection: The id of its collection.
    """

    values: tuple[Value, ...]
    id: str
    collection: str


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


@dataclass
class Query:
    """What a search asks of any collection, prepared once.

    Attributes:
        request: The search.
        after: Where the page before ended.
        way: Which way to take where it leads there; None to choose.
    """

    request: SearchRequest
    after: Position | None = None
    way: Way | None = None

    def __post_init__(self) -> None:
        request = self.request
        self.conditions, rest = columns.split(request.filter)
        self.accepts = compile_filter(rest) if rest else None
        self.area = search_area(request)
        self.parts = _parts(request, self.area) or columns.bounds(request.filter)
        self.area_is_box = request.bbox is not None
        names = [field.name for field in request.sortby]
        in_id_order = names[1:] in ([], ["id"]) and not _id_falls(request)
        self.by_time = names[0] == "datetime" and in_id_order
        self.by_column = names[0] if names[0] in INDEXED and in_id_order else None
        self.unread = [name for name in names if name not in _SORT_COLUMNS]
        self.after_key = order_key(self.after.values, request.sortby) if self.after else None


_SORT_COLUMNS = {
    "datetime": "i.t",
    "id": "i.id",
    "collection": "NULL",
} | {name: f"i.{column(name)}" for name in COLUMNS}


def _id_falls(request: SearchRequest) -> bool:
    return any(field.name == "id" and field.descending for field in request.sortby)


def _parts(request: SearchRequest, area: shapely.Geometry | None) -> list[tuple[float, float, float, float]]:
    if request.bbox is not None:
        return request.bbox.parts()
    return [] if area is None else [tuple(float(number) for number in area.bounds)]  # type: ignore[list-item]  # four


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

    def first(self, limit: int) -> list[Found]:
        """The first matches in the order of the request, at most `limit`."""
        query, batch = self._query, min(limit, _BATCH)
        if query.by_time:
            return list(islice(self._matches(self._walk_by_time(), batch), limit))
        if query.by_column and self.way == "column":
            walks = self._walks_by_column(query.by_column)
            return list(islice((found for walk in walks for found in self._matches(walk, batch)), limit))
        after = (query.after_key, query.after.id, query.after.collection) if query.after else None
        matches = (found for found in self._matches(None, _BATCH) if after is None or found[:3] > after)
        return heapq.nsmallest(limit, matches)

    @cached_property
    def way(self) -> Way:
        """The way with the fewest rows to look at, by estimate."""
        query, request = self._query, self._query.request
        if request.ids is not None:
            return "ids"
        if query.way == "column":
            return "column" if query.by_column and self._sorts_by_index(query.by_column) else "time"
        if query.way is not None and query.parts:
            return query.way
        in_box = self._collection.in_box(query.parts) if query.parts else self._collection.items
        in_time = self._collection.in_time(request.datetime)
        accepted = 1.0 if request.filter is None else _LET_THROUGH
        until_full = self._until_full(in_box * accepted) if query.by_time else in_time
        costs: dict[Way, float] = {"time": min(in_time, until_full) * _ROW_BY_TIME}
        if query.parts:  # where no place is asked for, items that have none belong to the answer
            costs["box"] = in_box * _ROW_BY_BOX
        if query.by_column and query.way is None and self._sorts_by_index(query.by_column):
            both = in_box * in_time / max(self._collection.items, 1)
            costs["column"] = self._until_full(both * accepted) * _ROW_BY_COLUMN
        return min(costs, key=lambda way: costs[way])

    def _until_full(self, matching: float) -> float:
        """How many rows are looked at until the page is full, if so many of all match."""
        return (self._query.request.limit + 1) * self._collection.items / max(matching, 0.5)

    def _sorts_by_index(self, name: str) -> bool:
        """Whether the index has the order of the answer: not where values are neither number nor text."""
        sql = (
            f"SELECT EXISTS (SELECT 1 FROM item INDEXED BY {index(name)}"  # noqa: S608  # our own names
            f" WHERE collection = ? AND {column(name)} >= x'')"
        )
        return not self._connection.execute(sql, [self._collection.n]).fetchone()[0]

    def _matches(self, walk: "_Walk | None", batch: int) -> Iterator[Found]:
        """All matches, in an order or in none: those that the columns let through, checked exactly."""
        sql, values = self._sql(walk)
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
        for field, stored in zip(self._query.request.sortby, row[_FIXED:], strict=True):
            if field.name == "collection":
                values.append(self._collection.id)
            elif field.name in _SORT_COLUMNS and not isinstance(stored, bytes):
                values.append(stored)
            elif field.name in _SORT_COLUMNS:
                values.append(sortable(msgspec.json.decode(stored)))
            else:
                values.append(sort_value(head or {}, field.name))
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
            geometries = [_row_geometry(rows[at]) for at in doubtful]
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
        rows = self._connection.execute(
            f"SELECT n, dictionary, data FROM body WHERE n IN ({','.join('?' * len(numbers))})",  # noqa: S608  # only question marks
            numbers,
        ).fetchall()
        bodies = self._inflater.inflate(self._connection, [row[1:] for row in rows])
        decoded = (_HEAD.decode(body + b"]}") for body in bodies)
        return {row[0]: msgspec.structs.asdict(head) for row, head in zip(rows, decoded, strict=True)}

    def _sql(self, walk: "_Walk | None") -> tuple[str, list[Any]]:
        """The SQL of the candidates: a superset of the matches by what only the items themselves tell."""
        way = self.way
        conditions = self._conditions(way) + (walk.conditions if walk else [])
        sources: dict[Way, str] = {
            "box": "item_box b CROSS JOIN item i ON i.n = b.n",
            "time": "item i INDEXED BY item_newest",
            "column": f"item i INDEXED BY {index(self._query.by_column or '')}",
            "ids": "item i",
        }
        sort = "".join(f", {_SORT_COLUMNS.get(field.name, 'NULL')}" for field in self._query.request.sortby)
        sql = (
            f"SELECT i.n, i.id, i.geometry, i.west, i.south, i.east, i.north{sort} "  # noqa: S608  # our own names
            f"FROM {sources[way]} WHERE {' AND '.join(sql for sql, _ in conditions)}"
        )
        if walk:
            sql += f" ORDER BY {walk.order}"
        return sql, [value for _, values in conditions for value in values]

    def _walk_by_time(self) -> "_Walk":
        after = self._query.after
        descending = self._query.request.sortby[0].descending
        beyond = [self._beyond("i.t", after.values[0], after)] if after else []
        return _Walk(beyond, f"i.t{' DESC' if descending else ''}, i.id")

    def _walks_by_column(self, name: str) -> Iterator["_Walk"]:
        """First what has a value, then what has none, each from the position on."""
        sql, after = f"i.{column(name)}", self._query.after
        if after is None or after.values[0] is not None:
            beyond = [self._beyond(sql, after.values[0], after)] if after else []
            descending = self._query.request.sortby[0].descending
            yield _Walk([(f"{sql} < x''", []), *beyond], f"{sql}{' DESC' if descending else ''}, i.id")
            yield _Walk([(f"{sql} IS NULL", [])], "i.id")
        else:
            yield _Walk([(f"{sql} IS NULL", []), self._beyond_id(after)], "i.id")

    def _conditions(self, way: Way) -> list[columns.Condition]:
        request, parts = self._query.request, self._query.parts
        conditions: list[columns.Condition] = []
        if way == "box":
            conditions.append(_any_of(_R_TREE, parts or [_WORLD]))
        conditions.append(("i.collection = ?", [self._collection.n]))
        if parts:
            conditions.append(_any_of(_BOXES_MEET, parts))
        if request.ids is not None:
            ids = msgspec.json.encode([each for each in request.ids if can_name(each)]).decode()
            conditions.append(("i.id IN (SELECT value FROM json_each(?))", [ids]))
        if request.datetime is not None:
            conditions.extend(self._in_time())
        if request.bbox is not None and request.bbox.bottom is not None:
            conditions.append(
                (
                    "(i.bottom IS NULL OR (i.bottom <= ? AND i.top >= ?))",
                    [request.bbox.top, request.bbox.bottom],
                )
            )
        return conditions + self._query.conditions

    def _in_time(self) -> list[columns.Condition]:
        """Stretch of time meets interval; so the place in time, which the index knows, is near it."""
        interval = self._query.request.datetime
        conditions: list[columns.Condition] = []
        if interval is not None and interval.start is not None:
            conditions.append(("i.t >= ?", [interval.start - self._collection.after]))
            conditions.append(("i.t_last >= ?", [interval.start]))
        if interval is not None and interval.end is not None:
            conditions.append(("i.t <= ?", [interval.end + self._collection.before]))
            conditions.append(("i.t_first <= ?", [interval.end]))
        return conditions

    def _beyond(self, sql: str, value: Value, after: Position) -> columns.Condition:
        """Beyond the position, in a form that the index answers at any depth."""
        up_to, further = ("<=", "<") if self._query.request.sortby[0].descending else (">=", ">")
        beyond_id, ids = self._beyond_id(after)
        return f"{sql} {up_to} ? AND ({sql} {further} ? OR {beyond_id})", [value, value, *ids]

    def _beyond_id(self, after: Position) -> columns.Condition:
        return f"i.id {'>=' if self._collection.id > after.collection else '>'} ?", [after.id]


class _Walk(NamedTuple):
    """An order that an index has: what is still to come, and how it is sorted."""

    conditions: list[columns.Condition]
    order: str


_FIXED = 7  # columns before the sort values
_WORLD = (-180.0, -90.0, 180.0, 90.0)
_HEAD = msgspec.json.Decoder(_ItemHead)

_R_TREE = "(b.east >= ? AND b.west <= ? AND b.north >= ? AND b.south <= ?)"
_BOXES_MEET = (
    "(CASE WHEN i.west <= i.east THEN i.east >= ? AND i.west <= ? ELSE i.east >= ? OR i.west <= ? END"
    " AND i.north >= ? AND i.south <= ?)"
)


def _any_of(form: str, parts: Sequence[tuple[float, float, float, float]]) -> columns.Condition:
    values: list[float] = []
    for west, south, east, north in parts:
        around = [west, east] if form is _R_TREE else [west, east, west, east]
        values += [*around, south, north]
    return "(" + " OR ".join([form] * len(parts)) + ")", values


def _row_geometry(row: Sequence[Any]) -> shapely.Geometry:
    geometry, *corners = row[2:_FIXED]
    return shapely.from_wkb(geometry) if geometry else Box(*corners).geometry()
