"""What the metadata of Sentinel-2 products tell: of the whole product, and of its tile."""

import math
import re
from typing import Any

import numpy

from cscale.catalogue.products.items import moment_of, satellite
from cscale.catalogue.products.markup import Node, read_number
from cscale.catalogue.products.names import Sentinel2Name
from cscale.catalogue.products.sentinel2.bands import BAND_IDS, Grid, Values
from cscale.errors import BadInput

_SHARES = (
    "cloud_shadow", "dark_features", "degraded_msi_data", "high_proba_clouds", "medium_proba_clouds",
    "nodata_pixel", "not_vegetated", "saturated_defective_pixel", "snow_ice", "thin_cirrus", "unclassified",
    "vegetation", "water",
)  # fmt: skip
"""What the Sentinel-2 extension knows of, in percent; metadata write it in capitals."""
_TILE = re.compile(r"(\d\d)([C-HJ-NP-X])([A-HJ-NP-Z]{2})", re.ASCII)
_UTM = re.compile(r"EPSG:(32[67]\d\d)", re.ASCII)
_ORBIT = re.compile(r"GS2[A-Z]_\d{8}T\d{6}_(\d{6})_N\d\d\.\d\d", re.ASCII)
_SITE = re.compile(r"S2[A-Z]_[A-Z]{4}_MSI_L\w\w_TL_(\w{4})_", re.ASCII)
_OFFSETS_FROM = "04.00"  # Sentinel-2 Products Specification 14.9: since 25 January 2022
_OFFSET = -1000


def named_properties(name: Sentinel2Name) -> dict[str, Any]:
    """What the name alone tells."""
    return {
        **satellite(f"sentinel-2{name.unit.lower()}"),
        "instruments": ["msi"],
        "gsd": 10,
        "sat:relative_orbit": name.relative_orbit,
        **tile_properties(name.tile),
        "product:type": f"S2MSI{name.level}",
        "processing:level": f"L{name.level}",
        "processing:version": name.baseline,
        "s2:product_uri": f"{name}.SAFE",
        "s2:product_type": f"S2MSI{name.level}",
        "s2:processing_baseline": name.baseline,
    }


def tile_properties(tile: str | None) -> dict[str, Any]:
    """Where a tile of the military grid lies, as in 32TPS; its UTM zone gives the CRS."""
    match = _TILE.fullmatch(tile or "")
    if match is None:
        return {}
    zone, band, square = match.groups()
    return {
        "grid:code": f"MGRS-{tile}",
        "mgrs:utm_zone": int(zone),
        "mgrs:latitude_band": band,
        "mgrs:grid_square": square,
        "proj:code": f"EPSG:{'326' if band >= 'N' else '327'}{zone}",
    }


def product_properties(node: Node) -> dict[str, Any]:
    """What the product's metadata tell (MTD_MSIL1C.xml, MTD_MSIL2A.xml)."""
    take = node.first("Datatake")
    granule = node.first("Granule") or node.first("Granules")
    datatake = take.attribute("datatakeIdentifier") if take else None
    state = node.find("SENSING_ORBIT_DIRECTION")
    generated = node.find("GENERATION_TIME")
    made = moment_of(generated, node.place) if generated else None
    orbit = _ORBIT.fullmatch(datatake or "")
    baseline = node.find("PROCESSING_BASELINE")
    return {
        "datetime": moment_of(node.need("PRODUCT_START_TIME"), node.place),
        "sat:orbit_state": state.lower() if state in ("ASCENDING", "DESCENDING") else None,
        "sat:relative_orbit": node.whole("SENSING_ORBIT_NUMBER"),
        "sat:absolute_orbit": int(orbit[1]) if orbit else None,
        "eo:cloud_cover": _share(node, "Cloud_Coverage_Assessment"),
        "s2:degraded_msi_data_percentage": _share(node, "DEGRADED_MSI_DATA_PERCENTAGE"),
        **_shares(node),
        "processing:version": baseline,
        "processing:datetime": made,
        "s2:processing_baseline": baseline,
        "s2:generation_time": made,
        "s2:product_type": node.find("PRODUCT_TYPE"),
        "s2:datatake_id": datatake,
        "s2:datatake_type": node.find("DATATAKE_TYPE"),
        "s2:datastrip_id": granule.attribute("datastripIdentifier") if granule else None,
        "s2:tile_id": granule.attribute("granuleIdentifier") if granule else None,
        "s2:reflectance_conversion_factor": node.number("Reflectance_Conversion/U"),
    }


def granule_properties(node: Node) -> dict[str, Any]:
    """What a tile's metadata tell (MTD_TL.xml)."""
    code, tile = node.find("HORIZONTAL_CS_CODE"), node.find("TILE_ID")
    site = _SITE.match(tile or "")
    sun = node.first("Mean_Sun_Angle")
    zenith, azimuth = (_angle(sun, name) if sun else None for name in ("ZENITH_ANGLE", "AZIMUTH_ANGLE"))
    return {
        "proj:code": code if _UTM.fullmatch(code or "") else None,
        "processing:facility": site[1].strip("_") if site else None,
        "view:sun_azimuth": azimuth,
        "view:sun_elevation": 90 - zenith if zenith is not None else None,
        "s2:mean_solar_zenith": zenith,
        # the extension's schema has no room for the afternoon
        "s2:mean_solar_azimuth": azimuth if azimuth is not None and azimuth <= 180 else None,
        **_view(node),
        **_shares(node),
        "s2:tile_id": tile,
        "s2:datastrip_id": node.find("DATASTRIP_ID"),
    }


def _shares(node: Node) -> dict[str, Any]:
    quality = node.first("Image_Content_QI")
    if quality is None:
        return {}
    shares = {f"s2:{name}_percentage": _share(quality, f"{name.upper()}_PERCENTAGE") for name in _SHARES}
    if shares["s2:dark_features_percentage"] is None:  # its name since baseline 05.10
        shares["s2:dark_features_percentage"] = _share(quality, "CAST_SHADOW_PERCENTAGE")
    known = {name: value for name, value in shares.items() if value is not None}
    cover = {
        "eo:cloud_cover": _share(quality, "CLOUDY_PIXEL_PERCENTAGE"),
        "eo:snow_cover": known.get("s2:snow_ice_percentage"),
    }
    return {name: value for name, value in cover.items() if value is not None} | known


def _share(node: Node, name: str) -> float | None:
    share = node.number(name)
    if share is not None and not 0 <= share <= 100:
        raise BadInput(f"{node.place}: {name} is {share}, not a percentage")
    return share


def _angle(node: Node, name: str) -> float | None:
    """An angle in degrees; None where nothing was seen, which is written NaN."""
    text = node.find(name)
    if text is None or text.lower() == "nan":
        return None
    try:
        return read_number(text)
    except ValueError as error:
        raise BadInput(f"{node.place}: {name} is {text[:80]!r}, not an angle") from error


def _view(node: Node) -> dict[str, float]:
    """The mean over the bands of where the satellite stood; azimuths as directions."""
    seen = [
        (zenith, math.radians(azimuth))
        for each in node.all("Mean_Viewing_Incidence_Angle")
        if (zenith := _angle(each, "ZENITH_ANGLE")) is not None
        and (azimuth := _angle(each, "AZIMUTH_ANGLE")) is not None
    ]
    if not seen:
        return {}
    zeniths, azimuths = numpy.transpose(seen)
    azimuth = math.degrees(math.atan2(numpy.sin(azimuths).mean(), numpy.cos(azimuths).mean())) % 360
    return {"view:incidence_angle": float(zeniths.mean()), "view:azimuth": azimuth}


def read_grids(node: Node) -> dict[int, Grid]:
    """Where pixels of each size lie, by that size in metres.

    Raises:
        BadInput: If the tile's metadata tell less of one of them than is needed.
    """
    grids = {}
    for size in node.all("Tile_Geocoding/Size"):
        resolution = size.attribute("resolution") or ""
        corners = [
            each
            for each in node.all("Tile_Geocoding/Geoposition")
            if each.attribute("resolution") == resolution
        ]
        rows, columns = size.whole("NROWS"), size.whole("NCOLS")
        left, top = (corners[0].number(name) if corners else None for name in ("ULX", "ULY"))
        if not resolution.isdecimal() or len(resolution) > 4 or None in (rows, columns, left, top):
            raise BadInput(f"{node.place}: Tile_Geocoding does not tell where pixels of {resolution} m lie")
        assert rows is not None
        assert columns is not None
        assert left is not None
        assert top is not None
        grids[int(resolution)] = Grid(rows, columns, left, top, float(resolution))
    return grids


def read_values(node: Node | None, baseline: str | None) -> Values:
    """How numbers become values, by the product's metadata, or without them by its baseline.

    Raises:
        BadInput: If the metadata divide by zero.
    """
    usual = Values(offset=_OFFSET if (baseline or "") >= _OFFSETS_FROM else 0)
    if node is None:
        return usual
    offsets = {}
    for kind in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET"):
        for each in node.all(kind):
            band = each.attribute("band_id") or ""
            if band.isdecimal() and len(band) < 3 and int(band) < len(BAND_IDS):
                try:
                    offsets[BAND_IDS[int(band)]] = read_number(each.text)
                except ValueError as error:
                    raise BadInput(f"{node.place}: {kind} is {each.text[:80]!r}, not a number") from error
    told = [
        node.number("BOA_QUANTIFICATION_VALUE") or node.number("QUANTIFICATION_VALUE"),
        node.number("AOT_QUANTIFICATION_VALUE"),
        node.number("WVP_QUANTIFICATION_VALUE"),
    ]
    if any(value is not None and value <= 0 for value in told):
        raise BadInput(f"{node.place}: a QUANTIFICATION_VALUE is not above zero")
    reflectance, aerosol, vapour = told
    return Values(
        reflectance or usual.reflectance, aerosol or usual.aerosol, vapour or usual.vapour,
        offsets=offsets,
    )  # fmt: skip
