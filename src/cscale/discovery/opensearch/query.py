"""A search as the parameters of an OpenSearch template: less than is asked for is asked there, never more.

Sites read these parameters in their own ways: some find what overlaps a stretch of time, some what lies
in it; so all of a request but its order is left to the hub, and asked for with room around.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import shapely

from cscale.discovery.odata.asked.places import parts_of, wkt
from cscale.discovery.odata.products import fixed_time
from cscale.discovery.opensearch.description import Template
from cscale.stac.cql2 import Expression
from cscale.stac.evaluation import search_area
from cscale.stac.search import SearchRequest
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT, Interval

DAY = 86_400_000_000
"""How much earlier and later is asked for, microseconds: the longest product of a site that compares one
end only."""
_CLOUD = "eo:cloud_cover"
_BOUNDS = {"<": "high", "<=": "high", ">": "low", ">=": "low", "=": "both"}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


def parameters_of(request: SearchRequest, template: Template) -> tuple[list[tuple[str, str]], frozenset[str]]:
    """What a site is asked for, and what is left to the hub.

    Args:
        request: The search.
        template: How the site is asked.

    Returns:
        The parameters, but for those of paging; the parts of the request that are left.
    """
    told: dict[str, str] = {}
    left = {
        name
        for name in ("filter", "datetime", "bbox", "intersects", "ids", "collections", "q")
        if getattr(request, name) is not None
    }
    if request.collections is not None and len(request.collections) == 1:
        told["eo:parentIdentifier"] = request.collections[0]
        if "eo:parentIdentifier" not in template.names or "/" in request.collections[0]:
            told.clear()  # collections are told by names there
    if request.datetime is not None:
        told |= _times(request.datetime)
    area = search_area(request)
    if area is not None:
        told |= _place(area, template)
    low, high = _cloud(request.filter)
    if low is not None or high is not None:
        told["eo:cloudCover"] = f"[{max(low or 0, 0):g},{min(100 if high is None else high, 100):g}]"
    sorts = sort_parameters(request, template)
    if sorts is None:
        left.add("sortby")
    told |= sorts or {}
    known = [(template.names[name], value) for name, value in told.items() if name in template.names]
    return known, frozenset(left)


def sort_parameters(request: SearchRequest, template: Template) -> Mapping[str, str] | None:
    """The parameters of an order by time; None where the site, or the order, has none.

    A sort key of SRU 1.2 is a path, a schema and whether it rises.
    """
    first = request.sortby[0]
    if len(request.sortby) > 1 or first.name not in ("datetime", "start_datetime"):
        return None
    if "sru:sortKeys" in template.names:
        return {"sru:sortKeys": f"start,time,{int(not first.descending)}"}
    if "resto:sortParam" in template.names and "resto:sortOrder" in template.names:
        direction = "descending" if first.descending else "ascending"
        return {"resto:sortParam": "startDate", "resto:sortOrder": direction}
    return None


def _times(interval: Interval) -> dict[str, str]:
    told = {}
    if interval.start is not None:
        told["time:start"] = _written(max(interval.start - DAY, MIN_INSTANT))
    if interval.end is not None:
        told["time:end"] = _written(min(interval.end + DAY, MAX_INSTANT))
    return told


def _written(moment: int) -> str:
    return fixed_time(moment)[:-4] + "Z"


def _place(area: shapely.Geometry, template: Template) -> dict[str, str]:
    parts = parts_of(area)
    if parts is None:
        return {}
    if len(parts) == 1 and "geo:geometry" in template.names:
        return {"geo:geometry": wkt(parts[0])}
    west, south, east, north = shapely.total_bounds(parts)
    if "geo:box" in template.names:
        return {"geo:box": f"{west:.4f},{south:.4f},{east:.4f},{north:.4f}"}
    if "geo:geometry" in template.names:
        return {"geo:geometry": wkt(shapely.box(west, south, east, north))}
    return {}


def _cloud(expression: Expression | None) -> tuple[float | None, float | None]:
    """The least and the greatest cloud cover that a filter lets through, as far as it is plain to see."""
    low: float | None = None
    high: float | None = None
    for op, value in _bounds(expression):
        if _BOUNDS[op] in ("low", "both"):
            low = value if low is None else max(low, value)
        if _BOUNDS[op] in ("high", "both"):
            high = value if high is None else min(high, value)
    return low, high


def _bounds(node: Any) -> Iterator[tuple[str, float]]:
    op, args = (
        (str(node.get("op", "")).lower(), node.get("args", [])) if isinstance(node, Mapping) else ("", [])
    )
    if op == "and":
        for each in args:
            yield from _bounds(each)
    elif op == "between" and _is_cloud(args[0]):
        yield from ((each, value) for each, value in ((">=", args[1]), ("<=", args[2])) if _is_number(value))
    elif op in _BOUNDS and len(args) == 2:
        if _is_cloud(args[0]) and _is_number(args[1]):
            yield op, args[1]
        elif _is_cloud(args[1]) and _is_number(args[0]):
            yield _FLIPPED[op], args[0]


def _is_cloud(node: object) -> bool:
    return isinstance(node, Mapping) and node.get("property") in (_CLOUD, f"properties.{_CLOUD}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
