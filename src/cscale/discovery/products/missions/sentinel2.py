"""Sentinel-2: which product a name is of."""

import re

from cscale.catalogue.products.names import Sentinel2Name
from cscale.discovery.products.identity import DAY, MINUTE, Facts, Identity, moment, window
from cscale.discovery.products.missions.forms import Form, Groups

BEFORE, AFTER = MINUTE, 45 * MINUTE
"""The tiles of a datatake are sensed from a minute before the time in its name (a datastrip may begin
seconds before it) to 45 minutes after (the longest datatake is of 15,000 km, about 37 minutes)."""

_TIME = r"\d{8}T\d{6}"
_TILE = r"\d\d?[A-Z]{3}"
_BARE = re.compile(
    rf"S2([A-Z])_MSIL(0_|1A|1B|1C|2A)_({_TIME})_R(\d{{3}})_T(\d\d[A-Z]{{3}})_({_TIME})", re.ASCII
)
_GRANULE = re.compile(
    rf"S2([A-Z])_[A-Z]{{4}}_MSI_L(0_|1A|1B|1C|2A)_TL_[A-Z0-9_]{{4}}_({_TIME})_A(\d{{6}})_T(\d\d[A-Z]{{3}})"
    r"(?:_N(\d\d\.\d\d))?",
    re.ASCII,
)
_DATED = re.compile(rf"S2([A-Z])_T?({_TILE})_(\d{{8}})_(\d+)(?:_L(1C|2A))?", re.ASCII)
_TIMED = re.compile(rf"S2([A-Z])_T({_TILE})_({_TIME})_L(1C|2A)", re.ASCII)
_DATATAKE = re.compile(rf"GS2([A-Z])_({_TIME})_\d{{6}}_N(\d\d\.\d\d)", re.ASCII)


def acquisition(told: Facts) -> str | None:
    """The acquisition's key, of what is known; None where that is not enough.

    The orbit is not in it: satellite and start tell it, and names of datatakes do not have it.
    """
    if None in (told.unit, told.kind, told.place, told.start):
        return None
    return f"S2{told.unit}_L{told.kind}_{told.start}_T{told.place}"


def datatake(text: str, told: Facts) -> Facts:
    """Facts with what a datatake's id tells, as in GS2A_20230602T100601_041489_N05.09, if it agrees."""
    match = _DATATAKE.fullmatch(text)
    if match is None or match[1] != told.unit:
        return told
    first, last = window(match[2], match[2], BEFORE, AFTER)
    if first is None or last is None:
        return told
    if told.first is not None and told.last is not None and (first > told.last or last < told.first):
        return told
    return told._replace(start=match[2], baseline=told.baseline or match[3], first=first, last=last)


def _full_facts(groups: Groups) -> Facts:
    unit, level, start, major, minor, _, tile, made = groups
    first, last = window(start, start, BEFORE, AFTER)
    return Facts(
        "S2", unit, level, tile, start, made=made, baseline=f"{major}.{minor}", first=first, last=last
    )


def _full(text: str, groups: Groups) -> Identity:
    unit, level, start, major, minor, orbit, tile, made = groups
    return Identity(
        f"S2{unit}_MSIL{level}_{start}_R{orbit}_T{tile}_{made}",
        f"S2{unit}_L{level}_{start}_T{tile}",
        text,
        (made, f"{major}.{minor}"),
    )


def _bare_facts(groups: Groups) -> Facts:
    unit, level, start, _, tile, made = groups
    first, last = window(start, start, BEFORE, AFTER)
    return Facts("S2", unit, level, tile, start, made=made, first=first, last=last)


def _bare(text: str, groups: Groups) -> Identity:
    unit, level, start, _, tile, made = groups
    return Identity(text, f"S2{unit}_L{level}_{start}_T{tile}", None, (made, ""))


def _longer_facts(groups: Groups) -> Facts:
    unit, level, site, made, orbit, start, stop = groups
    first, last = window(start, stop, BEFORE, AFTER)
    return Facts("S2", unit, level, f"R{orbit}", start, stop, f"{site}_{made}", first=first, last=last)


def _longer(text: str, groups: Groups) -> Identity:
    unit, level, _, made, orbit, start, stop = groups
    return Identity(text, f"S2{unit}_L{level}_{start}_{stop}_R{orbit}", text, (made, ""))


def _granule_facts(groups: Groups) -> Facts:
    unit, level, _, _, tile, baseline = groups
    return Facts("S2", unit, level, tile, baseline=baseline or None)


def _granule(text: str, groups: Groups) -> Identity:
    baseline = groups[5]
    text = text.removesuffix(f"_N{baseline}") if baseline else text
    return Identity(f"/{text}", None, None, (groups[2], baseline), _granule_facts(groups))


def _dated_facts(groups: Groups) -> Facts:
    unit, tile, day, _, level = groups
    first = moment(day)
    last = None if first is None else first + DAY - 1
    return Facts("S2", unit, level or None, tile.zfill(5), first=first, last=last)


def _dated(text: str, groups: Groups) -> Identity:
    return Identity(f"/{text}", partial=_dated_facts(groups))


def _timed_facts(groups: Groups) -> Facts:
    unit, tile, stamp, level = groups
    at = moment(stamp)
    return Facts("S2", unit, level, tile.zfill(5), first=at, last=at)


def _timed(text: str, groups: Groups) -> Identity:
    return Identity(f"/{text}", partial=_timed_facts(groups))


FORMS = (
    Form(
        "Sentinel-2, official",
        "S2A_MSIL2A_20230602T100601_N0509_R022_T32TPS_20230602T162001.SAFE",
        Sentinel2Name.pattern,
        _full,
        _full_facts,
        "all of it; the baseline (N0509) orders, and is no part of the keys",
    ),
    Form(
        "Sentinel-2, without baseline",
        "S2A_MSIL2A_20230602T100601_R022_T32TPS_20230602T162001",
        _BARE,
        _bare,
        _bare_facts,
        "all but the baseline, which a property may tell, and with it the official name",
    ),
    Form(
        "Sentinel-2, official until December 2016",
        "S2A_OPER_PRD_MSIL1C_PDMC_20160421T003531_R051_V20150706T104631_20150706T104631",
        Sentinel2Name.longer,
        _longer,
        _longer_facts,
        "all of it; a product of several tiles",
    ),
    Form(
        "Sentinel-2, granule",
        "S2A_OPER_MSI_L2A_TL_2APS_20240109T203651_A044654_T60CWS_N05.10",
        _GRANULE,
        _granule,
        _granule_facts,
        "satellite, level, tile and baseline; its time is when the granule was made, which may be seconds "
        "from the one in the product's name",
    ),
    Form(
        "Sentinel-2, tile and date",
        "S2A_32TPS_20230602_0_L2A",
        _DATED,
        _dated,
        _dated_facts,
        "satellite, tile, day and, where it is there, level",
    ),
    Form(
        "Sentinel-2, tile and time",
        "S2B_T20EPT_20250731T131905_L2A",
        _TIMED,
        _timed,
        _timed_facts,
        "satellite, tile, level, and when its datastrip begins",
    ),
)
OFTEN_FIRST = (FORMS[0], FORMS[4], *FORMS[1:4], *FORMS[5:])
"""The same, the most frequent first; a name is of one form at most."""
