"""STAC API 1.0 over any `ItemSource`: core, collections, features, item search; filter, sort, fields.

Items arrive as open bodies, get their links, and are joined with commas: no item is parsed here,
unless `fields` picks members of it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.errors import BadRequest, NotFound, SitesMissing
from cscale.identity.api import caller_of
from cscale.net.responses import reply
from cscale.stac import openapi
from cscale.stac.items import GEOJSON, STAC_VERSION, Collection, Link, OpenItem, close_body, own_links
from cscale.stac.search import Fields, from_json, from_query
from cscale.stac.source import ItemPage, ItemSource

JSON = "application/json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"

MAX_BODY = 1024 * 1024
"""The longest search body that is read, in bytes."""

_STAC = "https://api.stacspec.org/v1.0.0"
_OGC = "http://www.opengis.net/spec"
_CQL2 = f"{_OGC}/cql2/1.0/conf"
CONFORMANCE = (
    f"{_STAC}/core",
    f"{_STAC}/collections",
    f"{_STAC}/ogcapi-features",
    f"{_STAC}/item-search",
    *(f"{_STAC}/{part}#{what}" for part in ("item-search", "ogcapi-features") for what in ("sort", "fields")),
    f"{_STAC}/item-search#filter",
    f"{_OGC}/ogcapi-features-1/1.0/conf/core",
    f"{_OGC}/ogcapi-features-1/1.0/conf/oas30",
    f"{_OGC}/ogcapi-features-1/1.0/conf/geojson",
    f"{_OGC}/ogcapi-features-3/1.0/conf/filter",
    f"{_OGC}/ogcapi-features-3/1.0/conf/features-filter",
    f"{_CQL2}/cql2-text",
    f"{_CQL2}/cql2-json",
    f"{_CQL2}/basic-cql2",
    f"{_CQL2}/advanced-comparison-operators",
    f"{_CQL2}/case-insensitive-comparison",
    f"{_CQL2}/accent-insensitive-comparison",
    f"{_CQL2}/basic-spatial-functions",
    f"{_CQL2}/spatial-functions",
    f"{_CQL2}/temporal-functions",
    f"{_CQL2}/array-functions",
    f"{_CQL2}/property-property",
)
"""What `/conformance` claims."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the API says of itself.

    Attributes:
        id: Its short name.
        title: Its name for people.
        description: What it holds.
        url: The address of its landing page, without a slash at the end; all links are made from it.
    """

    id: str
    title: str
    description: str
    url: str


def routes(source: ItemSource, service: Service, at: str) -> list[BaseRoute]:
    """The routes of a STAC API.

    Args:
        source: What is searched.
        service: What the API says of itself.
        at: The path of `service.url`.
    """
    api = _StacApi(source, service)
    collection = "/collections/{collection_id}"
    by_path: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
        ("", api.landing),
        ("/", api.landing),
        ("/conformance", api.conformance),
        ("/api", api.openapi),
        ("/api.html", api.documentation),
        ("/queryables", api.queryables),
        ("/search", api.search),
        ("/collections", api.collections),
        (collection, api.collection),
        (f"{collection}/queryables", api.queryables),
        (f"{collection}/items", api.items),
        (f"{collection}/items/{{item_id:path}}", api.item),
    ]
    methods = {"/search": ["GET", "POST"]}
    return [Route(f"{at}{path}", endpoint, methods=methods.get(path, ["GET"])) for path, endpoint in by_path]


class _StacApi:
    def __init__(self, source: ItemSource, service: Service) -> None:
        self._source = source
        self._service = service
        self._url = service.url

    async def landing(self, request: Request) -> Response:
        try:
            children: Sequence[Collection] = (await self._source.collections(caller_of(request))).collections
        except SitesMissing:
            children = ()  # the door opens also while nobody is in
        body = {
            "type": "Catalog",
            "stac_version": STAC_VERSION,
            "id": self._service.id,
            "title": self._service.title,
            "description": self._service.description,
            "conformsTo": CONFORMANCE,
            "links": [*self._service_links(), *(self._child(each) for each in children)],
        }
        return await reply(request, msgspec.json.encode(body))

    async def conformance(self, request: Request) -> Response:
        return await reply(request, msgspec.json.encode({"conformsTo": CONFORMANCE}))

    async def openapi(self, request: Request) -> Response:
        document = openapi.document(self._service.title, self._service.description, self._url)
        return await reply(request, msgspec.json.encode(document), OPENAPI)

    async def documentation(self, request: Request) -> Response:
        page = openapi.page(self._service.title, self._service.description, self._url)
        return await reply(request, page.encode(), "text/html; charset=utf-8")

    async def queryables(self, request: Request) -> Response:
        collection_id = request.path_params.get("collection_id")
        properties = await self._source.queryables(caller_of(request), collection_id)
        where = "" if collection_id is None else f"/collections/{quote(collection_id, safe='')}"
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{self._url}{where}/queryables",
            "type": "object",
            "title": f"What filters may speak of in {collection_id or self._service.title}",
            "properties": {**_ALWAYS_QUERYABLE, **properties},
            "additionalProperties": True,
        }
        return await reply(request, msgspec.json.encode(schema), SCHEMA)

    async def collections(self, request: Request) -> Response:
        listed = await self._source.collections(caller_of(request))
        links = [self._link("self", "/collections"), self._link("root", "/")]
        body = {
            "collections": [self._linked(each) for each in listed.collections],
            "links": links,
            "numberReturned": len(listed.collections),
            **listed.extra,
        }
        return await reply(request, msgspec.json.encode(body))

    async def collection(self, request: Request) -> Response:
        found = await self._source.collection(caller_of(request), request.path_params["collection_id"])
        return await reply(request, msgspec.json.encode(self._linked(found)))

    async def items(self, request: Request) -> Response:
        collection_id = request.path_params["collection_id"]
        search = from_query(request.query_params.multi_items())
        if search.collections not in (None, (collection_id,)):  # clients may say it again
            raise BadRequest(f"collections: here it can only be {collection_id!r}; use /search for others")
        search = replace(search, collections=(collection_id,))
        path = f"/collections/{quote(collection_id, safe='')}/items"
        page = await self._source.search(caller_of(request), search)
        if not page.items:
            await self._source.collection(caller_of(request), collection_id)  # 404 if it does not exist
        return await self._page(request, page, search.fields, self._links_by_query(request, path, page))

    async def item(self, request: Request) -> Response:
        collection_id, item_id = request.path_params["collection_id"], request.path_params["item_id"]
        if not item_id:
            raise NotFound("an item's address ends with its id; this one ends before it")
        found = await self._source.item(caller_of(request), collection_id, item_id)
        return await reply(request, self._closed(found), GEOJSON)

    async def search(self, request: Request) -> Response:
        if request.method == "POST":
            return await self._search_by_body(request)
        search = from_query(request.query_params.multi_items())
        page = await self._source.search(caller_of(request), search)
        return await self._page(request, page, search.fields, self._links_by_query(request, "/search", page))

    async def _search_by_body(self, request: Request) -> Response:
        if request.query_params:
            names = ", ".join(request.query_params)
            raise BadRequest(f"{names}: in the address of a POST; put it into the body")
        body = await _json_body(request)
        search = from_json(body)
        page = await self._source.search(caller_of(request), search)
        links: list[Link] = []
        if page.token is not None:
            following = {**body, "token": page.token}
            links.append({**self._link("next", "/search", GEOJSON), "method": "POST", "body": following})
        return await self._page(request, page, search.fields, links)

    async def _page(
        self, request: Request, page: ItemPage, fields: Fields, links: Iterable[Link]
    ) -> Response:
        """The ItemCollection, put together from bytes."""
        items = [self._closed(item) for item in page.items]
        if fields != _ALL_FIELDS:
            items = [picked(item, fields) for item in items]
        rest: dict[str, Any] = {
            "links": [self._link("root", "/"), *links],
            "numberReturned": len(items),
        }
        if page.matched is not None:
            rest["numberMatched"] = page.matched
        tail = msgspec.json.encode(rest | dict(page.extra))
        body = b"".join((b'{"type":"FeatureCollection","features":[', b",".join(items), b"],", tail[1:]))
        return await reply(request, body, GEOJSON)

    def _links_by_query(self, request: Request, path: str, page: ItemPage) -> Iterable[Link]:
        """To this page, and to the next."""
        asked = request.query_params.multi_items()
        yield self._link("self", f"{path}?{urlencode(asked)}" if asked else path, GEOJSON)
        if page.token is not None:
            rest = [(name, value) for name, value in asked if name != "token"]
            query = urlencode([*rest, ("token", page.token)])
            yield {**self._link("next", f"{path}?{query}", GEOJSON), "method": "GET"}

    def _closed(self, item: OpenItem) -> bytes:
        """An item with the links that say where it stands."""
        collection = f"{self._url}/collections/{quote(item.collection, safe='')}"
        links = (
            f'{{"rel":"self","href":"{collection}/items/{quote(item.id, safe="")}","type":"{GEOJSON}"}},'
            f'{{"rel":"collection","href":"{collection}","type":"{JSON}"}},'
            f'{{"rel":"parent","href":"{collection}","type":"{JSON}"}},'
            f'{{"rel":"root","href":"{self._url}/","type":"{JSON}"}}'
        )
        return close_body(item.body, links.encode())

    def _linked(self, collection: Collection) -> Collection:
        path = f"/collections/{quote(collection['id'], safe='')}"
        links = [
            self._link("self", path),
            self._link("root", "/"),
            self._link("parent", "/"),
            self._link("items", f"{path}/items", GEOJSON),
            self._link(QUERYABLES, f"{path}/queryables", SCHEMA),
        ]
        return {**collection, "links": [*links, *own_links(collection)]}

    def _child(self, collection: Collection) -> Link:
        title = str(collection.get("title") or collection["id"])
        return {**self._link("child", f"/collections/{quote(collection['id'], safe='')}"), "title": title}

    def _service_links(self) -> Iterable[Link]:
        yield self._link("self", "/")
        yield self._link("root", "/")
        yield self._link("conformance", "/conformance")
        yield self._link("data", "/collections")
        yield {**self._link("search", "/search", GEOJSON), "method": "GET"}
        yield {**self._link("search", "/search", GEOJSON), "method": "POST"}
        yield self._link(QUERYABLES, "/queryables", SCHEMA)
        yield self._link("service-desc", "/api", OPENAPI)
        yield self._link("service-doc", "/api.html", "text/html")

    def _link(self, relation: str, path: str, media_type: str = JSON) -> Link:
        return {"rel": relation, "href": f"{self._url}{path}", "type": media_type}


_ALL_FIELDS = Fields()
_ALWAYS_QUERYABLE: Mapping[str, Any] = {
    "id": {"title": "Item id", "type": "string"},
    "collection": {"title": "Collection id", "type": "string"},
    "geometry": {"title": "Geometry", "$ref": "https://geojson.org/schema/Geometry.json"},
    "datetime": {"title": "Acquisition time", "type": "string", "format": "date-time"},
}
_ALWAYS_SHOWN = frozenset({"type", "id", "collection"})
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def picked(item: bytes, fields: Fields) -> bytes:
    """The members of an item that `fields` asks for: the longer path wins.

    Its type, id and collection need not be asked for.
    """
    return msgspec.json.encode(_picked(item, fields.include, fields.exclude, _ALWAYS_SHOWN))


def _picked(
    item: bytes | msgspec.Raw, include: frozenset[str], exclude: frozenset[str], always: frozenset[str]
) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in _MEMBERS.decode(item).items():
        inner, outer = _below(include, name), _below(exclude, name)
        is_object = bytes(memoryview(value)[:1]) == b"{"
        if name not in exclude and (not include or name in include or name in always):
            kept[name] = _picked(value, frozenset(), outer, frozenset()) if outer and is_object else value
        elif inner and is_object:
            kept[name] = _picked(value, inner, outer, frozenset())
    return kept


def _below(paths: frozenset[str], name: str) -> frozenset[str]:
    """What dotted paths say of the members below one."""
    return frozenset(path.removeprefix(f"{name}.") for path in paths if path.startswith(f"{name}."))


async def _json_body(request: Request) -> dict[str, Any]:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise BadRequest(f"the body is longer than {MAX_BODY} bytes")
        chunks.append(chunk)
    try:
        body: Any = msgspec.json.decode(b"".join(chunks) or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body
