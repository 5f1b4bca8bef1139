"""A search as the database is asked it: its conditions, its order, and from where on.

There are three ways to the candidates: in the order of time, through the (newest first, id) index; through
the GiST index to what lies in the box; or in the order of a column, through its index. What an index
shall not be used for is written so that it cannot be. All ways give the same answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import shapely

from cscale.catalogue.conditions import Condition, bounds
from cscale.catalogue.postgresql.records import GEOMETRY, exact_float
from cscale.catalogue.postgresql.schema import LONGEST_NAME, column
from cscale.catalogue.postgresql.searching import conditions
from cscale.catalogue.postgresql.searching.conditions import Columns
from cscale.catalogue.queryables import INDEXED
from cscale.catalogue.rows import can_name
from cscale.catalogue.statistics import CollectionStatistics
from cscale.stac.cql2 import compile_filter
from cscale.stac.evaluation import Value, matcher, order_key, search_area
from cscale.stac.geometry import Bounds
from cscale.stac.search import SearchRequest, SortField

Way = Literal["box", "time", "column", "ids", "read"]
"""`read` reads all candidates and sorts them here: where the order is not that of columns."""


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


class Sorted(NamedTuple):
    """One field of an order that the database can sort by.

    Attributes:
        sql: The expression.
        bound: Its parameters.
        unindexed: The same in a form that no index answers.
        kind: What it holds: time, number, string; nothing where it is NULL in all items.
        descending: Greatest first.
        nullable: Whether it may be NULL.
    """

    sql: str
    bound: list[Any]
    unindexed: str
    kind: Literal["time", "number", "string", "nothing"]
    descending: bool
    nullable: bool


@dataclass
class Query:
    """What a search asks of some collections, prepared once.

    Attributes:
        request: The search.
        collections: Where to search, in order of id; not empty.
        columns: The typed columns that the catalogue has.
        odd: The columns that do not fit some item of these collections.
        after: Where the page before ended.
        all_here: Whether geometries are compared here and not by the database, which failed.
    """

    request: SearchRequest
    collections: Sequence[CollectionStatistics]
    columns: Columns
    odd: frozenset[str]
    after: Position | None = None
    all_here: bool = False

    def __post_init__(self) -> None:
        request = self.request
        self.conditions, self.rest = conditions.split(request.filter, self.columns)
        self.area = search_area(request)
        self.area_here = self.area is not None and (
            self.all_here or self.area.geom_type == "GeometryCollection"
        )
        spoken_of = conditions.names_in(request.filter) | ({GEOMETRY} if self.area is not None else set())
        self.doubtful = sorted(self.odd & spoken_of)
        self.accepts_odd = matcher(request)
        self.accepts = compile_filter(self.rest) if self.rest else None
        if self.area_here:
            self.accepts = self.accepts_odd
        self.parts = self._parts() or bounds(request.filter)
        self.after_key = order_key(self.after.values, request.sortby) if self.after else None
        self.before = max(each.before for each in self.collections)
        self.reach = max(each.after for each in self.collections)

    def _parts(self) -> list[Bounds]:
        if self.request.bbox is not None:
            return self.request.bbox.parts()
        if self.area is None:
            return []
        west, south, east, north = (float(number) for number in self.area.bounds)
        return [(west, south, east, north)]

    @cached_property
    def name(self) -> tuple[str, list[Any]]:
        """The SQL of the id of an item's collection."""
        if len(self.collections) == 1:
            return "%s::text", [self.collections[0].id]
        sql = '((%s::text[])[array_position(%s::integer[], i.collection)] COLLATE "C")'
        return sql, [[each.id for each in self.collections], [each.n for each in self.collections]]

    @cached_property
    def order(self) -> list[Sorted] | None:
        """The order as the database sorts; None where it cannot."""
        fields = [self._sorted(field) for field in self.request.sortby]
        if self.after is not None:
            for field, value in zip(fields, self.after.values, strict=True):
                if field is not None and value is not None and not _comparable(field.kind, value):
                    return None
        return None if None in fields else [field for field in fields if field is not None]

    def _sorted(self, field: SortField) -> Sorted | None:
        name, falls = field.name, field.descending
        if name == "datetime":
            return Sorted("i.t", [], "(i.t + 0)", "time", falls, nullable=False)
        if name == "id":
            return Sorted("i.id", [], "(i.id || '')", "string", falls, nullable=False)
        if name == "collection":
            sql, bound = self.name
            return Sorted(sql, bound, sql, "string", falls, nullable=False)
        if name not in self.columns or name in self.odd:
            return None
        n, kind = self.columns[name]
        sql = f"i.{column(n)}"
        if kind == "strings":  # lists do not sort
            return Sorted("NULL::text", [], "NULL::text", "nothing", falls, nullable=True)
        return Sorted(
            sql, [], f"({sql} + 0)" if kind == "number" else f"({sql} || '')", kind, falls, nullable=True
        )

    @cached_property
    def by_time(self) -> bool:
        """Whether the answer is in the order of time first."""
        return self.order is not None and self.order[0].kind == "time"

    @cached_property
    def by_column(self) -> bool:
        """Whether the answer is in the order of an indexed column first."""
        return self.order is not None and self.request.sortby[0].name in INDEXED

    def where(self, way: Way) -> list[Condition]:
        """What candidates must satisfy: all that is asked, but for what only the items themselves tell."""
        request = self.request
        needed: list[Condition] = [
            ("i.collection = ANY(%s::integer[])", [[each.n for each in self.collections]]),
            *self._in_space(way),
        ]
        if request.ids is not None:
            needed.append(("i.id = ANY(%s::text[])", [self.ids]))
        if request.datetime is not None:
            needed.extend(self._in_time())
        if request.bbox is not None and request.bbox.bottom is not None:
            heights = [request.bbox.top, request.bbox.bottom]
            needed.append(("(i.bottom IS NULL OR (i.bottom <= %s AND i.top >= %s))", heights))
        if request.q is not None:
            terms = [f" {term} " for term in request.q]
            needed.append(("(" + " OR ".join(["strpos(i.words, %s) > 0"] * len(terms)) + ")", [*terms]))
        for sql, values in self.conditions:
            if self.doubtful:
                needed.append((f"(i.odd && %s::text[] OR {sql})", [self.doubtful, *values]))
            else:
                needed.append((sql, values))
        return needed

    @cached_property
    def ids(self) -> list[str]:
        """The ids that an item can have of those that are asked for."""
        return [
            each for each in self.request.ids or () if can_name(each) and len(each.encode()) <= LONGEST_NAME
        ]

    def _in_space(self, way: Way) -> list[Condition]:
        needed: list[Condition] = []
        if self.parts:
            meets = [("i.geom && ST_MakeEnvelope(%s, %s, %s, %s, 4326)", list(part)) for part in self.parts]
            sql, bound = conditions.any_of(meets)
            needed.append((sql if way in ("box", "read") else f"({sql} IS TRUE)", bound))
        if self.area is not None and not self.area_here:
            # without IS TRUE, the function would bring the index with it
            sql, bound = (
                "(ST_Intersects(i.geom, ST_GeomFromWKB(%s, 4326)) IS TRUE)",
                [shapely.to_wkb(self.area)],
            )
            if GEOMETRY in self.odd:
                sql, bound = f"CASE WHEN i.odd && %s::text[] THEN true ELSE {sql} END", [[GEOMETRY], *bound]
            needed.append((sql, bound))
        return needed

    def _in_time(self) -> list[Condition]:
        """Stretch of time meets interval; so the place in time, which the index knows, is near it."""
        interval = self.request.datetime
        needed: list[Condition] = []
        if interval is not None and interval.start is not None:
            needed.append(("i.t >= %s::bigint", [interval.start - self.reach]))
            needed.append(("i.t_last >= %s::bigint", [interval.start]))
        if interval is not None and interval.end is not None:
            needed.append(("i.t <= %s::bigint", [interval.end + self.before]))
            needed.append(("i.t_first <= %s::bigint", [interval.end]))
        return needed

    def order_by(self, way: Way, *, without_first: bool) -> Condition:
        """The terms of ORDER BY.

        Args:
            way: The way to the candidates.
            without_first: Whether they all have nothing in the first field.
        """
        terms, bound = [], []
        for at, each in enumerate(self.order or []):
            if at == 0 and without_first:
                continue
            sql = each.sql if way in ("time", "column") or each.kind == "nothing" else each.unindexed
            nulls = " NULLS LAST" if self._has_nulls(way, at) else ""
            terms.append(f"{sql}{' DESC' if each.descending else ''}{nulls}")
            bound += each.bound
        name, names = self.name
        return ", ".join([*terms, "i.id", name]), [*bound, *names]

    def _has_nulls(self, way: Way, at: int) -> bool:
        """Whether a field may be NULL among the candidates that are sorted at once."""
        return self.order is not None and self.order[at].nullable and not (at == 0 and way == "column")

    def beyond(self, after: Position, way: Way) -> Condition:
        """What comes after a position, in a form that an index answers at any depth."""
        assert self.order is not None
        name, names = self.name
        sql, bound = f"{name} > %s", [*names, after.collection]
        sql, bound = f"(i.id > %s OR (i.id = %s AND {sql}))", [after.id, after.id, *bound]
        for at, (field, value) in reversed(list(enumerate(zip(self.order, after.values, strict=True)))):
            if value is None:
                sql, bound = f"({field.sql} IS NULL AND {sql})", [*field.bound, *bound]
                continue
            value = _exact(field.kind, value)
            further, up_to = ("<", "<=") if field.descending else (">", ">=")
            beyond = f"{field.sql} {further} %s{_CAST[field.kind]}"
            same = f"{field.sql} = %s{_CAST[field.kind]}"
            nulls = f" OR {field.sql} IS NULL" if self._has_nulls(way, at) else ""
            own = [*field.bound, value]
            again = field.bound if nulls else []
            sql, bound = f"({beyond}{nulls} OR ({same} AND {sql}))", [*own, *again, *own, *bound]
            if at == 0 and not nulls:
                sql, bound = f"({field.sql} {up_to} %s{_CAST[field.kind]} AND {sql})", [*own, *bound]
        return sql, bound


_CAST: Mapping[str, str] = {
    "time": "::bigint",
    "number": "::double precision",
    "string": "::text",
    "nothing": "",
}


def _exact(kind: str, value: Value) -> Any:
    if kind != "number" or value is None or isinstance(value, str):
        return value
    return exact_float(value + 0)  # booleans sort as 0 and 1


def _comparable(kind: str, value: Value) -> bool:
    """Whether a column of a kind can be compared with a value."""
    if kind == "string":
        return isinstance(value, str) and "\0" not in value
    if kind == "time":
        return isinstance(value, int)
    return kind == "number" and not isinstance(value, str) and _exact(kind, value) is not None
