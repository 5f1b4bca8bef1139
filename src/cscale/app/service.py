"""What sites and hubs have in common: an ASGI application over an `ItemSource`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.errors import CscaleError
from cscale.federation import About
from cscale.identity.api import protected_resource
from cscale.identity.settings import Identity
from cscale.net.responses import error_response, reply
from cscale.net.via import Via
from cscale.portal import Front
from cscale.portal import api as portal_api
from cscale.stac import ItemSource
from cscale.stac import api as stac_api
from cscale.stac.source import Aggregates

log = logging.getLogger("cscale")

STAC = "/stac"


def service_app(
    about: About,
    source: ItemSource,
    front: Front,
    more: Sequence[BaseRoute],
    close: Callable[[], Awaitable[None]],
    aggregates: Aggregates | None = None,
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    identity: Identity | None = None,
) -> Starlette:
    """The application of a service: its STAC API, its pages, its health.

    Args:
        about: What it says of itself.
        source: What can be searched.
        front: Its page.
        more: Further routes.
        close: Called once, when it ends.
        aggregates: What counts, where it does.
        background: What goes on beside requests until the end.
        identity: Whose tokens are taken.
    """
    service = stac_api.Service(about.id, about.name, about.description or about.name, f"{about.url}{STAC}")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work()) for work in background]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await close()

    async def health(request: Request) -> Response:
        body = {"status": "ok", "id": about.id, "version": version("cscale")}
        return await reply(request, msgspec.json.encode(body))

    async def http_error(request: Request, error: Exception) -> Response:
        response = await _http_error(request, error)
        below_stac = request.url.path == STAC or request.url.path.startswith(f"{STAC}/")
        return stac_api.in_form(request, service, response) if below_stac else response

    app = Starlette(
        routes=[
            *stac_api.routes(source, service, STAC, aggregates=aggregates),
            *portal_api.routes(source, front),
            Route("/health", health, methods=["GET"]),
            protected_resource(about.url, identity),
            *more,
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD", "POST"],
                allow_headers=["*"],
                expose_headers=[
                    "ETag",
                    "Link",
                    "X-Request-Id",
                    "Retry-After",
                    "WWW-Authenticate",
                    "Content-Range",
                    "Accept-Ranges",
                    "Content-Length",
                ],
            ),
            Middleware(Via, name=quote(about.url.partition("://")[2], safe=":")),
        ],
        exception_handlers={**_HANDLERS, HTTPException: http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would be made from the Host header
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses: an address or a method that is not here."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: "there is nothing at this address", 405: f"{request.method} is not possible here"}
    body = {"code": "HttpError", "description": said.get(status, str(error))}
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


async def _unforeseen(request: Request, error: Exception) -> Response:
    """An error of our own: the log has it, the caller need not."""
    log.error("%s %r failed", request.method, request.scope["path"], exc_info=error)
    body = {"code": "InternalError", "description": "this service has failed; its log says how"}
    return Response(msgspec.json.encode(body), 500, media_type="application/json")


_HANDLERS: dict[Any, Any] = {
    CscaleError: error_response,
    Exception: _unforeseen,
}
