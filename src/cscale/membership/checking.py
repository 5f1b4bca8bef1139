"""`check`: what a site claims, and what it does.

A site that speaks STAC API is asked as it is, over the wire; others through their adapter. Some forty
requests tell; everything that is answered may be wrong, too long, or meant to harm.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any

from cscale.discovery.source import Source
from cscale.errors import BadInput, BadRequest, SiteError
from cscale.federation import Endpoint, Member
from cscale.federation.profiles import Outcome, Tried
from cscale.identity.caller import ANONYMOUS
from cscale.membership import questions as q
from cscale.membership.asking import Asker, Came, SourceAsker, StacAsker
from cscale.membership.delivery import try_cors, try_ranges, try_tls
from cscale.membership.report import LEFT, Report, join_list, profile_of
from cscale.membership.searching import Searching
from cscale.membership.wire import Budget, Progress, Reply, Wire, line
from cscale.net.guard import Guard
from cscale.stac.search import SearchRequest
from cscale.stac.times import text_of

REQUESTS = 40
"""How many requests a check sends, at most."""
_CLAIMS, _LONGEST_CLAIM = 200, 200
_API_VERSION = re.compile(r"https://api\.stacspec\.org/v([\w.-]{1,20})/core")


async def check(
    endpoint: Endpoint,
    source: Source | None = None,
    *,
    member: Member | None = None,
    patience: float = 10,
    seconds: float = 300,
    progress: Progress | None = None,
    tls: ssl.SSLContext | None = None,
    guard: Guard | None = None,
) -> Report:
    """Try what a site does.

    Args:
        endpoint: Where, and what is spoken there.
        source: The adapter that speaks it; a STAC API needs none.
        member: The site's entry in a hub's configuration, if it has one.
        patience: Seconds that one answer may take.
        seconds: After how long nothing more is asked.
        progress: Told before each request.
        tls: Which certificates are good; None for those that the system trusts.
        guard: Says which addresses may be reached; left out, the endpoint's and public ones.

    Raises:
        BadInput: If it is no STAC API, and there is no adapter.
        SiteError: If it cannot be reached, or answers nothing at all properly.
    """
    budget = Budget(REQUESTS, seconds, progress)
    async with Wire(endpoint.url, budget, patience, tls, guard) as wire:
        if endpoint.kind == "stac-api":
            return await _StacCheck(endpoint, wire, member).report()
        if source is None:
            raise BadInput(f"{endpoint.kind}: nothing here speaks it; a check needs its adapter")
        return await _SourceCheck(endpoint, wire, member, source).report()


class _Check:
    """What both kinds of checks have in common."""

    def __init__(self, endpoint: Endpoint, wire: Wire, member: Member | None) -> None:
        self._endpoint = endpoint
        self._root = endpoint.url.rstrip("/")
        self._wire = wire
        self._member = member
        self._tried: dict[str, Tried] = {}
        self._claims: Sequence[str] = ()
        self._about: list[Mapping[str, Any]] = []
        self._versions: dict[str, str] = {}

    def _keep(self, tried: Tried) -> Tried:
        self._tried[tried.name] = tried
        return tried

    async def _search(self, asker: Asker, first: Came) -> Searching:
        """Try the parts of a search, on the items of a first page."""
        searching = Searching(asker)
        searching.start(first)
        await searching.parts()
        await searching.sort()
        await searching.paging()
        await searching.longest()
        searching.counted()
        self._tried |= searching.tried
        return searching

    async def _deliver(self, items: Sequence[Mapping[str, Any]]) -> None:
        self._keep(await try_tls(self._wire, self._endpoint.url))
        self._keep(await try_ranges(self._wire, self._root, items))

    def _report(self, searching: Searching | None) -> Report:
        median = None if searching is None else searching.median
        title = self._about[0].get("title") if self._about else None
        return Report(
            self._endpoint.url,
            self._endpoint.kind,
            profile_of(
                self._tried,
                self._claims,
                None if searching is None else searching.page,
                text_of(int(time.time()) * 1_000_000),
            ),
            join_list(
                self._endpoint.url, self._endpoint.kind, self._tried, self._claims, self._about, self._member
            ),
            line(title) if isinstance(title, str) else "",
            self._versions,
            self._wire.budget.spent,
            None if median is None else round(median * 1000),
            0 if searching is None else searching.invalid,
        )


class _StacCheck(_Check):
    """A STAC API, over the wire."""

    async def report(self) -> Report:
        landing = await self._landing()
        await self._collections()
        asker, first = await self._methods()
        searching = None
        if first is not None:
            searching = await self._search(asker, first)
            if searching.known is not None:
                await self._more(asker, searching)
        self._keep(await try_cors(self._wire, self._root, landing))
        await self._deliver(first.items if first is not None else ())
        return self._report(searching)

    async def _landing(self) -> Reply:
        reply = await self._wire.ask("the landing page", "GET", f"{self._root}/")
        if reply.status in (301, 302, 307, 308, 404):
            reply = await self._wire.ask("the landing page", "GET", self._root)
        if reply.status == 0:
            raise SiteError(f"{self._endpoint.url}: {reply.problem}")
        page = reply.json
        if reply.status != 200 or not isinstance(page, dict):
            said = f"it answered {reply.status}" if reply.status != 200 else "it is no JSON object"
            self._keep(Tried("landing page", "wrong", said))
            return reply
        self._about.append(page)
        claims = page.get("conformsTo")
        if not isinstance(claims, list):
            other = (await self._wire.ask("conformance", "GET", f"{self._root}/conformance")).json
            claims = other.get("conformsTo") if isinstance(other, dict) else None
        listed = claims if isinstance(claims, list) else []
        texts = [each for each in listed if isinstance(each, str) and each.isprintable()]
        self._claims = [each for each in texts if len(each) <= _LONGEST_CLAIM][:_CLAIMS]
        self._keep(_judged_landing(page, self._claims))
        if isinstance(version := page.get("stac_version"), str):
            self._versions["stac"] = line(version, 20)
        if api := next((m for each in self._claims if (m := _API_VERSION.fullmatch(each))), None):
            self._versions["api"] = api[1]
        return reply

    async def _collections(self) -> None:
        reply = await self._wire.ask("the collections", "GET", f"{self._root}/collections")
        page = reply.json
        listed = page.get("collections") if isinstance(page, dict) else None
        if reply.problem or reply.status != 200 or not isinstance(listed, list):
            said = reply.problem or f"it answered {reply.status}, or no list of collections"
            self._keep(Tried("list of collections", "wrong" if reply.asked else "untried", said))
            return
        good = [each for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)]
        self._about += good[:1000]
        outcome: Outcome = "done" if len(good) == len(listed) else "wrong"
        more = "" if outcome == "done" else f", {len(listed) - len(good)} that are none"
        self._keep(Tried("list of collections", outcome, f"{len(good)} collections{more}"))

    async def _methods(self) -> tuple[StacAsker, Came | None]:
        """Search by both methods; the better one, and what came."""
        asker, came = StacAsker(self._root, self._wire), {}
        for method in ("POST", "GET"):
            page = await asker.send(f"{method} search", {"limit": q.SAMPLE}, method)
            came[method] = page
            if not page.problem:
                said = f"{len(page.items)} items"
                if page.invalid:
                    said += f", {page.invalid} records that are no items"
                self._keep(Tried(f"{method} search", "done", said))
            else:
                outcome: Outcome = "refused" if 400 <= page.status < 500 else "wrong"
                self._keep(Tried(f"{method} search", outcome, page.problem))
        if all(page.problem and not 200 <= page.status < 500 for page in came.values()):
            raise SiteError(f"{self._endpoint.url}: no search is answered: {came['POST'].problem}")
        asker.method = next((method for method, page in came.items() if not page.problem), "POST")
        first = came[asker.method]
        return asker, None if first.problem else first

    async def _more(self, asker: StacAsker, searching: Searching) -> None:
        """Free text and the text form of filters, which only some sites claim."""
        if any(each.endswith("#free-text") for each in self._claims):
            request = SearchRequest(q=("cscalenosuchword",), limit=q.SAMPLE)
            question = q.Question("q", "of a word that no item has", request)
            self._keep(q.together("q", [q.judge(question, await asker.search("q", request))]))
        else:
            self._keep(Tried("q", "refused", "free text is not claimed"))
        if not any(each.endswith("/cql2-text") for each in self._claims):
            return
        text, what = q.comparison(searching.sample, searching.known or {})
        body = {"limit": q.SAMPLE, "filter": text, "filter-lang": "cql2-text"}
        tried = self._tried.get("GET search")
        if tried is None or tried.outcome in LEFT:
            return
        try:
            question = q.filter_question(text, what, searching.known)
        except BadRequest:  # made of an item's own words, which may be anything
            return
        judged = q.judge(question, await asker.send("filter as text", body, "GET"))
        self._keep(Tried("filter as text", judged.outcome, judged.said))


def _judged_landing(page: Mapping[str, Any], claims: Sequence[str]) -> Tried:
    links = page.get("links")
    relations = {
        each.get("rel") if isinstance(each.get("rel"), str) else ""
        for each in (links if isinstance(links, list) else ())
        if isinstance(each, dict)
    }
    wanted = ("self", "root", "service-desc", "data", "search")
    missing = [relation for relation in wanted if relation not in relations]
    if not claims:
        return Tried("landing page", "wrong", "no conformance classes (conformsTo)")
    if not any(each.endswith("/item-search") for each in claims):
        return Tried("landing page", "wrong", "item-search is not among its conformance classes")
    if "search" in missing:
        return Tried("landing page", "wrong", f"links are missing: {', '.join(missing)}")
    more = f"; links that are missing: {', '.join(missing)}" if missing else ""
    return Tried("landing page", "done", f"{len(claims)} conformance classes{more}")


class _SourceCheck(_Check):
    """A site of another dialect, through its adapter."""

    def __init__(self, endpoint: Endpoint, wire: Wire, member: Member | None, source: Source) -> None:
        super().__init__(endpoint, wire, member)
        self._source = source

    async def report(self) -> Report:
        asker = SourceAsker(self._source, self._wire.budget, self._wire.timeout)
        first = await asker.search("search", SearchRequest(limit=q.SAMPLE))
        if first.problem:
            raise SiteError(f"{self._endpoint.url}: {first.problem}")
        self._keep(Tried("search", "done", f"{len(first.items)} items"))
        try:
            self._wire.budget.take("the collections")
            async with asyncio.timeout(self._wire.timeout):
                listed, _ = await self._source.collections(ANONYMOUS)
            self._about += [{}, *listed[:1000]]
            self._keep(Tried("list of collections", "done", f"{len(listed)} collections"))
        except (SiteError, TimeoutError) as error:
            self._keep(Tried("list of collections", "wrong", line(str(error)) or "no answer in its time"))
        searching = await self._search(asker, first)
        await self._deliver(first.items)
        return self._report(searching)
