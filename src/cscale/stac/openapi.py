"""The OpenAPI 3.0 description of the STAC API, and the same as a page for people."""

from html import escape
from typing import Any

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
}
"""The search parameters: schema and meaning."""

_IN_A_COLLECTION = [name for name in PARAMETERS if name != "collections"]

_OPERATIONS: list[tuple[str, str, str, list[str]]] = [
    ("/", "landingPage", "What this is, and where everything is", []),
    ("/conformance", "conformance", "Which standards are met", []),
    ("/api", "openapi", "This description", []),
    ("/api.html", "documentation", "The same for people", []),
    ("/queryables", "queryables", "What filters may speak of", []),
    ("/search", "search", "Items that match", list(PARAMETERS)),
    ("/collections", "collections", "All collections", []),
    ("/collections/{collectionId}", "collection", "One collection", []),
    ("/collections/{collectionId}/queryables", "collectionQueryables", "What filters may speak of in it", []),
    ("/collections/{collectionId}/items", "items", "Items of a collection that match", _IN_A_COLLECTION),
    ("/collections/{collectionId}/items/{itemId}", "item", "One item", []),
]


def document(title: str, description: str, url: str) -> dict[str, Any]:
    """The OpenAPI document of the STAC API at `url`."""
    paths = {path: {"get": _operation(name, text, path, asked)} for path, name, text, asked in _OPERATIONS}
    properties = {name: schema | {"description": text} for name, (schema, text) in PARAMETERS.items()}
    properties["filter"] = {"type": "object", "description": PARAMETERS["filter"][1]}
    properties["sortby"] = {"type": "array", "items": {"type": "object"}}
    properties["fields"] = {"type": "object"}
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": properties}}}}
    paths["/search"]["post"] = {
        **_operation("searchByBody", "Items that match", "/search", []),
        "requestBody": body,
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": title, "description": description, "version": "1.0.0"},
        "servers": [{"url": url}],
        "paths": paths,
    }


def _operation(name: str, text: str, path: str, asked: list[str]) -> dict[str, Any]:
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": each, "in": "path", "required": True, "schema": _TEXT} for each in in_path]
    for each in asked:
        schema, meaning = PARAMETERS[each]
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


def page(title: str, description: str, url: str) -> str:
    """The same for people: addresses and parameters."""
    operations = "".join(
        f'<tr><td><a href="{escape(url + path)}">{escape(path)}</a></td><td>{escape(text)}</td></tr>'
        if "{" not in path
        else f"<tr><td>{escape(path)}</td><td>{escape(text)}</td></tr>"
        for path, _, text, _ in _OPERATIONS
    )
    parameters = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, (_, text) in PARAMETERS.items()
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}: STAC API</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.2rem 1rem .2rem 0;vertical-align:top}td:first-child{font-family:monospace}</style>"
        f"<h1>{escape(title)}: STAC API</h1><p>{escape(description)}</p><h2>Addresses</h2>"
        f"<table>{operations}</table><h2>Search parameters</h2><table>{parameters}</table></html>"
    )
