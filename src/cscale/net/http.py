"""Asking other sites over HTTP: one pool of connections a service, answers bounded in size."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple, Protocol

import aiohttp
import msgspec
from aiohttp.compression_utils import HAS_ZSTD
from yarl import URL

from cscale.errors import SiteError, SiteTimeout, SiteUnreachable
from cscale.net.guard import AddressRefused, Guard
from cscale.net.via import outgoing

MAX_ANSWER = 64 * 1024 * 1024
"""The longest answer that is read, in bytes, uncompressed."""
_CONNECTIONS_A_HOST = 32
_CHUNK = 1 << 18
_REDIRECTS = 5
_LEADS_ON = frozenset({301, 302, 303, 307, 308})
_CODINGS = "zstd, gzip, deflate" if HAS_ZSTD else "gzip, deflate"
"""Services have zstd, which costs them and those they ask a third of gzip; the client need not."""


class Answer(NamedTuple):
    """An HTTP answer, read whole.

    Attributes:
        status: The HTTP status.
        body: Uncompressed.
    """

    status: int
    body: bytes


class Received(NamedTuple):
    """An HTTP answer with its headers.

    Attributes:
        status: The HTTP status.
        body: Uncompressed.
        headers: By name, in any case.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


class Http(Protocol):
    """What asks other sites: a pool, or one member's part in it."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
    ) -> Answer:
        """Send a request and read its answer, see `HttpPool.request`."""


class HttpPool:
    """Connections to other sites, kept open between requests.

    Args:
        guard: Says which addresses may be reached; None for all, as on a user's own machine.
    """

    def __init__(self, guard: Guard | None = None) -> None:
        self._guard = guard
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
    ) -> Answer:
        """Send a request and read its answer. Redirects are not followed: they may lead anywhere.

        Cancel it to give up; deadlines are the caller's.

        Args:
            method: The HTTP method.
            url: Where to.
            json_body: What to send, as JSON.
            headers: Beside those that are always sent.
            bearer: The token of whoever is asking; sent only by a member's own part (`SiteHttp`).

        Raises:
            SiteUnreachable: If no answer began.
            SiteError: If there is none that is whole, or one that is longer than `MAX_ANSWER`.
        """
        content = None if json_body is None else msgspec.json.encode(json_body)
        received = await self.send(method, url, content, headers or {})
        return Answer(received.status, received.body)

    async def send(
        self,
        method: str,
        url: str | URL,
        content: bytes | None,
        headers: Mapping[str, str],
        *,
        once: bool = False,
    ) -> Received:
        """As `request`, with what is sent as bytes (of JSON), and with the headers that came.

        Args:
            method: The HTTP method.
            url: Where to.
            content: What to send, JSON.
            headers: Beside those that are always sent.
            once: Whether it is sent only once. Else a GET goes out again over a new connection where the
                one that was kept open turns out to be closed.

        Raises:
            SiteUnreachable: If no answer began.
            SiteError: If there is none that is whole, or one that is longer than `MAX_ANSWER`.
        """
        session, began, failed = self._open(), False, SiteError()
        sent = {"accept": "application/geo+json, application/json", **outgoing(), **headers}
        if content is not None:
            sent["content-type"] = "application/json"
        try:
            async with session.request(
                method,
                address_of(url),
                data=content,
                headers=sent,
                allow_redirects=False,
                middlewares=_ONCE if once else None,
            ) as response:
                began = True
                return Received(response.status, await _read(response), response.headers)
        except (aiohttp.ClientError, OSError, ValueError, _Failed) as error:
            cause = error.error if isinstance(error, _Failed) else error
            failed = _failure(cause, began=began)
        raise failed  # out here, it does not take along what tells all that was sent, token included

    @asynccontextmanager
    async def stream(
        self, url: str, token_for: Callable[[str], Awaitable[str | None]] | None = None
    ) -> AsyncIterator[tuple[int | None, AsyncIterator[bytes]]]:
        """Read a file as it arrives: its length if known, and its bytes.

        Redirects are followed, each with the token that is for where it leads, if there is one.

        Args:
            url: Where it is.
            token_for: The token to send to an address; left out: none to any.

        Raises:
            SiteError: If it is not there, or breaks off, or is nowhere but out of TLS.
        """
        try:
            async with AsyncExitStack() as stack:
                place, response = address_of(url), None
                for _ in range(_REDIRECTS + 1):
                    headers = {"accept-encoding": "identity"}
                    if token_for is not None and (token := await token_for(str(place))):
                        headers["authorization"] = f"Bearer {token}"
                    asked = self._open().get(place, headers=headers, allow_redirects=False)
                    response = await stack.enter_async_context(asked)
                    location = response.headers.get("location")
                    if response.status not in _LEADS_ON or location is None:
                        break
                    place = _led_on(place, location)
                if response is None or response.status != 200:
                    raise SiteError(f"{url}: {_status_said(response)}")
                yield response.content_length, response.content.iter_chunked(_CHUNK)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SiteError(f"{url}: {_said(error)}") from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            guard = self._guard
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    limit_per_host=_CONNECTIONS_A_HOST,
                    resolver=guard.resolver() if guard else None,
                    socket_factory=guard.socket if guard else None,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"accept-encoding": _CODINGS},
                auto_decompress=True,
            )
        return self._session


def address_of(url: str | URL) -> URL:
    """An address as it is written, also where quoting could be less: what is signed must stay as it is.

    Raises:
        ValueError: If it is none.
    """
    if isinstance(url, URL):
        return url
    return URL(url, encoded=re.fullmatch("[!-~]+", url) is not None)


def _led_on(place: URL, location: str) -> URL:
    """Where a redirect leads, on the web, and not out of TLS.

    Raises:
        ValueError: If it leads elsewhere.
    """
    there = place.join(address_of(location)).with_fragment(None)
    if there.scheme not in ("http", "https") or not there.raw_host:
        raise ValueError("it redirects to what is no address on the web")
    if (place.scheme, there.scheme) == ("https", "http"):
        raise ValueError("it redirects from https to http, where anyone could answer in its name")
    return there.with_user(None)


def _status_said(response: aiohttp.ClientResponse | None) -> str:
    if response is None or response.status in _LEADS_ON:
        return f"it redirects more than {_REDIRECTS} times"
    more = {401: "; log in first: cscale login", 403: "; whoever asked may not read it"}
    return f"answered {response.status}{more.get(response.status, '')}"


class _Failed(Exception):
    """What keeps the session from asking again by itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _once(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectionError as error:
        raise _Failed(error) from error


_ONCE = (_once,)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, which is inflated bit by bit, and no further than to the limit."""
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > MAX_ANSWER:
            response.close()
            raise SiteError(f"its answer is longer than {MAX_ANSWER >> 20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _failure(error: Exception, *, began: bool) -> SiteError:
    """What is said of an error, and whether asking again is safe."""
    if isinstance(error, TimeoutError):
        return SiteTimeout("it stopped answering")
    lost = isinstance(error, aiohttp.ClientConnectionError | ConnectionError)
    kind = SiteUnreachable if lost and not began and not _is_refusal(error) else SiteError
    return kind(_said(error))


def _is_refusal(error: Exception) -> bool:
    """Whether asking again cannot help: our own guard says no, or the two do not trust each other."""
    return isinstance(error, aiohttp.ClientSSLError) or (
        isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused)
    )


def _said(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        return f"its certificate is not to be trusted: {getattr(cause, 'verify_message', cause)}"[:200]
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, AddressRefused):
            return f"not asked: {cause.strerror}"
        number = cause.errno or 0  # its own text tells addresses
        return f"no connection: {os.strerror(number) if number > 0 else cause.strerror or 'refused'}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "it closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer broke off"
    return f"{type(error).__name__}: {error}"[:200]
