"""What a catalogue knows of where and when its items lie, to choose the shorter way to an answer.

Kept at ingest: the number of items in each 5-degree cell (by the box's centre) and on each day.
"""

import sqlite3
from bisect import bisect_left, bisect_right
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


_EXTENT = """
SELECT min(CASE WHEN west > east THEN -180 ELSE west END), min(south),
       max(CASE WHEN west > east THEN 180 ELSE east END), max(north), min(t_first), max(t_last)
FROM item WHERE collection = ?
"""


@dataclass(slots=True)
class CollectionStatistics:
    """Where and when the items of one collection lie.

    Attributes:
        n: The collection's number in the database.
        id: Its id.
        before: How far an item begins before its place in time at most, microseconds.
        after: How far an item ends after it at most.
        items: How many there are.
    """

    n: int
    id: str
    before: int
    after: int
    items: int = 0
    cells: Floats = field(default_factory=lambda: numpy.zeros((_ROWS, _COLUMNS)))  # from south and west
    _days: list[int] = field(default_factory=list)
    _until: list[int] = field(default_factory=list)  # items up to each day
    _extent: Extent | None = None

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the counts."""
        for cell, items in connection.execute("SELECT cell, items FROM cell WHERE collection = ?", [self.n]):
            self.cells[divmod(cell, _COLUMNS)] = items
        days = connection.execute(
            "SELECT day, items FROM day WHERE collection = ? AND items > 0 ORDER BY day", [self.n]
        ).fetchall()
        self._days = [day for day, _ in days]
        self._until = list(accumulate((items for _, items in days), initial=0))
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

    def in_box(self, parts: list[Bounds]) -> float:
        """About how many items lie in a box, given as parts that do not cross the antimeridian."""
        return sum(
            float(_shares(south, north, -90, _ROWS) @ self.cells @ _shares(west, east, -180, _COLUMNS))
            for west, south, east, north in parts
        )

    def extent(self, connection: sqlite3.Connection) -> Extent:
        """The box and the stretch of time that all items lie in; looked up once."""
        if self._extent is None:
            row = connection.execute(_EXTENT, [self.n]).fetchone()
            self._extent = Extent(None if row[0] is None else list(row[:4]), *row[4:])
        return self._extent


def _shares(low: float, high: float, start: int, cells: int) -> Floats:
    """The share of each row or column of cells that a stretch, and half a degree around it, covers."""
    edges = start + CELL * numpy.arange(cells)
    covered = numpy.minimum(high + 0.5, edges + CELL) - numpy.maximum(low - 0.5, edges)
    shares: Floats = numpy.maximum(covered, 0.0) / CELL
    return shares


class Statistics:
    """The statistics of all collections, read anew when an ingest has changed them."""

    def __init__(self) -> None:
        # one pair, replaced at once: threads may be reading different states
        self._known: tuple[int, dict[str, CollectionStatistics]] = (-1, {})

    def current(self, connection: sqlite3.Connection) -> dict[str, CollectionStatistics]:
        """The collections by id. Call it inside the transaction of the query it serves."""
        generation = connection.execute("SELECT n FROM generation").fetchone()[0]
        known = self._known
        if known[0] != generation:
            rows = connection.execute("SELECT n, id, before, after FROM collection ORDER BY id").fetchall()
            collections = {row[1]: CollectionStatistics(*row) for row in rows}
            for each in collections.values():
                each.load(connection)
            known = self._known = (generation, collections)
        return known[1]
