"""What a member's collections say that they hold: enough to tell that they hold nothing of a search.

An extent that an item was seen outside of is not believed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cscale.errors import BadInput, BadRequest
from cscale.stac.geometry import Bounds, Box
from cscale.stac.search import SearchRequest
from cscale.stac.times import instant, text_of


@dataclass(frozen=True, slots=True)
class Extent:
    """Where and from when on a collection says to hold items.

    Attributes:
        first: Its first instant, microseconds since 1970; None where it does not say. Its last is not
            believed: archives grow.
        areas: Its boxes as west, south, east, north, degrees; None where it does not say.
    """

    first: int | None
    areas: tuple[Bounds, ...] | None

    def holds(self, moment: int, box: Box | None) -> bool:
        """Whether an item lies within what the collection says."""
        in_time = self.first is None or moment >= self.first
        return in_time and (box is None or self._meets(box))

    def nothing(self, request: SearchRequest) -> str | None:
        """Why nothing of it can match; None where something may."""
        end = request.datetime.end if request.datetime is not None else None
        if self.first is not None and end is not None and end < self.first:
            return f"holds nothing before {text_of(self.first)}"
        if request.bbox is not None and not self._meets(request.bbox):
            return "holds nothing in the area asked for"
        return None

    def _meets(self, box: Box) -> bool:
        return self.areas is None or any(
            west <= their_east and their_west <= east and south <= their_north and their_south <= north
            for west, south, east, north in box.parts()
            for their_west, their_south, their_east, their_north in self.areas
        )


def extent_of(collection: Mapping[str, Any]) -> Extent:
    """What a collection says; what cannot be read is not said."""
    told = collection.get("extent")
    extent = told if isinstance(told, Mapping) else {}
    return Extent(_first(_list(extent, "temporal", "interval")), _areas(_list(extent, "spatial", "bbox")))


def nothing_in(extents: Iterable[Extent], request: SearchRequest) -> str | None:
    """Why none of some collections can hold anything of a search; None where one may, or there is none."""
    reasons = [extent.nothing(request) for extent in extents]
    return None if not reasons or None in reasons else max(filter(None, reasons), key=reasons.count)


def _list(extent: Mapping[str, Any], kind: str, member: str) -> list[Any]:
    part = extent.get(kind)
    values = part.get(member) if isinstance(part, Mapping) else None
    return values if isinstance(values, list) else []


def _first(intervals: list[Any]) -> int | None:
    try:
        return min((instant(interval[0]) for interval in intervals), default=None)
    except (BadInput, LookupError, TypeError):  # one of them is open, or cannot be read
        return None


def _areas(boxes: list[Any]) -> tuple[Bounds, ...] | None:
    try:
        return (
            tuple(wide for box in boxes for part in Box.parse(box).parts() for wide in _widened(part)) or None
        )
    except BadRequest:
        return None


_MARGIN = 0.01  # extents are rounded


def _widened(bounds: Bounds) -> list[Bounds]:
    """A box with a margin, also on the other side of the antimeridian."""
    west, south, east, north = bounds
    south, north = south - _MARGIN, north + _MARGIN
    beyond = [(180 - _MARGIN, south, 180.0, north)] if west <= -180 + _MARGIN else []
    beyond += [(-180.0, south, -180 + _MARGIN, north)] if east >= 180 - _MARGIN else []
    return [(west - _MARGIN, south, east + _MARGIN, north), *beyond]
