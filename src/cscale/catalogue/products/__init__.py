"""Sentinel products as STAC items, from their own metadata; no measurement file is needed.

Read are Sentinel-1, -2 and -3 in SAFE (folders, and zips of one product), Sentinel-5P files, and the
forms of Sentinel-1 and -2 on AWS. An item's id is the product's name. Its collection is

- `sentinel-1-<type>`: raw, slc, grd, ocn;
- `sentinel-2-l<level>`: l1c, l2a;
- `sentinel-3-<instrument>-<level>-<type>`: olci, slstr, sral or synergy, as in sentinel-3-olci-2-wfr;
- `sentinel-5p-l<level>-<type>`: as in sentinel-5p-l2-no2, sentinel-5p-l1b-ra-bd4;

the type is the name's, in small letters, without what fills it up, and with a hyphen for underscores
within.
"""

import zipfile
from pathlib import Path

from cscale.catalogue.products.files import MANIFESTS, Files, Folder, Zip, holds_product
from cscale.catalogue.products.items import Product
from cscale.catalogue.products.names import (
    ProductName,
    Sentinel1Name,
    Sentinel2Name,
    Sentinel3Name,
    Sentinel5PName,
    bare,
    parse_name,
)
from cscale.catalogue.products.sentinel1 import read_sentinel1
from cscale.catalogue.products.sentinel2 import METADATA, TILE_INFO, read_safe, read_tile
from cscale.catalogue.products.sentinel3 import read_sentinel3
from cscale.errors import BadInput

__all__ = ["Product", "ProductName", "bare", "is_product", "parse_name", "read_product"]

_FOLDERS = (".safe", ".sen3")


def is_product(path: Path) -> bool:
    """Whether a folder or file is a product, or should be one by its name.

    A folder is one that has the name of a product with its extension, or holds what marks one; a zip
    likewise, of which the list of names is read at most; a netCDF file goes by its name. A folder that bears
    a product's name without extension may as well be one around it.
    """
    named = parse_name(path.name) is not None
    kind = path.suffix.lower()
    try:
        if path.is_dir():
            return (named and kind in _FOLDERS) or any((path / mark).is_file() for mark in _MARKS)
        if not path.is_file():
            return False
    except OSError:
        return False
    if kind == ".zip":
        return named or holds_product(path)
    return kind == ".nc" and isinstance(parse_name(path.name), Sentinel5PName)


_MARKS = (*MANIFESTS, *METADATA, TILE_INFO)


def read_product(path: Path) -> Product:
    """Read a product.

    Args:
        path: The product's folder, its zip, or the netCDF file of a Sentinel-5P product.

    Returns:
        Its item; the folder that hrefs of assets are relative to; and which files are missing. A zip is
        the item's only asset, as what is in it cannot be fetched by itself.

    Raises:
        BadInput: If it is none, or its metadata are missing or cannot be read; says what and where.
    """
    if path.suffix.lower() == ".nc":
        from cscale.catalogue.products.sentinel5p import read_sentinel5p  # HDF5 is loaded for these only

        return read_sentinel5p(path)
    if path.is_dir():
        return _read(Folder(path), path)
    if zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        return _read(Zip(path), path)
    raise BadInput(f"{path}: not a product; hand in its folder, its zip, or a Sentinel-5P netCDF file")


def _read(files: Files, path: Path) -> Product:
    name = next((each for text in (files.name, path.name) if (each := parse_name(text))), None)
    if files.has(TILE_INFO):
        return read_tile(files, path)
    if files.has("xfdumanifest.xml") or isinstance(name, Sentinel3Name):
        return read_sentinel3(files, path)
    if isinstance(name, Sentinel1Name) or files.has("productInfo.json"):
        return read_sentinel1(files, path)
    if isinstance(name, Sentinel2Name) or any(files.has(each) for each in METADATA):
        return read_safe(files, path)
    if files.has(MANIFESTS[0]):
        raise BadInput(
            f"{path}: has a manifest, but {bare(files.name)!r} is no name of a Sentinel product, which the "
            "manifest does not tell; give the folder its name back"
        )
    raise BadInput(
        f"{path}: holds none of {', '.join(_MARKS)}, one of which a product has; hand in its own folder"
    )
