"""Sentinel-1 products: SAFE of all levels and units, and the form of them on AWS.

The manifest tells nearly all. The annotation of each swath tells how large pixels are; only its part on
the image is parsed, and where there is none the item goes without. What pixels resolve is nominal.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cscale.catalogue.products.files import Files, inner
from cscale.catalogue.products.footprints import footprint
from cscale.catalogue.products.items import COG, Asset, Draft, Product, moment_of, satellite, span, titled
from cscale.catalogue.products.manifest import DataObject, Manifest, read_manifest
from cscale.catalogue.products.markup import Node, parse_xml
from cscale.catalogue.products.names import Sentinel1Name, bare, parse_name
from cscale.errors import BadInput

_POLARISATIONS = {"SH": ["HH"], "SV": ["VV"], "DH": ["HH", "HV"], "DV": ["VV", "VH"]}
_RESOLUTIONS = {"F": "full", "H": "high", "M": "medium"}
_TIMELINESS = {"NRT-10m": "PT10M", "NRT-1h": "PT1H", "NRT-3h": "PT3H", "Fast-24h": "PT24H"}
_NOMINAL: dict[tuple[str, str], tuple[float, ...]] = {
    ("SM", "F"): (9, 9, 2, 2, 3.7), ("SM", "H"): (23, 23, 6, 6, 29.7), ("SM", "M"): (84, 84, 22, 22, 398.4),
    ("IW", "H"): (20, 22, 5, 1, 4.4), ("IW", "M"): (88, 87, 22, 5, 81.8), ("EW", "H"): (50, 50, 3, 1, 2.7),
    ("EW", "M"): (93, 87, 6, 2, 10.7), ("WV", "M"): (52, 51, 13, 13, 123.7),
}  # fmt: skip
"""Of ground range products: resolution in range and azimuth in metres, looks in both, and the equivalent
number of looks (Sentinel-1 Product Definition, S1-RS-MDA-52-7440, table of GRD products)."""
_NOMINAL_FIELDS = (
    "sar:resolution_range",
    "sar:resolution_azimuth",
    "sar:looks_range",
    "sar:looks_azimuth",
    "sar:looks_equivalent_number",
)
_ORBITS = re.compile(r"AUX_(PREORB|RESORB|POEORB)")
_FILE = re.compile(
    r"(?:(?:rfi|noise|calibration)-)?s1[a-z]-([a-z0-9]+)-[a-z0-9]{3}(?:-[sacn])?-([hv]{2})-.*?"
    r"(?:-(\d{3}))?(?:-(annot|index))?\.[a-z0-9]+",
    re.ASCII,
)
_KINDS = {
    "Product": ("schema-product", "Annotation", "metadata"),
    "Calibration": ("schema-calibration", "Calibration", "metadata"),
    "Noise": ("schema-noise", "Noise", "metadata"),
    "Rfi": ("schema-rfi", "Radio-frequency interference", "metadata"),
    "QuickLook": ("thumbnail", "Quick-look", "thumbnail"),
    "MapOverlay": ("map-overlay", "Map overlay", "metadata"),
    "ProductPreview": ("product-preview", "Preview page", "metadata"),
    "Measurement": ("", "Measurement", "data"),
}
"""By what follows the level in the schema's id: beginning of the key, title and role."""
_KIND = re.compile(r"s1(?:Level\d)?([A-Za-z]+?)Schema", re.ASCII)
_DIRECTIONS = {"H": "horizontal", "V": "vertical"}


class _Named(NamedTuple):
    """What a file's name and schema say of it."""

    key: str
    title: str
    role: str
    number: str
    swath: str
    polarisation: str


def read_sentinel1(files: Files, path: Path) -> Product:
    """Read a Sentinel-1 product.

    Raises:
        BadInput: If its manifest is missing or cannot be read, or nothing tells its name.
    """
    manifest = read_manifest(files)
    listed = _listing(files)
    name = _name(files, listed)
    geometry, bbox = footprint(manifest.rings(), manifest.place)
    kind = name.type.strip("_").lower()
    draft = Draft(str(name), f"sentinel-1-{kind}", geometry, bbox, _properties(name, manifest))
    draft.add(files, "safe-manifest", manifest.name, {"title": "Manifest", "roles": ["metadata"]})
    if listed is not None:
        draft.add(files, "product-info", "productInfo.json", {"title": "Product info", "roles": ["metadata"]})
    _add_assets(draft, files, name, manifest, (listed or {}).get("filenameMap"))
    return draft.product(files, path)


def _listing(files: Files) -> dict[str, Any] | None:
    """What AWS adds to a product, where it is from there."""
    if not files.has("productInfo.json"):
        return None
    try:
        read = msgspec.json.decode(files.read("productInfo.json"), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise BadInput(
            f"{files.place}: productInfo.json is no JSON object ({error}); get it again"
        ) from error
    names = read.get("filenameMap", {})
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise BadInput(f"{files.place}: productInfo.json: filenameMap does not map names to names")
    return read


def _name(files: Files, listed: Mapping[str, Any] | None) -> Sentinel1Name:
    for text in (listed or {}).get("id"), files.name, Path(files.place).name:
        name = parse_name(text) if isinstance(text, str) else None
        if isinstance(name, Sentinel1Name):
            return name
    raise BadInput(
        f"{files.place}: {bare(files.name)!r} is no name of a Sentinel-1 product, and its manifest does not "
        "tell it; give the folder its name back (as in S1A_IW_GRDH_1SDV_..._6FF8.SAFE)"
    )


def _properties(name: Sentinel1Name, manifest: Manifest) -> dict[str, Any]:
    node = manifest.node
    mode = node.find("instrumentMode/mode") or ("SM" if name.mode[0] == "S" else name.mode)
    told = [each.text for each in node.all("transmitterReceiverPolarisation") if each.text]
    processing = manifest.processing()
    done = processing["processing:datetime"]
    if done is not None:
        done = processing["processing:datetime"] = moment_of(done, manifest.place)
    timeliness = node.find("productTimelinessCategory")
    period = _TIMELINESS.get(timeliness or "")
    ascending = node.find("orbitProperties/ascendingNodeTime")
    version = next(iter((processing["processing:software"] or {}).values()), None)
    return {
        **span(*manifest.period(), manifest.place),
        **satellite(f"sentinel-1{name.unit.lower()}", node.find("platform/nssdcIdentifier")),
        "instruments": ["c-sar"],
        **manifest.orbit(),
        "sat:anx_datetime": moment_of(ascending, manifest.place) if ascending else None,
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:observation_direction": "right",
        "sar:instrument_mode": mode,
        "sar:polarizations": told or _POLARISATIONS.get(name.polarisation, [name.polarisation]),
        "sar:product_type": name.type.strip("_"),
        **dict(zip(_NOMINAL_FIELDS, _NOMINAL.get((mode, name.resolution), ()), strict=False)),
        "product:type": f"{name.mode}_{name.type}{name.resolution}_{name.level}{name.grade}",
        "product:timeliness": period,
        "product:timeliness_category": timeliness if period else None,
        "processing:level": f"L{name.level}",
        "processing:version": version,
        **processing,
        "s1:product_identifier": str(name),
        "s1:datatake_id": _first(node, "missionDataTakeID") or str(name.datatake),
        "s1:instrument_configuration_ID": _first(node, "instrumentConfigurationID"),
        "s1:product_timeliness": timeliness,
        "s1:processing_level": str(name.level),
        "s1:processing_datetime": done,
        "s1:resolution": _RESOLUTIONS.get(name.resolution),
        "s1:orbit_source": _orbit_source(node),
        "s1:slice_number": _first(node, "sliceNumber"),
        "s1:total_slices": _first(node, "totalSlices"),
    }


def _first(node: Node, name: str) -> str | None:
    """A text that stands under its name, or in older manifests of other levels under a longer one."""
    return node.find(f"standAloneProductInformation/{name}") or node.find(name)


def _orbit_source(node: Node) -> str:
    """From which orbits it was made: the last auxiliary file named; without one, those sent down with it."""
    found = (_ORBITS.search(each.attribute("name") or "") for each in node.all("resource"))
    return next((match[1] for match in found if match), "DOWNLINK")


def _add_assets(
    draft: Draft, files: Files, name: Sentinel1Name, manifest: Manifest, renamed: Mapping[str, str] | None
) -> None:
    cloud_optimized = renamed is not None or name.unique.endswith("_COG")
    told = [(_named(each, name), each) for each in manifest.objects]
    often = Counter(named.key for named, _ in told)
    paths: dict[str, str] = {}
    for named, each in told:
        path = (renamed or {}).get(each.path, each.path)
        if inner(path) != path:
            raise BadInput(f"{files.place}: productInfo.json names {path!r}, which is outside the product")
        key = named.key if often[named.key] == 1 else f"{named.key}-{named.number or len(paths)}"
        paths[key] = path
        # what AWS has made anew is no longer what the manifest states
        asset: Asset = {"title": named.title, "roles": [named.role]} | (
            {} if cloud_optimized and named.role == "data" else each.fields
        )
        if named.role == "data" and named.polarisation:
            sent, received = (_DIRECTIONS[side] for side in named.polarisation)
            about = f"{sent} transmit, {received} receive"
            asset["eo:bands"] = [{"name": named.polarisation, "description": about}]
            asset["sar:polarizations"] = [named.polarisation]
            if cloud_optimized and path.endswith(".tiff"):
                asset["type"] = COG
        draft.add(files, key, path, asset)
    _add_pixels(draft, files, [named for named, _ in told], paths, name)


def _named(each: DataObject, name: Sentinel1Name) -> _Named:
    file = each.path.rpartition("/")[2].lower()
    match = _FILE.fullmatch(file)
    schema = _KIND.fullmatch(each.kind)
    kind = schema[1] if schema else ""
    begin, title, role = _KINDS.get(kind, ("", titled(file.rpartition(".")[0]), "metadata"))
    if role != "metadata" and match is None and kind != "Measurement":
        return _Named(begin, title, role, "", "", "")
    if match is None:
        return _Named(begin or file.rpartition(".")[0], title, role, "", "", "")
    swath, polarisation, number, part = match.groups(default="")
    within = [] if swath == name.mode.lower() else [swath]
    key = "-".join([*([begin] if begin else []), *within, polarisation, *([part] if part else [])])
    role = "data" if not part and each.path.startswith("measurement/") else role
    if kind not in _KINDS and not part and file.endswith(".dat"):
        role = "data"  # of level 0, whose measurements lie beside the manifest
    polarisation = polarisation.upper()
    title = " ".join([polarisation, *(each.upper() for each in within), part or title.lower()])
    return _Named(key, title, role, number, swath, polarisation)


def _add_pixels(
    draft: Draft, files: Files, told: list[_Named], paths: Mapping[str, str], name: Sentinel1Name
) -> None:
    """What annotations tell of pixels: for the item where it has one swath, else for each asset."""
    of_swath: dict[str, dict[str, Any]] = {}
    for named in told:
        path = paths.get(named.key, "")
        if named.key.startswith("schema-product-") and named.swath not in of_swath and files.has(path):
            of_swath[named.swath] = _pixels(files.read(path), f"{files.place}: {path}")
    if name.type == "SLC":
        single = {"sar:looks_range": 1, "sar:looks_azimuth": 1, "sar:looks_equivalent_number": 1}
        draft.properties |= single
    if len({named.swath for named in told if named.role == "data"}) == 1:
        for fields in of_swath.values():
            draft.properties |= fields
        return
    for named in told:
        if named.role == "data" and named.key in draft.assets:
            draft.assets[named.key] |= {
                field: value
                for field, value in of_swath.get(named.swath, {}).items()
                if value is not None and field.startswith("sar:")
            }


def _pixels(data: bytes, place: str) -> dict[str, Any]:
    start, end = data.find(b"<imageInformation>"), data.find(b"</imageInformation>")
    if not 0 <= start < end:
        raise BadInput(f"{place}: tells nothing of the image; get the product again")
    node = parse_xml(data[start : end + len(b"</imageInformation>")], place)
    shape = [node.whole("numberOfSamples"), node.whole("numberOfLines")]
    spacings = [node.number(f"{each}PixelSpacing") for each in ("range", "azimuth")]
    across, along = (round(each, 3) if each is not None else None for each in spacings)
    return {
        "sar:pixel_spacing_range": across,
        "sar:pixel_spacing_azimuth": along,
        "s1:shape": shape if None not in shape else None,
        "view:incidence_angle": node.number("incidenceAngleMidSwath"),
    }
