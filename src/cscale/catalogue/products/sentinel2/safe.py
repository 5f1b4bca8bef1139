"""Sentinel-2 products in SAFE: a folder, or a zip of one; whole, or in parts.

Manifest, product metadata and tile metadata are each read where they are there; the manifest or the
product metadata have to be.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cscale.catalogue.products.files import MANIFESTS, Files, inner
from cscale.catalogue.products.footprints import footprint, read_ring
from cscale.catalogue.products.items import XML, Draft, Product, moment_of
from cscale.catalogue.products.manifest import Manifest, read_manifest
from cscale.catalogue.products.markup import Node, parse_xml
from cscale.catalogue.products.names import Sentinel2Name, bare, parse_name
from cscale.catalogue.products.sentinel2 import metadata
from cscale.catalogue.products.sentinel2.bands import image_asset, image_key
from cscale.errors import BadInput
from cscale.stac.geometry import Coordinates

METADATA = ("MTD_MSIL1C.xml", "MTD_MSIL2A.xml")
"""The product's own metadata, by level."""
_TOLD = {
    "MTD_DS.xml": ("datastrip_metadata", "Metadata of the datastrip"),
    "INSPIRE.xml": ("inspire_metadata", "INSPIRE metadata"),
}


class _Parts(NamedTuple):
    """What of a product's metadata is there."""

    manifest: Manifest | None
    product: Node | None
    granule: Node | None
    granule_path: str | None

    @property
    def place(self) -> str:
        node = self.manifest or self.product
        assert node is not None
        return node.place


def read_safe(files: Files, path: Path) -> Product:
    """Read a Sentinel-2 product in SAFE.

    Its `datetime` is the first instant of the datatake, which is also in its name; all tiles of a datatake
    have the same.

    Raises:
        BadInput: If it has neither manifest nor metadata of the product, one of them cannot be read, nothing
            tells its name, or it is of several tiles.
    """
    parts = _read_parts(files)
    name = _name(files, parts.product)
    geometry, bbox = footprint(_rings(parts), parts.place)
    properties = {"datetime": None, **metadata.named_properties(name)}
    for told in _told(parts):
        properties |= {field: value for field, value in told.items() if value is not None}
    draft = Draft(str(name), f"sentinel-2-l{name.level.lower()}", geometry, bbox, properties)
    grids = metadata.read_grids(parts.granule) if parts.granule else {}
    values = metadata.read_values(parts.product, name.baseline)
    if parts.manifest:
        draft.add(files, "safe_manifest", parts.manifest.name, {"title": "Manifest", "roles": ["metadata"]})
    for file, fields in _files(files, parts):
        if key := image_key(file):
            draft.add(files, key, file, image_asset(file, grids, values) | fields)
        elif about := _about(file):
            draft.add(files, about[0], file, {"title": about[1], "roles": ["metadata"], "type": XML} | fields)
    for file in sorted(files.names()):
        if file.endswith("-ql.jpg"):  # laid beside by the archives; the manifest does not know it
            draft.add(files, "thumbnail", file, {"title": "Quick-look", "roles": ["thumbnail"]})
            break
    return draft.product(files, path)


def _read_parts(files: Files) -> _Parts:
    manifest = read_manifest(files) if files.has(MANIFESTS[0]) else None
    name = next((each for each in METADATA if files.has(each)), None)
    if manifest is None and name is None:
        raise BadInput(
            f"{files.place}: has neither manifest.safe nor {' nor '.join(METADATA)}; products of one tile in "
            "the format since December 2016 are read"
        )
    product = parse_xml(files.read(name), f"{files.place}: {name}") if name else None
    if product and len(list(product.all("Granule"))) > 1:
        raise BadInput(f"{files.place}: is of several tiles; products of one tile are read")
    place = _granule_path(manifest, product)
    granule = parse_xml(files.read(place), f"{files.place}: {place}") if place and files.has(place) else None
    return _Parts(manifest, product, granule, place)


def _granule_path(manifest: Manifest | None, product: Node | None) -> str | None:
    """Where the tile's metadata are: as the manifest says, or in the folder of its images."""
    if manifest:
        return next((each.path for each in manifest.objects if each.path.endswith("/MTD_TL.xml")), None)
    image = product.find("IMAGE_FILE") if product else None
    path = inner(image or "")
    return f"{path.split('/IMG_DATA/')[0]}/MTD_TL.xml" if path and "/IMG_DATA/" in path else None


def _name(files: Files, product: Node | None) -> Sentinel2Name:
    told = product.find("PRODUCT_URI") if product else None
    for text in told, files.name, Path(files.place).name:
        name = parse_name(text or "")
        if isinstance(name, Sentinel2Name) and name.tile:
            return name
    raise BadInput(
        f"{files.place}: neither its metadata nor {bare(files.name)!r} is the name of a Sentinel-2 product "
        "of one tile; give the folder its name back (as in S2A_MSIL2A_..._T32TPS_....SAFE)"
    )


def _rings(parts: _Parts) -> list[Coordinates]:
    if parts.manifest:
        return parts.manifest.rings()
    assert parts.product is not None
    text = parts.product.need("Global_Footprint/EXT_POS_LIST")
    return [read_ring(text, parts.place)]


def _told(parts: _Parts) -> Iterator[dict[str, Any]]:
    """Properties, from what tells least to what tells best."""
    if parts.manifest:
        place = parts.manifest.place
        done = parts.manifest.processing()["processing:datetime"]
        yield {
            "datetime": moment_of(parts.manifest.period()[0], place),
            **parts.manifest.orbit(),
            "processing:datetime": moment_of(done, place) if done else None,
        }
    if parts.product:
        yield metadata.product_properties(parts.product)
    if parts.granule:
        yield metadata.granule_properties(parts.granule)


def _files(files: Files, parts: _Parts) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that the product names, with what is stated of them."""
    if parts.manifest:
        for each in parts.manifest.objects:
            yield each.path, each.fields
        return
    assert parts.product is not None
    yield next(each for each in METADATA if files.has(each)), {}
    if parts.granule_path:
        yield parts.granule_path, {}
    for node in parts.product.all("IMAGE_FILE"):
        path = inner(node.text)
        if path is None:
            raise BadInput(f"{parts.place}: names the image {node.text[:200]!r}, outside the product")
        yield next((path + end for end in (".jp2", ".tif") if files.has(path + end)), f"{path}.jp2"), {}


def _about(file: str) -> tuple[str, str] | None:
    """Key and title of the metadata that become assets."""
    last = file.rpartition("/")[2]
    if file in METADATA:
        return "product_metadata", "Metadata of the product"
    if last == "MTD_TL.xml":
        return "granule_metadata", "Metadata of the tile"
    return _TOLD.get(last)
