"""The OpenAPI 3.0 description of the STAC API, and the same as a page for people."""

from collections.abc import Iterable
from html import escape
from typing import Any

from cscale.stac.aggregation.parameters import INTERVAL, WITHOUT_MEANING
from cscale.stac.aggregation.words import GEOHASH, KINDS, PRECISIONS, STEPS
from cscale.stac.answers import collections as collection_search
from cscale.stac.search import DEFAULT_LIMIT, MAX_LIMIT

_TEXT = {"type": "string"}
_NAMES = {"type": "array", "items": _TEXT}

PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "collections": (_NAMES, "Ids of collections, with commas between; an unknown one matches nothing."),
    "ids": (_NAMES, "Ids of items, with commas between."),
    "bbox": (
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "West, south, east, north in degrees (or with heights: six numbers); west > east crosses 180.",
    ),
    "intersects": ({"type": "object"}, "A GeoJSON geometry that the item's must meet."),
    "datetime": (_TEXT, "An RFC 3339 time, or two with / between; .. or nothing for an open end."),
    "filter": (_TEXT, "CQL2; as text in a URL, as JSON in a body."),
    "filter-lang": ({"type": "string", "enum": ["cql2-text", "cql2-json"]}, "How the filter is written."),
    "filter-crs": (_TEXT, "Only http://www.opengis.net/def/crs/OGC/1.3/CRS84."),
    "query": ({"type": "object"}, "STACQL: properties, operators and values; JSON in a URL, too."),
    "q": (_NAMES, "Free text with commas between; any of it in title, description or keywords."),
    "sortby": (_TEXT, "Fields with commas between; - before one for descending. Default: -datetime."),
    "limit": (
        {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
        f"The length of a page; more than {MAX_LIMIT} gets {MAX_LIMIT}.",
    ),
    "token": (_TEXT, "The cursor from the link to the next page."),
    "fields": (_TEXT, "Members to show, with commas between; - before one to leave it out."),
    "duplicates": (
        {"type": "string", "enum": ["join", "keep"], "default": "join"},
        "Whether copies of one product are one item.",
    ),
    "strict": ({"type": "boolean", "default": False}, "Whether an answer that misses a site is an error."),
    "f": (
        {"type": "string", "enum": ["json", "html"]},
        "The form of the answer; without it the Accept header decides, and without that it is JSON.",
    ),
}
"""The search parameters: schema and meaning."""

COUNTING: dict[str, tuple[dict[str, Any], str]] = {
    "aggregations": (
        {"type": "array", "items": {"type": "string", "enum": list(KINDS)}},
        "What to count, with commas between; without it, how many match.",
    ),
    INTERVAL: (
        {"type": "string", "enum": list(STEPS)},
        "The length of buckets of time; without it, by the time that the matches span.",
    ),
    **{
        f"{name}_precision": (
            {"type": "integer", "minimum": least, "maximum": greatest, "default": usual},
            "The length of a geohash." if name == GEOHASH else "The zoom of a web map tile.",
        )
        for name, (least, greatest, usual) in PRECISIONS.items()
    },
}
"""The parameters that only counts have: schema and meaning."""

_ALL = PARAMETERS | COUNTING
_IN_A_COLLECTION = [name for name in PARAMETERS if name != "collections"]
_OF_COLLECTIONS = sorted(collection_search.PARAMETERS | {"f"})
_OF_COUNTS = [*COUNTING, *(name for name in PARAMETERS if name not in WITHOUT_MEANING)]

_OPERATIONS: list[tuple[str, str, str, list[str]]] = [
    ("/", "landingPage", "What this is, and where everything is", []),
    ("/conformance", "conformance", "Which standards are met", []),
    ("/api", "openapi", "This description", []),
    ("/api.html", "documentation", "The same for people", []),
    ("/queryables", "queryables", "What filters may speak of", []),
    ("/search", "search", "Items that match", list(PARAMETERS)),
    ("/collections", "collections", "Collections that match", _OF_COLLECTIONS),
    ("/collections/{collectionId}", "collection", "One collection", []),
    ("/collections/{collectionId}/queryables", "collectionQueryables", "What filters may speak of in it", []),
    ("/collections/{collectionId}/items", "items", "Items of a collection that match", _IN_A_COLLECTION),
    ("/collections/{collectionId}/items/{itemId}", "item", "One item", []),
]
_COUNTS: list[tuple[str, str, str, list[str]]] = [
    ("/aggregations", "aggregations", "What can be counted", []),
    ("/aggregate", "aggregate", "Counts of the items that match", _OF_COUNTS),
    ("/collections/{collectionId}/aggregations", "collectionAggregations", "What can be counted in it", []),
    (
        "/collections/{collectionId}/aggregate",
        "collectionAggregate",
        "Counts of the items of a collection that match",
        [name for name in _OF_COUNTS if name != "collections"],
    ),
]

_CHANGES: list[tuple[str, str, str, str, str]] = [
    ("/collections", "post", "createCollection", "Make a collection", "201"),
    (
        "/collections/{collectionId}",
        "put",
        "replaceCollection",
        "Replace a collection; its items stay",
        "200",
    ),
    ("/collections/{collectionId}", "patch", "patchCollection", "Change members of a collection", "200"),
    (
        "/collections/{collectionId}",
        "delete",
        "removeCollection",
        "Remove a collection with its items",
        "204",
    ),
    ("/collections/{collectionId}/items", "post", "createItems", "Make an item, or many", "201"),
    ("/collections/{collectionId}/items/{itemId}", "put", "replaceItem", "Replace an item", "200"),
    ("/collections/{collectionId}/items/{itemId}", "patch", "patchItem", "Change members of an item", "200"),
    ("/collections/{collectionId}/items/{itemId}", "delete", "removeItem", "Remove an item", "204"),
]


def document(
    title: str, description: str, url: str, *, aggregates: bool = False, transactions: bool = False
) -> dict[str, Any]:
    """The OpenAPI document of the STAC API at `url`.

    Args:
        title: The service's name.
        description: What it holds.
        url: Its address.
        aggregates: Whether it counts.
        transactions: Whether it can be changed.
    """
    operations = _OPERATIONS + _COUNTS * aggregates
    paths = {path: {"get": _operation(name, text, path, asked)} for path, name, text, asked in operations}
    paths["/search"]["post"] = _by_body("searchByBody", "Items that match", "/search", PARAMETERS)
    for path, name, text, asked in _COUNTS * aggregates:
        if asked:
            paths[path]["post"] = _by_body(f"{name}ByBody", text, path, asked)
    for path, method, name, text, status in _CHANGES * transactions:
        paths[path][method] = _change(name, text, path, status)
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "description": description, "version": "1.0.0"},
        "servers": [{"url": url}],
        "paths": paths,
    }


def _by_body(name: str, text: str, path: str, asked: Iterable[str]) -> dict[str, Any]:
    """An operation whose parameters are members of a JSON object."""
    properties = {each: _ALL[each][0] | {"description": _ALL[each][1]} for each in asked if each != "f"}
    for each, schema in _IN_A_BODY.items():
        if each in properties:
            properties[each] = schema | {"description": _ALL[each][1]}
    content = {"application/json": {"schema": {"type": "object", "properties": properties}}}
    return {**_operation(name, text, path, []), "requestBody": {"content": content}}


_IN_A_BODY: dict[str, dict[str, Any]] = {
    "filter": {"type": "object"},
    "sortby": {"type": "array", "items": {"type": "object"}},
    "fields": {"type": "object"},
}


def _change(name: str, text: str, path: str, status: str) -> dict[str, Any]:
    """An operation that changes what is at its address."""
    operation = _operation(name, text, path, [])
    operation["responses"] = {
        status: {"description": text},
        "400": {"description": "What was sent cannot be taken; the description says why."},
        **({"404": {"description": "There is no such thing here."}} if "{" in path else {}),
    }
    if status == "201":
        operation["responses"]["409"] = {"description": "It is here already."}
    else:
        condition = {"name": "If-Match", "in": "header", "schema": _TEXT}
        operation["parameters"].append(condition | {"description": "Only if it still has this entity tag."})
        operation["responses"]["412"] = {"description": "It has changed since it was read."}
    if status != "204":
        operation["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return operation


def _operation(name: str, text: str, path: str, asked: list[str]) -> dict[str, Any]:
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": each, "in": "path", "required": True, "schema": _TEXT} for each in in_path]
    for each in asked:
        schema, meaning = _ALL[each]
        shown: dict[str, Any] = {"name": each, "in": "query", "description": meaning, "schema": schema}
        if schema.get("type") == "array":
            shown |= {"style": "form", "explode": False}
        parameters.append(shown)
    answers = {"200": {"description": text}}
    if asked:
        answers["400"] = {"description": "A parameter is wrong; the description says which and how."}
    if in_path:
        answers["404"] = {"description": "There is no such thing here."}
    return {"operationId": name, "summary": text, "parameters": parameters, "responses": answers}


def page(title: str, description: str, url: str, *, aggregates: bool = False) -> str:
    """The same for people: addresses and parameters; the arguments are those of `document`."""
    operations = "".join(
        f'<tr><td><a href="{escape(url + path)}">{escape(path)}</a></td><td>{escape(text)}</td></tr>'
        if "{" not in path
        else f"<tr><td>{escape(path)}</td><td>{escape(text)}</td></tr>"
        for path, _, text, _ in _OPERATIONS + _COUNTS * aggregates
    )
    parameters = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>"
        for name, (_, text) in (PARAMETERS | (COUNTING if aggregates else {})).items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}: STAC API</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.2rem 1rem .2rem 0;vertical-align:top}td:first-child{font-family:monospace}</style>"
        f"<h1>{escape(title)}: STAC API</h1><p>{escape(description)}</p><h2>Addresses</h2>"
        f"<table>{operations}</table><h2>Search parameters</h2><table>{parameters}</table></html>"
    )
