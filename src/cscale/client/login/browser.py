"""Log in in this machine's browser: authorization code with PKCE, sent back to loopback (RFC 8252, 7636)."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from yarl import URL

from cscale.client.login.asking import Web, refusal
from cscale.client.login.provider import Provider
from cscale.client.login.words import LoginFailed, Shown, plain

_PATH = "/callback"
_MOST = 16 * 1024  # bytes of a request
_SLOWEST = 10.0  # seconds that one may take to arrive


async def by_browser(
    web: Web,
    provider: Provider,
    client_id: str,
    scope: str,
    show: Callable[[Shown], None],
    seconds: float = 300.0,
) -> tuple[dict[str, Any], str]:
    """Log in in a browser; the token endpoint's answer, and the nonce its ID token must hold.

    Args:
        web: What asks.
        provider: The issuer.
        client_id: As which program.
        scope: What for.
        show: Opens the page, or tells the person to.
        seconds: For how long it is waited.

    Raises:
        LoginFailed: If it is refused, or nobody comes in time.
    """
    issuer, methods = provider.issuer, provider.code_challenge_methods_supported
    if provider.authorization_endpoint is None:
        raise LoginFailed(f"{issuer} knows no login in a browser; try --device")
    if methods is not None and "S256" not in methods:  # without it, who sees the code has the login
        raise LoginFailed(f"{issuer} does not protect codes with PKCE (S256); try --device")
    verifier, state, nonce = (secrets.token_urlsafe(48) for _ in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    back = _Back(provider, state)
    server = await asyncio.start_server(back.serve, "127.0.0.1", 0, limit=_MOST)
    try:
        back.port = server.sockets[0].getsockname()[1]
        redirect_uri = f"http://127.0.0.1:{back.port}{_PATH}"
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if "offline_access" in scope.split():
            asked["prompt"] = "consent"  # OpenID Connect Core 11
        url = str(URL(provider.authorization_endpoint).update_query(asked))
        await asyncio.to_thread(show, Shown(issuer, url, seconds=seconds))
        async with asyncio.timeout(seconds):
            code = await back.code
    except TimeoutError:
        raise LoginFailed(f"{issuer}: nobody logged in within {seconds:g} s") from None
    finally:
        server.close()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    status, answer = await web.post(
        provider.token_endpoint, {**form, "client_id": client_id, "code_verifier": verifier}
    )
    if status != 200:
        raise refusal(issuer, status, answer)
    return answer, nonce


class _Back:
    """Where the browser comes back to. What does not carry our state is turned away, and waited on.

    Args:
        provider: The issuer.
        state: What was sent with the request.
    """

    def __init__(self, provider: Provider, state: str) -> None:
        self.port = 0
        self.code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._provider = provider
        self._state = state

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_SLOWEST):
                head = await reader.readuntil(b"\r\n\r\n")
                status, said = self._taken(head.decode("latin-1"))
                writer.write(_page(status, said))
                await writer.drain()
        writer.close()

    def _taken(self, head: str) -> tuple[str, str]:
        """What a request is answered; the code is taken from the right one."""
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        hosts = [line[5:].strip() for line in lines if line.lower().startswith("host:")]
        if hosts != [f"127.0.0.1:{self.port}"]:  # a page elsewhere that bound its name to this machine
            return "421 Misdirected Request", "This is not that host."
        if method != "GET" or target.path != _PATH:
            return "404 Not Found", "There is nothing here."
        try:
            query = parse_qs(target.query, max_num_fields=50)
        except ValueError:
            query = {}
        if not hmac.compare_digest(_only(query, "state").encode(), self._state.encode()):
            return "400 Bad Request", "This is not the login that was asked for."
        if not self.code.done():
            self._settle(query)
        return "200 OK", "That was it: see the terminal. You can close this page."

    def _settle(self, query: dict[str, list[str]]) -> None:
        provider, iss = self._provider, _only(query, "iss")
        needed = provider.authorization_response_iss_parameter_supported
        code = _only(query, "code")
        if (iss or needed) and iss != provider.issuer:  # RFC 9207: the answer of another issuer
            self.code.set_exception(LoginFailed(f"{plain(iss)!r} answered in the place of {provider.issuer}"))
        elif "error" in query:
            said = {name: _only(query, name) for name in ("error", "error_description")}
            self.code.set_exception(refusal(provider.issuer, 200, said))
        elif not code:
            self.code.set_exception(LoginFailed(f"{provider.issuer} sent the browser back without a code"))
        else:
            self.code.set_result(code)


def _only(query: dict[str, list[str]], name: str) -> str:
    values = query.get(name, [])
    return values[0] if len(values) == 1 else ""


def _page(status: str, said: str) -> bytes:
    body = f"<!doctype html><title>cscale</title><p>{said}</p>".encode()
    fields = {
        "content-type": "text/html; charset=utf-8",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "no-referrer",
        "connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body
