"""What the images of Sentinel-2 products are, by their names: keys, bands, values, and where they lie."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cscale.catalogue.products.items import Asset

BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Names of the bands in the order of the ids that metadata give them."""
ANGLES = len(BAND_IDS)


class _Band(NamedTuple):
    key: str
    common: str
    centre: float  # micrometres
    width: float  # micrometres, at half of the maximum
    gsd: int  # metres
    title: str


_BANDS = {
    "B01": _Band("coastal", "coastal", 0.443, 0.027, 60, "Coastal aerosol"),
    "B02": _Band("blue", "blue", 0.49, 0.098, 10, "Blue"),
    "B03": _Band("green", "green", 0.56, 0.045, 10, "Green"),
    "B04": _Band("red", "red", 0.665, 0.038, 10, "Red"),
    "B05": _Band("rededge1", "rededge", 0.704, 0.019, 20, "Red edge 1"),
    "B06": _Band("rededge2", "rededge", 0.74, 0.018, 20, "Red edge 2"),
    "B07": _Band("rededge3", "rededge", 0.783, 0.028, 20, "Red edge 3"),
    "B08": _Band("nir", "nir", 0.842, 0.145, 10, "Near infrared"),
    "B8A": _Band("nir08", "nir08", 0.865, 0.033, 20, "Narrow near infrared"),
    "B09": _Band("nir09", "nir09", 0.945, 0.026, 60, "Water vapour band"),
    "B10": _Band("cirrus", "cirrus", 1.3735, 0.075, 60, "Cirrus"),
    "B11": _Band("swir16", "swir16", 1.61, 0.143, 20, "Short-wave infrared 1.6 μm"),
    "B12": _Band("swir22", "swir22", 2.19, 0.242, 20, "Short-wave infrared 2.2 μm"),
}
"""Of Sentinel-2A (ESA, Sentinel-2 spectral response functions); the others' differ by a few nanometres."""

_OTHERS = {
    "TCI": ("visual", 10, "True colour"),
    "AOT": ("aot", 20, "Aerosol optical thickness"),
    "WVP": ("wvp", 20, "Water vapour"),
    "SCL": ("scl", 20, "Scene classification"),
    "CLD": ("cloud", 20, "Cloud probability"),
    "SNW": ("snow", 20, "Snow probability"),
    "PVI": ("preview", 320, "Preview"),
}
_CLASSES = (
    ("no_data", "No data"), ("saturated_or_defective", "Saturated or defective"),
    ("dark_area_pixels", "Dark area or topographic shadow"), ("cloud_shadows", "Cloud shadow"),
    ("vegetation", "Vegetation"), ("not_vegetated", "Not vegetated"), ("water", "Water"),
    ("unclassified", "Unclassified"), ("cloud_medium_probability", "Cloud of medium probability"),
    ("cloud_high_probability", "Cloud of high probability"), ("thin_cirrus", "Thin cirrus"),
    ("snow", "Snow or ice"),
)  # fmt: skip
_IMAGE = re.compile(
    r"(?:(?!MSK_).*_)?(B\d\d|B8A|TCI|AOT|WVP|SCL|PVI)(?:_([126]0)m)?\.(?:jp2|tiff?)|"
    r"(?:MSK_)?(CLDPRB|SNWPRB|CLD|SNW)_([26]0)m\.(?:jp2|tiff?)",
    re.ASCII,
)
_MASKS = {"CLDPRB": "CLD", "SNWPRB": "SNW"}


class Grid(NamedTuple):
    """Where the pixels of one size lie, in the tile's own CRS.

    Attributes:
        rows: How many.
        columns: How many.
        left: Metres, of the upper left pixel's outer corner.
        top: Metres, likewise.
        size: Of a pixel, metres.
    """

    rows: int
    columns: int
    left: float
    top: float
    size: float

    def fields(self) -> dict[str, Any]:
        """The same, in the projection extension's fields."""
        right, bottom = self.left + self.columns * self.size, self.top - self.rows * self.size
        return {
            "proj:shape": [self.rows, self.columns],
            "proj:transform": [self.size, 0.0, self.left, 0.0, -self.size, self.top],
            "proj:bbox": [self.left, bottom, right, self.top],
        }


@dataclass(frozen=True, slots=True)
class Values:
    """How numbers in images become values: divided, after an offset of each band is added.

    Attributes:
        reflectance: What reflectances are divided by.
        aerosol: What aerosol optical thickness is divided by.
        vapour: What water vapour, in centimetres, is divided by.
        offset: What is added to numbers of all bands without one in `offsets`.
        offsets: What is added to numbers of a band, by its name.
    """

    reflectance: float = 10_000
    aerosol: float = 1000
    vapour: float = 1000
    offset: float = 0
    offsets: Mapping[str, float] = field(default_factory=dict)


def image_key(path: str) -> str | None:
    """The key of an image's asset, of its file's name; None where it is no image that becomes one."""
    told = _told(path)
    return _key(*told) if told else None


def _told(path: str) -> tuple[str, int] | None:
    """Which image a file is, and the size of its pixels in metres."""
    folder, _, file = path.rpartition("/")
    match = _IMAGE.fullmatch(file)
    if match is None:
        return None
    kind = match[1] or _MASKS.get(match[3], match[3])
    size = match[2] or match[4] or (folder[-3:-1] if re.search(r"(^|/)R[126]0m$", folder) else None)
    if kind in _BANDS:
        return kind, int(size or _BANDS[kind].gsd)
    return (kind, int(size or _OTHERS[kind][1])) if kind in _OTHERS else None


def _key(kind: str, size: int) -> str:
    key, native = (_BANDS[kind].key, _BANDS[kind].gsd) if kind in _BANDS else _OTHERS[kind][:2]
    return key if size == native else f"{key}_{size}m"


def image_asset(path: str, grids: Mapping[int, Grid], values: Values) -> Asset:
    """The asset of an image, whose `image_key` is not None."""
    told = _told(path)
    assert told is not None
    kind, size = told
    title = _BANDS[kind].title if kind in _BANDS else _OTHERS[kind][2]
    asset: Asset = {"title": f"{title}, {size} m", "roles": _roles(kind), "gsd": size}
    if kind in _BANDS:
        asset["eo:bands"] = [_band(kind)]
    elif kind == "TCI":
        asset["eo:bands"] = [_band(each) for each in ("B04", "B03", "B02")]
    if bands := _values(kind, size, values):
        asset["raster:bands"] = bands
    grid = grids.get(size)
    if kind == "PVI" and (finest := grids.get(10)):
        grid = Grid(343, 343, finest.left, finest.top, 320.0)
    return asset | (grid.fields() if grid else {})


def _roles(kind: str) -> list[str]:
    if kind in _BANDS:
        return ["data", "reflectance"]
    known = {"TCI": ["visual"], "PVI": ["overview"], "CLD": ["data", "cloud"], "SNW": ["data", "snow-ice"]}
    return known.get(kind, ["data"])


def _band(name: str) -> dict[str, Any]:
    band = _BANDS[name]
    return {
        "name": name,
        "common_name": band.common,
        "center_wavelength": band.centre,
        "full_width_half_max": band.width,
    }


def _values(kind: str, size: int, values: Values) -> list[dict[str, Any]]:
    """What the raster extension tells of each of an image's bands."""
    whole: dict[str, Any] = {"nodata": 0, "data_type": "uint16", "spatial_resolution": size}
    if kind in _BANDS:
        offset = values.offsets.get(kind, values.offset)
        return [whole | {"scale": 1 / values.reflectance, "offset": offset / values.reflectance}]
    if kind == "AOT":
        return [whole | {"scale": 1 / values.aerosol, "offset": 0}]
    if kind == "WVP":
        return [whole | {"scale": 1 / values.vapour, "offset": 0, "unit": "cm"}]
    byte = whole | {"data_type": "uint8"}
    if kind == "SCL":
        classes = [
            {"value": value, "name": name, "description": about}
            for value, (name, about) in enumerate(_CLASSES)
        ]
        return [byte | {"classification:classes": classes}]
    if kind in ("CLD", "SNW"):
        del byte["nodata"]  # 0 is no probability
        return [byte | {"unit": "%"}]
    return [byte] * 3 if kind == "TCI" else []
