"""The caller of a web request."""

import logging
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cscale.identity.caller import ANONYMOUS, Caller
from cscale.identity.refusals import IssuerUnavailable, TokenRefused
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens.verifier import Verifier

log = logging.getLogger("cscale.identity")

_CALLER = "cscale.caller"  # in the scope itself: its `state` may be shared between requests
_BEARER = re.compile(r"(?i)bearer +([A-Za-z0-9._~+/-]{1,16384}=*) *")  # RFC 6750 2.1, bounded
_SCHEME = re.compile(r"(?i)bearer(?: +(.*))?", re.DOTALL)
_UNQUOTED = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # what a description may not have (RFC 6750 3)
_RETRY = "5"


def caller_of(request: Request) -> Caller:
    """Who sends a request, as `Authenticated` found out.

    Where nobody checks tokens, everyone is anonymous; a bearer token that was sent is kept, to be passed on
    where a site's policy says so. What is no token is not kept: it could not be sent on as it is.
    """
    checked = request.scope.get(_CALLER)
    if isinstance(checked, Caller):
        return checked
    found = _BEARER.fullmatch(request.headers.get("authorization", ""))
    return Caller(token=found[1]) if found else ANONYMOUS


def note_caller(scope: Scope, caller: Caller) -> None:
    """Say who sends a request: for what finds it out otherwise, such as a session of the pages."""
    scope[_CALLER] = caller


def challenge(error: str | None = None, description: str | None = None) -> str:
    """The `WWW-Authenticate` header of a refusal (RFC 6750 3); without an error for who sent no token."""
    told = {"error": error, "error_description": description}
    said = [f'{name}="{_UNQUOTED.sub("?", value)[:300]}"' for name, value in told.items() if value]
    return f'Bearer realm="cscale"{"".join(f", {each}" for each in said)}'


def protected_resource(url: str, identity: IdentityConfig | None) -> Route:
    """Where clients learn which logins a service takes (RFC 9728).

    Args:
        url: The service's address.
        identity: Whose tokens are taken; None: nobody's.
    """
    issuers = identity.issuers if identity else ()
    told: dict[str, Any] = {"resource": url, "bearer_methods_supported": ["header"]}
    if issuers:
        told["authorization_servers"] = [each.issuer for each in issuers]
        told["cscale_clients"] = {each.issuer: each.login_client for each in issuers}
    content = msgspec.json.encode(told)

    async def answer(_: Request) -> Response:
        return Response(content, media_type="application/json", headers={"cache-control": "max-age=300"})

    return Route("/.well-known/oauth-protected-resource", answer, methods=["GET"])


class Authenticated:
    """ASGI middleware: finds out once who sends a request; refuses tokens that are not accepted.

    A request without a token is anonymous. A token in the address or in a form is none: addresses end up in
    logs.

    Args:
        app: The application.
        verifier: Checks tokens; where left out, nobody does.
    """

    def __init__(self, app: ASGIApp, verifier: Verifier | None = None) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its caller; or answer 401, or 503 where nobody can tell."""
        if scope["type"] == "http" and self._verifier is not None:
            try:
                note_caller(scope, await _caller(scope["headers"], self._verifier))
            except (TokenRefused, IssuerUnavailable) as error:
                await _refusal(scope, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _caller(headers: Iterable[tuple[bytes, bytes]], verifier: Verifier) -> Caller:
    sent = [value for name, value in headers if name == b"authorization"]
    if not sent:
        return ANONYMOUS
    if len(sent) > 1:
        raise TokenRefused("there are two Authorization headers", "invalid_request")
    found = _SCHEME.fullmatch(sent[0].decode("latin-1"))
    if found is None:
        raise TokenRefused("only bearer tokens are taken here: Authorization: Bearer ...", "invalid_request")
    credentials = (found[1] or "").strip(" ")
    return verifier.known(credentials) or await verifier.verify(credentials)


def _refusal(scope: Scope, error: TokenRefused | IssuerUnavailable) -> Response:
    headers = {"cache-control": "no-store", "access-control-allow-origin": "*"}
    if isinstance(error, IssuerUnavailable):
        status, headers["retry-after"] = 503, _RETRY
    else:
        status = 401 if error.error == "invalid_token" else 400
        headers["www-authenticate"] = challenge(error.error, str(error))
        headers["access-control-expose-headers"] = "WWW-Authenticate"
    log.info("%s %s: %d, %s", scope["method"], type(error).__name__, status, _UNQUOTED.sub("?", str(error)))
    body: dict[str, Any] = {"code": type(error).__name__, "description": str(error)}
    content = b"" if scope["method"] == "HEAD" else msgspec.json.encode(body)
    return Response(content, status, headers, media_type="application/json")
