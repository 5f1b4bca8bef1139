"""The two ways a check searches a site: STAC API as it goes over the wire, and through any `Source`."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from cscale.discovery.source import Source
from cscale.errors import CscaleError, SiteTimeout
from cscale.identity.caller import ANONYMOUS
from cscale.membership.wire import Budget, Reply, Wire, line
from cscale.stac.search import SearchRequest


@dataclass(frozen=True, slots=True)
class Came:
    """One page as it came.

    Attributes:
        items: The records that can be items.
        invalid: How many records cannot.
        matched: How many match in all, if the site says so.
        next: What leads to the next page; None where nothing does.
        status: The HTTP status; 0 where that is not known, or nothing came.
        problem: Why this is no page; empty where it is one.
        asked: Whether the site was asked at all.
        elapsed: Seconds.
        left: The parts that the adapter says the site did not evaluate.
        limit: How many were asked for.
    """

    items: Sequence[Mapping[str, Any]] = ()
    invalid: int = 0
    matched: int | None = None
    next: Any = None
    status: int = 0
    problem: str = ""
    asked: bool = True
    elapsed: float = 0.0
    left: frozenset[str] = field(default_factory=frozenset)
    limit: int = 0

    @property
    def complete(self) -> bool:
        """Whether this page is all there is."""
        count = len(self.items) + self.invalid
        return not self.problem and self.next is None and count < self.limit


class Asker(Protocol):
    """Searches a site."""

    async def search(self, what: str, request: SearchRequest, *, sort: bool = False) -> Came:
        """The first page.

        Args:
            what: What is tried, for who watches.
            request: The search.
            sort: Whether its order is asked for, too.
        """
        ...

    async def follow(self, what: str, page: Came) -> Came:
        """The page after one that has a next."""
        ...


class StacAsker:
    """Searches by STAC API, and mends nothing.

    Args:
        root: The address of the API, without a slash.
        wire: The connection.
        method: `POST` or `GET`.
    """

    def __init__(self, root: str, wire: Wire, method: str = "POST") -> None:
        self._root = root
        self._wire = wire
        self.method = method

    async def search(self, what: str, request: SearchRequest, *, sort: bool = False) -> Came:
        """See `Asker.search`."""
        body = {name: value for name, value in request.body().items() if sort or name != "sortby"}
        return await self.send(what, body)

    async def send(self, what: str, body: Mapping[str, Any], method: str | None = None) -> Came:
        """Search for what a body says, by either method."""
        method, url = method or self.method, f"{self._root}/search"
        if method == "POST":
            reply = await self._wire.ask(what, "POST", url, body=body)
        else:
            reply = await self._wire.ask(what, "GET", f"{url}?{urlencode(_parameters(body))}")
        return self._came(reply, body)

    async def follow(self, what: str, page: Came) -> Came:
        """See `Asker.follow`."""
        method, url, body, headers = page.next
        if not url:
            return Came(problem="its link to the next page leads away from it, or nowhere")
        reply = await self._wire.ask(what, method, url, body=body, headers=headers)
        return self._came(reply, body or {})

    def _came(self, reply: Reply, body: Mapping[str, Any]) -> Came:
        if reply.problem:
            return Came(problem=reply.problem, status=reply.status, asked=reply.asked, elapsed=reply.elapsed)
        if reply.status != 200:
            said = line(reply.body[:400].decode(errors="replace"), 100)
            return Came(
                problem=f"it answered {reply.status}: {said}", status=reply.status, elapsed=reply.elapsed
            )
        page = reply.json
        features = page.get("features") if isinstance(page, dict) else None
        if not isinstance(features, list):
            return Came(problem="its answer is not GeoJSON", status=200, elapsed=reply.elapsed)
        items = [each for each in features if is_item(each)]
        context = page.get("context")
        matched = page.get("numberMatched", context.get("matched") if isinstance(context, dict) else None)
        following = _next(page.get("links"), self._root, body)
        invalid, limit = len(features) - len(items), _count(body.get("limit")) or 0
        return Came(items, invalid, _count(matched), following, 200, elapsed=reply.elapsed, limit=limit)


class SourceAsker:
    """Searches through an adapter.

    Args:
        source: The adapter.
        budget: How much may be asked.
        timeout: Seconds that one answer may take.
    """

    def __init__(self, source: Source, budget: Budget, timeout: float) -> None:
        self._source = source
        self._budget = budget
        self._timeout = timeout

    async def search(self, what: str, request: SearchRequest, *, sort: bool = False) -> Came:
        """See `Asker.search`: an adapter always asks for the order."""
        return await self._page(what, request, None)

    async def follow(self, what: str, page: Came) -> Came:
        """See `Asker.follow`."""
        request, token = page.next
        return await self._page(what, request, token)

    async def _page(self, what: str, request: SearchRequest, token: str | None) -> Came:
        if not self._budget.take(what):
            return Came(problem="the check's requests or time were spent", asked=False)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                page = await self._source.search(ANONYMOUS, request, token)
        except (TimeoutError, SiteTimeout):
            problem = f"no answer within {self._timeout:g} s"
            return Came(problem=problem, elapsed=time.monotonic() - begun)
        except CscaleError as error:
            return Came(problem=line(str(error)), elapsed=time.monotonic() - begun)
        read = [_decoded(each) for each in page.features]
        items = [each for each in read if is_item(each)]
        return Came(
            items,
            len(read) - len(items) + page.rejected,
            page.matched,
            None if page.token is None else (request, page.token),
            elapsed=time.monotonic() - begun,
            left=page.left,
            limit=request.limit,
        )


def is_item(value: Any) -> bool:
    """Whether a record has what every item has: an id, a geometry or none, and properties."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and isinstance(value.get("properties"), dict)
        and isinstance(value.get("geometry"), dict | None)
    )


def _decoded(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _parameters(body: Mapping[str, Any]) -> dict[str, str]:
    """A search as the parameters of a GET request."""
    told: dict[str, str] = {}
    for name, value in body.items():
        if name == "sortby":
            signs = (("-" if each["direction"] == "desc" else "+") + each["field"] for each in value)
            told[name] = ",".join(signs)
        elif isinstance(value, dict):
            told[name] = msgspec.json.encode(value).decode()
        elif isinstance(value, list):
            told[name] = ",".join(str(each) for each in value)
        else:
            told[name] = str(value)
    return told


def _next(links: Any, root: str, body: Mapping[str, Any]) -> Any:
    """Method, address, body and headers of the next page; an empty address where it leads away."""
    for link in links if isinstance(links, list) else ():
        if not isinstance(link, dict) or link.get("rel") != "next":
            continue
        method = "POST" if str(link.get("method", "GET")).upper() == "POST" else "GET"
        sent, headers = link.get("body"), link.get("headers")
        sent = sent if isinstance(sent, dict) else None
        if method == "POST" and (sent is None or link.get("merge") is True):
            sent = {**body, **(sent or {})}
        named = headers.items() if isinstance(headers, dict) else ()
        plain = {n: v for n, v in named if isinstance(n, str) and isinstance(v, str)}
        return method, _same_origin(root, link.get("href")), sent if method == "POST" else None, plain
    return None


def _same_origin(root: str, href: object) -> str:
    try:
        address = urljoin(f"{root}/search", href) if isinstance(href, str) else ""
        return address if urlsplit(address)[:2] == urlsplit(root)[:2] else ""
    except ValueError:
        return ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
