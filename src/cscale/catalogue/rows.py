"""An item as the tables keep it: what it must have to be taken, and what its columns hold."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import shapely

from cscale.catalogue.queryables import Kind
from cscale.errors import BadInput, BadRequest
from cscale.stac.geometry import Box, bounds_of, planar
from cscale.stac.items import item_times, open_body, property_value
from cscale.stac.text import words_of

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # the last are halves of characters
_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


class Row(NamedTuple):
    """What the tables keep of an item beside its body.

    Attributes:
        t: Its place in time, microseconds since 1970.
        t_first: Its first instant.
        t_last: Its last instant.
        box: The box of its geometry, with the heights of its own; None where it has no geometry.
        geometry: WKB; empty where it is the box itself, None where there is none.
        text: The words that free text is looked for in; None where there are none.
        properties: The values of its typed columns.
    """

    t: int
    t_first: int
    t_last: int
    box: Box | None
    geometry: bytes | None
    text: str | None
    properties: tuple[Any, ...]


class Prepared(NamedTuple):
    """An item ready to be put: what can be done without the catalogue is done.

    Attributes:
        collection: The id of its collection.
        id: Its id.
        digest: Of the body, to know what has changed.
        body: Its open body.
        row: What the tables keep of it.
        names: The names of its properties with the JSON types of their values: `datetime:string`.
    """

    collection: str
    id: str
    digest: bytes
    body: bytes
    row: Row
    names: frozenset[str]


def prepare(item: Mapping[str, Any], columns: Mapping[str, Kind]) -> Prepared:
    """Do all of taking an item that needs no database; safe to do in another process.

    Args:
        item: The item.
        columns: The typed columns that the catalogue has.

    Raises:
        BadInput: If it lacks what every item must have, or that cannot be read.
    """
    item_id, collection, body = name_of(item, "id"), name_of(item, "collection"), body_of(item)
    row = row_of(item, columns)
    return Prepared(collection, item_id, digest_of(body), body, row, names_of(item))


def digest_of(body: bytes) -> bytes:
    """What tells one body from another."""
    return hashlib.blake2b(body, digest_size=12).digest()


def names_of(item: Mapping[str, Any]) -> frozenset[str]:
    """The names of an item's properties with the JSON types of their values; nulls tell nothing."""
    properties: Mapping[str, Any] = item["properties"]
    return frozenset(
        f"{name}:{_JSON_TYPES.get(type(value), 'object')}"
        for name, value in properties.items()
        if value is not None
    )


_JSON_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}


def can_name(text: str) -> bool:
    """Whether an item or a collection can be called so: no control characters."""
    return bool(text) and _CONTROL.search(text) is None


def name_of(thing: Mapping[str, Any], member: str) -> str:
    """A name that can stand in an address: `id` or `collection`.

    Raises:
        BadInput: If there is none, or it holds control characters.
    """
    name = thing.get(member)
    if not isinstance(name, str) or not name:
        raise BadInput(f"it has no {member}")
    if not can_name(name):
        raise BadInput(f"its {member} {name!r} holds control characters; no address can name it")
    return name


def body_of(item: Mapping[str, Any]) -> bytes:
    """An item's or a collection's open body.

    Raises:
        BadInput: If it is not JSON.
    """
    try:
        return open_body(item)
    except _UNWRITABLE as error:
        raise BadInput(f"it cannot be written as JSON: {error}") from error


def collection_body(collection: Mapping[str, Any]) -> bytes:
    """A collection's JSON without structural links.

    Raises:
        BadInput: If it is not JSON.
    """
    return body_of(collection) + b"]}"


def row_of(item: Mapping[str, Any], columns: Mapping[str, Kind]) -> Row:
    """An item's row, with the values of these columns.

    Raises:
        BadInput: If it lacks what every item must have, or that cannot be read.
    """
    if item.get("type") != "Feature":
        raise BadInput("not a STAC Item: its type is not Feature")
    for member in ("properties", "assets"):
        if not isinstance(item.get(member), dict):
            raise BadInput(f"not a STAC Item: it has no {member}")
    moment, first, last = item_times(item)
    if moment is None:
        raise BadInput("it has no datetime, nor start_datetime and end_datetime")
    box, geometry = _area(item)
    stored = tuple(_stored(item, name) for name in columns)
    return Row(moment, first, last, box, geometry, words_of(item) or None, stored)


def _area(item: Mapping[str, Any]) -> tuple[Box | None, bytes | None]:
    own = _own_box(item)
    if item.get("geometry") is None:
        return None, None
    if not isinstance(item["geometry"], dict):
        raise BadInput("its geometry is neither a GeoJSON geometry nor null")
    try:
        geometry = planar(item["geometry"], item.get("bbox"))
    except ValueError as error:
        raise BadInput(f"its geometry cannot be read: {error}") from error
    heights = (own.bottom, own.top) if own else (None, None)
    box = replace(bounds_of(geometry), bottom=heights[0], top=heights[1])
    return box, b"" if _is_box(geometry, box) else shapely.to_wkb(geometry)


def _own_box(item: Mapping[str, Any]) -> Box | None:
    if item.get("bbox") is None:
        return None
    try:
        return Box.parse(item["bbox"])
    except BadRequest as error:
        raise BadInput(f"its {error}") from error


def _is_box(geometry: shapely.Geometry, box: Box) -> bool:
    if geometry.geom_type != "Polygon" or shapely.get_num_coordinates(geometry) != 5:
        return False
    if not math.isclose(geometry.area, (box.east - box.west) * (box.north - box.south)):
        return False
    return bool(shapely.equals(geometry, shapely.box(box.west, box.south, box.east, box.north)))


def _stored(item: Mapping[str, Any], name: str) -> Any:
    """A property's value as its column holds it: what is neither number nor text as a blob of JSON."""
    value = property_value(item, name)
    if value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if -(2**63) <= value < 2**63:
            return value
        raise BadInput(f"its {name} {value} is beyond 64 bits")
    return msgspec.json.encode(value)
