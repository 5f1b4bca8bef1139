"""The routes of the front page."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.errors import SitesMissing
from cscale.identity.api import caller_of
from cscale.net.responses import reply
from cscale.portal.page import Front, render
from cscale.stac.source import CollectionList, ItemSource


def routes(source: ItemSource, front: Front) -> list[BaseRoute]:
    """The front page at `/`, over the collections of a source."""

    async def page(request: Request) -> Response:
        try:
            listed = await source.collections(caller_of(request))
        except SitesMissing:
            listed = CollectionList([], {"federation:missing": [site for site, _, _ in front.members]})
        html = render(front, listed.collections, listed.extra.get("federation:missing", []))
        return await reply(request, html.encode(), "text/html; charset=utf-8")

    return [Route("/", page, methods=["GET"])]
