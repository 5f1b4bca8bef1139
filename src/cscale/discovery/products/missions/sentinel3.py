"""Sentinel-3 and Sentinel-5P: which product a name is of."""

import re

from cscale.catalogue.products.names import Sentinel3Name, Sentinel5PName
from cscale.discovery.products.identity import MINUTE, Facts, Identity, window
from cscale.discovery.products.missions.forms import Form, Groups

_TIME = r"\d{8}T\d{6}"
_SHORT = re.compile(
    rf"S3([A-Z_])_([A-Z]{{2}})_([012_])_([A-Z0-9_]{{1,6}}?)_+({_TIME})_({_TIME})"
    r"_(?:(\d{4})_(\d{3})_(\d{3})(?:_(\d{4}))?|([A-Z][A-Z0-9_]{0,16}))",
    re.ASCII,
)
_UNVERSIONED3 = re.compile(Sentinel3Name.pattern.pattern.removesuffix("_([A-Z0-9_]{3})"), re.ASCII)
_UNVERSIONED5 = re.compile(
    rf"S5P_([A-Z0-9_]{{4}})_([A-Z0-9_]{{10}})_({_TIME})_({_TIME})_(\d{{5}})_({_TIME})", re.ASCII
)
_SLACK = 30 * MINUTE
"""Reprocessed products of Sentinel-3 of no duration (as S3A_OL_2_LFR____20160922T014239_20160922T014239_...)
have times up to 16 minutes from those in their names."""


def _kind(groups: Groups) -> str:
    return f"{groups[1]}_{groups[2]}_{groups[3].strip('_')}"


def _place(cycle: str, orbit: str, frame: str, area: str) -> str:
    return area.rstrip("_") or "_".join((cycle, orbit, frame)).rstrip("_")


def _facts3(groups: Groups) -> Facts:
    unit, _, _, _, start, stop, made, _, cycle, orbit, frame, area, centre, platform, timeliness, *last = (
        groups
    )
    return Facts(
        "S3", unit, _kind(groups), _place(cycle, orbit, frame, area), start, stop,
        f"{made}_{centre}_{platform}", timeliness, last[0] if last else None,
        *window(start, stop, *_margins(start, stop)),
    )  # fmt: skip


def _margins(start: str, stop: str) -> tuple[int, int]:
    return (MINUTE, MINUTE) if start < stop else (_SLACK, _SLACK)


def _acquisition3(unit: str, kind: str, start: str, stop: str, place: tuple[str, str, str, str]) -> str:
    """A frame of an orbit is one acquisition, however a processing cuts its ends; else times tell."""
    cycle, orbit, frame, area = place
    if area:
        return f"S3{unit}_{kind}_{start}_{stop}_{area.rstrip('_')}"
    if frame.strip("_"):
        return f"S3{unit}_{kind}_{cycle}_{orbit}_{frame}"
    return f"S3{unit}_{kind}_{start}_{cycle}_{orbit}"


def _full3(text: str, groups: Groups) -> Identity:
    unit, _, _, _, start, stop, made, _, cycle, orbit, frame, area = groups[:12]
    named = len(groups) > 15
    return Identity(
        text[:-4] if named else text,
        _acquisition3(unit, _kind(groups), start, stop, (cycle, orbit, frame, area)),
        text if named else None,
        (made, groups[15] if named else ""),
    )


def _short_facts(groups: Groups) -> Facts:
    unit, _, _, _, start, stop, _, cycle, orbit, frame, area = groups
    first, last = window(start, stop, *_margins(start, stop))
    place = _place(cycle, orbit, frame, area)
    return Facts("S3", unit, _kind(groups), place, start, stop, first=first, last=last)


def _short(text: str, groups: Groups) -> Identity:
    unit, _, _, _, start, stop, _, *place = groups
    cycle, orbit, frame, area = place
    key = _acquisition3(unit, _kind(groups), start, stop, (cycle, orbit, frame, area))
    return Identity(f"/{text}", key, None, ("", ""), _short_facts(groups))


def _identity5(name: str | None, parts: Groups, baseline: str) -> Identity:
    stream, kind, start, stop, orbit, made = parts
    # processings of a whole orbit may begin at another second; granules of near real time go by their start
    place = f"{orbit}_{start}" if stream == "NRTI" else orbit
    return Identity(
        f"S5P_{stream}_{kind}_{start}_{stop}_{orbit}_{made}",
        f"S5P_{kind}_{place}",
        name,
        (made, baseline),
    )


def _full5(text: str, groups: Groups) -> Identity:
    stream, kind, start, stop, orbit, collection, processor, made = groups
    return _identity5(text, (stream, kind, start, stop, orbit, made), f"{collection}_{processor}")


def _facts5(groups: Groups) -> Facts:
    stream, kind, start, stop, orbit, *middle, made = groups
    first, last = window(start, stop, MINUTE, MINUTE)
    return Facts("S5P", "", kind, orbit, start, stop, made, stream, "_".join(middle) or None, first, last)


def _bare5(text: str, groups: Groups) -> Identity:  # noqa: ARG001 - as all forms are read
    return _identity5(None, groups, "")


FORMS = (
    Form(
        "Sentinel-3, official",
        "S3A_OL_2_WFR____20210604T001016_20210604T001316_20210604T021918_0179_072_273_1440_MAR_O_NR_003.SEN3",
        Sentinel3Name.pattern,
        _full3,
        _facts3,
        "all of it; the collection (003) orders, and is no part of the keys",
    ),
    Form(
        "Sentinel-3, without when, where and how it was made",
        "S3A_SL_2_LST_20210510T002955_20210510T003255_0179_071_301_5760",
        _SHORT,
        _short,
        _short_facts,
        "the acquisition; several processings bear the same",
    ),
    Form(
        "Sentinel-3, without its collection",
        "S3A_OL_2_WFR____20210604T001016_20210604T001316_20210604T021918_0179_072_273_1440_MAR_O_NR",
        _UNVERSIONED3,
        _full3,
        _facts3,
        "all but the collection",
    ),
)
FORMS5 = (
    Form(
        "Sentinel-5P, official",
        "S5P_OFFL_L2__CH4____20210915T130938_20210915T145107_20333_02_020200_20210917T070031.nc",
        Sentinel5PName.pattern,
        _full5,
        _facts5,
        "all of it; collection and processor (02_020200) order, and are no part of the keys",
    ),
    Form(
        "Sentinel-5P, without collection and processor",
        "S5P_OFFL_L2__CH4____20210915T130938_20210915T145107_20333_20210917T070031",
        _UNVERSIONED5,
        _bare5,
        _facts5,
        "all but collection and processor",
    ),
)
