"""The collections of a site, however it lists them, made proper STAC 1.x."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cscale.discovery.stac_api.asking import Asker
from cscale.discovery.stac_api.claims import Claims
from cscale.discovery.stac_api.mending import absolute_links, current_extensions
from cscale.discovery.stac_api.paging import line, link, same_origin
from cscale.errors import SiteError
from cscale.identity import Caller
from cscale.net.http import Answer

Listed = tuple[Sequence[Mapping[str, Any]], Sequence[str]]
"""Collections, and the members missing from them where the site is a hub."""

_MAX_PAGES = 100
_MAX_CHILDREN = 200
_WORLD = [[-180, -90, 180, 90]]
_ALWAYS = [[None, None]]


class _Page(msgspec.Struct):
    collections: list[Any]
    links: Any = None
    missing: Any = msgspec.field(name="federation:missing", default=None)


_PAGE = msgspec.json.Decoder(_Page | list[Any])


async def listed(asker: Asker, caller: Caller, root: str) -> Listed:
    """What `/collections` lists, over all its pages.

    Raises:
        SiteError: If it does not list them properly.
    """
    found: list[Mapping[str, Any]] = []
    missing: Sequence[str] = ()
    url = f"{root}/collections"
    asked = set()
    for _ in range(_MAX_PAGES):
        asked.add(url)
        page = _decoded(await asker.request("GET", url, None, caller))
        if isinstance(page, list):
            page = _Page(page)
        found += _proper(page.collections, url)
        missing = names(page.missing) or missing
        told = link(page.links, "next")
        if told is None or not page.collections:
            return _once(found), missing
        url = asker.at_site(same_origin(root, told.get("href")))
        if url in asked:
            raise SiteError("the next page of its list of collections is one before it")
    raise SiteError(f"its list of collections has more than {_MAX_PAGES} pages")


def _decoded(answer: Answer) -> Any:
    shown = line(answer.body[:300].decode(errors="replace"))[:160]
    if answer.status != 200:
        raise SiteError(f"it answered {answer.status}: {shown}")
    try:
        return _PAGE.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SiteError(f"its answer is not what STAC API says ({error}): {shown}") from error


async def children(asker: Asker, caller: Caller, root: str, claims: Claims) -> Listed:
    """The collections that the landing page links to; those that cannot be read are left out.

    Raises:
        SiteError: If it links to none that can be read.
    """
    found: list[Mapping[str, Any]] = []
    for href in claims.children[:_MAX_CHILDREN]:
        try:
            url = asker.at_site(same_origin(f"{root}/x", f"../{href}" if _is_bare(href) else href))
            answer = await asker.request("GET", url, None, caller)
            told = msgspec.json.decode(answer.body) if answer.status == 200 else None
        except (SiteError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        found += _proper([told], url)
    if not found:
        raise SiteError("it lists no collections, and its landing page links to none that can be read")
    return _once(found), ()


def _is_bare(href: str) -> bool:
    """Whether an address is relative to the landing page itself."""
    return not href.startswith("/") and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", href) is None


def _once(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first of each id."""
    return list({each["id"]: each for each in reversed(found)}.values())[::-1]


def names(value: Any) -> Sequence[str]:
    """The texts of a list."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _proper(told: Sequence[Any], url: str) -> list[dict[str, Any]]:
    """The collections among what came, each with what a collection must have."""
    return [
        _mended(each, url)
        for each in told
        if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]
    ]


def _mended(told: dict[str, Any], url: str) -> dict[str, Any]:
    links = told.get("links")
    links = [each for each in links if isinstance(each, dict)] if isinstance(links, list) else []
    version = told.get("stac_version")
    if not isinstance(version, str) or re.match(r"0\.|1\.0\.0-", version):
        told |= {"stac_version": "1.0.0", "stac_extensions": current_extensions(told.get("stac_extensions"))}
    if not isinstance(told.get("description"), str):
        told["description"] = str(told.get("title") or told["id"])
    return told | {
        "type": "Collection",
        "extent": _extent(told.get("extent")),
        "links": absolute_links(links, url),
    }


def _extent(told: Any) -> dict[str, Any]:
    """An extent, also from the form of STAC 0.8; all the world and all time where it tells none."""
    told = told if isinstance(told, dict) else {}
    spatial, temporal = told.get("spatial"), told.get("temporal")
    boxes = _lists(spatial.get("bbox") if isinstance(spatial, dict) else spatial)
    spans = _lists(temporal.get("interval") if isinstance(temporal, dict) else temporal)
    good_boxes = [each for each in boxes if _is_box(each)]
    good_spans = [each for each in spans if _is_span(each)]
    rest = {name: value for name, value in told.items() if name not in ("spatial", "temporal")}
    spatial = spatial if isinstance(spatial, dict) else {}
    temporal = temporal if isinstance(temporal, dict) else {}
    return rest | {
        "spatial": spatial | {"bbox": good_boxes or _WORLD},
        "temporal": temporal | {"interval": good_spans or _ALWAYS},
    }


def _lists(value: Any) -> list[Any]:
    """A list of lists, of which one may stand alone."""
    return value if isinstance(value, list) and all(isinstance(each, list) for each in value) else [value]


def _is_box(value: Any) -> bool:
    numbers = isinstance(value, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in value
    )
    return numbers and len(value) in (4, 6)


def _is_span(value: Any) -> bool:
    ends = isinstance(value, list) and all(each is None or isinstance(each, str) for each in value)
    return ends and len(value) == 2
