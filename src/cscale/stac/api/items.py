"""Items: searched, listed by collection, found by their address.

They arrive as open bodies, get their links, and are joined with commas: no item is parsed here,
unless `fields` picks members of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cscale.errors import BadRequest, NotFound
from cscale.identity.api import caller_of
from cscale.stac.answers.fields import picker
from cscale.stac.api.answering import answered, asked
from cscale.stac.api.bodies import json_object
from cscale.stac.api.offer import Offer, collection_path
from cscale.stac.html import items as pages
from cscale.stac.items import GEOJSON, Link
from cscale.stac.search import Fields, from_json, from_query
from cscale.stac.source import ItemPage

_ALL_FIELDS = Fields()


class Items:
    """The addresses of items."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    async def search(self, request: Request) -> Response:
        """`GET /search`."""
        search = from_query(asked(request))
        page = await self._offer.source.search(caller_of(request), search)
        links = self._offer.links_by_query("/search", asked(request), page.token)
        return await self._page(request, page, search.fields, links)

    async def search_by_body(self, request: Request) -> Response:
        """`POST /search`."""
        body = await json_object(request)
        search = from_json(body)
        page = await self._offer.source.search(caller_of(request), search)
        links: list[Link] = []
        if page.token is not None:
            following = {**body, "token": page.token}
            links.append(
                {**self._offer.link("next", "/search", GEOJSON), "method": "POST", "body": following}
            )
        return await self._page(request, page, search.fields, links)

    async def items(self, request: Request) -> Response:
        """`/collections/{collection_id}/items`."""
        source, collection_id = self._offer.source, request.path_params["collection_id"]
        search = from_query(asked(request))
        if search.collections not in (None, (collection_id,)):  # clients may say it again
            raise BadRequest(f"collections: here it can only be {collection_id!r}; use /search for others")
        search = replace(search, collections=(collection_id,))
        path = f"{collection_path(collection_id)}/items"
        page = await source.search(caller_of(request), search)
        if not page.items:
            await source.collection(caller_of(request), collection_id)  # 404 if it does not exist
        links = self._offer.links_by_query(path, asked(request), page.token)
        return await self._page(request, page, search.fields, links)

    async def item(self, request: Request) -> Response:
        """`/collections/{collection_id}/items/{item_id}`."""
        collection_id, item_id = request.path_params["collection_id"], request.path_params["item_id"]
        if not item_id:
            raise NotFound("an item's address ends with its id; this one ends before it")
        found = await self._offer.source.item(caller_of(request), collection_id, item_id)
        return await answered(request, self._offer.service, self._offer.closed(found), pages.item, GEOJSON)

    async def _page(
        self, request: Request, page: ItemPage, fields: Fields, links: Iterable[Link]
    ) -> Response:
        """The ItemCollection, put together from bytes."""
        pieces = [b'{"type":"FeatureCollection","features":[']
        pick = picker(fields) if fields != _ALL_FIELDS else None
        for number, item in enumerate(page.items):
            pieces += (b",",) if number else ()
            pieces += self._offer.pieces(item) if pick is None else (pick(self._offer.closed(item)),)
        rest: dict[str, Any] = {
            "links": [self._offer.link("root", "/"), *links],
            "numberReturned": len(page.items),
        }
        if page.matched is not None:
            rest["numberMatched"] = page.matched
        tail = msgspec.json.encode(rest | dict(page.extra))
        body = b"".join([*pieces, b"],", tail[1:]])
        return await answered(request, self._offer.service, body, pages.results, GEOJSON)
