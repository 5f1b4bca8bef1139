"""The search over all archives, held against what the source says; and one product out of it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cscale.client import Download, Federation, Found
from cscale.client.download import file_name
from cscale.demo.archives import Truth
from cscale.errors import BadInput, CscaleError
from cscale.stac.items import item_times

_SUMMER = (6, 7, 8)
_SHOWN = 5


@dataclass(frozen=True)
class Walk:
    """A search walked to its end.

    Attributes:
        found: What it found.
        pages: In how many pages.
        seconds: In what time.
        wrong: What is not as the source says; empty if all is.
    """

    found: Found
    pages: int
    seconds: float
    wrong: Sequence[str]

    @property
    def collections(self) -> Mapping[str, int]:
        """How many products each collection has."""
        return Counter(str(item.get("collection")) for item in self.found.items)

    @property
    def held_twice(self) -> int:
        """How many products more than one archive holds."""
        return sum(len(_holders(item)) > 1 for item in self.found.items)


def search_all(hub: Federation, truth: Truth) -> Walk:
    """Search all archives for everything, page by page to the end, and check the answer.

    Raises:
        CscaleError: If the hub does not answer.
    """
    pages: list[int] = []
    started = time.perf_counter()
    found = hub.search({}, limit=len(truth) + 1, progress=pages.append)
    return Walk(found, len(pages), time.perf_counter() - started, check(found, truth))


def check(found: Found, truth: Truth) -> list[str]:
    """What is wrong with an answer that should be everything, newest first, each product once."""
    wrong = [f"{site} is missing from the answer" for site in found.missing]
    keys = [(str(item.get("collection")), str(item.get("id"))) for item in found.items]
    wrong += [f"{_name(key)} comes {count} times" for key, count in Counter(keys).items() if count > 1]
    wrong += [f"{_name(key)} is missing" for key in truth if key not in set(keys)]
    wrong += [f"{_name(key)} is not in the source" for key in dict.fromkeys(keys) if key not in truth]
    moments = [item_times(item)[0] or 0 for item in found.items]
    wrong += [
        f"{_name(keys[place])} comes after the older {_name(keys[place - 1])}"
        for place in range(1, len(keys))
        if moments[place - 1] < moments[place]
    ]
    for key, moment, item in zip(keys, moments, found.items, strict=True):
        expected = truth.get(key)
        if expected and moment != expected.moment:
            wrong.append(f"{_name(key)} stands at another time than in the source")
        if expected and _holders(item) != expected.sites:
            held = ", ".join(_holders(item)) or "nobody"
            wrong.append(f"{_name(key)} is said to be held by {held}, not {', '.join(expected.sites)}")
    return wrong


def said(wrong: Sequence[str]) -> str:
    """What is wrong, in a few lines."""
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return "; ".join(wrong[:_SHOWN]) + more


def _name(key: tuple[str, str]) -> str:
    return f"{key[1]} of {key[0]}"


def _holders(item: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(place.get("site")) for place in item.get("federation:sites", []))


@dataclass(frozen=True)
class Choice:
    """A product to show.

    Attributes:
        item: Its item, as the hub gives it.
        colours: The assets of red, green, blue and, where there is one, near infrared; else a single one.
    """

    item: Mapping[str, Any]
    colours: Sequence[str]

    @property
    def held_by(self) -> Sequence[str]:
        """The archives that hold it."""
        return _holders(self.item)

    @property
    def cloud_cover(self) -> float | None:
        """Percent of it in cloud, if it says so."""
        cloud = self.item["properties"].get("eo:cloud_cover")
        return float(cloud) if isinstance(cloud, int | float) else None

    def href(self, key: str) -> str:
        """The address of one of its assets."""
        return str(self.item["assets"][key]["href"])


def choose(items: Sequence[Mapping[str, Any]], addresses: Sequence[str]) -> Choice:
    """The product that shows best: colours before grey, clear, in summer, held by most; then the newest.

    Args:
        items: To choose from.
        addresses: Only what lies beneath one of these is looked at.

    Raises:
        BadInput: If none has a raster file there.
    """
    choices = [Choice(item, colours) for item in items if (colours := _colours(item, addresses))]
    if not choices:
        raise BadInput("no item has a raster file that lies here, so there is nothing to download and show")
    return max(choices, key=_showiness)


def _showiness(choice: Choice) -> tuple[int, float, bool, int, int]:
    moment = item_times(choice.item)[0] or 0
    cloud = 50.0 if choice.cloud_cover is None else choice.cloud_cover
    summer = time.gmtime(moment / 1e6).tm_mon in _SUMMER
    return len(choice.colours), -round(cloud), summer, len(choice.held_by), moment


def _colours(item: Mapping[str, Any], addresses: Sequence[str]) -> list[str]:
    """The assets that make a picture."""
    near = {
        key: asset
        for key, asset in item.get("assets", {}).items()
        if str(asset.get("href", "")).startswith(tuple(addresses)) and _is_raster(asset)
    }
    by_colour = {colour: key for key in sorted(near, reverse=True) for colour in _common_names(near[key])}
    if {"red", "green", "blue"} <= by_colour.keys():
        return [by_colour[name] for name in ("red", "green", "blue", "nir") if name in by_colour]
    return [key for key in ("visual", *sorted(near)) if key in near][:1]


def _is_raster(asset: Mapping[str, Any]) -> bool:
    kind = str(asset.get("type") or asset["href"].rpartition(".")[2]).lower()
    return any(name in kind for name in ("tif", "jp2"))


def _common_names(asset: Mapping[str, Any]) -> list[str]:
    """The colour of an asset of one band."""
    bands = asset.get("bands") or asset.get("eo:bands") or []
    names = [
        band.get("eo:common_name") or band.get("common_name") for band in bands if isinstance(band, dict)
    ]
    return [str(name) for name in names if name] if len(bands) == 1 else []


def download(
    hub: Federation, choice: Choice, folder: Path, progress: Callable[[int, int | None], None]
) -> Download:
    """Download the first of a product's colours and verify it.

    Raises:
        CscaleError: If it does not arrive whole and right, or its item promises no checksum.
    """
    key = choice.colours[0]
    target = folder / file_name(str(choice.item["id"]), "item") / file_name(choice.href(key), key)
    done = hub.download(choice.item["assets"][key], target, progress)
    if done.verified is None:
        raise CscaleError(f"{choice.item['id']}: its asset {key} has no checksum to verify it by")
    return done
