"""The ids under which sites may hold a product whose name is known: a first, quick question to a site. Pure.

A site may hold it under an id of its own, so that none of these is there says nothing: then time and
place tell (`span_of`, `place_of`).
"""

from functools import lru_cache

from cscale.discovery.products.identity import DAY, Facts, Identity, moment
from cscale.discovery.products.reading import bare, read
from cscale.stac.times import text_of

MOST = 12
"""The most forms of one name."""
_LONGEST = 1024
_CATALOGUES = {  # of VITO, which writes ids as urn:eop:VITO:<collection>:<name>
    "S1_SLC": "CGS_S1_SLC_L1",
    "S1_GRD": "CGS_S1_GRD_L1",
    "S2_1C": "CGS_S2_L1C",
}


def forms_of(name: str) -> tuple[str, ...]:
    """The ids under which a site may hold what is asked for by a name.

    Args:
        name: In any form.

    Returns:
        At most `MOST`, all different: the text as it is, then the likeliest first. Empty for an empty text,
        and for one that is longer than ids are.
    """
    text = name.strip()
    return _forms_of(text) if 0 < len(text) <= _LONGEST else ()


@lru_cache(maxsize=4096)
def _forms_of(text: str) -> tuple[str, ...]:
    found = read(text)
    if found is None:
        return (text,)
    one, told = found.identity, found.facts()
    key = one.product.lstrip("/")
    name = one.name or key
    several = [text, name, key, bare(text), *_MORE[told.mission](name, one, told)]
    return tuple(dict.fromkeys(each for each in several if each))[:MOST]


def _of_sentinel1(name: str, one: Identity, told: Facts) -> list[str]:
    if one.partial is not None:
        return []
    catalogue = _CATALOGUES.get(f"S1_{(told.kind or '')[3:6]}")
    return [
        f"{name}.SAFE",
        f"{name}_COG",
        f"{name}_COG.SAFE",
        name.rpartition("_")[0],
        *([f"urn:eop:VITO:{catalogue}:{name}"] if catalogue else []),
    ]


def _of_sentinel2(name: str, one: Identity, told: Facts) -> list[str]:
    if one.partial is not None or "_MSIL" not in name or told.place is None:
        return []
    forms = [f"{name}.SAFE"]
    if told.place.startswith("R"):  # of several tiles
        return forms
    if told.kind == "1C" and one.name is not None:
        forms.append(f"urn:eop:VITO:{_CATALOGUES['S2_1C']}:{name}")
    for day in _days(told):
        begin = f"S2{told.unit}_{told.place.lstrip('0')}_{day}"
        forms += [f"{begin}_0_L{told.kind}", f"{begin}_1_L{told.kind}", f"{begin}_0"]
    return forms


def _days(told: Facts) -> list[str]:
    """The days on which a tile of a datatake may have been seen: its own, and after late ones the next."""
    begin = moment(told.start or "")
    if begin is None or told.last is None:
        return []
    ends = {begin // DAY * DAY, told.last // DAY * DAY}
    return [text_of(each)[:10].replace("-", "") for each in sorted(ends)]


def _of_sentinel3(name: str, one: Identity, told: Facts) -> list[str]:  # noqa: ARG001 - as all missions
    if one.partial is not None:
        return []
    short = f"{name[:15].rstrip('_')}{name[15:47]}_{name[64:81].rstrip('_')}"  # parts have their places
    return [f"{name}.SEN3", short]


def _of_sentinel5p(name: str, one: Identity, told: Facts) -> list[str]:  # noqa: ARG001 - as all missions
    return [f"{name}.nc"]


def _of_landsat(name: str, one: Identity, told: Facts) -> list[str]:
    if told.kind is None:
        return []
    parts = name.split("_")
    short = [] if one.partial is not None else ["_".join(parts[:4] + parts[5:])]
    return [
        f"{name}_SR",
        f"{name}_ST",
        f"{name}.tar",
        *short,
        *(f"{each}_{part}" for each in short for part in ("SR", "ST")),
    ]


def _of_land(name: str, one: Identity, told: Facts) -> list[str]:  # noqa: ARG001 - as all missions
    if not name.startswith("c_gls_"):
        return [f"{name}.tif"]
    short = name.removeprefix("c_gls_")
    kinds = ("nc", "cog", "tiff")
    return [short, *(f"{each}_{kind}" for each in (name, short) for kind in kinds), f"{name}.nc"]


_MORE = {
    "S1": _of_sentinel1,
    "S2": _of_sentinel2,
    "S3": _of_sentinel3,
    "S5P": _of_sentinel5p,
    "Landsat": _of_landsat,
    "CLMS": _of_land,
}
