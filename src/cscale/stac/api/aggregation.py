"""Aggregations: what can be counted, and the counts."""

from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cscale.errors import BadRequest
from cscale.identity.api import caller_of
from cscale.stac.aggregation import AggregateRequest
from cscale.stac.aggregation.parameters import from_json, from_query
from cscale.stac.aggregation.words import KINDS, described
from cscale.stac.api.answering import answered, asked
from cscale.stac.api.bodies import json_object
from cscale.stac.api.offer import JSON, Offer, collection_path
from cscale.stac.html import pages
from cscale.stac.source import Aggregates


class Aggregations:
    """The addresses of aggregations, of all collections or of one."""

    def __init__(self, offer: Offer, aggregates: Aggregates) -> None:
        self._offer = offer
        self._aggregates = aggregates

    async def aggregations(self, request: Request) -> Response:
        """`/aggregations`."""
        where = await self._place(request)
        body = {
            "title": "What can be counted",
            "aggregations": [described(name) for name in KINDS],
            "links": [
                self._offer.link("self", f"{where}/aggregations"),
                self._offer.link("root", "/"),
                self._offer.link("aggregate", f"{where}/aggregate"),
            ],
        }
        encoded = msgspec.json.encode(body)
        return await answered(request, self._offer.service, encoded, pages.aggregations)

    async def aggregate(self, request: Request) -> Response:
        """`GET /aggregate`."""
        given = asked(request)
        where = await self._place(request)
        links = self._offer.links_by_query(f"{where}/aggregate", given, None, JSON)
        return await self._answer(request, from_query(given), list(links))

    async def aggregate_by_body(self, request: Request) -> Response:
        """`POST /aggregate`."""
        await self._place(request)
        return await self._answer(request, from_json(await json_object(request)), [])

    async def _place(self, request: Request) -> str:
        """The path of the collection asked for; 404 if it does not exist."""
        collection_id = request.path_params.get("collection_id")
        if collection_id is None:
            return ""
        await self._offer.source.collection(caller_of(request), collection_id)
        return collection_path(collection_id)

    async def _answer(self, request: Request, counted: AggregateRequest, links: list[object]) -> Response:
        collection_id = request.path_params.get("collection_id")
        if collection_id is not None:
            if counted.search.collections not in (None, (collection_id,)):
                raise BadRequest(
                    f"collections: here it can only be {collection_id!r}; use /aggregate for others"
                )
            counted = replace(counted, search=replace(counted.search, collections=(collection_id,)))
        found = await self._aggregates.aggregate(caller_of(request), counted)
        body = {
            "type": "AggregationCollection",
            "aggregations": [each.body() for each in found.aggregations],
            "links": [self._offer.link("root", "/"), *links],
            **found.extra,
        }
        return await answered(request, self._offer.service, msgspec.json.encode(body), pages.aggregate)
