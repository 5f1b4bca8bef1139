"""Boxes and geometries on the sphere's map: longitude and latitude in WGS 84 (OGC CRS84), degrees.

GeoJSON (RFC 7946) says that a box with west > east crosses the antimeridian and that geometries are
cut there. Data is not always so; what is not is cut here before it is compared.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import msgspec
import numpy
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from cscale.errors import BadRequest

Bounds = tuple[float, float, float, float]
"""West, south, east, north; west <= east."""
Coordinates = NDArray[numpy.float64]
"""Longitudes and latitudes, n by 2."""

_SINGLE = ("Point", "LineString", "Polygon")
_TYPES = (*_SINGLE, *(f"Multi{each}" for each in _SINGLE), "GeometryCollection")
_UNREADABLE = (
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
    shapely.errors.ShapelyError,
)


_Position = Annotated[list[float], msgspec.Meta(min_length=2)]


class _Point(msgspec.Struct, tag_field="type", tag="Point"):
    coordinates: _Position


class _MultiPoint(msgspec.Struct, tag_field="type", tag="MultiPoint"):
    coordinates: list[_Position]


class _LineString(msgspec.Struct, tag_field="type", tag="LineString"):
    coordinates: list[_Position]


class _MultiLineString(msgspec.Struct, tag_field="type", tag="MultiLineString"):
    coordinates: list[list[_Position]]


class _Polygon(msgspec.Struct, tag_field="type", tag="Polygon"):
    coordinates: list[list[_Position]]


class _MultiPolygon(msgspec.Struct, tag_field="type", tag="MultiPolygon"):
    coordinates: list[list[list[_Position]]]


class _Several(msgspec.Struct, tag_field="type", tag="GeometryCollection"):
    geometries: list["Geojson"]


Geojson = _Point | _MultiPoint | _LineString | _MultiLineString | _Polygon | _MultiPolygon | _Several
"""What a geometry of GeoJSON is made of, as `msgspec` reads it: its type, and numbers in its depth."""
GEOJSON = msgspec.json.Decoder(Geojson | None)
"""Reads a geometry, or null, from its bytes; refuses what is neither."""


@dataclass(frozen=True, slots=True)
class Box:
    """A bounding box.

    Attributes:
        west: Degrees, -180 to 180; greater than `east` where the box crosses the antimeridian.
        south: Degrees, -90 to 90.
        east: Degrees, -180 to 180.
        north: Degrees, -90 to 90.
        bottom: The lowest height in metres; None where the box has no heights.
        top: The greatest height in metres.
    """

    west: float
    south: float
    east: float
    north: float
    bottom: float | None = None
    top: float | None = None

    @classmethod
    def parse(cls, numbers: object) -> Self:
        """Read a `bbox` of four or six numbers; longitudes may run on beyond 180.

        Raises:
            BadRequest: If it is not such a box; says what is wrong.
        """
        if not isinstance(numbers, Sequence) or isinstance(numbers, str):
            raise BadRequest(f"bbox: {numbers!r} is not a list of four or six numbers")
        if len(numbers) not in (4, 6) or not all(_is_number(number) for number in numbers):
            raise BadRequest(
                f"bbox: expected four finite numbers (west, south, east, north) or six, got {list(numbers)}"
            )
        half = len(numbers) // 2
        west, south, east, north = (float(numbers[i]) for i in (0, 1, half, half + 1))
        bottom, top = (float(numbers[2]), float(numbers[5])) if half == 3 else (None, None)
        if not -90 <= south <= north <= 90:
            raise BadRequest(f"bbox: latitudes {south} to {north} do not rise within -90 to 90")
        if not (-540 <= west <= 540 and -540 <= east <= 540):
            raise BadRequest(f"bbox: longitudes {west} to {east} lie outside -180 to 180")
        if bottom is not None and top is not None and bottom > top:
            raise BadRequest(f"bbox: heights {bottom} to {top} do not rise")
        if east - west >= 360:
            west, east = -180.0, 180.0
        return cls(_wrap(west), south, _wrap(east), north, bottom, top)

    def parts(self) -> list[Bounds]:
        """The box as one or two boxes that do not cross the antimeridian."""
        if self.west <= self.east:
            return [(self.west, self.south, self.east, self.north)]
        return [(self.west, self.south, 180.0, self.north), (-180.0, self.south, self.east, self.north)]

    def geometry(self) -> BaseGeometry:
        """The box as a polygon, or two; as a line or a point where it has no width or height."""
        corners = [[(w, s), (w, n), (e, n), (e, s)] for w, s, e, n in self.parts()]
        return shapely.union_all([shapely.MultiPoint(each).convex_hull for each in corners])

    def meets_heights(self, bottom: float | None, top: float | None) -> bool:
        """Whether heights overlap; what has no heights is everywhere."""
        if self.bottom is None or self.top is None or bottom is None or top is None:
            return True
        return bottom <= self.top and top >= self.bottom

    def numbers(self) -> list[float]:
        """The box as STAC writes it: four numbers, or six."""
        if self.bottom is None or self.top is None:
            return [self.west, self.south, self.east, self.north]
        return [self.west, self.south, self.bottom, self.east, self.north, self.top]


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _wrap(longitude: float) -> float:
    """Bring a longitude into -180 to 180, both kept."""
    if -180 <= longitude <= 180:
        return longitude
    return (longitude + 180) % 360 - 180


def planar(geometry: Mapping[str, Any], bbox: object = None) -> BaseGeometry:
    """Read a GeoJSON geometry and cut it at the antimeridian where its writer did not.

    It is cut where coordinates run beyond 180 degrees, and where `bbox` says that it crosses.

    Args:
        geometry: Any of GeoJSON's seven geometries.
        bbox: The item's own box, if there is one; what is no box is passed over.

    Returns:
        A valid, flat (2D) geometry within -180 to 180.

    Raises:
        ValueError: If it is not a GeoJSON geometry, is empty, or leaves the globe.
    """
    if geometry.get("type") not in _TYPES:
        raise ValueError(f"{geometry.get('type')!r} is no type of GeoJSON geometries")
    try:
        read = shapely.force_2d(shape(geometry))
        if read.is_empty:
            raise ValueError("the geometry is empty")
        west, south, east, north = read.bounds
        if not (-90 <= south <= north <= 90 and -540 <= west <= east <= 540):
            raise ValueError(f"coordinates {read.bounds} are not longitudes and latitudes")
        if west < -180 or east > 180:
            read = _cut(read, _fold)
        elif east - west > 180 and _crosses(bbox):
            read = _cut(read, _split)
        return read if read.is_valid else shapely.make_valid(read)
    except _UNREADABLE as error:
        raise ValueError(f"not a GeoJSON geometry ({error})") from error


def _crosses(bbox: object) -> bool:
    """Whether a box says of itself that it crosses the antimeridian."""
    if not isinstance(bbox, Sequence) or len(bbox) not in (4, 6) or not all(map(_is_number, bbox)):
        return False
    return bool(bbox[0] > bbox[len(bbox) // 2])


def _cut(geometry: BaseGeometry, cut: Callable[[BaseGeometry], list[BaseGeometry]]) -> BaseGeometry:
    parts: list[BaseGeometry] = []
    for part in shapely.get_parts(geometry):
        parts += [_cut(part, cut)] if part.geom_type == "GeometryCollection" else cut(part)
    return shapely.union_all([part if part.is_valid else shapely.make_valid(part) for part in parts])


def _split(part: BaseGeometry) -> list[BaseGeometry]:
    """The pieces of a geometry that steps from one edge of the map to the other."""
    west, _, east, _ = part.bounds
    if east - west <= 180:
        return [part]
    if part.geom_type != "Polygon":
        return _fold(shapely.transform(part, _run_on))
    shell, *holes = (shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors))
    near = shell[0, 0]
    return _fold(shapely.Polygon(_around_pole(_run_on(shell)), [_run_on(hole, near) for hole in holes]))


def _run_on(xy: Coordinates, near: float | None = None) -> Coordinates:
    """Coordinates whose longitudes run on beyond 180 degrees instead of stepping back by 360."""
    steps = numpy.diff(xy[:, 0], prepend=xy[0, 0] if near is None else near)
    turns = numpy.cumsum(numpy.round(steps / 360))
    return xy - numpy.column_stack((360 * turns, 0 * turns))


def _around_pole(ring: Coordinates) -> Coordinates:
    """A ring that comes back a turn further on goes around a pole, the nearer one: close it there."""
    if abs(ring[-1, 0] - ring[0, 0]) < 180:
        return ring
    pole = math.copysign(90, ring[:, 1].mean())
    return numpy.vstack((ring, [(ring[-1, 0], pole), (ring[0, 0], pole)]))


def _fold(part: BaseGeometry) -> list[BaseGeometry]:
    """The pieces of a geometry that runs beyond 180 degrees, each moved to where it belongs."""
    west, _, east, _ = part.bounds
    if west >= -180 and east <= 180:
        return [part]
    part = part if part.is_valid else shapely.make_valid(part)
    pieces: list[BaseGeometry] = []
    for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
        moved = shapely.transform(part, lambda xy, by=360.0 * turn: xy - numpy.array([by, 0.0]))
        inside = shapely.get_parts(shapely.intersection(moved, shapely.box(-180, -90, 180, 90)))
        # where an area only touches the edge of the map, it leaves no line there
        pieces += inside[shapely.get_dimensions(inside) == shapely.get_dimensions(part)].tolist()
    return pieces


def bounds_of(geometry: BaseGeometry) -> Box:
    """The smallest box around a planar geometry; crosses the antimeridian where that is shorter."""
    west, south, east, north = (float(number) for number in geometry.bounds)
    widest, reach = 360 - (east - west), west
    box = Box(west, south, east, north)
    for start, _, end, _ in sorted(part.bounds for part in shapely.get_parts(geometry)):
        if start - reach > widest:
            widest, box = start - reach, Box(float(start), south, float(reach), north)
        reach = max(reach, end)
    return box
