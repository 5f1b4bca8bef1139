"""Footprints on a map drawn as SVG: a graticule, and the outline of each item."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from cscale.stac.items import item_geometry

_WIDTH = 900.0
"""Of the picture, in its own units; its height follows from the area shown."""
_LEAST = 0.02
"""The least height and width of the area shown, in degrees."""
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45)


def drawn(items: Sequence[Mapping[str, Any]], *, linked: bool = False) -> str:
    """The map of items; nothing where none has a place.

    Args:
        items: STAC Items, or anything else with a GeoJSON geometry.
        linked: Whether each outline leads to the row `i0`, `i1`, ... of its item.
    """
    placed = [(at, item, item_geometry(item)) for at, item in enumerate(items)]
    shapes = [(at, item, shape) for at, item, shape in placed if shape is not None]
    if not shapes:
        return ""
    view = _View.around([shape for _, _, shape in shapes])
    outlines = [_outline(view, at, item, shape, linked=linked) for at, item, shape in shapes]
    return (
        f'<svg class="map" viewBox="0 0 {_WIDTH:g} {view.height:.1f}" role="img"'
        f' aria-label="Map of the footprints">{view.graticule()}{"".join(outlines)}</svg>'
    )


class _View:
    """The part of the world that a map shows, in degrees."""

    def __init__(self, west: float, south: float, east: float, north: float) -> None:
        self.west, self.south, self.east, self.north = west, south, east, north
        self._stretch = max(math.cos(math.radians((south + north) / 2)), 0.2)
        self._scale = _WIDTH / (east - west)
        self.height = (north - south) * self._scale / self._stretch

    @classmethod
    def around(cls, shapes: Sequence[BaseGeometry]) -> "_View":
        """The part around some shapes, not too flat and not too high."""
        west, south, east, north = (float(number) for number in shapely.total_bounds(shapes))
        wide, high = max(east - west, _LEAST) * 1.2, max(north - south, _LEAST) * 1.2
        stretch = max(math.cos(math.radians((south + north) / 2)), 0.2)
        wide, high = max(wide, high / stretch * 2.2), max(high, wide * stretch * 0.35)
        x, y = (west + east) / 2, (south + north) / 2
        west, east = max(x - wide / 2, -180.0), min(x + wide / 2, 180.0)
        return cls(west, max(y - high / 2, -90.0), east, min(y + high / 2, 90.0))

    def at(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Where a place lies in the picture."""
        return (longitude - self.west) * self._scale, (self.north - latitude) * self._scale / self._stretch

    @property
    def unit(self) -> float:
        """How many degrees one unit of the picture is."""
        return 1 / self._scale

    def graticule(self) -> str:
        """Meridians and parallels with their degrees."""
        step = next((step for step in _STEPS if (self.east - self.west) / step <= 7), _STEPS[-1])
        parts = []
        for number in range(math.ceil(self.west / step), math.floor(self.east / step) + 1):
            x, _ = self.at(number * step, 0)
            parts.append(f'<path class="grid" d="M{x:.1f} 0V{self.height:.1f}"/>')
            if x < _WIDTH - 50:
                parts.append(_label(x + 4, self.height - 6, number * step, "EW"))
        for number in range(math.ceil(self.south / step), math.floor(self.north / step) + 1):
            _, y = self.at(0, number * step)
            parts.append(f'<path class="grid" d="M0 {y:.1f}H{_WIDTH:g}"/>')
            if y < self.height - 30:
                parts.append(_label(4, y - 4, number * step, "NS"))
        return "".join(parts)


def _label(x: float, y: float, degrees: float, sides: str) -> str:
    side = "" if not degrees else sides[degrees < 0]
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="15">{abs(degrees):.6g}°{side}</text>'


def _outline(view: _View, at: int, item: Mapping[str, Any], shape: BaseGeometry, *, linked: bool) -> str:
    title = f"<title>{escape(str(item.get('id', ''))[:200])}</title>"
    drawing = f'<path class="area" d="{_path(view, shape)}">{title}</path>'
    return f'<a href="#i{at}" tabindex="-1">{drawing}</a>' if linked else drawing


def _path(view: _View, shape: BaseGeometry) -> str:
    plain = shapely.simplify(shape, view.unit, preserve_topology=False)
    parts = []
    for part in shapely.get_parts(plain if not plain.is_empty else shape):
        if part.geom_type == "Polygon":
            parts += [_line(view, ring, closed=True) for ring in (part.exterior, *part.interiors)]
        elif part.geom_type == "LineString":
            parts.append(_line(view, part, closed=False))
        elif part.geom_type == "Point":
            x, y = view.at(part.x, part.y)
            parts.append(f"M{x - 5:.1f} {y:.1f}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z")
        else:
            parts.append(_path(view, part))
    return "".join(parts)


def _line(view: _View, line: BaseGeometry, *, closed: bool) -> str:
    places = (view.at(*place[:2]) for place in line.coords)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) + ("Z" if closed else "")
