"""Counts over an archive in SQLite: grouped by the database, where columns tell all.

What the columns cannot tell of an item (whether its shape meets the area, whether it passes the rest of a
filter) is looked at as a search does, and the items that pass are then counted like the others.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.conditions import Condition
from cscale.catalogue.sqlite.schema import column
from cscale.catalogue.sqlite.search import Search, dictionaries
from cscale.catalogue.sqlite.state import State
from cscale.catalogue.sqlite.ways import Query, Walk, Ways
from cscale.catalogue.statistics import CollectionStatistics
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.aggregation.counting import (
    DAY,
    HOUR,
    Counts,
    answer,
    cells,
    range_of,
    step_for,
    term_keys,
    tile_row,
)
from cscale.stac.aggregation.words import GEOHASH, OVER_TIME, PRECISIONS, RANGES, TERMS
from cscale.stac.items import property_value
from cscale.stac.search import NEWEST_FIRST

_EVERYTHING = 1 << 40  # as the limit of a search: the way that is shortest for all matches
_BATCH = 10_000
_MOST = 0.2  # the share of items from which reading all of them is quicker than by an index
_TILE_ROW = "tile_row"
_SPAN = "count(*), min(i.t), max(i.t)"
_LONGITUDE = (
    "CASE WHEN i.west <= i.east THEN (i.west + i.east) / 2.0"
    " WHEN (i.west + (i.east + 360.0)) / 2.0 <= 180.0 THEN (i.west + (i.east + 360.0)) / 2.0"
    " ELSE (i.west + (i.east + 360.0)) / 2.0 - 360.0 END"
)
_LATITUDE = "(i.south + i.north) / 2.0"


@dataclass(frozen=True, slots=True)
class _Part:
    """Items of one collection, all of which match: `FROM` and what follows, or all there are."""

    collection: CollectionStatistics
    sql: str
    values: Sequence[Any]
    whole: bool = False


def aggregate(
    connection: sqlite3.Connection, state: State, inflater: Inflater, request: AggregateRequest
) -> AggregationCollection:
    """All that is asked for, of the items that match.

    Args:
        connection: Inside a transaction.
        state: The catalogue's state in it.
        inflater: Reads bodies, where columns do not tell enough.
        request: What is asked for.
    """
    connection.create_function(_TILE_ROW, 2, tile_row, deterministic=True)
    search = replace(request.search, sortby=NEWEST_FIRST, limit=_EVERYTHING, token=None)
    query = Query(search, columns=state.columns)
    asked = state.collections if search.collections is None else dict.fromkeys(search.collections)
    parts = [
        part
        for name in asked
        if name in state.collections
        for part in _parts(connection, state.collections[name], query, inflater)
    ]
    counting = _Counting(connection, state, inflater, request, Counts())
    for part in parts:
        counting.span(part)
    for part in parts:
        counting.spread(part)
    return AggregationCollection([answer(name, counting.counts, request) for name in request.names])


def _parts(
    connection: sqlite3.Connection, collection: CollectionStatistics, query: Query, inflater: Inflater
) -> Iterator[_Part]:
    """The matches: those that the columns tell of, and those that had to be looked at."""
    request = query.request
    selects = (request.ids, request.bbox, request.intersects, request.datetime, request.filter, request.q)
    ways = Ways(connection, collection, query)
    sql, values = ways.sql(None)
    source = sql[sql.index("FROM ") :]
    if ways.way == "time" and collection.in_time(request.datetime) > _MOST * collection.items:
        source = source.replace("INDEXED BY item_newest", "NOT INDEXED", 1)  # from one end to the other
    if all(each is None for each in selects):
        yield _Part(collection, source, values, whole=True)
        return
    told: list[Condition] = []
    if query.accepts is None and query.area is None:
        yield _Part(collection, source, values)
        return
    if query.accepts is None and query.area_is_box:
        told.append(_decided(query))
        yield _Part(collection, f"{source} AND {told[0][0]}", [*values, *told[0][1]])
    rest = Walk([(f"NOT {condition}", bound) for condition, bound in told], "i.n")
    looked_at = Search(connection, collection, query, inflater)._matches(rest, _BATCH)  # noqa: SLF001  # as it searches
    for some in _batches(found.n for found in looked_at):
        ids = msgspec.json.encode(some).decode()
        yield _Part(collection, "FROM item i WHERE i.n IN (SELECT value FROM json_each(?))", [ids])


def _decided(query: Query) -> Condition:
    """Whether boxes alone tell that an item meets the area: it is its box, or lies in one of the parts."""
    inside = "(i.west <= i.east AND i.west >= ? AND i.east <= ? AND i.south >= ? AND i.north <= ?)"
    values = [number for w, s, e, n in query.parts for number in (w, e, s, n)]
    decided = " OR ".join(["length(i.geometry) = 0", *[inside] * len(query.parts)])
    return f"(i.geometry IS NOT NULL AND ({decided}))", values


def _batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    some: list[int] = []
    for n in numbers:
        some.append(n)
        if len(some) == _BATCH:
            yield some
            some = []
    if some:
        yield some


@dataclass(slots=True)
class _Counting:
    """Counts of the matches, part by part."""

    connection: sqlite3.Connection
    state: State
    inflater: Inflater
    request: AggregateRequest
    counts: Counts

    def span(self, part: _Part) -> None:
        """How many there are, and when."""
        if part.whole:
            total = part.collection.items
            sql = "SELECT {}(t) FROM item INDEXED BY item_newest WHERE collection = ?"  # each by the index
            found = [self.connection.execute(sql.format(end), [part.collection.n]) for end in ("min", "max")]
            ends = [each.fetchone()[0] for each in found]
        else:
            ((total, *ends),) = self._rows(part, _SPAN)
        self.counts.total += total
        self.counts.meet(*ends)

    def spread(self, part: _Part) -> None:
        """How they are spread."""
        for name in self.request.names:
            if name == OVER_TIME:
                self._over_time(part)
            elif name in TERMS:
                self._terms(name, part)
            elif name in RANGES:
                self._ranges(name, part)
            elif name in PRECISIONS:
                self._cells(name, part)

    def _rows(self, part: _Part, shown: str, grouped: str = "") -> list[Any]:
        by = f" GROUP BY {grouped}" if grouped else ""
        sql = f"SELECT {shown} {part.sql}{by}"
        return self.connection.execute(sql, part.values).fetchall()

    def _over_time(self, part: _Part) -> None:
        step = self.request.step or step_for(self.counts.first, self.counts.last)
        if part.whole and step != "hour":
            sql = "SELECT day, items FROM day WHERE collection = ?"
            days = self.connection.execute(sql, [part.collection.n])
            self.counts.hours.update({day * DAY: items for day, items in days})
            return
        length = HOUR if step == "hour" else DAY
        start = f"i.t - ((i.t % {length}) + {length}) % {length}"
        self.counts.hours.update(dict(self._rows(part, f"{start}, count(*)", "1")))

    def _terms(self, name: str, part: _Part) -> None:
        of, counter = TERMS[name], self.counts.keys.setdefault(name, Counter())
        rows: Iterable[tuple[Any, int]]
        if of == "collection":
            ((total,),) = self._rows(part, "count(*)")
            rows = [(part.collection.id, total)]
        elif of in self.state.columns:
            rows = self._rows(part, f"i.{column(of)}, count(*)", "1")
        else:
            rows = ((value, 1) for value in self._read(part, of))
        for stored, items in rows:
            keys = term_keys(_value(stored))
            counter.update(dict.fromkeys(keys, items))
            self.counts.without[name] += 0 if keys else items

    def _ranges(self, name: str, part: _Part) -> None:
        of, ends = RANGES[name]
        if of not in self.state.columns:
            rows = [(range_of(name, value), 1) for value in self._read(part, of)]
        else:
            stored = f"i.{column(of)}"
            at = f"min(CAST(({stored} - {ends[0]}) / {float(ends[1] - ends[0])} AS INTEGER), {len(ends) - 2})"
            within = f"typeof({stored}) IN ('integer', 'real') AND {stored} BETWEEN {ends[0]} AND {ends[-1]}"
            rows = self._rows(part, f"CASE WHEN {within} THEN {at} END, count(*)", "1")
        self._count(name, rows)

    def _cells(self, name: str, part: _Part) -> None:
        columns, rows = cells(name, self.request.precision_of(name))
        x = f"min(CAST(({_LONGITUDE} + 180.0) / 360.0 * {columns} AS INTEGER), {columns - 1})"
        y = f"min(CAST(({_LATITUDE} + 90.0) / 180.0 * {rows} AS INTEGER), {rows - 1})"
        if name != GEOHASH:
            y = f"{_TILE_ROW}({_LATITUDE}, {rows})"
        shown = f"i.geometry IS NOT NULL, CASE WHEN i.geometry IS NOT NULL THEN {x} END"
        shown += f", CASE WHEN i.geometry IS NOT NULL THEN {y} END, count(*)"
        found = self._rows(part, shown, "1, 2, 3")
        self._count(name, (((a, b) if there else None, items) for there, a, b, items in found))

    def _count(self, name: str, rows: Iterable[tuple[Any, int]]) -> None:
        counter = self.counts.keys.setdefault(name, Counter())
        for key, items in rows:
            if key is None:
                self.counts.without[name] += items
            else:
                counter[key] += items

    def _read(self, part: _Part, name: str) -> Iterator[Any]:
        """A property that has no column, read from the items."""
        load = dictionaries(self.connection)
        for some in _batches(n for (n,) in self._rows(part, "i.n")):
            sql = "SELECT dictionary, data FROM body WHERE n IN (SELECT value FROM json_each(?))"
            rows = self.connection.execute(sql, [msgspec.json.encode(some).decode()]).fetchall()
            for body in self.inflater.inflate(rows, load):
                yield property_value(msgspec.structs.asdict(_HEAD.decode(body + b"]}")), name)


class _Head(msgspec.Struct):
    properties: dict[str, Any]


_HEAD = msgspec.json.Decoder(_Head)


def _value(stored: Any) -> Any:
    """What a column holds, as the item has it."""
    return msgspec.json.decode(stored) if isinstance(stored, bytes) else stored
