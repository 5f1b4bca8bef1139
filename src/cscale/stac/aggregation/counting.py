"""From counts to answers: how values become buckets, and how many are shown.

Whatever counts, in Python or in a database, counts by the keys of this module; so all count alike.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cscale.stac.aggregation.words import (
    GEOHASH,
    KINDS,
    MAX_BUCKETS,
    OVER_TIME,
    PRECISIONS,
    RANGES,
    STEPS,
    AggregateRequest,
    Aggregation,
    Bucket,
    Step,
)
from cscale.stac.geometry import Box
from cscale.stac.times import text_of

HOUR = 3_600_000_000
DAY = 24 * HOUR
"""Microseconds."""

_LATITUDE_OF_TILES = math.degrees(math.atan(math.sinh(math.pi)))
_GEOHASH_DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz"


@dataclass(slots=True)
class Counts:
    """What was counted of the items that match.

    Attributes:
        total: How many there are.
        first: The place in time of the first, microseconds since 1970; None where there is none.
        last: Of the last.
        hours: How many by hour or by day: the first instant of it.
        keys: How many by value, by the number of the range, or by cell (column and row); by the name of
            the aggregation.
        without: How many are in no bucket, by the name of the aggregation.
    """

    total: int = 0
    first: int | None = None
    last: int | None = None
    hours: Counter[int] = field(default_factory=Counter)
    keys: dict[str, Counter[Any]] = field(default_factory=dict)
    without: Counter[str] = field(default_factory=Counter)

    def meet(self, first: int | None, last: int | None) -> None:
        """Widen the time that the matches span."""
        self.first = min((each for each in (self.first, first) if each is not None), default=None)
        self.last = max((each for each in (self.last, last) if each is not None), default=None)


def answer(name: str, counts: Counts, request: AggregateRequest) -> Aggregation:
    """One aggregation of what was counted."""
    if name == "total_count":
        return Aggregation(name, counts.total)
    if KINDS[name] is None:
        moment = counts.first if name == "datetime_min" else counts.last
        return Aggregation(name, None if moment is None else text_of(moment))
    without = counts.without[name]
    if name == OVER_TIME:
        return _over_time(counts, request.step or step_for(counts.first, counts.last), without)
    counter: Counter[Any] = counts.keys.get(name, Counter())
    if name in RANGES:
        return _ranges(name, counter, without)
    if name in PRECISIONS:
        precision = request.precision_of(name)
        counter = Counter({cell_name(name, cell, precision): n for cell, n in counter.items()})
    return _most(name, counter, without)


def _most(name: str, counter: Mapping[str, int], without: int) -> Aggregation:
    ranked = sorted(((key, n) for key, n in counter.items() if n), key=lambda each: (-each[1], each[0]))
    dropped = sum(n for _, n in ranked[MAX_BUCKETS:])
    return Aggregation(
        name, buckets=[Bucket(*each) for each in ranked[:MAX_BUCKETS]], overflow=without + dropped
    )


def _ranges(name: str, counter: Counter[int], without: int) -> Aggregation:
    ends = RANGES[name][1]
    buckets = [
        Bucket(f"{low:g}-{high:g}", counter[at], low, high) for at, (low, high) in enumerate(pairwise(ends))
    ]
    return Aggregation(name, buckets=buckets, overflow=without)


def _over_time(counts: Counts, step: Step, without: int) -> Aggregation:
    counter: Counter[int] = Counter()
    for moment, n in counts.hours.items():
        counter[start_of(moment, step)] += n
    times = sorted(moment for moment, n in counter.items() if n)
    shown = times[-MAX_BUCKETS:]  # the newest
    buckets = [Bucket(text_of(moment), counter[moment]) for moment in shown]
    dropped = sum(counter[moment] for moment in times[: len(times) - len(shown)])
    return Aggregation(OVER_TIME, buckets=buckets, overflow=without + dropped, step=step)


def step_for(first: int | None, last: int | None) -> Step:
    """The step that shows a stretch of time in some dozens of buckets, microseconds since 1970."""
    if first is None or last is None:
        return "month"
    days = (last - first) / DAY
    if days <= 3:
        return "hour"
    if days <= 120:
        return "day"
    return "month" if days <= 20 * 366 else "year"


def start_of(moment: int, step: Step) -> int:
    """The first instant of the hour, day, month or year that an instant lies in, all in UTC."""
    if step not in STEPS[:2]:
        length = HOUR if step == "hour" else DAY
        return moment // length * length
    shown = datetime.fromisoformat(text_of(moment)[:10]).replace(tzinfo=UTC)
    first = shown.replace(day=1, month=shown.month if step == "month" else 1)
    return (first - datetime(1970, 1, 1, tzinfo=UTC)).days * DAY


def term_keys(value: object) -> list[str]:
    """The keys that a property's value counts under: a text, a number, each of a list."""
    if isinstance(value, list):
        return list(
            dict.fromkeys(key for each in value if not isinstance(each, list) for key in term_keys(each))
        )
    if isinstance(value, str):
        return [value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < 2**63)
        return [str(int(value)) if whole else repr(value)]
    return []


def range_of(name: str, value: object) -> int | None:
    """The number of the range that a value lies in; None for none."""
    ends = RANGES[name][1]
    if not isinstance(value, int | float) or isinstance(value, bool) or not ends[0] <= value <= ends[-1]:
        return None
    return min(int((value - ends[0]) / (ends[1] - ends[0])), len(ends) - 2)


def centre(box: Box) -> tuple[float, float]:
    """Longitude and latitude of the middle of a box."""
    east = box.east if box.west <= box.east else box.east + 360
    longitude = (box.west + east) / 2
    return longitude if longitude <= 180 else longitude - 360, (box.south + box.north) / 2


def cell_of(name: str, longitude: float, latitude: float, precision: int) -> tuple[int, int]:
    """The cell of a grid that a place lies in: its column and row.

    A geohash's cells are numbered from the south-west, those of web map tiles from the north-west.
    """
    columns, rows = cells(name, precision)
    column = int((longitude + 180.0) / 360.0 * columns)
    row = int((latitude + 90.0) / 180.0 * rows) if name == GEOHASH else tile_row(latitude, rows)
    return min(column, columns - 1), min(row, rows - 1)


def cells(name: str, precision: int) -> tuple[int, int]:
    """How many columns and rows a grid has."""
    if name == GEOHASH:  # five bits a character, the first for the longitude, then by turns
        return 1 << (5 * precision + 1) // 2, 1 << 5 * precision // 2
    return 1 << precision, 1 << precision


def tile_row(latitude: float, rows: int) -> int:
    """The row of a web map tile; what lies beyond the map's edge lies in the outermost."""
    inside = max(min(latitude, _LATITUDE_OF_TILES), -_LATITUDE_OF_TILES)
    row = int((1 - math.asinh(math.tan(math.radians(inside))) / math.pi) / 2 * rows)
    return max(min(row, rows - 1), 0)


def cell_name(name: str, cell: tuple[int, int], precision: int) -> str:
    """A cell's geohash, or zoom/x/y."""
    column, row = cell
    if name != GEOHASH:
        return f"{precision}/{column}/{row}"
    bits = 0
    left = {0: (5 * precision + 1) // 2, 1: 5 * precision // 2}  # bits still to come
    for at in range(5 * precision):
        axis = at % 2
        left[axis] -= 1
        bits = bits << 1 | (column, row)[axis] >> left[axis] & 1
    digits = [bits >> 5 * place & 31 for place in reversed(range(precision))]
    return "".join(_GEOHASH_DIGITS[digit] for digit in digits)
