"""Sentinel-5P products: one netCDF-4 file each, which is an HDF5 file. Only attributes are read.

The groups and attributes are those of the Sentinel-5P product format specifications (as in
S5P-KNMI-L2-0021-MA, chapter on metadata).
"""

import re
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy

from cscale.catalogue.products.footprints import check_ring, footprint, read_ring
from cscale.catalogue.products.items import NETCDF, Draft, Product, moment_of, satellite, span
from cscale.catalogue.products.names import Sentinel5PName, parse_name
from cscale.errors import BadInput
from cscale.stac.geometry import Coordinates

_OUTLINE = "METADATA/EOP_METADATA/om:featureOfInterest/eop:multiExtentOf/gml:surfaceMembers/gml:exterior"
_PROCESSING = "METADATA/EOP_METADATA/eop:metaDataProperty/eop:processing"
_SETTINGS = "METADATA/ALGORITHM_SETTINGS"
_TIMELINESS = {"NRTI": "PT3H"}
_DETAILED = frozenset(("aer_ai", "aer_lh", "ch4", "cloud", "co", "hcho", "no2", "o3", "so2"))
"""Products for which the Sentinel-5P extension has an object of details."""
_LISTS = frozenset(("aer_lh", "ch4", "co", "no2"))
_TEXT = 4_000_000
_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError, AttributeError)
_SIZES = re.compile(r"(\d+(?:\.\d+)?)\s*x\s*(\d+(?:\.\d+)?)\s*km2?", re.ASCII)


class _Attributes:
    """The attributes of a file's groups; links that lead out of the file are not followed."""

    def __init__(self, file: h5py.File, place: str) -> None:
        self.file = file
        self.place = place

    def group(self, path: str) -> Any:
        """A group or data set; None where there is none, or a link leads elsewhere."""
        here: Any = self.file
        for step in path.split("/") if path else ():
            if not isinstance(here, h5py.Group) or not isinstance(
                here.get(step, getlink=True), h5py.HardLink
            ):
                return None
            here = here[step]
        return here

    def get(self, path: str, name: str) -> Any:
        """An attribute as text or number; None where there is none."""
        holder = self.group(path)
        value = holder.attrs.get(name) if holder is not None else None
        if isinstance(value, numpy.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        if isinstance(value, bytes):
            value = value.decode("utf-8")
        if isinstance(value, str) and len(value) > _TEXT:
            raise BadInput(f"{self.place}: its attribute {name} is longer than {_TEXT} characters")
        return value.item() if isinstance(value, numpy.generic) else value

    def text(self, path: str, name: str) -> str | None:
        """An attribute as text without space around; None where there is none, or it is empty."""
        value = self.get(path, name)
        return (str(value).strip() or None) if value is not None else None

    def whole(self, path: str, name: str) -> int | None:
        """An attribute as a whole number; None where there is none."""
        value = self.get(path, name)
        return int(value) if value is not None else None

    def size(self, path: str) -> int | None:
        """The length of a dimension, which has a data set of its name; None where there is none."""
        held = self.group(path)
        return int(held.shape[0]) if isinstance(held, h5py.Dataset) and held.ndim == 1 else None


def read_sentinel5p(path: Path) -> Product:
    """Read a Sentinel-5P product.

    Its times are those of the measurements, which are a part of the orbit in its name.

    Raises:
        BadInput: If its name is none of a product, or the file cannot be read or lacks what is needed.
    """
    name = parse_name(path.name)
    if not isinstance(name, Sentinel5PName):
        raise BadInput(f"{path}: not the name of a Sentinel-5P product; give the file its name back")
    try:
        with h5py.File(path, "r") as file:
            told = _Attributes(file, str(path))
            geometry, bbox = footprint(_rings(told), str(path))
            properties = _properties(name, told)
            title = told.text("", "title")
    except _BROKEN as error:
        raise BadInput(f"{path}: not a netCDF-4 file that can be read ({error}); get it again") from error
    kind = _kind(name)
    collection = f"sentinel-5p-l{name.level.lower()}-{kind.replace('_', '-')}"
    draft = Draft(str(name), collection, geometry, bbox, properties)
    draft.assets[kind.replace("_", "-")] = {
        "href": path.name,
        "type": NETCDF,
        "title": title or kind.upper(),
        "roles": ["data", "metadata"],
        "file:size": path.stat().st_size,
    }
    return draft.single(path)


def _kind(name: Sentinel5PName) -> str:
    """What the product is of: `no2` of L2__NO2___, `ra_bd4` of L1B_RA_BD4, `o3_pr` of L2__O3__PR."""
    return re.sub("_+", "_", name.type[3:].strip("_")).lower()


def _rings(told: _Attributes) -> list[Coordinates]:
    text = told.text(_OUTLINE, "gml:posList")
    if text is not None:
        return [read_ring(text, told.place)]
    corners = [told.get("", f"geospatial_{each}") for each in ("lon_min", "lat_min", "lon_max", "lat_max")]
    if any(not isinstance(corner, int | float) for corner in corners):
        raise BadInput(f"{told.place}: has no footprint ({_OUTLINE}); get it again")
    west, south, east, north = corners
    ring = [(west, south), (east, south), (east, north), (west, north)]
    return [check_ring(numpy.array(ring, dtype=numpy.float64), told.place)]


def _properties(name: Sentinel5PName, told: _Attributes) -> dict[str, Any]:
    start, stop = told.text("", "time_coverage_start"), told.text("", "time_coverage_end")
    if start is None or stop is None:
        raise BadInput(f"{told.place}: has no time_coverage_start and time_coverage_end; get it again")
    made = told.text("", "date_created")
    kind = _kind(name)
    shape = [told.size("PRODUCT/scanline"), told.size("PRODUCT/ground_pixel")]
    sizes = _SIZES.match(told.text("", "spatial_resolution") or "")
    period = _TIMELINESS.get(name.stream)
    version = told.text("", "processor_version")
    software = told.text(_PROCESSING, "eop:processorName")
    return {
        **span(start, stop, told.place),
        **satellite("sentinel-5p"),
        "instruments": ["tropomi"],
        "sat:absolute_orbit": told.whole("", "orbit") or name.absolute_orbit,
        "product:type": name.type,
        "product:timeliness": period,
        "product:timeliness_category": name.stream if period else None,
        "processing:level": f"L{name.level}",
        "processing:version": name.processor,
        "processing:facility": told.text(_PROCESSING, "eop:processingCenter") or told.text("", "institution"),
        "processing:software": {software: version} if software and version else None,
        "processing:datetime": moment_of(made, told.place) if made else None,
        "s5p:product_name": kind,
        "s5p:product_type": name.type,
        "s5p:processing_mode": told.text(_PROCESSING, "eop:processingMode") or name.stream,
        "s5p:collection_identifier": name.collection,
        "s5p:shape": shape if None not in shape else None,
        "s5p:spatial_resolution": [float(each) * 1000 for each in sizes.groups()] if sizes else None,
        f"s5p:{kind}": _details(kind, told) if kind in _DETAILED else None,
    }


def _details(kind: str, told: _Attributes) -> dict[str, Any] | None:
    """From which bands a level-2 product was made."""
    inputs = [told.text(_SETTINGS, f"input.{number}.type") for number in range(1, 33)]
    bands = [each for each in inputs if each]
    lights = (told.text(_SETTINGS, f"input.{number}.irrType") for number in range(1, 33))
    irradiances = list(dict.fromkeys(each for each in lights if each))
    details = {
        "geolocation_grid_from_band": told.whole("", "geolocation_grid_from_band"),
        "cloud_mode": told.text("", "cloud_mode"),
        "input_band": (bands if kind in _LISTS else bands[0]) if bands else None,
        "irradiance_accompanied": irradiances[0] if irradiances else None,
    }
    known = {field: value for field, value in details.items() if value is not None}
    return known or None
