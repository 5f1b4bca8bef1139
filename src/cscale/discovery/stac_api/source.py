"""A member that speaks STAC API, of whatever version and quality.

What a site does not claim to evaluate is not sent, and what it refuses is left out; both are `left` to the
hub, as is what its profile says. So no part of a search is dropped.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import msgspec

from cscale.discovery.source import SourcePage
from cscale.discovery.stac_api import collections as listing
from cscale.discovery.stac_api import paging
from cscale.discovery.stac_api.asking import Asker, Got, Method, Refused
from cscale.discovery.stac_api.claims import Claims, read_claims
from cscale.discovery.stac_api.mending import mended
from cscale.discovery.stac_api.plan import LETTERS, Plan, planned
from cscale.errors import BadInput, SiteError
from cscale.federation import Endpoint
from cscale.federation.profiles import Profile, Profiled, unknown
from cscale.identity import Caller
from cscale.net.http import Http
from cscale.stac.items import item_times
from cscale.stac.search import NEWEST_FIRST, SearchRequest

_LANDING_TIME = 5.0  # seconds; without it the site is searched all the same
_CLAIMS_KEPT = 3600.0
_FAILURE_KEPT = 300.0
_UNKNOWN_KEPT = 600.0
_MAX_CALLERS = 100
_MAX_EMPTY = 20
_MAX_SEPARATE = 10


class StacApi:
    """A STAC API as a `Source`.

    Args:
        endpoint: Its address.
        http: The connections to use.
        profile: What the site was seen to do.
    """

    def __init__(self, endpoint: Endpoint, http: Http, profile: Profiled = unknown) -> None:
        self._root = endpoint.url.rstrip("/")
        self._asker = Asker(self._root, http)
        self._profile = profile
        self._circles = paging.Circles()
        self._claims = Claims()
        self._claims_until = 0.0
        self._claiming = asyncio.Lock()
        self._unknown: dict[str | None, tuple[float, frozenset[str]]] = {}

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """See `Source.search`; what the site cannot or would not evaluate is `left`.

        Empty pages that lead on are passed over.
        """
        page = await self._page(caller, request, token)
        for _ in range(_MAX_EMPTY):
            if page.features or page.rejected or page.token is None:
                break
            page = await self._page(caller, request, page.token)
        return page

    async def _page(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        known = self._without_unknown(caller, request)
        if known.collections == () and request.collections:
            return SourcePage([], matched=0)
        plan, claims = await self._planned(caller, known)
        if token is None:
            got = await self._first(caller, plan, claims)
            left = await self._left(caller, got)
        else:
            got = await self._further(caller, paging.resumed(token, plan), token, claims)
            left = got.plan.left | paging.left_by(token)
        return self._read(got, left, request, token)

    def _read(self, got: Got, left: frozenset[str], request: SearchRequest, token: str | None) -> SourcePage:
        """A page as it came, its items made proper."""
        if got.page is None:
            return SourcePage([], matched=0, left=left)
        step = paging.next_step(got.page.links, self._root, got.plan, got.sent)
        after = None
        if step is not None and (got.page.features or step.counts is None):
            after = paging.written(step, got.plan, left)
            self._circles.note(f"{request.digest()} {request.limit}", token, after)
        asked = got.plan.request.collections or ()
        items = [mended(raw, asked, got.url) for raw in got.page.features]
        good = [item for item in items if item is not None]
        context = got.page.context if isinstance(got.page.context, dict) else {}
        matched = _count(got.page.matched)
        return SourcePage(
            good,
            after,
            _count(context.get("matched")) if matched is None else matched,
            listing.names(got.page.missing),
            left,
            len(items) - len(good),
        )

    async def _planned(self, caller: Caller, request: SearchRequest) -> tuple[Plan, Claims]:
        """How the site is asked, by all that is known of it."""
        profile = self._profile() or Profile()
        tried = frozenset(LETTERS) - profile.leaves if profile.checked_at is not None else frozenset[str]()
        plain = request.filter is None and request.q is None
        if plain and (request.sortby == NEWEST_FIRST or "sortby" in tried):
            claims = self._claims
        else:
            claims = await self._claimed(caller)
        plan = self._asker.remembered(planned(request, claims, profile.leaves, tried))
        return plan if profile.page is None else plan.shorter(profile.page), claims

    async def _first(self, caller: Caller, plan: Plan, claims: Claims) -> Got:
        """The first page, without the collections and the parts of the search that the site refuses."""
        refuses = (self._profile() or Profile()).refuses
        try:
            return await self._asker.first(caller, plan, claims, refuses)
        except Refused as refusal:
            return await self._after(caller, plan, claims, refusal)

    async def _after(self, caller: Caller, plan: Plan, claims: Claims, refusal: Refused) -> Got:
        """The first page of a search that was refused."""
        refusal = await self._asker.telling(caller, refusal)
        fewer = await self._without_foreign(caller, plan, claims, refusal)
        if fewer.request.collections == ():
            return Got(None, fewer, None, self._root)
        if fewer is not plan:
            try:
                refuses = (self._profile() or Profile()).refuses
                return await self._asker.first(caller, fewer, claims, refuses)
            except Refused as again:
                refusal = again
        takes_others = self._asker.known_to_search and refusal.status != 404
        if refusal.of_content or takes_others:
            try:
                return await self._asker.less_of(caller, fewer, claims, refusal)
            except Refused:  # by this method it takes nothing at all
                if takes_others or refusal.other is None:
                    raise
        both = [each for each in (refusal, refusal.other) if each is not None]
        nothing = next((each.method for each in both if each.status == 404), None)
        forbids = any(each.status == 403 for each in both)  # perhaps not by method alone
        if nothing is not None and await self._searches(caller, nothing, forbids):
            return Got(None, fewer, None, self._root)
        raise refusal

    async def _searches(self, caller: Caller, method: Method, forbids: bool) -> bool:  # noqa: FBT001
        """Whether a site that answers 404 by a method is one that says so where nothing matches."""
        if self._asker.has_answered(method):
            return True
        return not forbids and (self._asker.known_to_search or (await self._claimed(caller)).search)

    async def _further(self, caller: Caller, plan: Plan, token: str, claims: Claims) -> Got:
        step = paging.read(token, self._root, plan)
        refuses = (self._profile() or Profile()).refuses
        try:
            return await self._asker.further(caller, plan, step, claims, refuses)
        except Refused as refusal:
            fewer = await self._without_foreign(caller, plan, claims, refusal) if step.kind == "t" else plan
            if fewer is plan or not fewer.request.collections:
                raise
            return await self._asker.further(caller, fewer, step, claims, refuses)

    async def _left(self, caller: Caller, got: Got) -> frozenset[str]:
        """What the site has left of a search, by the first page that came.

        That all of a search comes newest first is seen where it comes at once; else the site is believed
        if it claims to sort, or makes no claims at all.
        """
        left, request = got.plan.left, got.plan.request
        profile = self._profile() or Profile()
        if request.sortby != NEWEST_FIRST or profile.checked_at is not None or got.page is None:
            return left
        more = paging.link(got.page.links, "next") is not None
        if not more and len(got.page.features) < 2:
            return left - {"sortby"}
        claims = await self._claimed(caller)
        if "sort" in claims.parts and "sortby" in got.plan.sent:
            return left
        if not claims.told:
            return left
        whole = not more and _newest_first(got.page.features)
        return left - {"sortby"} if whole else left | {"sortby"}

    def _without_unknown(self, caller: Caller, request: SearchRequest) -> SearchRequest:
        """A search without the collections that the site has said it does not know."""
        until, unknown_there = self._unknown.get(caller.token, (0.0, frozenset[str]()))
        if request.collections is None or until < time.monotonic():
            return request
        return replace(request, collections=tuple(c for c in request.collections if c not in unknown_there))

    async def _without_foreign(self, caller: Caller, plan: Plan, claims: Claims, refusal: Refused) -> Plan:
        """The search without the collections that the site does not hold; the same if it holds all."""
        asked = plan.request.collections
        if not asked or "collections" not in plan.sent or refusal.status not in (400, 404, 422):
            return plan
        try:
            held = {str(each["id"]) for each in (await listing.listed(self._asker, caller, self._root))[0]}
            foreign = {each for each in asked if each not in held}
        except SiteError:
            foreign = await self._refused_one_by_one(caller, plan, claims, refusal)
        if not foreign:
            return plan
        self._remember_unknown(caller, foreign)
        return replace(plan, request=self._without_unknown(caller, plan.request))

    async def _refused_one_by_one(
        self, caller: Caller, plan: Plan, claims: Claims, refusal: Refused
    ) -> set[str]:
        """The collections of a search that are refused when they are asked for alone."""
        refused, asked = set(), plan.request.collections or ()
        for each in asked[:_MAX_SEPARATE]:
            alone = Plan(SearchRequest(collections=(each,), limit=1), frozenset({"sortby"}), limit=1)
            try:
                await self._asker.first(caller, alone, claims, frozenset({"GET", "POST"}) - {refusal.method})
            except Refused:
                refused.add(each)
        if len(refused) < len(asked) or await self._asker.finds_anything(caller, refusal.method):
            return refused
        return set()

    def _remember_unknown(self, caller: Caller, foreign: set[str]) -> None:
        until, before = self._unknown.get(caller.token, (0.0, frozenset[str]()))
        if until < time.monotonic():
            until, before = time.monotonic() + _UNKNOWN_KEPT, frozenset()
        if len(self._unknown) >= _MAX_CALLERS:
            self._unknown.clear()
        self._unknown[caller.token] = until, before | foreign

    async def _claimed(self, caller: Caller) -> Claims:
        """What the site claims: asked once, by whoever is the first to need it."""
        profile = self._profile()
        if profile is not None and profile.claims:
            return Claims.of(profile.claims)
        async with self._claiming:
            if self._claims_until > time.monotonic():
                return self._claims
            try:
                async with asyncio.timeout(_LANDING_TIME):
                    self._claims = await self._read_claims(caller)
                kept = _CLAIMS_KEPT
            except (SiteError, TimeoutError, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                kept = _FAILURE_KEPT
            self._claims_until = time.monotonic() + kept
            return self._claims

    async def _read_claims(self, caller: Caller) -> Claims:
        landing = await self._asker.request("GET", f"{self._root}/", None, caller)
        if landing.status != 200:
            raise SiteError(f"its landing page answered {landing.status}")
        claims = read_claims(landing.body)
        if claims.told:
            return claims
        conformance = await self._asker.request("GET", f"{self._root}/conformance", None, caller)
        try:
            return read_claims(landing.body, conformance.body) if conformance.status == 200 else claims
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return claims

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`; where they are not listed, those that the landing page links to."""
        try:
            return await listing.listed(self._asker, caller, self._root)
        except SiteError as error:
            if not (await self._claimed(caller)).children:
                raise
            try:
                return await listing.children(self._asker, caller, self._root, self._claims)
            except SiteError:
                raise error from None

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `Source.queryables`."""
        where = self._root if collection_id is None else self.collection_url(collection_id)
        answer = await self._asker.request("GET", f"{where}/queryables", None, caller)
        if answer.status >= 500:
            raise SiteError(f"it answered {answer.status} where it was asked for queryables")
        try:
            properties = _SCHEMA.decode(answer.body).properties if answer.status == 200 else None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):  # a page for people
            properties = None
        return properties if isinstance(properties, dict) else {}

    def item_url(self, collection_id: str, item_id: str) -> str:
        """See `Source.item_url`."""
        return f"{self.collection_url(collection_id)}/items/{quote(item_id, safe='')}"

    def collection_url(self, collection_id: str) -> str:
        """See `Source.collection_url`."""
        return f"{self._root}/collections/{quote(collection_id, safe='')}"


class _Schema(msgspec.Struct):
    properties: Any = None


_SCHEMA = msgspec.json.Decoder(_Schema)


class _Timed(msgspec.Struct):
    properties: dict[str, Any]


_TIMED = msgspec.json.Decoder(_Timed)


def _newest_first(features: Sequence[msgspec.Raw]) -> bool:
    """Whether items stand newest first; what cannot be read stands nowhere."""
    times = []
    for raw in features:
        try:
            moment = item_times({"properties": _TIMED.decode(raw).properties})[0]
        except (BadInput, msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        if moment is not None:
            times.append(moment)
    return all(earlier >= later for earlier, later in pairwise(times))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
