"""What a catalogue knows of where and when its items lie, to choose the shorter way to an answer.

Kept at ingest: the number of items in each 5-degree cell (by the box's centre) and on each day.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import numpy
import numpy.typing

from cscale.stac.geometry import Bounds, Box
from cscale.stac.times import Interval

CELL = 5
_COLUMNS = 360 // CELL
_ROWS = 180 // CELL
Floats = numpy.typing.NDArray[numpy.float64]
DAY = 86_400_000_000
"""Microseconds of a day."""


def cell_of(box: Box) -> int:
    """The number of the cell that a box's centre lies in."""
    east = box.east if box.west <= box.east else box.east + 360
    longitude = (box.west + east) / 2 + 180
    column = int(longitude // CELL) % _COLUMNS
    row = min(int(((box.south + box.north) / 2 + 90) // CELL), _ROWS - 1)
    return row * _COLUMNS + column


def day_of(moment: int) -> int:
    """The number of the day that an instant lies in."""
    return moment // DAY


class Extent(NamedTuple):
    """Where and when the items of a collection lie.

    Attributes:
        bbox: West, south, east, north; None where no item has a place.
        start: The first instant of any, microseconds since 1970; None where there are no items.
        end: The last.
    """

    bbox: list[float] | None
    start: int | None
    end: int | None


@dataclass(slots=True)
class CollectionStatistics:
    """Where and when the items of one collection lie.

    Attributes:
        n: The collection's number in the database.
        id: Its id.
        before: How far an item begins before its place in time at most, microseconds.
        after: How far an item ends after it at most.
        items: How many there are.
        cells: How many in each cell, from south and west.
        extent: Where and when they lie, once it has been looked up.
    """

    n: int
    id: str
    before: int
    after: int
    items: int = 0
    cells: Floats = field(default_factory=lambda: numpy.zeros((_ROWS, _COLUMNS)))
    _days: list[int] = field(default_factory=list)
    _until: list[int] = field(default_factory=list)  # items up to each day
    extent: Extent | None = None

    def load(self, cells: Iterable[tuple[int, int]], days: Iterable[tuple[int, int]]) -> None:
        """Take the counts.

        Args:
            cells: Cells and how many items each has.
            days: Days and how many items each has.
        """
        for cell, items in cells:
            self.cells[divmod(cell, _COLUMNS)] = items
        counted = sorted((day, items) for day, items in days if items > 0)
        self._days = [day for day, _ in counted]
        self._until = list(accumulate((items for _, items in counted), initial=0))
        self.items = self._until[-1]

    def in_time(self, interval: Interval | None) -> float:
        """About how many items lie in an interval."""
        if interval is None:
            return self.items
        first = 0 if interval.start is None else bisect_left(self._days, day_of(interval.start - self.after))
        last = len(self._days)
        if interval.end is not None:
            last = bisect_right(self._days, day_of(interval.end + self.before))
        return self._until[max(last, first)] - self._until[first]

    def moment_after(self, moment: int | None, items: float, *, descending: bool) -> int | None:
        """How far from a moment to go to pass about so many items, in whole days.

        Args:
            moment: Where to begin, microseconds since 1970; None for the first or, descending, the last.
            items: How many.
            descending: Whether to go back in time.

        Returns:
            The first moment of a day; None where there are not so many left.
        """
        days, until = self._days, self._until
        if descending:
            at = len(days) if moment is None else bisect_right(days, day_of(moment - 1))
            upto = bisect_right(until, until[at] - items) - 1
            return days[upto] * DAY if 0 < upto < at else None
        at = 0 if moment is None else bisect_left(days, day_of(moment))
        upto = bisect_left(until, until[at] + items)
        return days[upto] * DAY if at < upto < len(days) else None

    def in_box(self, parts: list[Bounds]) -> float:
        """About how many items lie in a box, given as parts that do not cross the antimeridian."""
        return sum(
            float(_shares(south, north, -90, _ROWS) @ self.cells @ _shares(west, east, -180, _COLUMNS))
            for west, south, east, north in parts
        )


def _shares(low: float, high: float, start: int, cells: int) -> Floats:
    """The share of each row or column of cells that a stretch, and half a degree around it, covers."""
    edges = start + CELL * numpy.arange(cells)
    covered = numpy.minimum(high + 0.5, edges + CELL) - numpy.maximum(low - 0.5, edges)
    shares: Floats = numpy.maximum(covered, 0.0) / CELL
    return shares
