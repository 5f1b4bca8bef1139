"""What stands around an application: each request has an id and is counted; `/metrics` tells the numbers."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cscale.net.telemetry.logs import request_id
from cscale.net.telemetry.metrics import MEDIA_TYPE, Metrics

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestId:
    """ASGI middleware: gives each request an id, for its log lines and its answer's `X-Request-Id`.

    Args:
        app: The application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, under the id it came with if that is a sane one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        own = sent if _SANE.fullmatch(sent) else secrets.token_hex(8).encode()

        async def tell(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", own)]
            await send(message)

        token = request_id.set(own.decode())
        try:
            await self._app(scope, receive, tell)
        finally:
            request_id.reset(token)


class Counted:
    """ASGI middleware: counts requests by method, route and status, and how long they took.

    Routes are told by their templates, so that there are only so many; what no route took is `other`.

    Args:
        app: The application, whose router notes the route in the scope.
        metrics: Where to count.
        quick: The route of what is answered with a part of a file before any router has seen it.
    """

    def __init__(self, app: App, metrics: Metrics, quick: str = "other") -> None:
        self._app = app
        self._quick = quick
        self._requests = metrics.counter(
            "cscale_http_requests_total", "Requests served.", "method", "route", "status"
        )
        self._seconds = metrics.histogram(
            "cscale_http_request_seconds", "How long requests took, to the last byte sent.", "method", "route"
        )

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, and count it when it is over."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), "none"

        async def note(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        outside = scope.get("root_path", "")
        try:
            await self._app(scope, receive, note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = self._route(scope, outside, status)
            self._requests.add(1, method, route, status)
            self._seconds.observe(time.monotonic() - began, method, route)

    def _route(self, scope: Scope, outside: str, status: str) -> str:
        route = scope.get("route")
        if route is None:
            return self._quick if status == "206" else "other"
        mounted = scope.get("root_path", "")[len(outside) :]
        return f"{mounted}{route.path}" if isinstance(route, Route) else "other"


def routes(metrics: Metrics) -> list[BaseRoute]:
    """`GET /metrics`: what all processes of this service have counted."""

    async def told(_: Request) -> Response:
        text = await run_in_threadpool(metrics.text)
        return Response(text, media_type=MEDIA_TYPE, headers={"cache-control": "no-store"})

    return [Route("/metrics", told, methods=["GET"])]
