"""Which way a search takes to its candidates, and in which stretches it walks it."""

from collections.abc import Iterator
from typing import NamedTuple

from cscale.catalogue.conditions import Condition
from cscale.catalogue.postgresql.searching.query import Query, Way

_ROW_BY_TIME = 1.0  # the relative cost of one candidate each way, measured
_ROW_BY_BOX = 2.0
_ROW_BY_COLUMN = 2.0
_LET_THROUGH = 0.1  # the share of items that a filter is taken to accept
_STRETCH = 1.5  # how many matches a first stretch of time shall hold, in pages
_STRETCH_GROWS = 6
_PER_STRETCH = 20.0
FEW = 300.0
"""Fewer items than this are not worth a stretch of time of their own."""


class Walk(NamedTuple):
    """A stretch of the answer: what lies in it, and from where on.

    Attributes:
        conditions: What its items satisfy beside what is asked for.
        fresh: Whether all of it comes after the position.
        without_first: Whether its items have nothing in the first field of the order.
    """

    conditions: list[Condition]
    fresh: bool = False
    without_first: bool = False


def choose(query: Query, forced: Way | None) -> Way:
    """The way with the fewest rows to look at, by estimate.

    Args:
        query: The search.
        forced: The way to take where it leads there; None to choose.
    """
    if query.order is None or forced == "read":
        return "read"
    if query.request.ids is not None:
        return "ids"
    if forced == "column":
        return "column" if query.by_column else "time"
    if forced is not None and query.parts:
        return forced
    request = query.request
    items = max(sum(each.items for each in query.collections), 1)
    in_box = sum(each.in_box(query.parts) for each in query.collections) if query.parts else items
    in_time = sum(each.in_time(request.datetime) for each in query.collections)
    both = in_box * in_time / items
    accepted = 1.0 if request.filter is None and request.q is None else _LET_THROUGH

    def until_full(matching: float) -> float:
        """How many rows are looked at until the page is full, if so many of all match."""
        return (request.limit + 1) * items / max(matching, 0.5)

    by_time = until_full(in_box * accepted) if query.by_time else in_time
    costs: dict[Way, float] = {"time": min(in_time, by_time) * _ROW_BY_TIME}
    if query.parts:  # where no place is asked for, items that have none belong to the answer
        read = min(both, request.limit * _STRETCH / accepted) if query.by_time else both
        costs["box"] = read * _ROW_BY_BOX + _PER_STRETCH
    if query.by_column and forced is None:
        costs["column"] = until_full(both * accepted) * _ROW_BY_COLUMN
    return min(costs, key=lambda way: costs[way])


def walks(query: Query, way: Way, few: float = FEW) -> Iterator[Walk]:
    """The stretches of an answer, in its order."""
    if way == "column":
        yield from _by_column(query)
    elif query.by_time and way in ("time", "box"):
        yield from _by_time(query, few)
    else:
        yield Walk([])


def _by_column(query: Query) -> Iterator[Walk]:
    """First what has a value, then what has none."""
    assert query.order is not None
    sql = query.order[0].sql
    reached = query.after is not None and query.after.values[0] is None
    if not reached:
        yield Walk([(f"{sql} IS NOT NULL", [])])
    yield Walk([(f"{sql} IS NULL", [])], fresh=not reached, without_first=True)


def _by_time(query: Query, few: float) -> Iterator[Walk]:
    """Stretches of time, each likely to hold about a page: so few partitions are looked into."""
    assert query.order is not None
    falls = query.order[0].descending
    items = sum(each.items for each in query.collections)
    per_match = 1.0
    if query.parts:
        per_match = items / max(sum(each.in_box(query.parts) for each in query.collections), 1.0)
    if query.request.filter is not None or query.request.q is not None:
        per_match /= _LET_THROUGH
    wanted = max((query.request.limit + 1) * _STRETCH * per_match, few)
    end = _first_moment(query, falls=falls)
    while True:
        start, end = end, _moment_after(query, end, wanted, falls=falls)
        stretch: list[Condition] = []
        for moment, is_start in ((start, True), (end, False)):
            if moment is not None:
                stretch.append((f"i.t {'<' if falls == is_start else '>='} %s::bigint", [moment]))
        yield Walk(stretch)
        if end is None:
            return
        wanted *= _STRETCH_GROWS


def _moment_after(query: Query, start: int | None, wanted: float, *, falls: bool) -> int | None:
    """Where a stretch ends that holds about so many items of one of the collections; None for never."""
    ends = [each.moment_after(start, wanted, descending=falls) for each in query.collections]
    known = [end for end in ends if end is not None]
    if not known:
        return None
    return max(known) if falls else min(known)


def _first_moment(query: Query, *, falls: bool) -> int | None:
    """Where the answer begins in time at the earliest; None for an end of all time."""
    interval = query.request.datetime
    moments = []
    if query.after is not None and isinstance(query.after.values[0], int):
        moments.append(query.after.values[0])
    if interval is not None and falls and interval.end is not None:
        moments.append(interval.end + query.before)
    if interval is not None and not falls and interval.start is not None:
        moments.append(interval.start - query.reach)
    if not moments:
        return None
    return min(moments) + 1 if falls else max(moments)
