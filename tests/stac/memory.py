"""A source in memory that counts and can be changed, and the STAC API over it on a real socket."""

import threading
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cscale.errors import BadInput, CscaleError
from cscale.identity import Caller
from cscale.net.responses import error_response
from cscale.stac import api as stac_api
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.items import STRUCTURAL, Item, own_links
from cscale.stac.transaction import Change
from tests.stac.served import collections, scenes
from tests.testing.test_items import Plain

URL = "http://stac.test/stac"
"""What the links begin with."""


class Memory(Plain):
    """Holds what it is given, and what becomes of it."""

    def __init__(self, items: Any, collections: Any) -> None:
        super().__init__(list(items), sorted(collections, key=lambda each: str(each["id"])))
        self._lock = threading.Lock()

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        return aggregate(self._items, request)

    async def change_items(self, caller: Caller, collection_id: str, changes: Mapping[str, Change]) -> None:
        with self._lock:
            await self.collection(caller, collection_id)
            left = {(item["collection"], item["id"]): item for item in self._items}
            for item_id, change in changes.items():
                new = change(_unlinked(left.pop((collection_id, item_id), None)))
                if new is not None:
                    _require(new, "Feature")
                    left[collection_id, item_id] = new
            self._items = list(left.values())

    async def change_collection(self, caller: Caller, collection_id: str, change: Change) -> None:
        with self._lock:
            left = {each["id"]: each for each in self._collections}
            new = change(_unlinked(left.pop(collection_id, None)))
            if new is None:
                self._items = [item for item in self._items if item["collection"] != collection_id]
            else:
                _require(new, "Collection")
                left[collection_id] = new
            self._collections = [left[name] for name in sorted(left)]


def _unlinked(thing: Item | None) -> Item | None:
    return thing and thing | {"links": [x for x in own_links(thing) if x.get("rel") not in STRUCTURAL]}


def _require(thing: Item, kind: str) -> None:
    if thing.get("type") != kind:
        raise BadInput(f"not a STAC {kind}: its type is {thing.get('type')!r}")


def app(*capabilities: str) -> Starlette:
    """The API over the scenes, with some capabilities or none."""
    source = Memory(scenes(), collections())
    service = stac_api.Service("memory", "Memory", "Scenes held in memory", URL)
    offered: dict[str, Any] = dict.fromkeys(capabilities, source)

    async def not_here(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        body = b'{"description":"nothing is <here>"}'
        return stac_api.in_form(request, service, Response(body, status, headers))

    handlers: Any = {CscaleError: error_response, HTTPException: not_here}
    return Starlette(
        routes=stac_api.routes(source, service, "/stac", **offered),
        exception_handlers=handlers,
    )
