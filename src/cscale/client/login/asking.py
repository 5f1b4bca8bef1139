"""Asks issuers: forms out, JSON in, bounded in size and time; no redirect is followed, nothing is logged."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import msgspec
from yarl import URL

from cscale.client.login.words import LoginFailed, origin_of, plain

_MOST = 1 << 20  # bytes of an answer
_PATIENCE = 30.0  # seconds for one


class Unreachable(LoginFailed):
    """No whole answer came: asking again may help."""


class Web:
    """Asks over connections that are kept for a while. Made by `asking`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str, bearer: str | None = None) -> tuple[int, dict[str, Any]]:
        """The status of an answer, and its JSON object; an empty one where there is none.

        Raises:
            LoginFailed: If the address is not one that may be asked.
            Unreachable: If no whole answer comes.
        """
        return await self._send("GET", url, None, {"authorization": f"Bearer {bearer}"} if bearer else {})

    async def post(
        self, url: str, form: Mapping[str, str], secret: tuple[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """As `get`, with a form sent; `secret` is the id and the secret of a client (RFC 6749 2.3.1)."""
        headers = {}
        if secret is not None:
            both = ":".join(quote_plus(each) for each in secret)
            headers["authorization"] = "Basic " + base64.b64encode(both.encode()).decode()
        return await self._send("POST", url, form, headers)

    async def _send(
        self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        if origin_of(url) is None:
            raise LoginFailed(f"{plain(url)!r} is not asked: a login goes over https, or to this machine")
        try:
            async with self._session.request(
                method,
                URL(url),
                data=form,
                headers={"accept": "application/json", **headers},
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                return response.status, _object(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            said = _said(error)
        # out here, the error does not take along what was sent
        raise Unreachable(f"{URL(url).with_query(None)}: {said}")


@asynccontextmanager
async def asking() -> AsyncIterator[Web]:
    """Connections to ask issuers over."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Web(session)


def refusal(issuer: str, status: int, answer: Mapping[str, Any]) -> LoginFailed:
    """The error for what an issuer refuses (RFC 6749 5.2)."""
    error, more = answer.get("error"), answer.get("error_description")
    said = f"{plain(error, 80)}{f': {plain(more)}' if more else ''}" if error else f"it answered {status}"
    return LoginFailed(f"{issuer} refuses: {said}")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(1 << 16):
        size += len(chunk)
        if size > _MOST:
            raise ValueError("its answer is too long")
        chunks.append(chunk)
    return b"".join(chunks)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(error: Exception) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not to be trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0  # its own text tells addresses
        return f"no connection: {os.strerror(number) if number > 0 else 'the name is not known'}"
    return plain(f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else error)
