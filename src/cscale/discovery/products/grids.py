"""Squares of the grids in which products are cut: their corners on a map, and the box around them. Pure.

Sources: Sentinel-2 tiles are squares of the Military Grid Reference System (NGA.STND.0037, 2.3 and
annex B), 109.8 km wide to the east and south of the square's north-western corner (Sentinel-2 Products
Specification S2-PDGS-TAS-DI-PSD, on tiles). UTM to WGS 84: Krueger's series in the third flattening, to its
third power (Karney, Transverse Mercator with an accuracy of a few nanometers, J. Geodesy 85, 2011,
equations 11, 35, 36), right to millimetres. ETRS89-LAEA (EPSG:3035) to ETRS89, which is WGS 84 to less than
a metre: Lambert's azimuthal equal-area projection (Snyder, Map projections, USGS 1395, equations 24-15 to
24-29, 3-18).
"""

import math
from collections.abc import Callable
from itertools import pairwise

Place = tuple[float, float, float, float]
"""West, south, east, north: degrees of WGS 84; does not cross the antimeridian."""
Inverse = Callable[[float, float], tuple[float, float]]
"""Easting and northing in metres to longitude and latitude in degrees."""

_A = 6_378_137.0
_F = 1 / 298.257223563
_N = _F / (2 - _F)
_SCALED = 0.9996 * _A / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_BETA = (_N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96, _N**2 / 48 + _N**3 / 15, 17 * _N**3 / 480)
_DELTA = (2 * _N - 2 * _N**2 / 3 - 2 * _N**3, 7 * _N**2 / 3 - 8 * _N**3 / 5, 56 * _N**3 / 15)

SQUARE = 100_000
"""The width of a square of MGRS, in metres; so wide are the tiles of EPSG:3035, too."""
TILE = 109_800
"""The width of a tile of Sentinel-2, in metres."""
_MARGIN = 5_000  # metres; sites draw footprints roughly, up to 1.5 km beyond the tile in items at hand
_STEPS = 8
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"


def from_utm(zone: int, *, south: bool) -> Inverse:
    """The way back from a zone of UTM, 1 to 60."""
    middle, equator = 6 * zone - 183, 10_000_000 if south else 0

    def inverse(easting: float, northing: float) -> tuple[float, float]:
        xi, eta = (northing - equator) / _SCALED, (easting - 500_000) / _SCALED
        xi, eta = (
            xi
            - sum(b * math.sin(j * xi) * math.cosh(j * eta) for j, b in zip((2, 4, 6), _BETA, strict=True)),
            eta
            - sum(b * math.cos(j * xi) * math.sinh(j * eta) for j, b in zip((2, 4, 6), _BETA, strict=True)),
        )
        chi = math.asin(math.sin(xi) / math.cosh(eta))
        latitude = chi + sum(d * math.sin(j * chi) for j, d in zip((2, 4, 6), _DELTA, strict=True))
        return middle + math.degrees(math.atan2(math.sinh(eta), math.cos(xi))), math.degrees(latitude)

    return inverse


def _authalic(sine: float, squared: float) -> float:
    """Snyder's q of a latitude's sine."""
    e = math.sqrt(squared)
    return (1 - squared) * (
        sine / (1 - squared * sine**2) - math.log((1 - e * sine) / (1 + e * sine)) / (2 * e)
    )


def _europe() -> Inverse:
    """The way back from ETRS89-LAEA, EPSG:3035."""
    f = 1 / 298.257222101
    squared = f * (2 - f)
    sine, cosine = math.sin(math.radians(52)), math.cos(math.radians(52))
    pole = _authalic(1, squared)
    beta = math.asin(_authalic(sine, squared) / pole)
    radius = _A * math.sqrt(pole / 2)
    d = _A * cosine / math.sqrt(1 - squared * sine**2) / (radius * math.cos(beta))
    series = (
        squared / 3 + 31 * squared**2 / 180 + 517 * squared**3 / 5040,
        23 * squared**2 / 360 + 251 * squared**3 / 3780,
        761 * squared**3 / 45360,
    )

    def inverse(easting: float, northing: float) -> tuple[float, float]:
        x, y = (easting - 4_321_000) / d, (northing - 3_210_000) * d
        distance = math.hypot(x, y)
        if distance == 0:
            return 10.0, 52.0
        angle = 2 * math.asin(distance / (2 * radius))
        own = math.asin(math.cos(angle) * math.sin(beta) + y * math.sin(angle) * math.cos(beta) / distance)
        latitude = own + sum(s * math.sin(j * own) for j, s in zip((2, 4, 6), series, strict=True))
        longitude = math.atan2(
            x * math.sin(angle),
            distance * math.cos(beta) * math.cos(angle) - y * math.sin(beta) * math.sin(angle),
        )
        return 10 + math.degrees(longitude), math.degrees(latitude)

    return inverse


from_europe = _europe()
"""The way back from ETRS89-LAEA, EPSG:3035."""


def around(inverse: Inverse, west: float, south: float, east: float, north: float) -> Place | None:
    """The box around a rectangle on a map, with a margin of five kilometres.

    Returns:
        None where it reaches over the antimeridian.
    """
    west, south, east, north = west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    outline = [
        inverse(x + (to_x - x) * step / _STEPS, y + (to_y - y) * step / _STEPS)
        for (x, y), (to_x, to_y) in pairwise(corners)
        for step in range(_STEPS)
    ]
    longitudes, latitudes = zip(*outline, strict=True)
    if min(longitudes) < -180 or max(longitudes) > 180:
        return None
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def tile_place(tile: str) -> Place | None:
    """The box around a tile of Sentinel-2, as 32TPS.

    Returns:
        None where there is no such square, and where it reaches over the antimeridian.
    """
    zone, band, column, row = int(tile[:2]), tile[2], tile[3], tile[4]
    if not 1 <= zone <= 60 or band not in _BANDS or column not in _COLUMNS[zone % 3] or row not in _ROWS:
        return None
    inverse = from_utm(zone, south=band < "N")
    easting = (_COLUMNS[zone % 3].index(column) + 1) * SQUARE
    least = -80 + 8 * _BANDS.index(band)
    greatest = least + (12 if band == "X" else 8)
    first = (_ROWS.index(row) - (0 if zone % 2 else 5)) % 20 * SQUARE
    for northing in range(first, 10_000_000, 20 * SQUARE):  # rows bear the same letters every 2,000 km
        _, latitude = inverse(easting + SQUARE / 2, northing + SQUARE / 2)
        if least - 1 <= latitude <= greatest + 1:  # of a square that lies in two bands, tiles have either
            top = northing + SQUARE
            return around(inverse, easting, top - TILE, easting + TILE, top)
    return None
