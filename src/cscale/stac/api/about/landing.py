"""The landing page, what it conforms to, and the description of the API."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from cscale.errors import SitesMissing
from cscale.identity.api import caller_of
from cscale.net.responses import reply
from cscale.stac.api.about import openapi
from cscale.stac.api.about.conformance import claims
from cscale.stac.api.answering import answered, wants_page
from cscale.stac.api.offer import OPENAPI, Offer
from cscale.stac.html import pages
from cscale.stac.items import STAC_VERSION, Collection


class Landing:
    """The addresses that say what this is."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._claims = claims(
            aggregates=offer.aggregates is not None, transactions=offer.transactions is not None
        )

    async def landing(self, request: Request) -> Response:
        """`/`."""
        offer = self._offer
        try:
            children: Sequence[Collection] = (await offer.source.collections(caller_of(request))).collections
        except SitesMissing:
            children = ()  # the door opens also while nobody is in
        body = {
            "type": "Catalog",
            "stac_version": STAC_VERSION,
            "id": offer.service.id,
            "title": offer.service.title,
            "description": offer.service.description,
            "conformsTo": self._claims,
            "links": [*offer.service_links(), *(offer.child(each) for each in children)],
        }
        return await answered(request, offer.service, msgspec.json.encode(body), pages.landing)

    async def conformance(self, request: Request) -> Response:
        """`/conformance`."""
        body = msgspec.json.encode({"conformsTo": self._claims})
        return await answered(request, self._offer.service, body, pages.conformance)

    async def openapi(self, request: Request) -> Response:
        """`/api`."""
        service = self._offer.service
        if wants_page(request):
            return await self.documentation(request)
        document = openapi.document(
            service.title,
            service.description,
            service.url,
            aggregates=self._offer.aggregates is not None,
            transactions=self._offer.transactions is not None,
        )
        return await reply(request, msgspec.json.encode(document), OPENAPI)

    async def documentation(self, request: Request) -> Response:
        """`/api.html`."""
        service = self._offer.service
        counts = self._offer.aggregates is not None
        page = openapi.page(service.title, service.description, service.url, aggregates=counts)
        return await reply(request, page.encode(), "text/html; charset=utf-8")
