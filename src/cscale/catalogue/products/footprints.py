"""Footprints: the rings that metadata give, on the sphere, as GeoJSON on the map.

A ring of a footprint is a list of corners whose neighbours are joined the shorter way around the
Earth. It may cross the antimeridian, go around a pole, or around both, as the day side of an orbit of
Sentinel-5P does. `cscale.stac.geometry.planar` cuts what another has drawn on the map; here
the inside has to be found first.
"""

from collections.abc import Sequence
from typing import Any

import numpy
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from cscale.errors import BadInput
from cscale.stac.geometry import Coordinates, bounds_of

_DECIMALS = 6  # a tenth of a metre
_CORNERS, _NUMBERS = 100_000, 4_000_000


def read_ring(text: str, place: str) -> Coordinates:
    """The corners of a `gml:coordinates` or `gml:posList`: latitudes and longitudes in turn.

    Returns:
        Longitudes and latitudes in degrees, n by 2, the last corner not repeating the first.

    Raises:
        BadInput: If they are not at least two places on the globe.
    """
    try:
        if len(text) > _NUMBERS:
            raise ValueError("too long")
        numbers = numpy.array(text.replace(",", " ").split(), dtype=numpy.float64)
        pairs = numbers.reshape(-1, 2)[:, ::-1]
    except ValueError as error:
        raise BadInput(
            f"{place}: the footprint {text[:60]!r} is no list of latitudes and longitudes"
        ) from error
    return check_ring(pairs, place)


def check_ring(pairs: Coordinates, place: str) -> Coordinates:
    """Corners without repetitions, within -180 to 180.

    Raises:
        BadInput: If they are not at least two places on the globe.
    """
    west_south, east_north = (-360.0, -90.0), (360.0, 90.0)
    inside = numpy.isfinite(pairs).all() and (pairs >= west_south).all() and (pairs <= east_north).all()
    if not inside or len(pairs) > _CORNERS:
        raise BadInput(f"{place}: the footprint is not of latitudes and longitudes")
    ring = pairs.copy()
    ring[:, 0] = numpy.where(abs(ring[:, 0]) > 180, (ring[:, 0] + 180) % 360 - 180, ring[:, 0])
    differs = (ring != numpy.roll(ring, 1, axis=0)).any(axis=1)
    ring = ring[differs]
    if len(ring) < 2:
        raise BadInput(f"{place}: the footprint is a single point")
    return _one_sided(ring)


def _one_sided(ring: Coordinates) -> Coordinates:
    """Corners on the antimeridian are written as on the side that the ring comes from."""
    inland = numpy.flatnonzero(abs(ring[:, 0]) != 180)
    if len(inland):
        ring = numpy.roll(ring, -int(inland[0]), axis=0)
        for index in numpy.flatnonzero(abs(ring[:, 0]) == 180):
            ring[index, 0] = numpy.copysign(180, ring[index - 1, 0])
    return ring


def footprint(rings: Sequence[Coordinates], place: str) -> tuple[dict[str, Any], list[float]]:
    """The area within some rings, and its bounding box.

    Args:
        rings: Each of longitudes and latitudes in degrees; see `read_ring`.
        place: Which product it is, for messages.

    Returns:
        A GeoJSON geometry in CRS84, cut at the antimeridian, outer rings counter-clockwise (RFC 7946
        3.1.6, 3.1.9); a box whose west is greater than its east where it crosses the antimeridian.

    Raises:
        BadInput: If nothing is left that is an area or a line.
    """
    parts = [part for ring in rings for part in _on_map(ring)]
    area = _tidy(shapely.union_all(parts))
    if area.is_empty:
        raise BadInput(f"{place}: the footprint has no extent")
    bbox = [round(number, _DECIMALS) for number in bounds_of(area).numbers()]
    shown: dict[str, Any] = mapping(area)
    return {"type": shown["type"], "coordinates": _lists(shown["coordinates"])}, bbox


def _on_map(ring: Coordinates) -> list[BaseGeometry]:
    """The pieces of a ring's inside on the map."""
    steps = _steps(ring)
    pieces = _pieces(ring, steps)
    parts: list[BaseGeometry] = []
    if len(ring) > 2:
        parts = [_polygons(piece) for piece in _closed(pieces, _turns_left(ring, steps))]
    if sum(part.area for part in parts) > 0:
        return parts
    return [shapely.LineString(piece) for piece in pieces]  # a track without width


def _steps(ring: Coordinates) -> Coordinates:
    """From each corner to the next, degrees of longitude, the shorter way."""
    steps: Coordinates = numpy.diff(ring[:, 0], append=ring[0, 0])
    return steps - 360 * numpy.round(steps / 360)


def _turns_left(ring: Coordinates, steps: Coordinates) -> bool:
    """Whether the smaller of the two areas that a ring parts the sphere into lies on its left.

    The area on the left of a ring is 2 pi |turns| minus the integral of sin(latitude) over longitude,
    but for whole spheres (Green's theorem on the cylinder of equal areas).
    """
    heights = numpy.sin(numpy.radians(ring[:, 1]))
    integral = float((numpy.radians(steps) * (heights + numpy.roll(heights, -1)) / 2).sum())
    turns = abs(round(float(steps.sum()) / 360))
    return (2 * numpy.pi * turns - integral) % (4 * numpy.pi) <= 2 * numpy.pi


def _pieces(ring: Coordinates, steps: Coordinates) -> list[Coordinates]:
    """A ring cut where it crosses the antimeridian; each piece but an uncut ring runs from edge to edge."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, (longitude, latitude) in enumerate(ring):
        pieces[-1].append((float(longitude), float(latitude)))
        step = float(steps[index])
        end, following = ring[(index + 1) % len(ring)]
        if abs(end - longitude) <= 180:  # the shorter way does not cross
            continue
        edge = 180.0 if step > 0 else -180.0
        passed = (edge - float(longitude)) / step if step else 0.0
        crossing = float(latitude) + float(following - latitude) * min(max(passed, 0.0), 1.0)
        pieces[-1].append((edge, crossing))
        pieces.append([(-edge, crossing)])
    if len(pieces) > 1:  # the last piece goes on in the first
        pieces[0] = pieces.pop() + pieces[0]
    return [numpy.array(piece) for piece in pieces]


def _closed(pieces: list[Coordinates], left: bool) -> list[Coordinates]:  # noqa: FBT001
    """Rings on the map of pieces that run from edge to edge, joined along the edges and over the poles."""
    if len(pieces) == 1 and abs(pieces[0][0, 0] - pieces[0][-1, 0]) < 360 and not _at_edges(pieces[0]):
        return pieces
    ahead = [piece if left else piece[::-1] for piece in pieces]
    starts = {index: _around(*piece[0]) for index, piece in enumerate(ahead)}
    rings: list[Coordinates] = []
    while starts:
        first = current = next(iter(starts))
        ring: list[Coordinates] = []
        while True:
            ring.append(ahead[current])
            here = _around(*ahead[current][-1])
            # with the inside on the left, the rim of the map is followed counter-clockwise
            current = min(starts, key=lambda index: (starts[index] - here) % _RIM)
            ring.append(_along(here, starts[current]))
            del starts[current]
            if current == first:
                break
        rings.append(numpy.vstack(ring))
    return rings


_RIM = 1080.0
"""The length of the rim of the map in degrees."""
_CORNERS_OF_RIM = (
    (180.0, (180.0, 90.0)),
    (540.0, (-180.0, 90.0)),
    (720.0, (-180.0, -90.0)),
    (1080.0, (180.0, -90.0)),
)


def _at_edges(piece: Coordinates) -> bool:
    return bool(abs(piece[0, 0]) == 180 and abs(piece[-1, 0]) == 180 and tuple(piece[0]) != tuple(piece[-1]))


def _around(longitude: float, latitude: float) -> float:
    """Where a point of the eastern or western edge is along the rim, from the map's lower right corner."""
    return latitude + 90 if longitude > 0 else 540 + 90 - latitude


def _along(start: float, end: float) -> Coordinates:
    """The corners of the rim from one place on it, counter-clockwise, to another."""
    length = (end - start) % _RIM
    passed = [
        ((at - start) % _RIM, corner) for at, corner in _CORNERS_OF_RIM if 0 < (at - start) % _RIM < length
    ]
    return numpy.array([corner for _, corner in sorted(passed)]).reshape(-1, 2)


def _polygons(ring: Coordinates) -> BaseGeometry:
    if len(ring) < 3:
        return shapely.Polygon()
    drawn = shapely.Polygon(ring)
    # a swath of a whole orbit may cross itself: what it covers twice is covered
    return drawn if drawn.is_valid else shapely.make_valid(drawn, method="structure", keep_collapsed=False)


def _tidy(drawn: BaseGeometry) -> BaseGeometry:
    """Areas, or lines where there are none, with few decimals, valid, and in the order of RFC 7946."""
    rounded = shapely.transform(drawn, lambda xy: numpy.round(xy, _DECIMALS))
    if not rounded.is_valid:
        rounded = shapely.make_valid(rounded, method="structure", keep_collapsed=False)
    parts = shapely.get_parts(rounded)
    wanted = parts[shapely.get_dimensions(parts) == shapely.get_dimensions(drawn)]
    wanted = wanted[~shapely.is_empty(wanted)]
    whole = wanted[0] if len(wanted) == 1 else shapely.union_all(wanted)
    return shapely.orient_polygons(shapely.normalize(whole))


def _lists(coordinates: Any) -> Any:
    if isinstance(coordinates, tuple | list) and coordinates and not isinstance(coordinates[0], float):
        return [_lists(each) for each in coordinates]
    return [float(number) for number in coordinates]
