"""Asking other sites over HTTP: one pool of connections a service, answers bounded in size."""

import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import msgspec
from aiohttp.compression_utils import HAS_ZSTD
from yarl import URL

from cscale.errors import SiteError, SiteTimeout
from cscale.net.via import outgoing

MAX_ANSWER = 64 * 1024 * 1024
"""The longest answer that is read, in bytes."""
_CONNECTIONS_A_HOST = 32
_CHUNK = 1 << 18
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


class HttpPool:
    """Connections to other sites, kept open between requests."""

    def __init__(self) -> None:
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
            bearer: The token of whoever is asking; sent only by a pool that may pass it on.

        Raises:
            SiteError: If there is no answer, or one that is longer than `MAX_ANSWER`.
        """
        session = self._open()
        body = None if json_body is None else msgspec.json.encode(json_body)
        sent = {"accept": "application/geo+json, application/json", **outgoing(), **(headers or {})}
        if body is not None:
            sent["content-type"] = "application/json"
        try:
            async with session.request(
                method, _address(url), data=body, headers=sent, allow_redirects=False
            ) as response:
                return Answer(response.status, await _read(response))
        except TimeoutError as error:
            raise SiteTimeout("it stopped answering") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SiteError(_said(error)) from error

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncIterator[tuple[int | None, AsyncIterator[bytes]]]:
        """Read a file as it arrives: its length if known, and its bytes. Redirects are followed.

        Raises:
            SiteError: If it is not there, or breaks off.
        """
        try:
            async with self._open().get(
                _address(url), headers={"accept-encoding": "identity"}, max_redirects=5
            ) as response:
                if response.status != 200:
                    raise SiteError(f"{url}: answered {response.status}")
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
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=_CONNECTIONS_A_HOST),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"accept-encoding": _CODINGS},
                auto_decompress=True,
            )
        return self._session


def _address(url: str) -> URL:
    """An address as it is written, also where quoting could be less: what is signed must stay as it is."""
    return URL(url, encoded=re.fullmatch("[!-~]+", url) is not None)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > MAX_ANSWER:
            response.close()
            raise SiteError(f"its answer is longer than {MAX_ANSWER >> 20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _said(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0  # its own text tells addresses
        return f"no connection: {os.strerror(number) if number > 0 else error.os_error.strerror}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "it closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "its answer broke off"
    return f"{type(error).__name__}: {error}"[:200]
