"""Counts over an archive in PostgreSQL: grouped by the database in one pass, where columns tell all.

What the columns cannot tell of an item (whether it passes the rest of a filter, a value that does not fit
its column) is looked at as a search does, and those that pass are counted here.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

from cscale.catalogue.conditions import Condition
from cscale.catalogue.postgresql.connection import Reader
from cscale.catalogue.postgresql.schema import column
from cscale.catalogue.postgresql.searching.query import Query
from cscale.catalogue.postgresql.searching.search import Bodies, Search
from cscale.stac.aggregation import AggregateRequest, Aggregation, AggregationCollection
from cscale.stac.aggregation.counting import (
    DAY,
    HOUR,
    Counts,
    answer,
    cell_of,
    cells,
    centre,
    range_of,
    step_for,
    term_keys,
)
from cscale.stac.aggregation.words import GEOHASH, OVER_TIME, PRECISIONS, RANGES, TERMS
from cscale.stac.geometry import bounds_of
from cscale.stac.items import Item, item_geometry, item_times, property_value

_BY_STATISTICS = frozenset({"total_count", "datetime_min", "datetime_max", "collection_frequency", OVER_TIME})
_EDGE_OF_MAP = 85.05112877980659  # degrees; the latitude where web map tiles end
_CLOSE = 1e-6  # to an edge between tiles: the database's mathematics may differ in the last digit
_SOME = 2000  # groups that are taken before others have their turn
_WIDE = 179.0  # degrees; a shape of parts that is wider may be shorter across the antimeridian


@dataclass(frozen=True, slots=True)
class _Grouping:
    """What one aggregation is grouped by in the database: SQL expressions and their parameters."""

    name: str
    keys: Sequence[str]
    bound: Sequence[Any] = ()


async def aggregate(
    reader: Reader, query: Query, bodies: Bodies, request: AggregateRequest
) -> AggregationCollection:
    """All that is asked for, of the items that match.

    Args:
        reader: Inside a transaction.
        query: Which items, in which collections.
        bodies: Reads items, where columns do not tell enough.
        request: What is asked for.
    """
    counting = _Counting(reader, query, bodies, request)
    if not await counting.by_statistics():
        await counting.by_items()
    return AggregationCollection(await asyncio.to_thread(counting.answers))


@dataclass(slots=True)
class _Counting:
    """Counts of the matches."""

    reader: Reader
    query: Query
    bodies: Bodies
    request: AggregateRequest
    counts: Counts = field(default_factory=Counts)

    def answers(self) -> list[Aggregation]:
        """What was counted, as it is told."""
        return [answer(name, self.counts, self.request) for name in self.request.names]

    async def by_statistics(self) -> bool:
        """Count by what the archive knows of itself; False where that does not tell all."""
        search, counts = self.request.search, self.counts
        selects = (search.ids, search.bbox, search.intersects, search.datetime, search.filter, search.q)
        if any(each is not None for each in selects) or not _BY_STATISTICS.issuperset(self.request.names):
            return False
        if set(self.request.names) & {"datetime_min", "datetime_max", OVER_TIME}:
            for each in self.query.collections:  # each end by the index
                ends = "SELECT min(t), max(t) FROM item WHERE collection = %s"
                counts.meet(*(await self._fetch(ends, [each.n]))[0])
        if OVER_TIME in self.request.names:
            if (self.request.step or step_for(counts.first, counts.last)) == "hour":
                self.counts = Counts()
                return False
            days = "SELECT day, sum(items)::bigint FROM day WHERE collection = ANY(%s::integer[]) GROUP BY 1"
            rows = await self._fetch(days, [[each.n for each in self.query.collections]])
            counts.hours.update({day * DAY: items for day, items in rows if items})
        for each in self.query.collections:
            counts.total += each.items
            self._add_term("collection_frequency", each.id, each.items)
        return True

    async def by_items(self) -> None:
        """Count the items one by one, as far as possible in the database."""
        search = Search(self.reader, self.query, self.bodies, "read", 0)
        needed = await search.needed()
        if needed is None:
            return
        columns = self.query.columns
        properties = {name: _property_of(name) for name in self.request.names}
        unread = [name for name, of in properties.items() if of is not None and of not in columns]
        doubtful = sorted(self.query.odd & {*properties.values(), *self.query.doubtful})
        if self.query.accepts is not None:
            await self._look_at(search, needed, self.request.names)
            return
        told = needed
        if doubtful:
            odd = "coalesce(i.odd && %s::text[], false)"
            await self._look_at(search, [*needed, (odd, [doubtful])], self.request.names)
            told = [*needed, (f"NOT {odd}", [doubtful])]
        await self._group(told, unread)
        if unread:
            await self._look_at(search, told, unread, again=True)

    async def _group(self, needed: Sequence[Condition], unread: Sequence[str]) -> None:
        """Count all items that satisfy conditions, each aggregation a grouping of one pass."""
        step, hours = self.request.step, Counter(self.counts.hours)
        groupings = [
            _Grouping("collection_frequency", ["i.collection"]),
            *(self._grouping(name) for name in self.request.names if name not in unread),
        ]
        if OVER_TIME in self.request.names:
            groupings.append(_over_time(HOUR if step == "hour" else DAY))
        await self._count([each for each in groupings if each is not None], needed)
        over_time = OVER_TIME in self.request.names and step is None
        if over_time and step_for(self.counts.first, self.counts.last) == "hour":
            self.counts.hours = hours  # days do not tell them
            await self._count([_over_time(HOUR)], needed)

    async def _count(self, groupings: Sequence[_Grouping], needed: Sequence[Condition]) -> None:
        # numbered, so that what is asked for twice has names of its own
        keys = [key for each in groupings for key in each.keys]
        names = [f"k{at}" for at in range(len(keys))]
        sets, masks, at = [], {}, 0
        for each in groupings:
            own = names[at : at + len(each.keys)]
            sets.append(f"({', '.join(own)})")
            outside = sum(1 << (len(names) - 1 - n) for n, name in enumerate(names) if name not in own)
            masks[outside] = (each, at)
            at += len(each.keys)
        listed = ", ".join(names)
        shown = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
        where = " AND ".join(sql for sql, _ in needed)
        sql = (
            f"SELECT GROUPING({listed}), count(*), min(t), max(t), {listed}"  # noqa: S608  # our own names
            f" FROM (SELECT i.t, {shown} FROM item i WHERE {where}) AS matching"
            f" GROUP BY GROUPING SETS ({', '.join(sets)})"
        )
        bound = [value for each in groupings for value in each.bound]
        bound += [value for _, values in needed for value in values]
        cursor = await self.reader.execute(sql.encode(), bound, binary=True)
        while rows := await cursor.fetchmany(_SOME):
            for outside, items, first, last, *values in rows:
                grouping, start = masks[outside]
                self._take(grouping.name, values[start : start + len(grouping.keys)], items, first, last)
            await asyncio.sleep(0)  # there may be very many groups, and others wait for the loop

    def _take(self, name: str, key: Sequence[Any], items: int, first: int, last: int) -> None:
        """Take the count of one group."""
        if name == OVER_TIME:
            self.counts.hours[key[0]] = self.counts.hours.get(key[0], 0) + items
        elif name == "collection_frequency":
            names = {each.n: each.id for each in self.query.collections}
            self._add_term(name, names[key[0]], items)
            self.counts.total += items
            self.counts.meet(first, last)
        elif name in TERMS:
            self._add_term(name, key[0], items)
        elif name in RANGES:
            self._add(name, key[0], items)
        else:
            cell, wkb = key
            if wkb is not None:
                self._add(name, self._cell(name, shapely.from_wkb(wkb)), items)
            else:
                _, rows = cells(name, self.request.precision_of(name))
                self._add(name, None if cell is None else divmod(cell, rows), items)

    def _grouping(self, name: str) -> _Grouping | None:
        """How the database groups by an aggregation; None where it is told otherwise."""
        if name in PRECISIONS:
            return _cells(name, self.request.precision_of(name))
        if name == "collection_frequency" or (of := _property_of(name)) is None:
            return None
        stored = f"i.{column(self.query.columns[of][0])}"
        if name in TERMS:
            return _Grouping(name, [stored])
        if self.query.columns[of][1] != "number":
            return _Grouping(name, ["NULL::integer"])
        ends = RANGES[name][1]
        at = f"least(trunc(({stored} - {ends[0]}) / {float(ends[1] - ends[0])}), {len(ends) - 2})::integer"
        return _Grouping(name, [f"CASE WHEN {stored} BETWEEN {ends[0]} AND {ends[-1]} THEN {at} END"])

    async def _look_at(
        self, search: Search, needed: Sequence[Condition], names: Sequence[str], *, again: bool = False
    ) -> None:
        """Count the items that satisfy conditions and match, by what they are themselves.

        Args:
            search: Says which of them match.
            needed: The conditions.
            names: What to count.
            again: Whether they have been counted, but not by these names.
        """
        async for items in search.items(needed):
            await asyncio.to_thread(self._count_items, items, names, again=again)

    def _count_items(self, items: Iterable[Item], names: Sequence[str], *, again: bool) -> None:
        for item in items:
            if not again:
                self._count_item(item)
            for name in names:
                if name in TERMS:
                    of = TERMS[name]
                    self._add_term(name, item[of] if of == "collection" else property_value(item, of), 1)
                elif name in RANGES:
                    self._add(name, range_of(name, property_value(item, RANGES[name][0])), 1)
                elif name in PRECISIONS:
                    self._add(name, self._cell(name, item_geometry(item)), 1)

    def _count_item(self, item: Item) -> None:
        moment, _, _ = item_times(item)
        assert moment is not None  # else it was not taken
        self.counts.total += 1
        self.counts.meet(moment, moment)
        self.counts.hours[moment // HOUR * HOUR] += 1

    def _cell(self, name: str, geometry: shapely.Geometry | None) -> tuple[int, int] | None:
        if geometry is None:
            return None
        return cell_of(name, *centre(bounds_of(geometry)), self.request.precision_of(name))

    def _add_term(self, name: str, value: object, items: int) -> None:
        keys = term_keys(value)
        counter = self.counts.keys.setdefault(name, Counter())
        for key in keys:
            counter[key] += items
        self.counts.without[name] += 0 if keys else items

    def _add(self, name: str, key: object, items: int) -> None:
        if key is None:
            self.counts.without[name] += items
        else:
            self.counts.keys.setdefault(name, Counter())[key] += items

    async def _fetch(self, sql: str, bound: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = await self.reader.execute(sql.encode(), bound, binary=True)
        return await cursor.fetchall()


def _property_of(name: str) -> str | None:
    """The property that an aggregation counts by; None where it is none."""
    if name in RANGES:
        return RANGES[name][0]
    return TERMS[name] if name in TERMS and TERMS[name] != "collection" else None


def _over_time(length: int) -> _Grouping:
    """By hour or by day, its first instant; a remainder has the sign of what was divided."""
    return _Grouping(OVER_TIME, [f"i.t - mod(mod(i.t, {length}) + {length}, {length})"])


def _cells(name: str, precision: int) -> _Grouping:
    """By the cell of the middle of the box (its column times the rows, plus its row), or by the shape.

    By the shape where that must be looked at: the middle is close to an edge, or perhaps elsewhere.
    """
    columns, rows = cells(name, precision)
    longitude = "((ST_XMin(i.geom) + ST_XMax(i.geom)) / 2.0)"
    latitude = "((ST_YMin(i.geom) + ST_YMax(i.geom)) / 2.0)"
    look = f"(ST_XMax(i.geom) - ST_XMin(i.geom) > {_WIDE} AND ST_NumGeometries(i.geom) > 1)"
    if name == GEOHASH:
        y = f"(({latitude} + 90.0) / 180.0 * {rows})"
    else:
        inside = f"radians(greatest(least({latitude}, {_EDGE_OF_MAP}), -{_EDGE_OF_MAP}))"
        y = f"((1.0 - asinh(tan({inside})) / pi()) / 2.0 * {rows})"
        look = f"({look} OR abs({y} - round({y})) < {_CLOSE})"
    x = f"least(trunc(({longitude} + 180.0) / 360.0 * {columns}), {columns - 1})::bigint"
    row = f"greatest(least(trunc({y}), {rows - 1}), 0)::bigint"
    cell = f"CASE WHEN NOT {look} THEN {x} * {rows} + {row} END"
    return _Grouping(name, [cell, f"CASE WHEN {look} THEN ST_AsBinary(i.geom) END"])
