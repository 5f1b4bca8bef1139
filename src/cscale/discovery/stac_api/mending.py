"""Items as sites send them, made proper STAC 1.x: what needs no mending stays the bytes that came."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from cscale.errors import BadInput
from cscale.stac.geometry import GEOJSON, Geojson, bounds_of, planar

_VERSION = r"^1\.\d+\.\d+$"
_RELATIVE = re.compile(rb'"href"\s*:\s*(?!"[A-Za-z][A-Za-z0-9+.-]*:)')
_OLD = "https://stac-extensions.github.io"
_EXTENSIONS = {
    "eo": f"{_OLD}/eo/v1.0.0/schema.json",
    "view": f"{_OLD}/view/v1.0.0/schema.json",
    "sar": f"{_OLD}/sar/v1.0.0/schema.json",
    "sat": f"{_OLD}/sat/v1.0.0/schema.json",
    "proj": f"{_OLD}/projection/v1.0.0/schema.json",
    "projection": f"{_OLD}/projection/v1.0.0/schema.json",
    "scientific": f"{_OLD}/scientific/v1.0.0/schema.json",
    "version": f"{_OLD}/version/v1.0.0/schema.json",
    "pointcloud": f"{_OLD}/pointcloud/v1.0.0/schema.json",
    "datacube": f"{_OLD}/datacube/v1.0.0/schema.json",
    "label": f"{_OLD}/label/v1.0.0/schema.json",
    "file": f"{_OLD}/file/v1.0.0/schema.json",
    "checksum": f"{_OLD}/file/v1.0.0/schema.json",
    "processing": f"{_OLD}/processing/v1.0.0/schema.json",
    "timestamps": f"{_OLD}/timestamps/v1.0.0/schema.json",
}
"""The extensions that had short names before STAC 1.0, with what they mean now."""

_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Times(msgspec.Struct):
    datetime: str | None = None
    start_datetime: str | None = None


class _Proper(msgspec.Struct):
    """What an item has that needs no mending."""

    type: Literal["Feature"]
    stac_version: Annotated[str, msgspec.Meta(pattern=_VERSION)]
    id: _Name
    collection: _Name
    geometry: Geojson | None
    properties: _Times
    links: list[msgspec.Raw]
    assets: dict[str, msgspec.Raw]
    bbox: list[float] | None = None


class _Led(msgspec.Struct):
    href: Any = None


class _Addressed(msgspec.Struct):
    links: list[_Led] = []
    assets: dict[str, _Led] = {}


_PROPER = msgspec.json.Decoder(_Proper)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TIMES = msgspec.json.Decoder(_Times)
_ADDRESSED = msgspec.json.Decoder(_Addressed)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def mended(raw: msgspec.Raw, asked: Sequence[str], address: str) -> msgspec.Raw | None:
    """An item that came, proper; None where it cannot be one.

    Args:
        raw: What came.
        asked: The collections that were asked for; an item that names none is in the only one.
        address: Where it was asked for, to which relative addresses lead if it does not tell its own.
    """
    if _is_proper(raw):
        return raw
    try:
        members = _MEMBERS.decode(raw)
        lacking = _lacking(members, asked)
        if _has_relative(raw):
            lacking |= _absolute(members | lacking, address)
    except (*_UNREADABLE, BadInput):
        return None
    return msgspec.Raw(msgspec.json.encode(members | lacking)) if lacking else raw


def _is_proper(raw: msgspec.Raw) -> bool:
    try:
        item = _PROPER.decode(raw)
    except _UNREADABLE:
        return False
    boxed = item.geometry is None or item.bbox is not None
    return _is_timed(item.properties) and boxed and not _has_relative(raw)


def _has_relative(raw: msgspec.Raw) -> bool:
    """Whether any address of an item's links or assets may be relative; those deeper within may be."""
    if _RELATIVE.search(raw) is None:
        return False
    try:
        told = _ADDRESSED.decode(raw)
    except _UNREADABLE:
        return True
    return any(_is_relative(each.href) for each in (*told.links, *told.assets.values()))


def _is_timed(times: _Times) -> bool:
    return times.datetime is not None or times.start_datetime is not None


def _lacking(members: Mapping[str, msgspec.Raw], asked: Sequence[str]) -> dict[str, Any]:
    """The members that an item lacks, or has in an older form.

    Raises:
        BadInput: If that does not make it an item.
        msgspec.DecodeError: If a member cannot be read.
    """
    lacking: dict[str, Any] = {
        name: empty
        for name, empty in (("links", []), ("assets", {}), ("geometry", None))
        if name not in members
    }
    if "type" not in members and "geometry" in members:
        lacking["type"] = "Feature"
    known = {name: _value(members, name) for name in ("type", "id", "collection", "stac_version", "links")}
    known |= lacking
    if not known["collection"]:
        known["collection"] = lacking["collection"] = _collection_of(known["links"], asked)
    named = all(isinstance(known[name], str) and known[name] for name in ("id", "collection"))
    if known["type"] != "Feature" or not named or not isinstance(known["links"], list):
        raise BadInput("its type, id, collection or links are missing or of another kind")
    if "assets" in members:
        _MEMBERS.decode(members["assets"])
    if not _is_timed(_TIMES.decode(members.get("properties", b"null"))):
        raise BadInput("it tells no time")
    if known["stac_version"] is None or re.match(r"0\.|1\.0\.0-", str(known["stac_version"])):
        lacking |= {
            "stac_version": "1.0.0",
            "stac_extensions": current_extensions(_value(members, "stac_extensions")),
        }
    return lacking | _box(members)


def _value(members: Mapping[str, msgspec.Raw], name: str) -> Any:
    return msgspec.json.decode(members[name]) if name in members else None


def _box(members: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """The box of an item that has a geometry and no box."""
    geometry = GEOJSON.decode(members.get("geometry", b"null"))
    if geometry is None or _value(members, "bbox") is not None:
        return {}
    try:
        return {"bbox": bounds_of(planar(_value(members, "geometry"))).numbers()}
    except ValueError:  # it is empty, or leaves the globe: passed on without a box
        return {}


def _collection_of(links: Any, asked: Sequence[str]) -> str | None:
    """The collection of an item that does not tell it: by its link, or as the only one asked for."""
    for href in _hrefs_of(links, "collection"):
        if found := re.search(r"/collections/([^/]+)/?$", _path(href)):
            return unquote(found[1])
    return asked[0] if len(asked) == 1 else None


def _path(href: str) -> str:
    try:
        return urlsplit(href).path
    except ValueError:  # no address at all
        return ""


def current_extensions(told: Any) -> list[str]:
    """The extensions that an object says it uses, by their addresses."""
    names = [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
    current = (_EXTENSIONS.get(each, each) for each in names)
    return list(dict.fromkeys(each for each in current if "://" in each))


def _absolute(item: Mapping[str, Any], address: str) -> dict[str, Any]:
    """The links and assets of an item whose addresses are relative, with absolute ones."""
    links = _plain(item["links"])
    base = _base(links, address)
    found: dict[str, Any] = {}
    mended_links = absolute_links(links, address)
    if mended_links != links:
        found["links"] = mended_links
    assets = msgspec.json.decode(msgspec.json.encode(item["assets"]), type=dict[str, msgspec.Raw])
    moved = {name: _led(_plain(asset), base) for name, asset in assets.items()}
    if any(moved[name] != _plain(assets[name]) for name in moved):
        found["assets"] = assets | moved
    return found


def _is_relative(href: object) -> bool:
    return isinstance(href, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", href) is None


def absolute_links(links: Sequence[Any], address: str) -> list[Any]:
    """Links with absolute addresses, of an object that was asked for at an address."""
    base = _base(links, address)
    own = [isinstance(each, dict) and each.get("rel") == "self" for each in links]
    return [_led(each, address if itself else base) for each, itself in zip(links, own, strict=True)]


def _base(links: Any, address: str) -> str:
    """What an object's relative addresses begin at."""
    return _joined(address, next(iter(_hrefs_of(links, "self")), ""))


def _plain(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _led(thing: Any, base: str) -> Any:
    """A link or an asset with an absolute address."""
    href = thing.get("href") if isinstance(thing, dict) else None
    return thing | {"href": _joined(base, href)} if isinstance(href, str) and _is_relative(href) else thing


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:  # no address at all
        return href


def _hrefs_of(links: Any, relation: str) -> list[str]:
    told = [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []
    return [x["href"] for x in told if x.get("rel") == relation and isinstance(x.get("href"), str)]
