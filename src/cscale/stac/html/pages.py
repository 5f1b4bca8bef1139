"""The pages of the API itself: landing page, conformance, queryables, aggregations, errors."""

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import unquote

from cscale.stac.html.forms import search_form
from cscale.stac.html.frame import Here, page
from cscale.stac.html.values import cut, federation, link, member, objects, shown, table, web_address

Document = Mapping[str, Any]


def landing(document: Document, here: Here) -> str:
    """`/`."""
    children = [each for each in objects(document.get("links")) if each.get("rel") == "child"]
    rows = [
        [
            link(each.get("href"), cut(each.get("title"))),
            f"<code>{escape(unquote(cut(each.get('href')).rpartition('/')[2]))}</code>",
        ]
        for each in children
    ]
    others = [
        f"<li>{link(each.get('href'), _NAMES[str(each.get('rel'))])}</li>"
        for each in objects(document.get("links"))
        if each.get("rel") in _NAMES and each.get("method", "GET") == "GET"
    ]
    body = (
        f"{_lead(document)}<h2>Search</h2>{search_form(here)}"
        f"<h2>Collections</h2>{table(('Collection', 'Id'), rows) if rows else '<p>Nothing yet.</p>'}"
        f"<h2>More</h2><ul>{''.join(others)}</ul>"
    )
    return page(here, cut(document.get("title")), [], body)


def _lead(document: Document) -> str:
    """What a service says of itself beyond its name."""
    said = cut(document.get("description"))
    return "" if said == cut(document.get("title")) else f'<p class="lead">{escape(said)}</p>'


_NAMES = {
    "data": "All collections",
    "http://www.opengis.net/def/rel/ogc/1.0/queryables": "What filters may speak of",
    "aggregations": "What can be counted",
    "conformance": "Which standards are met",
    "service-doc": "The interface for programs",
}


def conformance(document: Document, here: Here) -> str:
    """`/conformance`."""
    claims = document.get("conformsTo")
    listed = "".join(f"<li>{link(each)}</li>" for each in claims) if isinstance(claims, list) else ""
    return page(here, "Which standards are met", [], f"<ul>{listed}</ul>")


def queryables(document: Document, here: Here) -> str:
    """`/queryables`, of all collections or of one."""
    rows = [
        [f"<code>{escape(cut(name))}</code>", escape(_kind(schema)), escape(_title(name, schema))]
        for name, schema in member(document, "properties").items()
    ]
    lead = '<p class="lead">Names that a filter (CQL2), a query or an order may use.</p>'
    return page(here, cut(document.get("title")), [], lead + table(("Name", "Type", "Meaning"), rows))


def _kind(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return ""
    kind = schema.get("type") or schema.get("format") or ("geometry" if "$ref" in schema else "")
    return ", ".join(map(str, kind)) if isinstance(kind, list) else cut(kind)


def _title(name: str, schema: Any) -> str:
    title = schema.get("title") if isinstance(schema, Mapping) else None
    return cut(title) if title != name else ""


def aggregations(document: Document, here: Here) -> str:
    """`/aggregations`: each name leads to its counts."""
    counts = next(
        (
            web_address(each.get("href"))
            for each in objects(document.get("links"))
            if each.get("rel") == "aggregate"
        ),
        None,
    )
    rows = [
        [
            link(f"{counts}?aggregations={each.get('name')}", cut(each.get("name"))),
            escape(cut(each.get("frequency_distribution_data_type") or each.get("data_type"))),
        ]
        for each in objects(document.get("aggregations"))
    ]
    return page(here, cut(document.get("title")), [], table(("Name", "Of"), rows))


def aggregate(document: Document, here: Here) -> str:
    """`/aggregate`: the counts, with bars."""
    parts = []
    for each in objects(document.get("aggregations")):
        parts.append(f"<h2>{escape(cut(each.get('name')))}</h2>")
        parts.append(_buckets(each) if "buckets" in each else f"<p>{shown(each.get('value'))}</p>")
    return page(here, "Counts", [], "".join(parts) + federation(document))


def _buckets(aggregation: Document) -> str:
    buckets = objects(aggregation.get("buckets"))
    numbers = [each.get("frequency") for each in buckets]
    most = max((number for number in numbers if isinstance(number, int)), default=0) or 1
    rows = [
        [
            escape(cut(each.get("key"))),
            shown(number),
            f'<meter min="0" max="{most}" value="{number}"></meter>',
        ]
        for each, number in zip(buckets, numbers, strict=True)
        if isinstance(number, int)
    ]
    rest = aggregation.get("overflow")
    more = f"<p>{shown(rest)} in none of these.</p>" if rest else ""
    return (table(("Key", "Items", ""), rows) if rows else "") + more


def error(document: Document, here: Here) -> str:
    """What could not be answered, and why."""
    body = f'<p class="bad">{escape(cut(document.get("description")))}</p>'
    return page(here, "This cannot be shown", [], body + federation(document) + search_form(here))
