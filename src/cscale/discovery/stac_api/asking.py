"""One search sent to a site until it takes it: by the other method, or without what it refuses.

What a site refuses is remembered for a while, so that later searches are taken at once.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from cscale.discovery.stac_api.claims import Claims
from cscale.discovery.stac_api.paging import Step, line
from cscale.discovery.stac_api.plan import Plan, address, parameters
from cscale.errors import SiteError
from cscale.identity import Caller
from cscale.net.http import Answer, Http
from cscale.stac.search import SearchRequest

Method = Literal["GET", "POST"]

_REFUSED = frozenset({400, 404, 405, 406, 411, 413, 414, 415, 422, 501})
_NOT_SO = frozenset({403, 404, 405, 406, 411, 415, 501})
"""What says more of the method than of what was asked."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REMEMBERED = 3600.0  # seconds
_MAX_REMEMBERED = 1_000
_USUAL_PAGE, _SMALL_PAGE = 100, 10
_ROUNDS = 3
_SUSPECTS = ("limit", "sortby", "filter", "q", "intersects", "ids", "datetime", "bbox")
_EXTENSIONS = frozenset({"limit", "sortby", "filter", "q"})
_SPOKEN = {
    "limit": r"limit|page.?size|max.?records",
    "sortby": r"sort",
    "filter": r"filter|cql|queryable|propert|query",
    "q": r"\bq\b|free.?text",
    "intersects": r"intersects|geometr",
    "ids": r"\bids\b",
    "datetime": r"datetime|\bdate|\btime",
    "bbox": r"bbox",
}
"""How sites speak of the parts of a search where they refuse one."""


class Features(msgspec.Struct):
    """A page of items, as far as it is read at once."""

    features: list[msgspec.Raw]
    links: Any = None
    matched: Any = msgspec.field(name="numberMatched", default=None)
    context: Any = None
    missing: Any = msgspec.field(name="federation:missing", default=None)


_FEATURES = msgspec.json.Decoder(Features)


class Got(NamedTuple):
    """A page that came.

    Attributes:
        page: What was in it; None where the site has said that nothing matches.
        plan: What it was asked.
        sent: The body that it was asked with; None where by GET.
        url: Where.
    """

    page: Features | None
    plan: Plan
    sent: Mapping[str, Any] | None
    url: str


class Refused(SiteError):
    """The site does not take what it was asked.

    Attributes:
        status: The HTTP status; 200 for an answer that is none.
        said: Its words.
        method: By which it was asked.
        other: What it said by the other method, if it was asked by that, too.
    """

    def __init__(self, status: int, said: str, method: Method, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said
        self.method = method
        self.other: Refused | None = None

    @property
    def of_content(self) -> bool:
        """Whether it may be that something was asked for that it does not take."""
        return self.status not in _NOT_SO | {403}


class Asker:
    """Sends searches to one site.

    Args:
        root: The site's address.
        http: The connections to use.
    """

    def __init__(self, root: str, http: Http) -> None:
        self._root = root
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(root))
        self._http = http
        self._good: set[Method] = set()
        self._bad: set[Method] = set()
        self._learnt: dict[tuple[str, str], tuple[float, int]] = {}

    @property
    def known_to_search(self) -> bool:
        """Whether the address has answered a search."""
        return bool(self._good)

    def has_answered(self, method: Method) -> bool:
        """Whether the address has answered a search by a method."""
        return method in self._good

    def at_site(self, href: str) -> str:
        """The address of a path and query at the site."""
        return self._origin + href

    def remembered(self, plan: Plan) -> Plan:
        """A plan without what the site has refused lately."""
        now = time.monotonic()
        for part in (*plan.sent, "limit"):
            until, most = self._learnt.get((part, _shape(plan, part)), (0.0, 0))
            if until > now:
                plan = _less(plan, part, most)
        return plan

    async def first(self, caller: Caller, plan: Plan, claims: Claims, refuses: frozenset[str]) -> Got:
        """The first page of a search, by the method that the site takes.

        Args:
            caller: Who is asking.
            plan: The search.
            claims: What the site claims.
            refuses: The methods by which it was seen not to let itself be searched.

        Raises:
            Refused: If it takes it by neither; of the method that says more of why.
            SiteError: If it does not answer properly.
        """
        refusals: list[Refused] = []
        methods = self._methods(refuses)
        for method in methods:
            try:
                got = await self._send(caller, method, plan, claims)
            except Refused as refusal:
                refusals.append(refusal)
                if method in self._good and (refusal.of_content or methods[-1] in self._bad):
                    break
                continue
            self._bad |= {refusal.method for refusal in refusals}
            self._bad.discard(method)
            return got
        told, *others = sorted(refusals, key=lambda refusal: not refusal.of_content)
        told.other = others[0] if others else None
        raise told

    def _methods(self, refuses: frozenset[str]) -> list[Method]:
        """The methods to try, the better one first."""
        methods: list[Method] = ["POST", "GET"]
        methods.sort(key=lambda each: each in self._bad)
        allowed = [each for each in methods if each not in refuses]
        return allowed or methods

    async def telling(self, caller: Caller, refusal: Refused) -> Refused:
        """Of what a site said by both methods, that of the one by which it can be searched."""
        for each in (refusal, refusal.other):
            if each is None or each.method in self._good or refusal.other is None:
                return each or refusal
            if await self.finds_anything(caller, each.method):
                self._bad = {"GET" if each.method == "POST" else "POST"}
                return each
        return refusal

    async def finds_anything(self, caller: Caller, method: Method) -> bool:
        """Whether the site lets itself be searched by a method, for whatever it holds."""
        plan = Plan(SearchRequest(limit=1), frozenset({"sortby"}), limit=1)
        try:
            return (await self._send(caller, method, plan, Claims())).page is not None
        except SiteError:
            return False

    async def less_of(self, caller: Caller, plan: Plan, claims: Claims, refusal: Refused) -> Got:
        """The first page of a search of which something is refused: what is, is found out and left out.

        Raises:
            Refused: If it is none of its parts; the refusal that was there before.
            SiteError: If the site does not answer properly.
        """
        fewer, said = plan, refusal.said
        for _ in range(_ROUNDS):  # while it names what it does not take
            parts = _named(fewer, said)
            if not parts:
                break
            fewer = _without(fewer, parts, said)
            try:
                return self._remember(plan, await self._send(caller, refusal.method, fewer, claims))
            except Refused as again:
                said = again.said
        for parts in (_EXTENSIONS, frozenset(_SUSPECTS)):
            try:
                got = await self._send(caller, refusal.method, _without(fewer, parts, ""), claims)
            except Refused:
                continue
            return self._remember(plan, await self._with_more(caller, plan, got, claims, refusal.method))
        raise refusal

    async def _with_more(self, caller: Caller, plan: Plan, got: Got, claims: Claims, method: Method) -> Got:
        """The page of a search with as much of what was left out as the site takes."""
        there = plan.sent | {"limit"}
        gone = [part for part in _SUSPECTS if part in there and part not in got.plan.sent]
        without = frozenset(gone)
        for part in gone[:_ROUNDS]:
            try:
                fewer = _without(plan, without - {part}, "")
                got = await self._send(caller, method, fewer, claims)
                without -= {part}
            except Refused:
                continue
        return got

    def _remember(self, plan: Plan, got: Got) -> Got:
        """Note what a site has not taken of a plan."""
        if len(self._learnt) >= _MAX_REMEMBERED:
            self._learnt.clear()
        until = time.monotonic() + _REMEMBERED
        for part in plan.sent - got.plan.sent:
            self._learnt[part, _shape(plan, part)] = until, 0
        if got.plan.limit < plan.limit:
            self._learnt["limit", ""] = until, got.plan.limit
        return got

    async def further(
        self, caller: Caller, plan: Plan, step: Step, claims: Claims, refuses: frozenset[str]
    ) -> Got:
        """A page after the first.

        Raises:
            SiteError: If the site does not answer properly.
        """
        if step.kind == "t":
            return await self._send(caller, self._methods(refuses)[0], plan, claims, step.token)
        url = self.at_site(step.href)
        page = await self._page(step.method, url, step.body, caller, step.headers)
        return Got(page, plan, step.body, url)

    async def _send(
        self, caller: Caller, method: Method, plan: Plan, claims: Claims, token: str | None = None
    ) -> Got:
        url, body = f"{self._root}/search", None
        if method == "POST":
            body = plan.body() | ({} if token is None else {"token": token})
        else:
            plan, given = parameters(plan, claims)
            url = address(url, [*given, *([] if token is None else [("token", token)])])
        page = await self._page(method, url, body, caller, {})
        self._good.add(method)
        return Got(page, plan, body, url)

    async def _page(
        self,
        method: Method,
        url: str,
        body: Mapping[str, Any] | None,
        caller: Caller,
        headers: Mapping[str, str],
    ) -> Features | None:
        answer = await self.request(method, url, body, caller, headers)
        if answer.status == 204:
            return None
        said = line(answer.body[:2000].decode(errors="replace"))
        if answer.status != 200:
            message = f"it answered {answer.status}: {said[:160]}"
            if answer.status in _REFUSED or (answer.status == 403 and method == "POST"):
                raise Refused(answer.status, said, method, message)
            raise SiteError(message)
        try:
            return _FEATURES.decode(answer.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            message = f"its answer is not what STAC API says ({error}): {said[:160]}"
            raise Refused(200, said, method, message) from error

    async def request(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        caller: Caller,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """An answer; of redirects only the one that adds or drops a slash is followed."""
        answer = await self._http.request(method, url, json_body=body, headers=headers, bearer=caller.token)
        if answer.status in _REDIRECTS:
            path, mark, query = url.partition("?")
            other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
            again = await self._http.request(
                method, other + mark + query, json_body=body, headers=headers, bearer=caller.token
            )
            return again if again.status == 200 else answer
        return answer


def _named(plan: Plan, said: str) -> frozenset[str]:
    """The parts of a search that a refusal speaks of."""
    there = plan.sent | ({"limit"} if plan.limit > 1 else set())
    return frozenset(part for part in there & _SPOKEN.keys() if re.search(_SPOKEN[part], said, re.IGNORECASE))


def _without(plan: Plan, parts: frozenset[str], said: str) -> Plan:
    """A plan without some parts, with a shorter page if `limit` is among them."""
    most = plan.limit
    if "limit" in parts:
        told = {int(each) for each in re.findall(r"(?<![\w.])\d{1,6}(?![\w.]*\d)", said, re.ASCII)} - _REFUSED
        usual = _USUAL_PAGE if plan.limit > _USUAL_PAGE else _SMALL_PAGE
        most = max([each for each in told if 0 < each < plan.limit], default=usual)
    for part in parts:
        plan = _less(plan, part, most)
    return plan


def _less(plan: Plan, part: str, most: int) -> Plan:
    return plan.shorter(most) if part == "limit" else plan.without([part])


def _shape(plan: Plan, part: str) -> str:
    """That in a part which a site may refuse, while it takes others."""
    request = plan.request
    if part == "intersects" and request.intersects is not None:
        return str(request.intersects.get("type"))
    if part == "sortby":
        return ",".join(map(str, request.sortby))
    if part == "filter":
        return ",".join(sorted(set(_words(plan.query or plan.condition))))
    return ""


def _words(node: Any) -> Iterator[str]:
    """The operators and properties of a filter."""
    if isinstance(node, Mapping):
        yield from (str(node[name]) for name in ("op", "property", "type") if name in node)
        for name, value in node.items():
            yield str(name)
            yield from _words(value)
    elif isinstance(node, list):
        for each in node:
            yield from _words(each)
