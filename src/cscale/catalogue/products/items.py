"""What readers of products have in common: a draft of an item, and what becomes of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cscale.archive.folders import percent_encoded
from cscale.catalogue.products.files import Files, Zip
from cscale.errors import BadInput
from cscale.stac import times
from cscale.stac.items import STAC_VERSION, Item

XML, JP2, NETCDF = "application/xml", "image/jp2", "application/x-netcdf"
GEOTIFF, COG = "image/tiff; application=geotiff", "image/tiff; application=geotiff; profile=cloud-optimized"
TYPES = {
    "xml": XML, "safe": XML, "jp2": JP2, "nc": NETCDF, "tiff": GEOTIFF, "tif": GEOTIFF,
    "json": "application/json", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gml": "application/gml+xml",
    "html": "text/html", "kml": "application/vnd.google-earth.kml+xml", "pdf": "application/pdf",
    "dat": "application/octet-stream",
}  # fmt: skip
"""Media types by the end of a file's name."""

_SCHEMAS = "https://stac-extensions.github.io/{}/schema.json"
_EXTENSIONS = {
    "classification": "classification/v2.0.0",
    "eo": "eo/v1.1.0",
    "file": "file/v2.1.0",
    "grid": "grid/v1.1.0",
    "mgrs": "mgrs/v1.0.0",
    "processing": "processing/v1.2.0",
    "product": "product/v1.0.0",
    "proj": "projection/v2.0.0",
    "raster": "raster/v1.1.0",
    "s1": "sentinel-1/v1.0.0",
    "s2": "sentinel-2/v1.0.0",
    "s3": "sentinel-3/v0.1.0",
    "s5p": "sentinel-5p/v0.1.0",
    "sar": "sar/v1.0.0",
    "sat": "sat/v1.0.0",
    "view": "view/v1.0.0",
}
_DESIGNATORS = {
    "sentinel-1a": "2014-016A", "sentinel-1b": "2016-025A", "sentinel-1c": "2024-235A",
    "sentinel-2a": "2015-028A", "sentinel-2b": "2017-013A", "sentinel-2c": "2024-157A",
    "sentinel-3a": "2016-011A", "sentinel-3b": "2018-039A", "sentinel-5p": "2017-064A",
}  # fmt: skip
_LICENCE = {
    "rel": "license",
    "href": "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice",
    "title": "Legal notice on the use of Copernicus Sentinel data",
}

Asset = dict[str, Any]
"""A STAC asset; its href is the file's path within the product until the item is made."""


class Product(NamedTuple):
    """A product's item, and what it takes to serve it.

    Attributes:
        item: The item; hrefs of its assets are relative to `base`.
        base: The product's folder, or the folder that holds its zip or its only file.
        missing: Files that the product names and that are not there; they are no assets.
    """

    item: Item
    base: Path
    missing: tuple[str, ...]


@dataclass(slots=True)
class Draft:
    """An item being made.

    Attributes:
        id: The product's name.
        collection: The default collection.
        geometry: GeoJSON in CRS84.
        bbox: As in STAC.
        properties: What is None is left out.
        assets: By key; hrefs are paths within the product.
        missing: Files that are named but are not there.
    """

    id: str
    collection: str
    geometry: dict[str, Any]
    bbox: list[float]
    properties: dict[str, Any]
    assets: dict[str, Asset] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, files: Files, key: str, path: str, asset: Mapping[str, Any]) -> None:
        """Add an asset where its file is there, else note that it is missing; a taken key is numbered."""
        if not files.has(path):
            self.missing.append(path)
            return
        free, number = key, 1
        while free in self.assets:
            free, number = f"{key}-{number + 1}", number + 1
        self.assets[free] = {"href": path, "type": media_type(path), **asset}

    def product(self, files: Files, path: Path) -> Product:
        """The finished item of what is at a path: a folder, or a zip, which is its only asset then."""
        if not isinstance(files, Zip):
            return self._finished(path)
        whole = {"type": "application/zip", "title": "Product", "roles": ["data", "archive"]}
        self.assets = {"product": {"href": path.name, **whole, "file:size": path.stat().st_size}}
        return self._finished(path.parent)

    def single(self, path: Path) -> Product:
        """The finished item of a product that is one file, which is among its assets by its name."""
        return self._finished(path.parent)

    def _finished(self, base: Path) -> Product:
        for asset in self.assets.values():
            asset["href"] = f"./{percent_encoded(asset['href'])}"
        item: Item = {
            "type": "Feature",
            "stac_version": STAC_VERSION,
            "stac_extensions": [],
            "id": self.id,
            "collection": self.collection,
            "geometry": self.geometry,
            "bbox": self.bbox,
            "properties": {name: value for name, value in self.properties.items() if value is not None},
            "assets": self.assets,
            "links": [dict(_LICENCE)],
        }
        item["stac_extensions"] = extensions_of(item)
        return Product(item, base, tuple(dict.fromkeys(self.missing)))


def extensions_of(item: Item) -> list[str]:
    """The schemas of the extensions whose fields an item has."""
    used = {prefix for prefix, colon, _ in (name.partition(":") for name in _fields(item)) if colon}
    return [_SCHEMAS.format(_EXTENSIONS[prefix]) for prefix in sorted(used & _EXTENSIONS.keys())]


def _fields(item: Item) -> Iterable[str]:
    yield from item["properties"]
    for asset in item["assets"].values():
        yield from asset
        for band in asset.get("raster:bands", ()):
            yield from band


def media_type(path: str) -> str:
    """The media type of a file of a product, by its name."""
    return TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")


def moment_of(text: str, place: str) -> str:
    """A time of the metadata in RFC 3339; where they leave out the zone, it is UTC.

    Raises:
        BadInput: If it is none.
    """
    try:
        return times.text_of(times.instant(text))
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from error


def span(start: str, stop: str, place: str) -> dict[str, str]:
    """The times of what was sensed over a stretch of time; its `datetime` is the middle.

    Raises:
        BadInput: If they are no times, or stop is before start.
    """
    first, last = (times.instant(moment_of(text, place)) for text in (start, stop))
    if first > last:
        raise BadInput(f"{place}: ends ({stop}) before it starts ({start})")
    return {
        "datetime": times.text_of((first + last) // 2),
        "start_datetime": times.text_of(first),
        "end_datetime": times.text_of(last),
    }


def satellite(platform: str, told: str | None = None) -> dict[str, str | None]:
    """The fields that name a satellite.

    Args:
        platform: As in `sentinel-1a`.
        told: The international designator that the product tells; old ones tell 0000-000A or 2015-000A.
    """
    return {
        "platform": platform,
        "constellation": "sentinel-5p" if platform == "sentinel-5p" else platform[:-1],
        "sat:platform_international_designator": _DESIGNATORS.get(platform, told),
    }


def titled(words: str) -> str:
    """A title of a key, as in `quality-flags`."""
    return words.replace("-", " ").replace("_", " ").capitalize()
