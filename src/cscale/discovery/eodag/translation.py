"""A search in EODAG's words, and its products as STAC items."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import shapely
from shapely.geometry.base import BaseGeometry

from cscale.errors import BadInput
from cscale.stac.cql2 import Expression
from cscale.stac.geometry import planar
from cscale.stac.items import STAC_VERSION
from cscale.stac.search import SearchRequest
from cscale.stac.times import text_of

UNCERTAIN = frozenset({"ids", "bbox", "intersects", "datetime", "filter", "q"})
"""What is left to the hub: each provider understands these in its own way, or not at all."""
CLOUDS = "eo:cloud_cover"
_DAY = 86_400_000_000  # microseconds
_EARLIEST, _LATEST = "1900-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
_AROUND = 0.001  # degrees: EODAG rounds coordinates to four digits behind the point
_WORLD = shapely.box(-180, -90, 180, 90)
_MOST_CORNERS = 100  # what fits into an address
_WEB = ("http", "https", "s3")
_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider can do with a search, as EODAG says.

    Attributes:
        sorts: Whether it sorts by time.
        clouds: Whether it selects by cloud cover.
        longest: Its longest page, items.
    """

    sorts: bool
    clouds: bool
    longest: int


def sorted_by_time(request: SearchRequest) -> bool:
    """Whether a search wants its items by time and nothing else."""
    return len(request.sortby) == 1 and request.sortby[0].name == "datetime"


def arguments(request: SearchRequest, offer: Offer) -> dict[str, Any]:
    """The arguments of EODAG's search, beside collection, limit and page: what matches is in its answer.

    Some providers compare only when an item starts: times are asked for with a day more at both ends.
    Areas are asked for by their convex hull, a little grown: not all providers take any polygon.
    """
    asked: dict[str, Any] = {}
    if request.datetime is not None:
        start, end = request.datetime.start, request.datetime.end
        asked["start"] = _EARLIEST if start is None else text_of(start - _DAY)
        asked["end"] = _LATEST if end is None else text_of(end + _DAY)
    area = _area(request)
    if area is not None:
        asked["geom"] = area
    if offer.clouds and request.filter is not None:
        limits = list(_cloud_limits(request.filter))
        if limits:
            asked[CLOUDS] = min(limits)
    if offer.sorts and sorted_by_time(request):
        asked["sort_by"] = [("start_datetime", "DESC" if request.sortby[0].descending else "ASC")]
    return asked


def _area(request: SearchRequest) -> BaseGeometry | None:
    """A convex polygon in WGS 84 (longitude, latitude) around all that is asked for; None for everywhere."""
    if request.intersects is not None:
        area = planar(request.intersects)
    elif request.bbox is not None:
        area = request.bbox.geometry()
    else:
        return None
    hull = area.convex_hull.buffer(_AROUND, join_style="mitre")
    if shapely.get_num_coordinates(hull) > _MOST_CORNERS:
        hull = shapely.box(*hull.bounds)
    return hull.intersection(_WORLD)


def _cloud_limits(expression: Expression) -> Iterator[float]:
    """The upper limits of cloud cover, percent, that all that matches must keep."""
    if not isinstance(expression, Mapping):
        return
    operator, terms = expression.get("op"), expression.get("args")
    if not isinstance(terms, list):
        return
    if operator == "and":
        for term in terms:
            yield from _cloud_limits(term)
    elif operator in ("<", "<=", ">", ">=") and len(terms) == 2:
        name, value = terms if operator in ("<", "<=") else reversed(terms)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name == {"property": CLOUDS} and is_number and 0 <= value <= 100:
            yield value


def item_of(product: Mapping[str, Any], download: str, collection: str) -> msgspec.Raw:
    """The STAC item of a product.

    Args:
        product: The product as `gateway` gives it.
        download: Where the whole product is; empty where EODAG does not know.
        collection: The collection that was asked for.

    Raises:
        BadInput: If it has no id, or cannot be written.
    """
    name, told = product.get("id"), product.get("properties")
    if not (isinstance(name, str) and name) or not isinstance(told, dict):
        raise BadInput("a product without an id")
    properties = {key: value for key, value in told.items() if value is not None}
    properties.setdefault("datetime", None)
    item = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "id": name,
        "collection": collection,
        "geometry": product.get("geometry"),
        "bbox": product.get("bbox"),
        "properties": properties,
        "assets": _assets(product.get("assets"), properties, download),
        "links": [link for link in product.get("links") or [] if _is_web(link)],
    }
    try:
        return msgspec.Raw(msgspec.json.encode(item))
    except _UNENCODABLE as error:
        raise BadInput(f"{name}: it cannot be written as JSON: {error}") from error


def _is_web(thing: object) -> bool:
    """Whether a link or an asset leads somewhere."""
    href = thing.get("href") if isinstance(thing, dict) else None
    try:
        return isinstance(href, str) and urlsplit(href).scheme in _WEB
    except ValueError:
        return False


def _assets(told: object, properties: dict[str, Any], download: str) -> dict[str, Any]:
    """The assets that lead somewhere; the whole product and its picture are assets, too."""
    given = told if isinstance(told, dict) else {}
    found = {key: dict(asset) for key, asset in given.items() if _is_web(asset)}
    whole = {"href": download, "title": "The whole product", "roles": ["data"]}
    if _is_web(whole) and all(asset["href"] != download for asset in found.values()):
        found.setdefault("product", whole)
    for name, role in (("quicklook", "overview"), ("thumbnail", "thumbnail")):
        picture = {"href": properties.pop(f"eodag:{name}", None), "roles": [role]}
        if _is_web(picture):
            found.setdefault(name, picture)
    return found


def collection_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The STAC Collection of what EODAG knows of one."""
    summaries = {
        name: value if isinstance(value, list) else [value]
        for name in ("platform", "constellation", "instruments", "processing:level", "sci:doi")
        if (value := told.get(name))
    }
    kept = {name: value for name in ("title", "keywords", "providers", "extent") if (value := told.get(name))}
    return kept | {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": told["id"],
        "description": str(told.get("description") or told["id"]).strip(),
        "license": told.get("license") or "other",
        "summaries": summaries,
        "links": [link for link in told.get("links") or [] if _is_web(link)],
    }
