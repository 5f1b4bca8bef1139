"""The collections of a source, and what filters may speak of in them."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cscale.identity.api import caller_of
from cscale.stac.answers import collections as collection_search
from cscale.stac.answers.fields import picked
from cscale.stac.api.answering import answered, asked
from cscale.stac.api.offer import JSON, SCHEMA, Offer, collection_path
from cscale.stac.html import collections as pages
from cscale.stac.html.pages import queryables as queryables_page
from cscale.stac.search import Fields


class Collections:
    """The addresses of collections."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    async def collections(self, request: Request) -> Response:
        """`/collections`."""
        offer, given = self._offer, asked(request)
        search = collection_search.read(given)
        listed = await offer.source.collections(caller_of(request))
        page = collection_search.search(listed.collections, search)
        shown: list[Any] = [offer.linked(each) for each in page.collections]
        if search.fields != Fields():
            shown = [msgspec.Raw(picked(msgspec.json.encode(each), search.fields)) for each in shown]
        body: dict[str, Any] = {
            "collections": shown,
            "links": [
                *offer.links_by_query("/collections", given, page.token, JSON),
                offer.link("root", "/"),
            ],
            "numberReturned": len(shown),
        }
        if not listed.extra.get("federation:missing"):
            body["numberMatched"] = page.matched
        encoded = msgspec.json.encode(body | dict(listed.extra))
        return await answered(request, offer.service, encoded, pages.collections)

    async def collection(self, request: Request) -> Response:
        """`/collections/{collection_id}`."""
        source = self._offer.source
        found = await source.collection(caller_of(request), request.path_params["collection_id"])
        body = msgspec.json.encode(self._offer.linked(found))
        return await answered(request, self._offer.service, body, pages.collection)

    async def queryables(self, request: Request) -> Response:
        """`/queryables`, of all collections or of one."""
        service = self._offer.service
        collection_id = request.path_params.get("collection_id")
        properties = await self._offer.source.queryables(caller_of(request), collection_id)
        where = "" if collection_id is None else collection_path(collection_id)
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"{service.url}{where}/queryables",
            "type": "object",
            "title": f"What filters may speak of in {collection_id or service.title}",
            "properties": {**_ALWAYS_QUERYABLE, **properties},
            "additionalProperties": True,
        }
        return await answered(request, service, msgspec.json.encode(schema), queryables_page, SCHEMA)


_ALWAYS_QUERYABLE: Mapping[str, Any] = {
    "id": {"title": "Item id", "type": "string"},
    "collection": {"title": "Collection id", "type": "string"},
    "geometry": {"title": "Geometry", "$ref": "https://geojson.org/schema/Geometry.json"},
    "datetime": {"title": "Acquisition time", "type": "string", "format": "date-time"},
}
