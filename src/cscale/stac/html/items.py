"""The pages of items: what a search found, and one item."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from cscale.stac.html.footprints import drawn
from cscale.stac.html.forms import search_form
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
    size,
    table,
    thumbnail,
)
from cscale.stac.items import STRUCTURAL

Document = Mapping[str, Any]


def results(document: Document, here: Here) -> str:
    """`/search`, and the items of a collection."""
    items = objects(document.get("features"))
    matched = document.get("numberMatched")
    told = f"{len(items)} of {matched} items" if isinstance(matched, int) else f"{len(items)} items"
    body = (
        search_form(here)
        + f"<p>{escape(told)}</p>"
        + drawn(items, linked=True)
        + (_rows(items) if items else "<p>Nothing matches.</p>")
        + _pages(document, here)
        + federation(document)
    )
    return page(here, "Items", [], body)


def _rows(items: list[dict[str, Any]]) -> str:
    parts = []
    for at, item in enumerate(items):
        properties = member(item, "properties")
        cloud = properties.get("eo:cloud_cover")
        about = [cut(properties.get("platform")), f"{cloud:.3g} % cloud" if _is_number(cloud) else ""]
        title = cut(properties.get("title") or item.get("id"))
        parts.append(
            f'<tr id="i{at}"><td>{thumbnail(item)}</td>'
            f"<td>{link(link_to(item, 'self'), title)}<br>{escape(cut(item.get('collection')))}</td>"
            f"<td>{escape(_moment(properties))}</td>"
            f"<td>{escape(', '.join(each for each in about if each))}</td></tr>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("", "Item", "Time", "About"))
    return f'<table class="stack"><thead><tr>{head}</tr></thead><tbody>{"".join(parts)}</tbody></table>'


_FRACTION = re.compile(r"\.\d+(?=Z|[+-]\d\d:\d\d$)")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(properties: Document) -> str:
    start, end = properties.get("start_datetime"), properties.get("end_datetime")
    moment = properties.get("datetime")
    return _second(moment) if moment or not start else f"{_second(start)} to {_second(end)}"


def _second(moment: object) -> str:
    """A time to the second, as a list shows it; the item's own page has it whole."""
    return _FRACTION.sub("", cut(moment)).replace("T", " ")


def _pages(document: Document, here: Here) -> str:
    ways = []
    if any(name == "token" for name, _ in here.asked):
        first = urlencode([each for each in here.asked if each[0] != "token"])
        own = (link_to(document, "self") or "").partition("?")[0]
        ways.append(link(f"{own}?{first}" if first else own, "First page"))
    if following := link_to(document, "next"):
        ways.append(link(following, "Next page"))
    ways.append(f'<a href="{escape(here.json)}">As JSON</a>')
    return f'<nav class="pages" aria-label="Pages">{"".join(ways)}</nav>'


def item(document: Document, here: Here) -> str:
    """`/collections/{id}/items/{id}`."""
    properties = dict(member(document, "properties"))
    name, collection = cut(document.get("id")), cut(document.get("collection"))
    title = cut(properties.pop("title", None) or name)
    description = cut(properties.pop("description", None))
    more = {key: document[key] for key in ("id", "collection", "bbox", "stac_version") if key in document}
    more |= {key: value for key, value in document.items() if key.startswith("federation:")}
    body = (
        f'<p class="lead">{escape(description)}</p>'
        + thumbnail(document)
        + drawn([document])
        + "<h2>Properties</h2>"
        + pairs(properties)
        + _assets(member(document, "assets"))
        + "<h2>About this item</h2>"
        + pairs(more)
        + links(document, STRUCTURAL)
    )
    place = f"{here.root}/collections/{quote(collection, safe='')}"
    return page(here, title, [("Collections", f"{here.root}/collections"), (collection, place)], body)


def _assets(assets: Mapping[str, Any]) -> str:
    rows = []
    for key, asset in assets.items():
        if isinstance(asset, dict):
            rows.append([link(asset.get("href"), key), escape(cut(asset.get("title"))), _form(asset)])
    return f"<h2>Assets</h2>{table(('Asset', 'Title', 'Form'), rows)}" if rows else ""


def _form(asset: Document) -> str:
    """Media type, roles and size; also where other copies lie."""
    roles = asset.get("roles")
    about = [cut(asset.get("type")), shown(roles) if isinstance(roles, list) and roles else ""]
    about = [escape(about[0]), about[1], escape(size(asset.get("file:size")))]
    copies = [
        link(copy.get("href"), f"at {key}")
        for key, copy in member(asset, "alternate").items()
        if isinstance(copy, dict)
    ]
    return "<br>".join(each for each in [*about, *copies] if each)
