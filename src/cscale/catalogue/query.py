"""One search in one collection: the shorter way to its first matches, each checked exactly.

There are two ways to the candidates: through the R*Tree to all that lie in the box, then sorted; or
through the (collection, newest first, id) index in the order of the answer, until the page is full.
Both give the same answer; the statistics tell which is shorter.
"""

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec
import shapely

from cscale.catalogue import columns
from cscale.catalogue.bodies import Inflater
from cscale.catalogue.rows import can_name
from cscale.catalogue.schema import COLUMNS, column
from cscale.catalogue.statistics import CollectionStatistics
from cscale.stac.cql2 import compile_filter
from cscale.stac.evaluation import OrderKey, Value, order_key, search_area, sort_value, sortable
from cscale.stac.geometry import Box
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest

Way = Literal["box", "time", "ids"]

_BATCH = 128
_ROW_BY_TIME = 1.0  # the relative cost of one candidate either way, measured
_ROW_BY_BOX = 2.0


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
        way: Which way to take where both lead there; None to choose.
    """

    request: SearchRequest
    after: Position | None = None
    way: Way | None = None

    def __post_init__(self) -> None:
        request = self.request
        self.conditions, rest = columns.split(request.filter)
        self.accepts = compile_filter(rest) if rest else None
        self.area = search_area(request)
        self.parts = _parts(request, self.area)
        self.area_is_box = request.bbox is not None
        names = [field.name for field in request.sortby]
        self.by_time = names[0] == "datetime" and names[1:] in ([], ["id"]) and not _id_falls(request)
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
        query = self._query
        if query.by_time:
            return list(islice(self._matches(ordered=True, batch=min(limit, _BATCH)), limit))
        after = (query.after_key, query.after.id, query.after.collection) if query.after else None
        matches = (
            found
            for found in self._matches(ordered=False, batch=_BATCH)
            if after is None or found[:3] > after
        )
        return heapq.nsmallest(limit, matches)

    def way(self) -> Way:
        """The way with fewer rows to look at, by estimate."""
        query, request = self._query, self._query.request
        if request.ids is not None:
            return "ids"
        if not query.parts:
            return "time"  # where no place is asked for, items that have none belong to the answer
        if query.way is not None:
            return query.way
        in_box = self._collection.in_box(query.parts)
        in_time = self._collection.in_time(request.datetime)
        if query.by_time and self._collection.items:
            share = max(in_box, 0.5) / self._collection.items
            in_time = min(in_time, (request.limit + 1) / share)
        return "box" if in_box * _ROW_BY_BOX < in_time * _ROW_BY_TIME else "time"

    def _matches(self, *, ordered: bool, batch: int) -> Iterator[Found]:
        """All matches: those that the columns let through, checked exactly."""
        sql, values = self._sql(ordered=ordered)
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

    def _sql(self, *, ordered: bool) -> tuple[str, list[Any]]:
        """The SQL of the candidates: a superset of the matches by what only the items themselves tell."""
        way = self.way()
        conditions = self._conditions(way)
        if ordered and self._query.after is not None:
            conditions.append(self._after(self._query.after))
        source = {
            "box": "item_box b CROSS JOIN item i ON i.n = b.n",
            "time": "item i INDEXED BY item_newest",
            "ids": "item i",
        }[way]
        sort = "".join(f", {_SORT_COLUMNS.get(field.name, 'NULL')}" for field in self._query.request.sortby)
        sql = (
            f"SELECT i.n, i.id, i.geometry, i.west, i.south, i.east, i.north{sort} FROM {source} "  # noqa: S608  # our own names
            f"WHERE {' AND '.join(sql for sql, _ in conditions)}"
        )
        if ordered:
            sql += f" ORDER BY i.t{' DESC' if self._query.request.sortby[0].descending else ''}, i.id"
        return sql, [value for _, values in conditions for value in values]

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

    def _after(self, after: Position) -> columns.Condition:
        """Beyond the position, in a form that the index answers at any depth."""
        moment = after.values[0]
        beyond, further = ("<=", "<") if self._query.request.sortby[0].descending else (">=", ">")
        same_id = ">=" if self._collection.id > after.collection else ">"
        return f"i.t {beyond} ? AND (i.t {further} ? OR i.id {same_id} ?)", [moment, moment, after.id]


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
