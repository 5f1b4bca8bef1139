"""The words of STAC's objects, and items as bytes on their way out.

An item is stored and passed on as an *open body*: its JSON with `links` last and without the final
`]}`. The web API adds the links that depend on where it stands and closes it; nothing is parsed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import msgspec
from shapely.geometry.base import BaseGeometry

from cscale.stac import times
from cscale.stac.geometry import planar

STAC_VERSION = "1.0.0"
"""The version of the catalogues and collections that we write; items keep their own."""


class Link(TypedDict):
    """A link of a STAC object."""

    rel: str
    href: str
    type: NotRequired[str]
    title: NotRequired[str]
    method: NotRequired[str]
    body: NotRequired[Mapping[str, Any]]
    merge: NotRequired[bool]
    headers: NotRequired[Mapping[str, str]]


GEOJSON = "application/geo+json"
"""The media type of items and item collections."""

Item = dict[str, Any]
"""A STAC Item, as JSON."""
Collection = dict[str, Any]
"""A STAC Collection, as JSON."""

STRUCTURAL = frozenset({"self", "root", "parent", "collection", "items", "child", "item", "next", "prev"})
"""The relations that say where an object stands; each service writes its own."""


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An item on its way out.

    Attributes:
        id: The item's id.
        collection: The id of the collection it is asked for in.
        body: The open body; see this module's first lines.
    """

    id: str
    collection: str
    body: bytes


def open_body(item: Mapping[str, Any]) -> bytes:
    """The open body of an item: structural links dropped, the others kept, `links` last.

    Values may be `msgspec.Raw`, so that what is only passed on is not parsed.
    """
    rest = {name: value for name, value in item.items() if name != "links"}
    kept = [link for link in own_links(item) if str(link.get("rel")) not in STRUCTURAL]
    return msgspec.json.encode(rest | {"links": kept})[:-2]


def own_links(item: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """An item's links as a list of objects, whatever was in their place."""
    links = item.get("links")
    if isinstance(links, msgspec.Raw):
        links = msgspec.json.decode(links)
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def close_body(body: bytes, links: bytes) -> bytes:
    """The finished JSON of an open body.

    Args:
        body: The open body.
        links: One or more links as JSON objects with commas between, without brackets.
    """
    return b"".join(closed_pieces(body, links))


def closed_pieces(body: bytes, links: bytes) -> tuple[bytes, ...]:
    """What `close_body` joins."""
    return body, b"" if body.endswith(b"[") or not links else b",", links, b"]}"


def read_body(body: bytes) -> Item:
    """The item of an open body, without structural links."""
    item: Item = msgspec.json.decode(body + b"]}")
    return item


def property_value(item: Mapping[str, Any], name: str) -> Any:
    """A property of an item, by its name or its dotted path; None where absent."""
    properties = item.get("properties")
    if not isinstance(properties, Mapping):
        return None
    if name in properties or "." not in name:
        return properties.get(name)
    value: Any = properties
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def item_times(item: Mapping[str, Any]) -> tuple[int | None, int, int]:
    """An item's place in time: where it stands in an order, its first and its last instant.

    It stands at its `datetime`, or without one at its `start_datetime`; None if it has neither.

    Raises:
        BadInput: If a time cannot be read.
    """
    moment, start, end = (
        property_value(item, name) for name in ("datetime", "start_datetime", "end_datetime")
    )
    known = times.instant(moment) if moment is not None else None
    first = times.instant(start) if start is not None else known
    last = times.instant(end) if end is not None else (known if start is None else first)
    if first is None or last is None:
        return None, 0, 0
    known = first if known is None else known
    return known, min(first, known), max(last, known)


def item_geometry(item: Mapping[str, Any]) -> BaseGeometry | None:
    """An item's geometry, cut at the antimeridian; None where it has none that can be read."""
    geometry = item.get("geometry")
    if not isinstance(geometry, Mapping):
        return None
    try:
        return planar(geometry, item.get("bbox"))
    except ValueError:
        return None
