"""A search as the database is asked it: the ways to its candidates, and which is the shortest.

Through the R*Tree to what lies in the box, one stretch of time after the other; or in the order of the
answer until the page is full, through the (collection, newest first, id) index or that of the column it
is sorted by. All lead to the same answer; the statistics tell which is shortest.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import msgspec
import shapely

from cscale.catalogue.conditions import Condition, bounds
from cscale.catalogue.queryables import COLUMNS, INDEXED, Kind
from cscale.catalogue.rows import can_name
from cscale.catalogue.sqlite import conditions
from cscale.catalogue.sqlite.schema import column, index
from cscale.catalogue.statistics import DAY, CollectionStatistics
from cscale.stac.cql2 import compile_filter
from cscale.stac.evaluation import Value, order_key, search_area
from cscale.stac.search import SearchRequest

Way = Literal["box", "time", "column", "ids"]

_ROW_BY_TIME = 1.0  # the relative cost of one candidate each way, measured
_ROW_BY_BOX = 2.0
_ROW_BY_COLUMN = 2.0
_LET_THROUGH = 0.1  # the share of items that a filter is taken to accept
_SLICE = 1.5  # how many matches a first stretch of time shall hold, in pages
_SLICE_GROWS = 4
_PER_SLICE = 20.0
_WORLD = (-180.0, -90.0, 180.0, 90.0)


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


@dataclass
class Query:
    """What a search asks of any collection, prepared once.

    Attributes:
        request: The search.
        after: Where the page before ended.
        way: Which way to take where it leads there; None to choose.
        columns: The typed columns that the catalogue has.
    """

    request: SearchRequest
    after: Position | None = None
    way: Way | None = None
    columns: Mapping[str, Kind] = field(default_factory=lambda: COLUMNS)

    def __post_init__(self) -> None:
        request = self.request
        self.conditions, rest = conditions.split(request.filter, self.columns)
        self.accepts = compile_filter(rest) if rest else None
        self.area = search_area(request)
        self.parts = _parts(request, self.area) or bounds(request.filter)
        self.area_is_box = request.bbox is not None
        names = [each.name for each in request.sortby]
        in_id_order = names[1:] in ([], ["id"]) and not _id_falls(request)
        self.by_time = names[0] == "datetime" and in_id_order
        self.by_column = names[0] if names[0] in INDEXED and in_id_order else None
        stored = {"datetime": "i.t", "id": "i.id", "collection": "NULL"}
        stored |= {name: f"i.{column(name)}" for name in names if name in self.columns}
        self.stored = {name: stored[name] for name in names if name in stored}
        self.unread = [name for name in names if name not in stored]
        self.after_key = order_key(self.after.values, request.sortby) if self.after else None

    @property
    def is_long(self) -> bool:
        """Whether it may have to look at all items: no index tells what matches, or in which order."""
        in_order = self.by_time or self.by_column is not None
        return self.request.ids is None and (self.accepts is not None or not in_order)


def _id_falls(request: SearchRequest) -> bool:
    return any(each.name == "id" and each.descending for each in request.sortby)


def _parts(request: SearchRequest, area: shapely.Geometry | None) -> list[tuple[float, float, float, float]]:
    if request.bbox is not None:
        return request.bbox.parts()
    return [] if area is None else [tuple(float(number) for number in area.bounds)]  # type: ignore[list-item]  # four


class Walk(NamedTuple):
    """An order that an index has: what is still to come, and how it is sorted."""

    conditions: list[Condition]
    order: str


class Ways:
    """The ways of one query in one collection.

    Args:
        connection: Inside a transaction.
        collection: Where to search.
        query: What for.
    """

    def __init__(
        self, connection: sqlite3.Connection, collection: CollectionStatistics, query: Query
    ) -> None:
        self._connection = connection
        self._collection = collection
        self._query = query

    def walks(self) -> list[Walk] | Iterator[Walk]:
        """The walks that give the answer in its order, one after the other; none where it must be sorted."""
        query = self._query
        if query.by_time:
            return self._slices_of_time() if self.way == "box" else [self._walk_by_time()]
        if self._sorted_by and self.way != "ids":
            return self._walks_by_column(self._sorted_by)
        return []

    @cached_property
    def way(self) -> Way:
        """The way with the fewest rows to look at, by estimate."""
        query, request = self._query, self._query.request
        if request.ids is not None:
            return "ids"
        if query.way == "column":
            return "column" if self._sorted_by else "time"
        if query.way is not None and query.parts:
            return query.way
        items = max(self._collection.items, 1)
        in_box = self._collection.in_box(query.parts) if query.parts else items
        in_time = self._collection.in_time(request.datetime)
        both = in_box * in_time / items
        accepted = 1.0 if request.filter is None and request.q is None else _LET_THROUGH
        until_full = self._until_full(in_box * accepted) if query.by_time else in_time
        costs: dict[Way, float] = {"time": min(in_time, until_full) * _ROW_BY_TIME}
        if query.parts:  # where no place is asked for, items that have none belong to the answer
            read = min(both, request.limit * _SLICE / accepted) if query.by_time else both
            costs["box"] = read * _ROW_BY_BOX + _PER_SLICE
        if query.way is None and self._sorted_by:
            costs["column"] = self._until_full(both * accepted) * _ROW_BY_COLUMN
        return min(costs, key=lambda way: costs[way])

    def _until_full(self, matching: float) -> float:
        """How many rows are looked at until the page is full, if so many of all match."""
        return (self._query.request.limit + 1) * self._collection.items / max(matching, 0.5)

    @cached_property
    def _sorted_by(self) -> str | None:
        """The column whose index has the order of the answer: all its values are numbers or texts."""
        name = self._query.by_column
        if name is None:
            return None
        sql = (
            f"SELECT EXISTS (SELECT 1 FROM item INDEXED BY {index(name)}"  # noqa: S608  # our own names
            f" WHERE collection = ? AND {column(name)} >= x'')"
        )
        return None if self._connection.execute(sql, [self._collection.n]).fetchone()[0] else name

    def sql(self, walk: Walk | None) -> tuple[str, list[Any]]:
        """The SQL of the candidates: a superset of the matches by what only the items themselves tell."""
        way = self.way
        needed = self._conditions(way) + (walk.conditions if walk else [])
        sources: dict[Way, str] = {
            "box": "item_box b CROSS JOIN item i ON i.n = b.n",
            "time": "item i INDEXED BY item_newest",
            "column": f"item i INDEXED BY {index(self._query.by_column or '')}",
            "ids": "item i",
        }
        stored = self._query.stored
        sort = "".join(f", {stored.get(each.name, 'NULL')}" for each in self._query.request.sortby)
        sql = (
            f"SELECT i.n, i.id, i.geometry, i.west, i.south, i.east, i.north{sort} "  # noqa: S608  # our own names
            f"FROM {sources[way]} WHERE {' AND '.join(sql for sql, _ in needed)}"
        )
        if walk:
            sql += f" ORDER BY {walk.order}"
        return sql, [value for _, values in needed for value in values]

    def _walk_by_time(self) -> Walk:
        after = self._query.after
        descending = self._query.request.sortby[0].descending
        beyond = [self._beyond("i.t", after.values[0], after)] if after else []
        return Walk(beyond, f"i.t{' DESC' if descending else ''}, i.id")

    def _slices_of_time(self) -> Iterator[Walk]:
        """Stretches of time in the order of the answer, each likely to hold about a page of the box."""
        query, walk = self._query, self._walk_by_time()
        descending = query.request.sortby[0].descending
        per_match = self._collection.items / max(self._collection.in_box(query.parts), 1.0)
        if query.request.filter is not None or query.request.q is not None:
            per_match /= _LET_THROUGH
        wanted = query.request.limit * _SLICE * per_match
        end = self._first_moment(descending=descending)
        while True:
            start, end = end, self._collection.moment_after(end, wanted, descending=descending)
            conditions = [*walk.conditions, *_between(start, end, descending=descending)]
            yield Walk(conditions, walk.order)
            if end is None:
                return
            wanted *= _SLICE_GROWS

    def _first_moment(self, *, descending: bool) -> int | None:
        """Where the answer begins in time at the earliest; None for an end of all time."""
        query, interval = self._query, self._query.request.datetime
        moments = []
        if query.after is not None and isinstance(query.after.values[0], int):
            moments.append(query.after.values[0])
        if interval is not None and descending and interval.end is not None:
            moments.append(interval.end + self._collection.before)
        if interval is not None and not descending and interval.start is not None:
            moments.append(interval.start - self._collection.after)
        if not moments:
            return None
        return min(moments) + 1 if descending else max(moments)

    def _walks_by_column(self, name: str) -> Iterator[Walk]:
        """First what has a value, then what has none, each from the position on."""
        sql, after = f"i.{column(name)}", self._query.after
        if after is None or after.values[0] is not None:
            beyond = [self._beyond(sql, after.values[0], after)] if after else []
            descending = self._query.request.sortby[0].descending
            yield Walk([(f"{sql} < x''", []), *beyond], f"{sql}{' DESC' if descending else ''}, i.id")
            yield Walk([(f"{sql} IS NULL", [])], "i.id")
        else:
            yield Walk([(f"{sql} IS NULL", []), self._beyond_id(after)], "i.id")

    def _conditions(self, way: Way) -> list[Condition]:
        request, parts = self._query.request, self._query.parts
        needed: list[Condition] = []
        if way == "box":
            needed.append(_any_of(_R_TREE, parts or [_WORLD]))
            interval = request.datetime
            if interval is not None and interval.start is not None:
                needed.append(("b.last >= ?", [interval.start / DAY]))
            if interval is not None and interval.end is not None:
                needed.append(("b.first <= ?", [interval.end / DAY]))
        needed.append(("i.collection = ?", [self._collection.n]))
        if parts:
            needed.append(_any_of(_BOXES_MEET, parts))
        if request.ids is not None:
            ids = msgspec.json.encode([each for each in request.ids if can_name(each)]).decode()
            needed.append(("i.id IN (SELECT value FROM json_each(?))", [ids]))
        if request.datetime is not None:
            needed.extend(self._in_time())
        if request.bbox is not None and request.bbox.bottom is not None:
            heights = [request.bbox.top, request.bbox.bottom]
            needed.append(("(i.bottom IS NULL OR (i.bottom <= ? AND i.top >= ?))", heights))
        if request.q is not None:
            terms = [f" {term} " for term in request.q]
            needed.append(("(" + " OR ".join(["instr(i.words, ?)"] * len(terms)) + ")", [*terms]))
        return needed + self._query.conditions

    def _in_time(self) -> list[Condition]:
        """Stretch of time meets interval; so the place in time, which the index knows, is near it."""
        interval = self._query.request.datetime
        needed: list[Condition] = []
        if interval is not None and interval.start is not None:
            needed.append(("i.t >= ?", [interval.start - self._collection.after]))
            needed.append(("i.t_last >= ?", [interval.start]))
        if interval is not None and interval.end is not None:
            needed.append(("i.t <= ?", [interval.end + self._collection.before]))
            needed.append(("i.t_first <= ?", [interval.end]))
        return needed

    def _beyond(self, sql: str, value: Value, after: Position) -> Condition:
        """Beyond the position, in a form that the index answers at any depth."""
        up_to, further = ("<=", "<") if self._query.request.sortby[0].descending else (">=", ">")
        beyond_id, ids = self._beyond_id(after)
        return f"{sql} {up_to} ? AND ({sql} {further} ? OR {beyond_id})", [value, value, *ids]

    def _beyond_id(self, after: Position) -> Condition:
        return f"i.id {'>=' if self._collection.id > after.collection else '>'} ?", [after.id]


_R_TREE = "(b.east >= ? AND b.west <= ? AND b.north >= ? AND b.south <= ?)"
_BOXES_MEET = (
    "(CASE WHEN i.west <= i.east THEN i.east >= ? AND i.west <= ? ELSE i.east >= ? OR i.west <= ? END"
    " AND i.north >= ? AND i.south <= ?)"
)


def _between(start: int | None, end: int | None, *, descending: bool) -> list[Condition]:
    """From one moment to the next: the later one is not of it."""
    low, high = (end, start) if descending else (start, end)
    needed: list[Condition] = []
    if low is not None:
        needed.append(("b.last >= ? AND i.t >= ?", [low / DAY, low]))
    if high is not None:
        needed.append(("b.first <= ? AND i.t < ?", [high / DAY, high]))
    return needed


def _any_of(form: str, parts: Sequence[tuple[float, float, float, float]]) -> Condition:
    values: list[float] = []
    for west, south, east, north in parts:
        around = [west, east] if form is _R_TREE else [west, east, west, east]
        values += [*around, south, north]
    return "(" + " OR ".join([form] * len(parts)) + ")", values
