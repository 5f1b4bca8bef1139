"""Transactions: items and collections made, replaced, changed in part, and removed.

Offered where the composition root hands in what can be changed, and only there.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import xxhash
from starlette.requests import Request
from starlette.responses import Response

from cscale.errors import BadInput, BadRequest
from cscale.identity.api import caller_of
from cscale.net.responses import reply
from cscale.stac.api.bodies import json_object
from cscale.stac.api.offer import Offer, collection_path, item_path
from cscale.stac.items import GEOJSON, OpenItem, open_body
from cscale.stac.source import Transactions
from cscale.stac.transaction import Change
from cscale.stac.transaction.changes import creation, patch, removal, replacement

MAX_ITEMS = 1000
"""The most items made by one request."""
MAX_BODY = 32 * 1024 * 1024
"""The longest body, in bytes."""

_CODINGS = ("", "-gzip", "-zstd")  # what the entity tag of a compressed answer ends with


class Changes:
    """The methods that change what is at an address."""

    def __init__(self, offer: Offer, transactions: Transactions) -> None:
        self._offer = offer
        self._transactions = transactions

    def methods(self) -> dict[str, Mapping[str, Callable[[Request], Awaitable[Response]]]]:
        """The endpoints by path and method."""
        collection = "/collections/{collection_id}"
        table = {
            "/collections": {"POST": self.create_collection},
            collection: {
                "PUT": self.replace_collection,
                "PATCH": self.patch_collection,
                "DELETE": self.remove_collection,
            },
            f"{collection}/items": {"POST": self.create_items},
            f"{collection}/items/{{item_id:path}}": {
                "PUT": self.replace_item,
                "PATCH": self.patch_item,
                "DELETE": self.remove_item,
            },
        }
        return {path: {name: _told(each) for name, each in one.items()} for path, one in table.items()}

    async def create_items(self, request: Request) -> Response:
        """`POST /collections/{collection_id}/items`: an item, or an item collection; all or none of it."""
        collection_id = request.path_params["collection_id"]
        body = await json_object(request, MAX_BODY)
        several = body.get("type") == "FeatureCollection"
        given = body.get("features") if several else [body]
        if not isinstance(given, list) or not 1 <= len(given) <= MAX_ITEMS:
            raise BadRequest(f"features: not a list of 1 to {MAX_ITEMS} items")
        changes: dict[str, Change] = {}
        for each in given:
            item = _placed(each, collection_id, None)
            if item["id"] in changes:
                raise BadRequest(f"item {item['id']!r}: given twice")
            changes[item["id"]] = creation(item, f"item {item['id']!r}")
        await self._transactions.change_items(caller_of(request), collection_id, changes)
        if several:
            return await reply(request, b"{}", status=201)
        (item_id,) = changes
        return await self._item(request, item_id, 201)

    async def replace_item(self, request: Request) -> Response:
        """`PUT` of an item."""
        collection_id, item_id, what = _item_names(request)
        item = _placed(await json_object(request, MAX_BODY), collection_id, item_id)
        return await self._change_item(request, replacement(item, what, _condition(request), self._item_tags))

    async def patch_item(self, request: Request) -> Response:
        """`PATCH` of an item."""
        collection_id, item_id, what = _item_names(request)
        part = await json_object(request, MAX_BODY)
        _require_own(part, {"id": item_id, "collection": collection_id})
        return await self._change_item(request, patch(part, what, _condition(request), self._item_tags))

    async def remove_item(self, request: Request) -> Response:
        """`DELETE` of an item."""
        collection_id, item_id, what = _item_names(request)
        change = removal(what, _condition(request), self._item_tags)
        await self._transactions.change_items(caller_of(request), collection_id, {item_id: change})
        return Response(status_code=204)

    async def create_collection(self, request: Request) -> Response:
        """`POST /collections`."""
        collection = await json_object(request, MAX_BODY)
        name = collection.get("id")
        if not isinstance(name, str) or not name:
            raise BadRequest("id: a collection needs one")
        return await self._change_collection(
            request, name, creation(collection, f"collection {name!r}"), status=201
        )

    async def replace_collection(self, request: Request) -> Response:
        """`PUT` of a collection; its items stay."""
        name, what = _collection_names(request)
        collection = await json_object(request, MAX_BODY)
        _require_own(collection, {"id": name})
        change = replacement({**collection, "id": name}, what, _condition(request), self._collection_tags)
        return await self._change_collection(request, name, change)

    async def patch_collection(self, request: Request) -> Response:
        """`PATCH` of a collection."""
        name, what = _collection_names(request)
        part = await json_object(request, MAX_BODY)
        _require_own(part, {"id": name})
        return await self._change_collection(
            request, name, patch(part, what, _condition(request), self._collection_tags)
        )

    async def remove_collection(self, request: Request) -> Response:
        """`DELETE` of a collection and all its items."""
        name, what = _collection_names(request)
        change = removal(what, _condition(request), self._collection_tags)
        await self._transactions.change_collection(caller_of(request), name, change)
        return Response(status_code=204)

    async def _change_item(self, request: Request, change: Change) -> Response:
        collection_id, item_id, _ = _item_names(request)
        await self._transactions.change_items(caller_of(request), collection_id, {item_id: change})
        return await self._item(request, item_id, 200)

    async def _item(self, request: Request, item_id: str, status: int) -> Response:
        """The item as it is now."""
        collection_id = request.path_params["collection_id"]
        now = await self._offer.source.item(caller_of(request), collection_id, item_id)
        headers = {"location": f"{self._offer.service.url}{item_path(collection_id, item_id)}"}
        body = self._offer.closed(now)
        return await reply(request, body, GEOJSON, status, headers if status == 201 else None)

    async def _change_collection(
        self, request: Request, name: str, change: Change, status: int = 200
    ) -> Response:
        await self._transactions.change_collection(caller_of(request), name, change)
        now = await self._offer.source.collection(caller_of(request), name)
        headers = {"location": f"{self._offer.service.url}{collection_path(name)}"}
        body = msgspec.json.encode(self._offer.linked(now))
        return await reply(request, body, status=status, headers=headers if status == 201 else None)

    def _item_tags(self, item: dict[str, Any]) -> frozenset[str]:
        return _tags(self._offer.closed(OpenItem(item["id"], item["collection"], open_body(item))))

    def _collection_tags(self, collection: dict[str, Any]) -> frozenset[str]:
        return _tags(msgspec.json.encode(self._offer.linked(collection)))


def _told(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint; what it cannot take is the request's fault."""

    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BadInput as error:
            raise BadRequest(f"it cannot be taken: {error}") from error

    return respond


def _tags(body: bytes) -> frozenset[str]:
    digest = xxhash.xxh3_64_hexdigest(body)  # as net.responses.reply tags it
    return frozenset(f'"{digest}{coding}"' for coding in _CODINGS)


def _condition(request: Request) -> str | None:
    return request.headers.get("if-match")


def _item_names(request: Request) -> tuple[str, str, str]:
    collection_id, item_id = request.path_params["collection_id"], request.path_params["item_id"]
    return collection_id, item_id, f"item {item_id!r} of collection {collection_id!r}"


def _collection_names(request: Request) -> tuple[str, str]:
    name = request.path_params["collection_id"]
    return name, f"collection {name!r}"


def _placed(item: Any, collection_id: str, item_id: str | None) -> dict[str, Any]:
    """An item with the names that its address gives it."""
    if not isinstance(item, dict):
        raise BadRequest("features: not a list of items")
    own = {"collection": collection_id} | ({} if item_id is None else {"id": item_id})
    _require_own(item, own)
    placed = {**item, **own}
    if not isinstance(placed.get("id"), str) or not placed["id"]:
        raise BadRequest("id: an item needs one")
    return placed


def _require_own(body: Mapping[str, Any], own: Mapping[str, str]) -> None:
    for name, value in own.items():
        if name in body and body[name] != value:
            raise BadRequest(f"{name}: {body[name]!r} here, {value!r} in the address")
