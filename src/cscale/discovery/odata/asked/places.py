"""The area of a search as archives take it: convex parts of few corners that hold all of it.

Archives measure on the sphere or on the map, which differ by the bulge of an edge, and take one polygon at
a time, of few corners, that does not cross the antimeridian. So the area is taken apart and grown a
little; the hub compares exactly, on what comes.
"""

import numpy
import shapely
from shapely.geometry.base import BaseGeometry

MARGIN = 0.15
"""How far the area is grown, degrees. An edge of 10 degrees bulges by 0.11 degrees at most, at 45 degrees
of latitude: a twice 45-degree sine over 8, times the square of the edge's length in radians."""
_EDGE = 10.0
_COLUMN = 90.0
_MAX_CORNERS = 100
_MAX_PARTS = 8
_WORLD = shapely.box(-180, -90, 180, 90)


def parts_of(area: BaseGeometry) -> list[BaseGeometry] | None:
    """Polygons that together hold an area and a margin around it; None where they hold the world.

    Args:
        area: Flat, longitudes and latitudes in degrees within -180 to 180.
    """
    parts = list(shapely.get_parts(shapely.buffer(area, MARGIN, join_style="mitre")))
    if len(parts) > _MAX_PARTS:
        parts = [shapely.convex_hull(shapely.union_all(parts))]
    around = [turned for part in parts for turned in _turned(part)]
    pieces = [piece for part in around for piece in _columns(part)]
    if shapely.area(shapely.union_all(pieces)) >= shapely.area(_WORLD) - 1:
        return None
    return pieces


def _turned(part: BaseGeometry) -> list[BaseGeometry]:
    """A part grown over the edge of the map, within the map on both sides."""
    moved = (
        shapely.transform(part, lambda xy, by=by: xy + numpy.array([by, 0.0])) for by in (0.0, 360.0, -360.0)
    )
    inside = (shapely.intersection(each, _WORLD) for each in moved)
    return [piece for each in inside for piece in shapely.get_parts(each) if shapely.area(piece) > 0]


def _columns(part: BaseGeometry) -> list[BaseGeometry]:
    """A part in columns that no service takes for their outside, their corners few, their edges short."""
    if len(shapely.get_coordinates(part)) > _MAX_CORNERS or shapely.get_num_interior_rings(part):
        part = shapely.convex_hull(part)
    if len(shapely.get_coordinates(part)) > _MAX_CORNERS:
        part = shapely.envelope(part)
    west, south, east, north = shapely.bounds(part)
    if east - west > _COLUMN:
        cuts = [
            (west + i * _COLUMN, west + (i + 1) * _COLUMN) for i in range(int((east - west) // _COLUMN) + 1)
        ]
        boxes = [shapely.box(low, south, min(high, east), north) for low, high in cuts if low < east]
    else:
        boxes = [shapely.box(west, south, east, north)]
    pieces = [shapely.get_parts(shapely.intersection(part, box)) for box in boxes]
    flat = [piece for group in pieces for piece in group if shapely.area(piece) > 0]
    return [shapely.segmentize(piece, _EDGE) for piece in flat]


def wkt(part: BaseGeometry) -> str:
    """A polygon as well-known text, to 1e-4 degrees, which the margin outweighs."""
    return str(shapely.to_wkt(part, rounding_precision=4))
