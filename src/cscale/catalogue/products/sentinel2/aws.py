"""Sentinel-2 tiles in the form of AWS: `tileInfo.json`, with the same metadata and images as SAFE if there.

The form names no images; which there are of a level is fixed.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import msgspec
import numpy
import shapely

from cscale.catalogue.products.files import Files
from cscale.catalogue.products.footprints import check_ring, footprint
from cscale.catalogue.products.items import Draft, Product, moment_of, satellite
from cscale.catalogue.products.markup import Node, parse_xml
from cscale.catalogue.products.names import Sentinel2Name, bare, parse_name
from cscale.catalogue.products.sentinel2 import metadata
from cscale.catalogue.products.sentinel2.bands import BAND_IDS, image_asset, image_key
from cscale.errors import BadInput
from cscale.stac.geometry import Coordinates

TILE_INFO = "tileInfo.json"
_TOLERANCE = 20.0  # metres: outlines follow the edges of pixels of up to 60
_LOW, _HIGH = (-200_000.0, -200_000.0), (1_200_000.0, 10_200_000.0)  # a zone's metres, and a tile more
_UTM = re.compile(r".*:(32[67]\d\d)", re.ASCII)
_GRANULE = re.compile(r"S2[A-Z]_OPER_MSI_L(1C|2A)_(?:TL|DS)_\w+(?:\.\d\d)?", re.ASCII)
_IMAGES = {
    "1C": [f"{band}.jp2" for band in (*BAND_IDS, "TCI")],
    "2A": [
        f"R{size}m/{band}.jp2"
        for size, bands in {
            10: "AOT B02 B03 B04 B08 TCI WVP",
            20: "AOT B02 B03 B04 B05 B06 B07 B8A B11 B12 SCL TCI WVP",
            60: "AOT B01 B02 B03 B04 B05 B06 B07 B8A B09 B11 B12 SCL TCI WVP",
        }.items()
        for band in bands.split()
    ],
}
_MAYBE = {
    "1C": ("preview.jp2",),
    "2A": ("R20m/B01.jp2", "qi/CLD_20m.jp2", "qi/SNW_20m.jp2", "qi/L2A_PVI.jp2"),
}
"""What products of some years have and others have not: no one misses them."""
_METADATA = (
    ("tileinfo_metadata", TILE_INFO, "Tile info"),
    ("granule_metadata", "metadata.xml", "Metadata of the tile"),
    ("product_metadata", "product_metadata.xml", "Metadata of the product"),
)


class _Crs(TypedDict):
    properties: dict[str, str]


class _Outline(TypedDict):
    type: str
    crs: _Crs
    coordinates: list[Any]


class _TileInfo(TypedDict):
    timestamp: str
    utmZone: int
    latitudeBand: str
    gridSquare: str
    tileGeometry: _Outline
    tileDataGeometry: NotRequired[_Outline]
    datastrip: NotRequired[dict[str, str]]
    cloudyPixelPercentage: NotRequired[float]
    dataCoveragePercentage: NotRequired[float]
    productName: NotRequired[str]


def read_tile(files: Files, path: Path) -> Product:
    """Read a tile in the form of AWS.

    Its `datetime` is the first instant of the datatake if the product's metadata are there, else when the
    tile itself was sensed.

    Raises:
        BadInput: If its metadata cannot be read, or nothing tells its name or level.
    """
    place = f"{files.place}: {TILE_INFO}"
    try:
        info = msgspec.json.decode(files.read(TILE_INFO), type=_TileInfo)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise BadInput(f"{place} is not that of a Sentinel-2 tile ({error}); get it again") from error
    product = _node(files, "product_metadata.xml")
    granule = _node(files, "metadata.xml")
    item_id, level = _named(files, info, product)
    geometry, bbox = footprint(_rings(info, place), place)
    properties = _properties(item_id, level, info, place)
    for told in (
        metadata.product_properties(product) if product else {},
        metadata.granule_properties(granule) if granule else {},
    ):
        properties |= {field: value for field, value in told.items() if value is not None}
    draft = Draft(item_id, f"sentinel-2-l{level.lower()}", geometry, bbox, properties)
    for key, file, title in _METADATA:
        if files.has(file):
            draft.add(files, key, file, {"title": title, "roles": ["metadata"]})
    values = metadata.read_values(product, properties.get("s2:processing_baseline"))
    grids = metadata.read_grids(granule) if granule else {}
    for file in _images(files, level):
        draft.add(files, image_key(file) or "preview", file, _image(file, grids, values))
    return draft.product(files, path)


def _image(file: str, grids: dict[int, Any], values: Any) -> dict[str, Any]:
    if image_key(file) is None:
        return {"title": "Preview", "roles": ["overview"]}
    return image_asset(file, grids, values)


def _images(files: Files, level: str) -> Iterator[str]:
    yield from _IMAGES[level]
    yield from (file for file in _MAYBE[level] if files.has(file))


def _node(files: Files, file: str) -> Node | None:
    return parse_xml(files.read(file), f"{files.place}: {file}") if files.has(file) else None


def _named(files: Files, info: _TileInfo, product: Node | None) -> tuple[str, str]:
    """The item's id, the product's name where it is told, and the level."""
    for text in (product.find("PRODUCT_URI") if product else None), info.get("productName"), files.name:
        name = parse_name(text or "")
        if isinstance(name, Sentinel2Name) and name.level in _IMAGES:
            return str(name), name.level
    for text in files.name, info.get("datastrip", {}).get("id", ""):
        if match := _GRANULE.fullmatch(text):
            return text, match[1]
    raise BadInput(
        f"{files.place}: {TILE_INFO} has no productName, and {bare(files.name)!r} is no name of a Sentinel-2 "
        "product or granule; give the folder its name"
    )


def _properties(item_id: str, level: str, info: _TileInfo, place: str) -> dict[str, Any]:
    name = parse_name(item_id)
    tile = f"{info['utmZone']:02}{info['latitudeBand']}{info['gridSquare']}"
    if isinstance(name, Sentinel2Name) and name.tile:  # tileInfo.json names a neighbour at times
        tile = name.tile
    cloudy = info.get("cloudyPixelPercentage") if level == "1C" else None  # of level 2A it tells always 0
    known = metadata.named_properties(name) if isinstance(name, Sentinel2Name) else {
        **satellite(f"sentinel-2{item_id[2].lower()}"), "instruments": ["msi"], "gsd": 10,
        "product:type": f"S2MSI{level}", "processing:level": f"L{level}", "s2:product_type": f"S2MSI{level}",
    }  # fmt: skip
    return {
        "datetime": moment_of(info["timestamp"], place),
        **known,
        **metadata.tile_properties(tile),
        "eo:cloud_cover": cloudy if cloudy is not None and 0 <= cloudy <= 100 else None,
        "s2:datastrip_id": info.get("datastrip", {}).get("id"),
    }


def _rings(info: _TileInfo, place: str) -> list[Coordinates]:
    """Where the tile has data, or its square where that is not told."""
    outline = info.get("tileDataGeometry") or info["tileGeometry"]
    crs = _UTM.fullmatch(outline["crs"]["properties"].get("name", ""))
    try:
        polygons = [outline["coordinates"]] if outline["type"] == "Polygon" else outline["coordinates"]
        rings = [numpy.array(polygon[0], dtype=numpy.float64) for polygon in polygons]
        if crs is None or any(ring.ndim != 2 or ring.shape[1] != 2 or len(ring) > 500_000 for ring in rings):
            raise ValueError("not polygons in a UTM zone")
        if any(
            (ring < _LOW).any() or (ring > _HIGH).any() or not numpy.isfinite(ring).all() for ring in rings
        ):
            raise ValueError("not within a UTM zone")
        simple = [
            shapely.get_coordinates(shapely.simplify(shapely.Polygon(ring), _TOLERANCE)) for ring in rings
        ]
    except (ValueError, TypeError, LookupError, shapely.errors.ShapelyError) as error:
        raise BadInput(f"{place}: its outline cannot be read ({error}); get it again") from error
    return [check_ring(_on_globe(ring, int(crs[1])), place) for ring in simple if len(ring) > 2]


def _on_globe(ring: Coordinates, epsg: int) -> Coordinates:
    from rasterio.warp import transform  # only this form of products needs it

    longitudes, latitudes = transform(f"EPSG:{epsg}", "OGC:CRS84", ring[:, 0], ring[:, 1])
    return numpy.column_stack((longitudes, latitudes))
