"""`ItemSource` over many sites: asked all at once, answered as one, nobody's silence unmentioned."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from cscale.discovery.hub.asking import Asking, Site, Status, missing_names
from cscale.discovery.hub.cursor import Cursor, open_cursor
from cscale.discovery.hub.joining import Answered, Held, merged, prefixed, shown_item
from cscale.discovery.hub.merge import (
    WINDOW,
    Copy,
    NeedCopies,
    NeedRuns,
    Page,
    Product,
    merge_by_key,
    merge_by_time,
)
from cscale.discovery.hub.translation import BAR, PRODUCT, speaks_of_collections, total_order
from cscale.errors import NotFound, SiteError, SitesMissing
from cscale.identity import Caller
from cscale.net.signing import Signer
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import MAX_LIMIT, SearchRequest
from cscale.stac.source import CollectionList, ItemPage
from cscale.stac.times import Interval, text_of

T = TypeVar("T")

_NAMES = 50
"""Products that a site is asked for at once: as a filter, more could be longer than sites take."""
_MARGIN = 10
"""Items asked of a site beyond the page's length: mostly enough to see the copies that stand near its end."""


class Hub:
    """Many sites as one source.

    Args:
        sites: The members, in order of configuration.
        secret: Seals the cursors; shared by all processes of the hub.
    """

    def __init__(self, sites: Sequence[Site], *, secret: bytes) -> None:
        self._sites = list(sites)
        self._signer = Signer(secret, "hub")

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        """See `ItemSource.search`."""
        request = total_order(request)
        cursor = open_cursor(request, self._signer)
        since = time.monotonic()
        listed = await self._listed(caller, request, since)
        search = _Search(self._sites, caller, request, cursor, listed, since)
        page = await search.run()
        statuses = search.statuses
        _require_answers(statuses, strict=request.strict)
        return ItemPage(
            items=[_shown(copies, request) for copies in page.products],
            token=search.next_cursor(page).seal(request, self._signer) if page.more else None,
            matched=search.matched(page),
            extra=_federation(statuses),
        )

    async def collections(self, caller: Caller) -> CollectionList:
        """See `ItemSource.collections`: the federation's, and each member's own behind its prefix."""
        answered, statuses = await self._all_collections(caller)
        _require_answers(statuses, strict=False)
        by_name: dict[str, list[Answered]] = {}
        own: list[Collection] = []
        for site, each in answered:
            name = site.translation.shown(each[2]["id"])
            if BAR not in name:
                by_name.setdefault(name, []).append(each)
            own.append(prefixed(site.translation.prefixed(each[2]["id"]), each))
        shown = [merged(name, members) for name, members in by_name.items()] + own
        return CollectionList(sorted(shown, key=lambda each: str(each["id"])), _federation(statuses))

    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        """See `ItemSource.collection`."""
        listed = await self.collections(caller)
        for each in listed.collections:
            if each["id"] == collection_id:
                return each
        _refuse_if_missing(listed.extra, f"collection {collection_id!r}")
        raise NotFound(f"no site here holds a collection {collection_id!r}; /collections lists them")

    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        """See `ItemSource.item`."""
        request = SearchRequest(collections=(collection_id,), ids=(item_id,), limit=1)
        page = await self.search(caller, request)
        if page.items:
            return page.items[0]
        _refuse_if_missing(page.extra, f"item {item_id!r}")
        raise NotFound(f"no site here holds an item {item_id!r} in collection {collection_id!r}")

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `ItemSource.queryables`: what at least one site knows."""
        asked = (collection_id,) if collection_id is not None else None

        async def ask(site: Site) -> Mapping[str, Any]:
            natives = site.translation.collections(asked)
            if natives is None:
                return await site.source.queryables(caller, None)
            return await site.source.queryables(caller, next(iter(natives))) if natives else {}

        since = time.monotonic()
        if collection_id is not None:
            await self.collection(caller, collection_id)
        answers, statuses = await self._ask_all(caller, ask, since)
        _require_answers(statuses, strict=False)
        return {name: schema for _, found in reversed(answers) for name, schema in found.items()}

    async def _listed(self, caller: Caller, request: SearchRequest, since: float) -> "_Listed":
        """What each site holds, where the filter speaks of collections and none are named."""
        if request.collections is not None or not speaks_of_collections(request.filter):
            return _Listed({}, {})
        answered, statuses = await self._all_collections(caller, since)
        _require_answers(statuses, strict=request.strict)
        listed = _Listed({}, {status.id: status for status in statuses})
        for site, each in answered:
            listed.collections.setdefault(site.member.id, []).append(each[2]["id"])
        return listed

    async def _all_collections(
        self, caller: Caller, since: float | None = None
    ) -> tuple[list[tuple[Site, Answered]], list[Status]]:
        answers, statuses = await self._ask_all(caller, lambda site: site.source.collections(caller), since)
        by_id = {status.id: status for status in statuses}
        answered = []
        for site, (collections, missing) in answers:
            by_id[site.member.id].inner_missing(list(missing))
            for each in collections:
                url = site.source.collection_url(each["id"])
                answered.append((site, (site.member.id, site.member.name, each, url)))
        return answered, statuses

    async def _ask_all(
        self, caller: Caller, ask: Callable[[Site], Awaitable[T]], since: float | None = None
    ) -> tuple[list[tuple[Site, T]], list[Status]]:
        """Ask every site at once; the answers that came, and every site's status."""
        nothing = SearchRequest()
        askings = [Asking(site, caller, nothing, nothing, since=since) for site in self._sites]

        async def answer(asking: Asking) -> list[tuple[Site, T]]:
            try:
                return [(asking.site, await asking.within(lambda: ask(asking.site)))]
            except SiteError as error:
                asking.status.failed(error)
                return []

        answers = await asyncio.gather(*(answer(asking) for asking in askings))
        return [each for some in answers for each in some], [asking.status for asking in askings]


class _Listed(NamedTuple):
    """The collections that sites hold, and who has told; both by site id, and empty if nobody was asked."""

    collections: dict[str, list[str]]
    statuses: dict[str, Status]


@dataclass
class _Search:
    """One page of one search."""

    sites: Sequence[Site]
    caller: Caller
    request: SearchRequest
    cursor: Cursor | None
    listed: _Listed
    since: float

    def __post_init__(self) -> None:
        first = self.request.sortby[0]
        self.by_time, self.descending = first.name == "datetime", first.descending
        self.join = self.request.duplicates == "join"
        self.after = self.cursor.rank if self.cursor else None
        self.known: dict[Product, list[Copy]] = {}
        bounded = self._bounded()
        tokens = self.cursor.tokens if self.cursor else {}
        self.askings = [
            Asking(
                site,
                self.caller,
                self._for(site, bounded),
                self.request,
                tokens.get(site.member.id),
                self.since,
            )
            for site in self.sites
        ]
        for asking in self.askings:
            if asking.status.id in self.listed.statuses:
                asking.go_on_from(self.listed.statuses[asking.status.id])
        self.statuses = [asking.status for asking in self.askings]

    async def run(self) -> Page:
        """Ask until the page is certain."""
        while True:
            step = self._merged()
            if isinstance(step, Page):
                self._count(step)
                return step
            if isinstance(step, NeedRuns):
                await asyncio.gather(*(self.askings[i].grow() for i in step.runs))
            else:
                await self._find_copies(step)

    def next_cursor(self, page: Page) -> Cursor:
        """Where the next page begins, after one that is full."""
        last = page.products[-1][0]
        tokens: dict[str, str] = {}
        if not self.by_time:
            found = {asking.site.member.id: asking.token_at(last.rank) for asking in self.askings}
            tokens = {site: token for site, token in found.items() if token is not None}
        return Cursor(last.values, last.rank, tokens)

    def matched(self, page: Page) -> int | None:
        """How many match in all: exact where all fits on one page, or one site alone says so."""
        if self.cursor is not None or missing_names(self.statuses):
            return None
        if not page.more:
            return len(page.products)
        asked = [asking for asking in self.askings if asking.status.state != "skipped"]
        may_join = self.join and any(asking.site.member.product is not None for asking in asked)
        alone = len(asked) == 1 and asked[0].status.rejected == 0 and not may_join
        return asked[0].status.matched if alone else None

    def _merged(self) -> Page | NeedRuns | NeedCopies:
        runs = [asking.run for asking in self.askings]
        limit = self.request.limit
        if self.by_time:
            return merge_by_time(runs, self.after, limit, descending=self.descending, join=self.join)
        return merge_by_key(runs, self.after, limit, self.known if self.join else None)

    def _bounded(self) -> SearchRequest:
        """The search from the window before the position on.

        An item may stand beyond the end of the interval that it meets; if the position does, too, what
        is left meets that end.
        """
        if self.after is None or not self.by_time:
            return self.request
        asked = self.request.datetime or Interval(None, None)
        if self.descending:
            bound = self.after.time + WINDOW
            left = asked.within(None, max(bound, bound if asked.start is None else asked.start))
        else:
            bound = self.after.time - WINDOW
            left = asked.within(min(bound, bound if asked.end is None else asked.end), None)
        return replace(self.request, datetime=left)

    def _for(self, site: Site, request: SearchRequest) -> SearchRequest | None:
        asked = site.translation.request(request, self.listed.collections.get(site.member.id, []))
        return asked and replace(asked, limit=min(request.limit + _MARGIN, MAX_LIMIT))

    async def _find_copies(self, wanted: NeedCopies) -> None:
        """Ask the sites for all copies of some products that match the search."""
        found: dict[Product, list[Copy]] = {product: [copy] for product, copy in wanted.products.items()}
        names = list(dict.fromkeys(product.name for product in found))
        some = [tuple(names[start : start + _NAMES]) for start in range(0, len(names), _NAMES)]

        async def read(asking: Asking, ids: tuple[str, ...]) -> None:
            request = replace(self.request, ids=ids, limit=MAX_LIMIT)
            again = asking.again(self._for(asking.site, request))
            while not again.run.done:
                await again.grow()
            asking.status.asked_again(again.status)
            for copy in again.run.copies:
                if copy.rank.product in found:
                    found[copy.rank.product].append(copy)

        answering = [asking for asking in self.askings if asking.status.state not in ("error", "timeout")]
        await asyncio.gather(*(read(asking, ids) for asking in answering for ids in some))
        self.known |= found

    def _count(self, page: Page) -> None:
        """Note how many copies of each site the page shows."""
        for asking in self.askings:
            if asking.status.state in ("ok", "partial"):
                rank = asking.site.rank
                shown = [copy for copies in page.products for copy in copies if copy.rank.site == rank]
                asking.status.returned = len(shown)


def _shown(copies: Sequence[Copy], request: SearchRequest) -> OpenItem:
    """The item of a product: the copy of the site first in the configuration is preferred."""
    first = copies[0]
    ordered = sorted(copies, key=lambda copy: (copy.rank.site, copy.rank))
    held: list[Held] = [copy.item for copy in ordered]
    name, collection = first.rank.product
    values = dict(zip((field.name for field in request.sortby), first.values, strict=True))
    known = {"id": values.get(PRODUCT, name), "datetime": text_of(first.time)}
    place = {field: value for field, value in values.items() if field not in (PRODUCT, "collection")} | known
    stands_for_itself = first is ordered[0] and place["id"] == name
    return shown_item(name, collection, held, place=None if stands_for_itself else place)


def _federation(statuses: list[Status]) -> dict[str, Any]:
    return {
        "federation:missing": missing_names(statuses),
        "federation": {"sites": [status.body() for status in statuses]},
    }


def _require_answers(statuses: list[Status], *, strict: bool) -> None:
    """Refuse an answer that nobody gave, or a strict one that somebody did not.

    Raises:
        SitesMissing: Names who is missing and why.
    """
    missing = missing_names(statuses)
    nobody = statuses and all(status.state in ("error", "timeout", "skipped") for status in statuses)
    failed = any(status.state in ("error", "timeout") for status in statuses)
    if (nobody and failed) or (strict and missing):
        reasons = "; ".join(f"{status.id}: {status.reason}" for status in statuses if status.reason)
        raise SitesMissing(
            f"{'no site has answered' if nobody else 'not every site has answered'} ({reasons})",
            [status.body() for status in statuses],
        )


def _refuse_if_missing(extra: Mapping[str, Any], what: str) -> None:
    """Refuse to say that something is nowhere while somebody who may hold it is silent."""
    if missing := extra["federation:missing"]:
        raise SitesMissing(
            f"{what} was not found, but {', '.join(missing)} did not answer and may hold it; ask again later",
            extra["federation"]["sites"],
        )
