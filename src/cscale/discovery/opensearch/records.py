"""What OpenSearch answers tell of a product, under one set of names, and the product it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cscale.discovery.odata.asked.attributes import Number, Property, Word
from cscale.discovery.odata.asked.vocabulary import (
    ANY_WORD,
    CONSTELLATIONS,
    INSTRUMENTS,
    LEVELS,
    ORBIT_STATES,
    ORBITS,
    PLATFORMS,
    POLARIZATIONS,
    TILE,
    TIMELINESS_WORDS,
)
from cscale.discovery.odata.products import (
    Product,
    address_told,
    checksum_told,
    fixed_time,
    place_of_wkt,
    place_told,
    size_told,
    text_told,
)
from cscale.errors import BadInput

_NAMES: Mapping[str, tuple[str, ...]] = {
    "cloudCover": ("cloudcoverpercentage", "cloudCover"),
    "orbitNumber": ("orbitnumber", "orbitNumber", "startOrbitNumber"),
    "relativeOrbitNumber": ("relativeorbitnumber", "relativeOrbitNumber"),
    "orbitDirection": ("orbitdirection", "orbitDirection"),
    "productType": ("productType",),
    "timeliness": ("timeliness",),
    "processingLevel": ("processinglevel", "processingLevel", "productlevel"),
    "processorVersion": ("processingbaseline", "processorVersion", "processingBaseline"),
    "tileId": ("tileid", "tileId", "tileIdentifier"),
    "instrument": ("instrumentshortname", "instrument", "instrumentShortName"),
    "polarisation": ("polarisationmode", "polarisation", "polarisationChannels"),
}
"""Names of ours, and those under which archives tell the same."""
_READ: tuple[Property, ...] = (
    Number("eo:cloud_cover", "cloudCover", 0, 100, whole=False),
    Number("sat:absolute_orbit", "orbitNumber", *ORBITS),
    Number("sat:relative_orbit", "relativeOrbitNumber", *ORBITS),
    Word("sat:orbit_state", "orbitDirection", ORBIT_STATES),
    Word("product:type", "productType", others=ANY_WORD),
    Word("product:timeliness_category", "timeliness", TIMELINESS_WORDS),
    Word("processing:level", "processingLevel", LEVELS),
    Word("processing:version", "processorVersion", others=ANY_WORD),
    Word("grid:code", "tileId", others=TILE, prefix="MGRS-"),
)


@dataclass
class Flat:
    """What a record tells; of what is optional, anything may be anything.

    Attributes:
        name: The product's name.
        collection: Its collection's id.
        start: When its sensing began, microseconds since 1970.
        end: When it ended.
        wkt: Where it lies, as well-known text.
        geometry: Where it lies, as GeoJSON.
        values: Its attributes, by any of the archives' names.
        published: When it was published, microseconds since 1970.
        updated: When it was changed last.
        download: The product's address.
        media: The media type of what lies there.
        size: Its size in bytes.
        checksums: Algorithms and digests of it.
        quicklook: The address of a picture of it.
        thumbnail: That of a smaller one.
        via: The address of its record.
        online: Whether it can be had at once; None where that is not told.
    """

    name: str
    collection: str
    start: int | None
    end: int | None = None
    wkt: object = None
    geometry: object = None
    values: Mapping[str, Any] = field(default_factory=dict)
    published: int | None = None
    updated: int | None = None
    download: object = None
    media: object = "application/zip"
    size: object = None
    checksums: tuple[tuple[object, object], ...] = ()
    quicklook: object = None
    thumbnail: object = None
    via: object = None
    online: bool | None = None


def product_of(told: Flat) -> Product:
    """The product that a record describes.

    Raises:
        BadInput: If it has no time.
    """
    if told.start is None:
        raise BadInput("a product without a time")
    values = {name: _first(told.values, names) for name, names in _NAMES.items()}
    properties: dict[str, Any] = {}
    for known in _READ:
        value = known.read(values, told.name)
        properties |= {} if value is None else {known.name: value}
    properties |= _named(told.name)
    for name, attribute, table in (
        ("instruments", "instrument", INSTRUMENTS),
        ("sar:polarizations", "polarisation", POLARIZATIONS),
    ):
        word = text_told(values[attribute])
        properties |= {name: list(table[word])} if word is not None and word in table else {}
    stamps = {"published": told.published, "updated": told.updated}
    properties |= {name: fixed_time(moment) for name, moment in stamps.items() if moment is not None}
    if told.online is not None:
        properties["order:status"] = "succeeded" if told.online else "orderable"
    end = told.start if told.end is None else told.end
    place = place_told(told.geometry) or place_of_wkt(told.wkt)
    product = Product(told.name, told.collection, told.start, end, place, properties, _assets(told))
    via = address_told(told.via)
    product.links = [] if via is None else [{"rel": "via", "href": via}]
    return product


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if values.get(name) is not None), None)


def _named(name: str) -> dict[str, str]:
    """What a product's name tells."""
    found: dict[str, str] = {}
    for start, platform in PLATFORMS.items():
        if name.startswith(start):
            found = {"platform": platform, "constellation": CONSTELLATIONS[start]}
    return found


def _assets(told: Flat) -> dict[str, dict[str, Any]]:
    assets: dict[str, dict[str, Any]] = {}
    download, media = address_told(told.download), text_told(told.media)
    if download is not None:
        asset = {
            "href": download,
            "type": media,
            "title": "The product",
            "roles": ["data"],
            "file:size": size_told(told.size),
            "file:checksum": checksum_told(*told.checksums),
        }
        assets["product"] = {name: value for name, value in asset.items() if value is not None}
    for key, address, role in (
        ("quicklook", told.quicklook, "overview"),
        ("thumbnail", told.thumbnail, "thumbnail"),
    ):
        picture = address_told(address)
        if picture is not None:
            assets[key] = {"href": picture, "title": key.capitalize(), "roles": [role]}
    return assets
