"""What an archive tells of a product, and the STAC item that it becomes.

A site's record is hostile until it is read: each value is taken only if it is of its type and within
its bounds. What is optional and wrong is left out; without a name, a time or a place in the archive
there is no item.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
import shapely
from shapely.geometry.base import BaseGeometry

from cscale.errors import BadInput
from cscale.stac.geometry import bounds_of, planar
from cscale.stac.items import Item
from cscale.stac.times import instant, text_of

MAX_TEXT = 2048
"""The longest text that is taken from a record, in characters."""
MAX_RECORD = 1 << 20
"""The longest record, in bytes."""
ENDINGS = (".SAFE", ".SEN3", ".zip", ".tar", ".nc")
"""What stands behind a product's name in the name of its file."""

_EXTENSIONS = "https://stac-extensions.github.io"
# not `sar`, which wants more than these archives tell
_EXTENSION_OF = {
    "alternate": f"{_EXTENSIONS}/alternate-assets/v1.2.0/schema.json",
    "auth": f"{_EXTENSIONS}/authentication/v1.1.0/schema.json",
    "eo": f"{_EXTENSIONS}/eo/v1.1.0/schema.json",
    "file": f"{_EXTENSIONS}/file/v2.1.0/schema.json",
    "grid": f"{_EXTENSIONS}/grid/v1.1.0/schema.json",
    "order": f"{_EXTENSIONS}/order/v1.1.0/schema.json",
    "processing": f"{_EXTENSIONS}/processing/v1.2.0/schema.json",
    "product": f"{_EXTENSIONS}/product/v1.0.0/schema.json",
    "published": f"{_EXTENSIONS}/timestamps/v1.1.0/schema.json",
    "sat": f"{_EXTENSIONS}/sat/v1.0.0/schema.json",
}
TIMELINESS = {
    "NRT-10m": "PT10M",
    "NRT-1h": "PT1H",
    "NRT-3h": "PT3H",
    "Fast-24h": "PT24H",
    "Near Real Time": "PT3H",
    "Short Time Critical": "PT48H",
    "Non Time Critical": "P1M",
}
"""How soon after sensing products are there, by the words of Sentinel-1 and Sentinel-3."""
_MULTIHASHES = {
    "SHA256": ("1220", 64),
    "SHA512": ("1340", 128),
    "MD5": ("d50110", 32),
    "SHA3256": ("1620", 64),
    "SHA3512": ("1440", 128),
    "BLAKE3": ("1e20", 64),
}
"""A multihash's first bytes and how many hexadecimal digits follow (multicodec table), the ones that can be
checked with Python's own means first."""


@dataclass
class Product:
    """A product as an archive describes it.

    Attributes:
        id: Its name, without the ending of its file.
        collection: The collection's id at the site.
        start: When its sensing began, microseconds since 1970.
        end: When it ended; before the start where the archive has it so.
        geometry: Where it lies, flat and cut at the antimeridian; None where it is not told.
        properties: Further properties, as STAC names them.
        assets: As STAC has them.
        links: As STAC has them.
    """

    id: str
    collection: str
    start: int
    end: int
    geometry: BaseGeometry | None
    properties: dict[str, Any] = field(default_factory=dict)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)


def item_of(product: Product) -> Item:
    """The STAC Item of a product."""
    times = {
        "datetime": fixed_time(product.start),
        "start_datetime": fixed_time(product.start),
        "end_datetime": fixed_time(max(product.start, product.end)),
    }
    item: Item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": _extensions(product),
        "id": product.id,
        "collection": product.collection,
        "geometry": None,
        "properties": times | product.properties | _timeliness(product.properties),
        "assets": product.assets,
        "links": product.links,
    }
    if product.geometry is not None:
        item["geometry"] = msgspec.json.decode(shapely.to_geojson(product.geometry))
        item["bbox"] = bounds_of(product.geometry).numbers()
    return item


def _timeliness(properties: Mapping[str, Any]) -> dict[str, str]:
    """The duration without which STAC has no category of timeliness."""
    category = properties.get("product:timeliness_category")
    return {"product:timeliness": TIMELINESS[category]} if category in TIMELINESS else {}


def _extensions(product: Product) -> list[str]:
    members = [*product.properties, *(name for asset in product.assets.values() for name in asset)]
    prefixes = {name.partition(":")[0] for name in members}
    return [address for prefix, address in _EXTENSION_OF.items() if prefix in prefixes]


def fixed_time(moment: int) -> str:
    """An instant with six digits behind the point always, so that texts stand in the order of times."""
    text = text_of(moment)
    return text if "." in text else f"{text[:-1]}.000000Z"


def time_told(value: object) -> int | None:
    """An instant that a record tells, microseconds since 1970; None where it tells none."""
    try:
        return instant(value)
    except BadInput:
        return None


def text_told(value: object) -> str | None:
    """A text that a record tells: printable, neither empty nor endless."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        return None
    return value


def number_told(value: object, low: float, high: float) -> float | None:
    """A number that a record tells, within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return value


def address_told(value: object) -> str | None:
    """A web address that a record tells."""
    text = text_told(value)
    try:
        parts = urlsplit(text or "")
        return (
            text if parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc else None
        )
    except ValueError:
        return None


def name_told(value: object) -> str | None:
    """The name of a product that a record tells, without the ending of its file."""
    text = text_told(value)
    if text is None or "/" in text or len(text) > 512:
        return None
    for ending in ENDINGS:
        if text.endswith(ending):
            return text[: -len(ending)] or None
    return text


def size_told(value: object) -> int | None:
    """A size in bytes that a record tells; archives write 0 where they do not know it."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        value = int(value)
    number = number_told(value, 1, 1 << 60)
    return int(number) if number is not None and number == int(number) else None


def checksum_told(*pairs: tuple[object, object]) -> str | None:
    """The multihash of algorithms and digests that a record tells: of those known, the easiest to check."""
    known = {re.sub(r"[^A-Z0-9]", "", str(name)[:32].upper()): digest for name, digest in pairs}
    for name, (code, digits) in _MULTIHASHES.items():
        digest = known.get(name)
        if isinstance(digest, str) and re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", digest):
            return code + digest.lower()
    return None


def place_told(geometry: object) -> BaseGeometry | None:
    """Where a product lies, by a GeoJSON geometry."""
    if not isinstance(geometry, Mapping):
        return None
    try:
        return planar(geometry)
    except ValueError:
        return None


def place_of_wkt(text: object) -> BaseGeometry | None:
    """Where a product lies, by well-known text, also as `geography'SRID=4326;...'`."""
    if not isinstance(text, str) or len(text) > MAX_RECORD:
        return None
    plain = re.sub(r"^geography'SRID=4326;|'$", "", text.strip())
    try:
        read = shapely.from_wkt(plain)
        return planar(msgspec.json.decode(shapely.to_geojson(read))) if read is not None else None
    except (ValueError, TypeError, shapely.errors.ShapelyError):
        return None
