"""The pages of collections."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cscale.stac.html.footprints import drawn
from cscale.stac.html.forms import collections_form, search_form
from cscale.stac.html.frame import Here, page
from cscale.stac.html.values import (
    cut,
    federation,
    link,
    link_to,
    links,
    member,
    objects,
    pairs,
    shown,
    table,
)
from cscale.stac.items import STRUCTURAL

Document = Mapping[str, Any]
_HIDDEN = STRUCTURAL | {"http://www.opengis.net/def/rel/ogc/1.0/queryables", "aggregate", "aggregations"}
_TOLD = frozenset(
    {
        "type",
        "id",
        "title",
        "description",
        "extent",
        "links",
        "providers",
        "assets",
        "summaries",
        "item_assets",
    }
)


def collections(document: Document, here: Here) -> str:
    """`/collections`."""
    rows = [
        [
            link(link_to(each, "self"), cut(each.get("title") or each.get("id"))),
            f"<code>{escape(cut(each.get('id')))}</code>",
            escape(period(each)),
        ]
        for each in objects(document.get("collections"))
    ]
    matched = document.get("numberMatched")
    told = f"<p>{shown(matched)} collections</p>" if isinstance(matched, int) else ""
    following = link_to(document, "next")
    further = f'<nav class="pages">{link(following, "Next page")}</nav>' if following else ""
    listed = table(("Collection", "Id", "Period"), rows) if rows else "<p>None.</p>"
    body = collections_form(here) + told + listed + further + federation(document)
    return page(here, "Collections", [], body)


def collection(document: Document, here: Here) -> str:
    """`/collections/{id}`."""
    name = cut(document.get("id"))
    more = {key: value for key, value in document.items() if key not in _TOLD}
    ways = [
        ("items", "Items, newest first"),
        ("http://www.opengis.net/def/rel/ogc/1.0/queryables", "What filters may speak of"),
        ("aggregations", "What can be counted"),
    ]
    led = [f"<li>{link(to, text)}</li>" for relation, text in ways if (to := link_to(document, relation))]
    asked = Here(here.service, here.root, here.json, [("collections", name)])
    body = (
        f'<p class="lead">{escape(cut(document.get("description")))}</p>'
        f"<ul>{''.join(led)}</ul>"
        f"{drawn([_place(box) for box in _boxes(document)])}"
        f"{pairs({'id': name, 'period': period(document), **more})}"
        f"{_titled('Providers', _providers(document))}"
        f"{_titled('Summaries', pairs(member(document, 'summaries')))}"
        f"<h2>Search in it</h2>{search_form(asked)}"
        f"{links(document, _HIDDEN)}"
    )
    way = [("Collections", f"{here.root}/collections")]
    return page(here, cut(document.get("title") or name), way, body)


def period(document: Document) -> str:
    """The first and the last day of a collection."""
    intervals = member(member(document, "extent"), "temporal").get("interval")
    first = intervals[0] if isinstance(intervals, list) and intervals else None
    start, end = first if isinstance(first, list) and len(first) == 2 else (None, None)
    return f"{str(start or '…')[:10]} to {str(end or 'now')[:10]}"


def _providers(document: Document) -> str:
    rows = [
        [link(each.get("url") or "", cut(each.get("name"))), shown(each.get("roles") or "")]
        for each in objects(document.get("providers"))
    ]
    return table(("Name", "Roles"), rows) if rows else ""


def _titled(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}" if body else ""


def _boxes(document: Document) -> Sequence[Any]:
    boxes = member(member(document, "extent"), "spatial").get("bbox")
    return boxes[:100] if isinstance(boxes, list) else []


def _place(box: Any) -> dict[str, Any]:
    """A box as something with a geometry; without one where it is no box."""
    if not isinstance(box, list) or len(box) not in (4, 6):
        return {}
    half = len(box) // 2
    west, south, east, north = box[0], box[1], box[half], box[half + 1]
    try:
        east = east + 360 if west > east else east
    except TypeError:
        return {}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"geometry": {"type": "Polygon", "coordinates": [ring]}}
