"""Requests of a check, as they go over the wire: bounded in number, time and size, faults kept as they are.

A check speaks HTTP itself: what an adapter would mend must be seen.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

from cscale.net.guard import AddressRefused, Guard
from cscale.net.http import address_of

MAX_ANSWER = 32 * 1024 * 1024
"""The longest answer that is read, in bytes."""
_CHUNK = 1 << 16
_TRANSPORT = ("host", "content-length", "transfer-encoding", "connection", "cookie", "authorization", "via")

Progress = Callable[[int, str], None]
"""Is told how many requests were sent, and what is tried."""


class Reply(NamedTuple):
    """What came of a request.

    Attributes:
        status: The HTTP status; 0 where there was no answer.
        headers: By small letters.
        body: Uncompressed, as far as it was read.
        elapsed: Seconds to the last byte.
        problem: Why there is no answer; empty where there is one.
        asked: Whether the request was sent at all.
    """

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    elapsed: float = 0.0
    problem: str = ""
    asked: bool = True

    @property
    def json(self) -> Any:
        """The body; None where it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None


class Budget:
    """How much a check may ask.

    Args:
        requests: How many requests, at most.
        seconds: After how long nothing more is asked.
        progress: Told before each request.
    """

    def __init__(self, requests: int = 40, seconds: float = 300, progress: Progress | None = None) -> None:
        self._requests = requests
        self._until = time.monotonic() + seconds
        self._progress = progress
        self.spent = 0

    def take(self, what: str) -> bool:
        """Whether one more request may be sent; it counts as sent."""
        if self.spent >= self._requests or time.monotonic() > self._until:
            return False
        if self._progress is not None:
            self._progress(self.spent, what)
        self.spent += 1
        return True


class Wire:
    """Sends the requests of a check; use as a context.

    Args:
        url: The site's address.
        budget: How much may be asked.
        timeout: Seconds that one answer may take.
        tls: Which certificates are good; None for those that the system trusts.
        guard: Says which addresses may be reached; left out, `url` and what the whole world can reach.
    """

    def __init__(
        self,
        url: str,
        budget: Budget,
        timeout: float,
        tls: ssl.SSLContext | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.host = urlsplit(url).hostname or ""
        self.budget = budget
        self.timeout = timeout
        self.tls = tls or ssl.create_default_context()
        self._guard = guard or Guard([url])
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Wire":
        """Nothing is dialled yet."""
        connector = aiohttp.TCPConnector(
            resolver=self._guard.resolver(), socket_factory=self._guard.socket, ssl=self.tls
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        what: str,
        method: str,
        url: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        most: int | None = None,
    ) -> Reply:
        """Send a request. Redirects are not followed; nothing is raised for what a site does.

        Args:
            what: What is tried, for who watches.
            method: The HTTP method.
            url: Where to.
            body: What to send, as JSON.
            headers: Beside those that are always sent.
            most: How much of the body is read; None for all, which then must not be too long.
        """
        if not self.budget.take(what):
            return Reply(0, problem="the check's requests or time were spent", asked=False)
        assert self._session is not None
        sent = {"accept": "application/geo+json, application/json", "origin": ORIGIN}
        sent |= {n: v for n, v in (headers or {}).items() if n.lower() not in _TRANSPORT}
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            sent["content-type"] = "application/json"
        begun = time.monotonic()
        try:
            async with self._session.request(
                method, address_of(url), data=content, headers=sent, allow_redirects=False
            ) as response:
                read, problem = await _read(response, most)
                named = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, named, read, time.monotonic() - begun, problem)
        except TimeoutError:
            return Reply(0, problem=f"no answer within {self.timeout:g} s", elapsed=time.monotonic() - begun)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
                return Reply(0, problem=f"not asked: {error.os_error.strerror}", asked=False)
            return Reply(0, problem=_said(error), elapsed=time.monotonic() - begun)

    async def certificate(self, url: str) -> Mapping[str, Any]:
        """The certificate that a site shows, as `ssl` tells it.

        Raises:
            OSError: If there is no connection, or the certificate is not good.
        """
        parts = urlsplit(url)
        async with asyncio.timeout(self.timeout):
            _, writer = await asyncio.open_connection(self.host, parts.port or 443, ssl=self.tls)
            told: Mapping[str, Any] = writer.get_extra_info("peercert") or {}
            writer.transport.abort()
            return told


ORIGIN = "https://portal.example"
"""The origin of the page that a check pretends to ask from."""


async def _read(response: aiohttp.ClientResponse, most: int | None) -> tuple[bytes, str]:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if most is not None and size > most:
            response.close()
            break
        if size > MAX_ANSWER:
            response.close()
            return b"", f"its answer is longer than {MAX_ANSWER >> 20} MiB"
    return b"".join(chunks)[:most], ""


def _said(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return line(f"its certificate is not good: {error.certificate_error}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return line(f"no connection: {error.os_error.strerror or error.os_error}")
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "it closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer broke off"
    return line(f"{type(error).__name__}: {error}")


def line(text: str, longest: int = 160) -> str:
    """Text of a site as one printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())[:longest]
