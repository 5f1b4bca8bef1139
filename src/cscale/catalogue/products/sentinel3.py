"""Sentinel-3 products: SEN3 of all instruments. The manifest tells all."""

import re
from pathlib import Path
from typing import Any

from cscale.catalogue.products.files import Files
from cscale.catalogue.products.footprints import footprint
from cscale.catalogue.products.items import Asset, Draft, Product, moment_of, satellite, span, titled
from cscale.catalogue.products.manifest import DataObject, Manifest, read_manifest
from cscale.catalogue.products.markup import Node, read_number
from cscale.catalogue.products.names import Sentinel3Name, bare, parse_name
from cscale.errors import BadInput

_INSTRUMENTS = {
    "OL": "olci",
    "SL": "slstr",
    "SR": "sral",
    "SY": "synergy",
    "MW": "mwr",
    "DO": "doris",
    "GN": "gnss",
}
_TIMELINESS = {"NR": "PT3H", "ST": "PT48H", "NT": "P1M"}
_GSD = {
    "OL_1_EFR": 300, "OL_1_ERR": 1200, "OL_2_LFR": 300, "OL_2_LRR": 1200, "OL_2_WFR": 300, "OL_2_WRR": 1200,
    "SL_1_RBT": 500, "SL_2_LST": 1000, "SL_2_WST": 1000, "SL_2_FRP": 1000, "SL_2_AOD": 9500,
    "SY_2_SYN": 300, "SY_2_V10": 1000, "SY_2_VG1": 1000, "SY_2_VGP": 1000, "SY_2_AOD": 4500,
}  # fmt: skip
"""Nominal, in metres, of the finest grid (Sentinel-3 user handbooks)."""
_SHARES = frozenset(
    ("bright", "closed_sea", "coastal", "continental_ice", "cosmetic", "dubious_samples", "duplicated",
     "fresh_inland_water", "invalid", "land", "lrm_mode", "open_ocean", "out_of_range", "saline_water",
     "sar_mode", "saturated", "snow_or_ice", "tidal_region")
)  # fmt: skip
"""What the Sentinel-3 extension knows of, in percent."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BAND = re.compile(r"(Oa\d\d|[SF]\d)_", re.ASCII)


def read_sentinel3(files: Files, path: Path) -> Product:
    """Read a Sentinel-3 product.

    Raises:
        BadInput: If its manifest is missing or cannot be read, or nothing tells its name.
    """
    manifest = read_manifest(files)
    name = _name(files, manifest)
    geometry, bbox = footprint(manifest.rings(), manifest.place)
    instrument = _INSTRUMENTS.get(name.source, name.source.lower())
    level, kind = name.level.strip("_"), name.type.lower().replace("_", "-")
    collection = "-".join(part for part in ("sentinel-3", instrument, level, kind) if part)
    draft = Draft(str(name), collection, geometry, bbox, _properties(name, manifest, instrument))
    draft.add(files, "safe-manifest", manifest.name, {"title": "Manifest", "roles": ["metadata"]})
    bands = _bands(manifest.node)
    measured = {
        pointer.attribute("dataObjectID")
        for unit in manifest.node.all("contentUnit")
        if (unit.attribute("unitType") or "").startswith("Measurement")
        for pointer in unit.children()
        if pointer.name == "dataObjectPointer"
    }
    for each in manifest.objects:
        draft.add(files, _key(each), each.path, _asset(each, each.id in measured, bands))
    return draft.product(files, path)


def _name(files: Files, manifest: Manifest) -> Sentinel3Name:
    for text in manifest.node.find("productName"), files.name, Path(files.place).name:
        name = parse_name(text or "")
        if isinstance(name, Sentinel3Name):
            return name
    raise BadInput(
        f"{files.place}: neither the manifest nor {bare(files.name)!r} is the name of a Sentinel-3 product; "
        "give the folder its name back (as in S3A_OL_2_WFR____..._003.SEN3)"
    )


def _properties(name: Sentinel3Name, manifest: Manifest, instrument: str) -> dict[str, Any]:
    node = manifest.node
    processing = manifest.processing()
    done = processing["processing:datetime"]
    if done is not None:
        processing["processing:datetime"] = moment_of(done, manifest.place)
    kind = f"{name.source}_{name.level}_{name.type}"
    shares = _shares(node)
    period = _TIMELINESS.get(name.timeliness)
    return {
        **span(*manifest.period(), manifest.place),
        **satellite(f"sentinel-3{name.unit.lower()}", node.find("platform/nssdcIdentifier")),
        "instruments": ["olci", "slstr"] if instrument == "synergy" else [instrument],
        "gsd": _GSD.get(kind),
        **manifest.orbit(),
        "eo:cloud_cover": shares.get("cloudy"),
        "eo:snow_cover": shares.get("snow_or_ice"),
        "product:type": f"{name.source}_{name.level}_{name.type.ljust(6, '_')}",
        "product:timeliness": period,
        "product:timeliness_category": name.timeliness if period else None,
        "processing:level": f"L{name.level}" if name.level != "_" else None,
        "processing:version": name.baseline,
        **processing,
        "s3:product_type": f"{name.source}_{name.level}_{name.type.ljust(6, '_')}",
        "s3:product_name": f"{instrument}-{name.type.lower().replace('_', '-')}",
        "s3:processing_timeliness": name.timeliness,
        **{f"s3:{share}": value for share, value in shares.items() if share in _SHARES},
    }


def _shares(node: Node) -> dict[str, float]:
    """How much of what was seen is of a kind, in percent.

    Instruments write it as attributes of elements in two summaries; SRAL as texts of elements.
    """
    shares: dict[str, float] = {}
    told = [
        (each.name.removesuffix("Pixels"), each.attribute("percentage"))
        for summary in ("classificationSummary", "pixelQualitySummary")
        for found in node.all(summary)
        for each in found.children()
    ]
    altimeter = node.first("sralProductInformation")
    if altimeter is not None:
        told += [
            (each.name.removesuffix("Percentage"), each.text)
            for each in altimeter.children()
            if each.name.endswith("Percentage")
        ]
    for name, text in told:
        if text is None:
            continue
        try:
            shares.setdefault(_HUMP.sub("_", name).lower(), read_number(text))
        except ValueError as error:
            raise BadInput(f"{node.place}: {name} is {text[:80]!r}, not a number") from error
    return shares


def _bands(node: Node) -> dict[str, dict[str, Any]]:
    """The bands that a manifest describes, by name; wavelengths there are in nanometres."""
    bands: dict[str, dict[str, Any]] = {}
    for each in node.all("bandDescriptions/band"):
        name = each.attribute("name")
        centre, width = each.number("centralWavelength"), each.number("bandwidth") or each.number("bandWidth")
        if name and centre is not None:
            bands[name] = {"name": name, "center_wavelength": round(centre / 1000, 6)}
            if width is not None:
                bands[name]["full_width_half_max"] = round(width / 1000, 6)
    return bands


def _key(each: DataObject) -> str:
    """The object's id in small letters with hyphens, as in oa01-reflectance of Oa01_reflectanceData."""
    words = each.id.removesuffix("Data").strip("_") or each.path.rpartition("/")[2].rpartition(".")[0]
    return _HUMP.sub("-", words).replace("_", "-").lower()


def _asset(each: DataObject, measured: bool, bands: dict[str, dict[str, Any]]) -> Asset:  # noqa: FBT001
    title = each.about if each.about and "Data Object" not in each.about else titled(_key(each))
    asset: Asset = {"title": title, "roles": ["data"] if measured else ["metadata"]} | each.fields
    match = _BAND.match(each.path)
    if measured and match and match[1] in bands:
        asset["eo:bands"] = [bands[match[1]]]
    return asset
