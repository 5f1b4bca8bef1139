"""Which collections of many providers hold one type of product: their ids, and the id they share. Pure data.

Two collections share an id only if their items are of one type, made by one processor; then copies and
versions can meet in them. What a site's configuration says of its collections goes before this.
"""

import re
from functools import lru_cache

SAME: dict[str, tuple[str, ...]] = {
    "sentinel-1-raw": ("S1_SAR_RAW",),
    "sentinel-1-slc": ("S1_SAR_SLC", "sentinel1-slc", "urn:eop:VITO:CGS_S1_SLC_L1"),
    "sentinel-1-grd": ("S1_SAR_GRD", "SENTINEL1_GRD", "sentinel1-grd", "urn:eop:VITO:CGS_S1_GRD_L1"),
    "sentinel-1-ocn": ("S1_SAR_OCN",),
    "sentinel-2-l1b": (),
    "sentinel-2-l1c": ("PEPS_S2_L1C", "S2_MSI_L1C", "sentinel-s2-l1c", "urn:eop:VITO:CGS_S2_L1C"),
    "sentinel-2-l2a": (
        "S2_MSI_L2A",
        "sentinel-2-c1-l2a",
        "sentinel-2-pre-c1-l2a",
        "sentinel-s2-l2a",
        "sentinel-s2-l2a-cogs",
    ),
    "sentinel-3-olci-l1b": (),
    "sentinel-3-olci-l2": (),
    "sentinel-3-slstr-l1b": (),
    "sentinel-3-slstr-l2": (),
    "sentinel-3-stm-l2": (),
    "sentinel-3-syn-l2": (),
    "sentinel-5p-l1b": (),
    "sentinel-5p-l2": ("sentinel-5p-l2-netcdf",),
    "landsat-c2-l2": ("landsat-8-c2-l2", "landsat-c2l2-sr", "landsat-c2l2-st"),
    "cop-dem-glo-30": ("cop-dem-glo-30-dged-cog", "urn:eop:VITO:COP_DEM_GLO_30M_COG"),
    "cop-dem-glo-90": ("cop-dem-glo-90-dged-cog", "urn:eop:VITO:COP_DEM_GLO_90M_COG"),
    "esa-worldcover-10m-2020-v1": (
        "urn:eop:VITO:ESA_WorldCover_10m_2020_AWS_V1",
        "urn:eop:VITO:ESA_WorldCover_10m_2020_V1",
    ),
    "esa-worldcover-10m-2021-v2": (
        "urn:eop:VITO:ESA_WorldCover_10m_2021_AWS_V2",
        "urn:eop:VITO:ESA_WorldCover_10m_2021_V2",
    ),
}
"""The ids that are shared, and the ids of providers that become them."""

_MIXED = "holds a whole mission, of all levels and types; items of it belong to several collections"
_ALONE = "its provider makes it and nobody else holds it"
_OWN_METHOD = "its provider makes it by a method of its own; another's of like name is not the same product"
APART: dict[str, str] = {
    **dict.fromkeys(
        ("SENTINEL-1", "SENTINEL-2", "SENTINEL-3", "SENTINEL-5P", "SENTINEL-6", "LANDSAT-5", "LANDSAT-7",
         "LANDSAT-8", "ENVISAT", "SMOS", "TERRAAQUA", "S2ST"),
        _MIXED,
    ),
    "COP-DEM": "holds all resolutions of the model; items of it belong to several collections",
    "S2GLC": _ALONE,
    **dict.fromkeys(
        ("SENTINEL-1-RTC", "sentinel1-rtc-aws", "s1-global-sigma0", "urn:eop:VITO:CGS_S1_GRD_SIGMA0_L1"),
        _OWN_METHOD,
    ),
    "s1-demo-sigma0": "is a sample for demonstrations",
}  # fmt: skip
"""Ids that are known and share no other's, with the reason."""

APART_RULES: tuple[tuple[str, str], ...] = (
    (r"urn:eop:VITO:TERRASCOPE_\w+", _OWN_METHOD),
    (r"urn:eop:VITO:ESA_WorldCover_S[12]\w+", _ALONE),
    (r"urn:ogc:def:EOP:VITO:(?:PROBAV|VGT)_\S+", _ALONE),
)
"""The same for families of ids."""

RULES: tuple[tuple[str, str, str], ...] = (
    (r"sentinel-3-olci-(\d)-([a-z0-9-]+?)(?:-nrt|-ntc|-stc)?", r"sentinel-3-olci-\1-\2",
     "sentinel-3-olci-2-wfr-ntc"),
    (r"sentinel-3-(?:sl|slstr)-(\d)-([a-z0-9-]+?)(?:-nrt|-ntc|-stc)?", r"sentinel-3-slstr-\1-\2",
     "sentinel-3-sl-2-lst-nrt"),
    (r"sentinel-3-(?:sr|sral)-(\d)-([a-z0-9-]+?)(?:-nrt|-ntc|-stc)?", r"sentinel-3-sral-\1-\2",
     "sentinel-3-sr-2-lan-hy-stc"),
    (r"sentinel-3-(?:syn|synergy)-(\d)-([a-z0-9-]+?)(?:-nrt|-ntc|-stc)?", r"sentinel-3-synergy-\1-\2",
     "sentinel-3-syn-2-v10-stc"),
    (r"sentinel-3-(olci|slstr|sral|synergy)-([a-z0-9]+)-l2-netcdf", r"sentinel-3-\1-2-\2",
     "sentinel-3-olci-wfr-l2-netcdf"),
    (r"sentinel-5p-l1b?-(ra-bd\d|ir-(?:uvn|sir))(?:-nrti|-offl|-rpro)?", r"sentinel-5p-l1b-\1",
     "sentinel-5p-l1-ra-bd4-offl"),
    (r"sentinel-5p-l2-((?!netcdf)[a-z0-9-]+?)(?:-nrti|-offl|-rpro)?", r"sentinel-5p-l2-\1",
     "sentinel-5p-l2-no2-offl"),
)  # fmt: skip
"""Families of ids: their form, what they become, an example. Timeliness divides collections at some
providers; here it does not, as it is in a product's name, so that versions of one acquisition meet."""

_SAME = {name.lower(): shared for shared, names in SAME.items() for name in (shared, *names)}
_APART = {name.lower(): reason for name, reason in APART.items()}
_RULES = tuple((re.compile(form, re.IGNORECASE | re.ASCII), becomes) for form, becomes, _ in RULES)
_APART_RULES = tuple((re.compile(form, re.IGNORECASE | re.ASCII), why) for form, why in APART_RULES)
_LONGEST = 200


@lru_cache(maxsize=1024)
def _canonical(name: str) -> str | None:
    name = name.partition("|")[2] or name
    if shared := _SAME.get(name.lower()):
        return shared
    for form, becomes in _RULES:
        if match := form.fullmatch(name):
            return match.expand(becomes).lower()
    return None


def canonical(native_id: str) -> str | None:
    """The id that a provider's collection shares with others of its type.

    Args:
        native_id: The collection's id as its provider has it, in any case; or behind the provider and a
            bar, as in `EODC|sentinel1-grd`.

    Returns:
        The id, or None where the collection shares none; see `why_apart`.
    """
    return _canonical(native_id) if len(native_id) <= _LONGEST else None


def why_apart(native_id: str) -> str | None:
    """Why a known collection shares no id; None where it does, or is not known."""
    if len(native_id) > _LONGEST:
        return None
    name = native_id.partition("|")[2] or native_id
    found = _APART.get(name.lower())
    return found or next((why for form, why in _APART_RULES if form.fullmatch(name)), None)
