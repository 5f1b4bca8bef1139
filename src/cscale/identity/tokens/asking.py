"""Asking issuers: small answers in little time, no redirects, and no address that only we can see."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlencode

import aiohttp

from cscale.errors import SiteError
from cscale.net.guard import AddressRefused
from cscale.net.http import HttpPool, Received, address_of

MOST = 256 * 1024
"""The longest answer of an issuer that is read, in bytes, uncompressed."""
PATIENCE = 5.0
"""Seconds that an issuer has for an answer."""
_CHUNK = 1 << 14


class IssuerHttp(HttpPool):
    """Connections to issuers."""

    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Received:
        """Get a document, or post a form. Redirects are not followed: an issuer answers at its own address.

        Raises:
            SiteError: If there is no answer within `PATIENCE`, or one that is longer than `MOST`.
        """
        content = None if form is None else urlencode(form).encode()
        sent = {"accept": "application/json", **(headers or {})}
        if content is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        try:
            async with (
                asyncio.timeout(PATIENCE),
                self._open().request(
                    "GET" if content is None else "POST",
                    address_of(url),
                    data=content,
                    headers=sent,
                    allow_redirects=False,
                ) as response,
            ):
                return Received(response.status, await _bounded(response), response.headers)
        except TimeoutError:
            failed = f"no answer within {PATIENCE:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failed = _said(error)
        raise SiteError(failed)  # out here, it does not take along what was sent


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MOST:
            response.close()
            raise SiteError(f"its answer is longer than {MOST >> 10} KiB")
    return bytes(body)


def _said(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, AddressRefused):
        return f"not asked: {error.os_error.strerror}"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not to be trusted"
    return f"no whole answer ({type(error).__name__})"
