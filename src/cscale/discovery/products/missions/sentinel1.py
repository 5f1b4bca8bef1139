"""Sentinel-1: which product a name is of."""

import re

from cscale.catalogue.products.names import Sentinel1Name
from cscale.discovery.products.identity import MINUTE, Facts, Identity, window
from cscale.discovery.products.missions.forms import Form, Groups

_SHORT = re.compile(
    r"S1([A-Z])_([A-Z0-9]{2})_([A-Z0-9_]{3})([FHM_])_(\d)([A-Z_])([A-Z]{2})"
    r"_(\d{8}T\d{6})_(\d{8}T\d{6})_(\d{6})_([0-9A-F]{6})",
    re.ASCII,
)
_COG = "_COG"


def _kind(groups: Groups) -> str:
    _, mode, kind, resolution, level, grade, polarisation, *_ = groups
    return f"{mode}_{kind}{resolution}_{level}{grade}{polarisation}"


def _acquisition(groups: Groups) -> str:
    # without the stop: a processing may end a slice a second earlier than another
    return f"S1{groups[0]}_{_kind(groups)}_{groups[7]}_{groups[9]}_{groups[10]}"


def _facts(groups: Groups) -> Facts:
    first, last = window(groups[7], groups[8], MINUTE, MINUTE)
    made = groups[11].removesuffix(_COG) if len(groups) > 11 else None
    return Facts(
        "S1", groups[0], _kind(groups), f"{groups[9]}_{groups[10]}", groups[7], groups[8], made,
        first=first, last=last,
    )  # fmt: skip


def _full(text: str, groups: Groups) -> Identity:
    name = text.removesuffix(_COG)
    return Identity(name, _acquisition(groups), name)


def _short(text: str, groups: Groups) -> Identity:
    return Identity(f"/{text}", _acquisition(groups), None, ("", ""), _facts(groups))


FORMS = (
    Form(
        "Sentinel-1, official",
        "S1A_IW_GRDH_1SDV_20230110T052010_20230110T052035_046718_0599A8_DB57_COG",
        Sentinel1Name.pattern,
        _full,
        _facts,
        "all of it; `_COG` is how it is stored, not what it is; when it was made is not in it",
    ),
    Form(
        "Sentinel-1, without its last part",
        "S1A_IW_GRDH_1SDV_20240309T125931_20240309T125956_052905_06674B",
        _SHORT,
        _short,
        _facts,
        "the acquisition; several processings bear the same",
    ),
)
