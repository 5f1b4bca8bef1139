"""Where a request goes, and where a redirect may lead it (RFC 9110 15.4), pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from yarl import URL

from cscale.errors import SiteError
from cscale.net.http import address_of

MOST = 3
"""How many redirects are followed."""
_PORTS = {"http": 80, "https": 443}
_ANY_METHOD = frozenset({307, 308})
_GET_ONLY = frozenset({301, 302, 303})


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Attributes:
        method: The HTTP method.
        url: Where to.
        content: The body, JSON.
        headers: Beside those always sent, without the token.
        bearer: The token that is sent.
    """

    method: str
    url: URL
    content: bytes | None
    headers: Mapping[str, str]
    bearer: str | None

    def all_headers(self) -> Mapping[str, str]:
        """The headers, with the token."""
        if self.bearer is None:
            return self.headers
        return {**self.headers, "authorization": f"Bearer {self.bearer}"}


def origin(url: URL) -> tuple[str, str, int]:
    """Scheme, host and port: who it is that answers at an address (RFC 6454).

    Raises:
        ValueError: If it is no address on the web.
    """
    if url.scheme not in _PORTS or not url.raw_host:
        raise ValueError(f"{url.scheme!r} is no address on the web")
    return url.scheme, url.raw_host.lower(), url.port or _PORTS[url.scheme]


def redirected(call: Call, status: int, location: str | None) -> Call | None:
    """The request that an answer leads to; None if it is to be taken as it is.

    A body is sent on only where the status says that the method stays. To another origin go neither the
    token nor any header but `accept`.

    Raises:
        SiteError: If it leads to what is no address on the web, or out of TLS.
    """
    follows = status in _ANY_METHOD or (status in _GET_ONLY and call.method == "GET")
    if not follows or location is None:
        return None
    try:
        url = call.url.join(address_of(location)).with_user(None).with_fragment(None)
        there = origin(url)
    except ValueError as error:
        raise SiteError("it redirects to what is no address on the web") from error
    if call.url.scheme == "https" and url.scheme == "http":
        raise SiteError("it redirects from https to http, where anyone could answer in its name")
    if there == origin(call.url):
        return replace(call, url=url)
    kept = {name: value for name, value in call.headers.items() if name.lower() == "accept"}
    return replace(call, url=url, headers=kept, bearer=None)
