"""Landsat, and the Copernicus Land Monitoring Service: which product a name is of.

Sources: Landsat Collection 2 product identifiers (USGS LSDS-1618, LSDS-1619, section on file naming); names
of the Global Land Service (c_gls_<product>_<date>_<area>_<sensor>_<version>) and of High-Resolution
Vegetation Phenology and Productivity (HR-VPP product user manuals, chapters on file naming).
"""

import re
from datetime import date, timedelta

from cscale.discovery.products.identity import DAY, Facts, Identity, moment, window
from cscale.discovery.products.missions.forms import Form, Groups
from cscale.discovery.products.missions.sentinel2 import AFTER, BEFORE

_TIME = r"\d{8}T\d{6}"
_LANDSAT = re.compile(
    r"(L[COTEM]\d\d)_(L[12][A-Z]{2})_(\d{6})_(\d{8})_(\d{8})_(\d\d)_(RT|T1|T2|A1|A2)(?:_(SR|ST))?", re.ASCII
)
_LANDSAT_SHORT = re.compile(
    r"(L[COTEM]\d\d)_(L[12][A-Z]{2})_(\d{6})_(\d{8})_(\d\d)_(RT|T1|T2|A1|A2)(?:_(SR|ST))?", re.ASCII
)
_SCENE = re.compile(r"L([COTEM])(\d)(\d{6})(\d{4})(\d{3})([A-Z]{3})(\d\d)", re.ASCII)
_GRID = r"(T\d\d[A-Z]{3}|[EW]\d\d[NS]\d\d-\d{5})-(\d{3}m)"
_INDEX = re.compile(rf"VI_({_TIME})_(S2[A-Z])_{_GRID}_V(\d{{3}})_([A-Z0-9]+)", re.ASCII)
_TRAJECTORY = re.compile(rf"ST_({_TIME})_(S2)_{_GRID}_V(\d{{3}})_([A-Z0-9]+)", re.ASCII)
_SEASON = re.compile(rf"VPP_(\d{{4}})_(S2)_{_GRID}_V(\d{{3}})_(s\d)_([A-Z0-9]+)", re.ASCII)
_GLOBAL = re.compile(
    r"(?:c_gls_)?([A-Z][A-Za-z0-9]*(?:-[A-Z0-9]+)*?)(-RT\d)?_(\d{12})_([A-Z0-9]+)_([A-Z0-9-]+)_V(\d+(?:\.\d+){1,3})"
    r"(?:_(?:nc|cog|tiff))?",
    re.ASCII,
)
_MONTH = 31 * DAY


def _landsat_facts(groups: Groups) -> Facts:
    unit, level, scene, day, made, collection, tier, _ = groups
    first, last = window(day, day, 0, DAY - 1)
    return Facts(
        "Landsat", unit, f"{level}_{collection}_{tier}", scene, day, made=made, first=first, last=last
    )


def _landsat(text: str, groups: Groups) -> Identity:
    unit, level, scene, day, made, collection, _, part = groups
    name = text[:-3] if part else text
    return Identity(name, f"{unit}_{level[:2]}_{scene}_{day}", name, (made, collection))


def _landsat_short_facts(groups: Groups) -> Facts:
    unit, level, scene, day, collection, tier, _ = groups
    return _landsat_facts((unit, level, scene, day, "", collection, tier, ""))._replace(made=None)


def _landsat_short(text: str, groups: Groups) -> Identity:
    unit, level, scene, day, collection, _, part = groups
    key = f"{unit}_{level[:2]}_{scene}_{day}"
    text = text[:-3] if part else text
    return Identity(f"/{text}", key, None, ("", collection), _landsat_short_facts(groups))


def _scene_facts(groups: Groups) -> Facts:
    sensor, number, scene, year, day, *_ = groups
    new_year = moment(f"{year}0101")
    if new_year is None or not 1 <= int(day) <= 366:
        return Facts("Landsat", f"L{sensor}0{number}", None, scene)
    first = new_year + (int(day) - 1) * DAY
    start = f"{date(int(year), 1, 1) + timedelta(int(day) - 1):%Y%m%d}"
    return Facts("Landsat", f"L{sensor}0{number}", None, scene, start, first=first, last=first + DAY - 1)


def _scene(text: str, groups: Groups) -> Identity:
    return Identity(f"/{text}", partial=_scene_facts(groups))


def _index_facts(groups: Groups) -> Facts:
    start, unit, tile, cell, version, layer = groups
    first, last = window(start, start, BEFORE, AFTER)
    return Facts("CLMS", unit, f"VI_{cell}_{layer}", tile, start, made=version, first=first, last=last)


def _trajectory_facts(groups: Groups) -> Facts:
    start, unit, tile, cell, version, layer = groups
    first, last = window(start, start, DAY, _MONTH)
    return Facts("CLMS", unit, f"ST_{cell}_{layer}", tile, start, made=version, first=first, last=last)


def _season_facts(groups: Groups) -> Facts:
    year, unit, tile, cell, version, season, layer = groups
    first, last = window(f"{year}0101", f"{year}1231", _MONTH, _MONTH)
    kind = f"VPP_{cell}_{season}_{layer}"
    return Facts("CLMS", unit, kind, tile, year, made=version, first=first, last=last)


def _unversioned(text: str, version: str) -> Identity:
    """A product of which every name has the version, and none when it was made."""
    return Identity(text, text.replace(f"_V{version}_", "_", 1), text, ("", version))


def _detail(text: str, groups: Groups) -> Identity:
    return _unversioned(text, groups[4])


def _global_facts(groups: Groups) -> Facts:
    product, stage, start, area, sensor, version = groups
    first, last = window(start[:8], start[:8], _MONTH, _MONTH)
    made = f"{version}{stage}"
    return Facts("CLMS", sensor, product, area, start, made=made, first=first, last=last)


def _global(text: str, groups: Groups) -> Identity:  # noqa: ARG001 - as all forms are read
    product, stage, start, area, sensor, version = groups
    name = f"c_gls_{product}{stage}_{start}_{area}_{sensor}_V{version}"
    order = ".".join(part.zfill(4) for part in version.split("."))
    return Identity(name, f"c_gls_{product}_{start}_{area}_{sensor}", name, ("", f"{order}{stage}"))


LANDSAT_FORMS = (
    Form(
        "Landsat, official",
        "LC08_L2SP_028030_20200114_20200824_02_T1_SR",
        _LANDSAT,
        _landsat,
        _landsat_facts,
        "all of it; `_SR` and `_ST` are its surface reflectance and temperature, two parts of one product",
    ),
    Form(
        "Landsat, without when it was made",
        "LC08_L2SP_028030_20200114_02_T1",
        _LANDSAT_SHORT,
        _landsat_short,
        _landsat_short_facts,
        "the acquisition, level, collection and tier; several processings bear the same",
    ),
    Form(
        "Landsat, scene",
        "LC80280302020014LGN00",
        _SCENE,
        _scene,
        _scene_facts,
        "satellite, path and row, and day; products of all levels bear the same",
    ),
)
CLMS_FORMS = (
    Form(
        "CLMS, vegetation indices",
        "VI_20161001T092022_S2A_T34SDG-010m_V101_QFLAG2.tif",
        _INDEX,
        _detail,
        _index_facts,
        "all of it; the version (V101) is in the key, as all names have it and none tells when it was made",
    ),
    Form(
        "CLMS, seasonal trajectories",
        "ST_20170401T000000_S2_E09N27-03035-010m_V101_PPI",
        _TRAJECTORY,
        _detail,
        _trajectory_facts,
        "as vegetation indices",
    ),
    Form(
        "CLMS, phenology and productivity",
        "VPP_2021_S2_T34TFN-010m_V105_s1_TPROD",
        _SEASON,
        _detail,
        _season_facts,
        "as vegetation indices",
    ),
    Form(
        "CLMS, global",
        "c_gls_NDVI300_202109110000_GLOBE_OLCI_V2.0.1_cog",
        _GLOBAL,
        _global,
        _global_facts,
        "all of it, and the version is in the key; `_nc`, `_cog` and `_tiff` are how it is stored, and "
        "`c_gls_` may be left out",
    ),
)
