"""Stops requests that go in circles between hubs, by the `Via` header (RFC 9110 7.6.3).

A service adds its name to what it asks of others; what arrives with its own name has come round.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from cscale.errors import LoopDetected

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_passed: ContextVar[tuple[str, ...]] = ContextVar("via", default=())

MAX_HOPS = 16


class Via:
    """ASGI middleware: remembers which services a request has passed, refuses one that came round.

    Args:
        app: The application.
        name: This service's name, unique among those that may be members of each other.
    """

    def __init__(self, app: App, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, with what it has passed known to `outgoing`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        names = _names(scope)
        if self._name in names or len(names) >= MAX_HOPS:
            await _refuse(scope, receive, send, names)
            return
        token = _passed.set((*names, self._name))
        try:
            await self._app(scope, receive, send)
        finally:
            _passed.reset(token)


def outgoing() -> dict[str, str]:
    """The headers that say which services a request has passed, for what is asked in its course."""
    passed = _passed.get()
    return {"via": ", ".join(f"1.1 {name}" for name in passed)} if passed else {}


def _names(scope: Scope) -> list[str]:
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"via"]
    entries = (part.split() for line in lines for part in line.split(","))
    return [entry[:2][-1] for entry in entries if entry]  # protocol and name; comments may follow


async def _refuse(scope: Scope, receive: Any, send: Any, names: list[str]) -> None:
    from cscale.net.responses import refuse  # the client, which only sends, has no web framework

    said = f"this request has passed {', '.join(names)}; a hub that is among its own members asks in circles"
    await refuse(scope, receive, send, LoopDetected(said))
