"""Which address leads where."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.stac.api.about.landing import Landing
from cscale.stac.api.aggregation import Aggregations
from cscale.stac.api.answering import told
from cscale.stac.api.collections import Collections
from cscale.stac.api.items import Items
from cscale.stac.api.offer import Offer, Service
from cscale.stac.api.transactions import Changes
from cscale.stac.source import Aggregates, ItemSource, Transactions

Endpoint = Callable[[Request], Awaitable[Response]]

_COLLECTION = "/collections/{collection_id}"


def routes(
    source: ItemSource,
    service: Service,
    at: str,
    *,
    aggregates: Aggregates | None = None,
    transactions: Transactions | None = None,
) -> list[BaseRoute]:
    """The routes of a STAC API.

    Args:
        source: What is searched.
        service: What the API says of itself.
        at: The path of `service.url`.
        aggregates: What counts; None where nothing does.
        transactions: What can be changed; None where nothing can. Whoever is let through to these routes
            may change everything.
    """
    offer = Offer(source, service, aggregates, transactions)
    table = {**_reading(offer), **_counting(offer)}
    if transactions is not None:
        for path, methods in Changes(offer, transactions).methods().items():
            table[path] = {**table[path], **methods}
    return [_route(f"{at}{path}", by_method, service) for path, by_method in table.items()]


def _reading(offer: Offer) -> dict[str, Mapping[str, Endpoint]]:
    """Endpoints by path and method."""
    landing, collections, items = Landing(offer), Collections(offer), Items(offer)
    return {
        "": {"GET": landing.landing},
        "/": {"GET": landing.landing},
        "/conformance": {"GET": landing.conformance},
        "/api": {"GET": landing.openapi},
        "/api.html": {"GET": landing.documentation},
        "/queryables": {"GET": collections.queryables},
        "/search": {"GET": items.search, "POST": items.search_by_body},
        "/collections": {"GET": collections.collections},
        _COLLECTION: {"GET": collections.collection},
        f"{_COLLECTION}/queryables": {"GET": collections.queryables},
        f"{_COLLECTION}/items": {"GET": items.items},
        f"{_COLLECTION}/items/{{item_id:path}}": {"GET": items.item},
    }


def _counting(offer: Offer) -> dict[str, Mapping[str, Endpoint]]:
    if offer.aggregates is None:
        return {}
    counts = Aggregations(offer, offer.aggregates)
    by_name: dict[str, Mapping[str, Endpoint]] = {
        "/aggregations": {"GET": counts.aggregations},
        "/aggregate": {"GET": counts.aggregate, "POST": counts.aggregate_by_body},
    }
    return by_name | {f"{_COLLECTION}{path}": methods for path, methods in by_name.items()}


def _route(path: str, by_method: Mapping[str, Endpoint], service: Service) -> Route:
    async def respond(request: Request) -> Response:
        return await by_method["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, told(respond, service), methods=list(by_method))
