"""`ItemSource` over many sites: asked all at once, answered as one, nobody's silence unmentioned."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cscale.discovery.counting import Counting
from cscale.discovery.hub.asking import Asking, Site, Status, missing_names
from cscale.discovery.hub.merging.cursor import open_cursor
from cscale.discovery.hub.merging.joining import Answered, merged, prefixed
from cscale.discovery.hub.merging.merge import Copy, Page
from cscale.discovery.hub.naming import Wanted
from cscale.discovery.hub.searching import Search
from cscale.discovery.hub.showing import shown
from cscale.discovery.hub.translation import BAR, total_order
from cscale.errors import NotFound, SiteError, SitesMissing
from cscale.identity import Caller
from cscale.net.signing import Signer
from cscale.net.telemetry.logs import log_site
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.source import CollectionList, ItemPage

T = TypeVar("T")

_AROUND = 20
"""Items looked at around a product for its versions: a tile is seen once or twice in one pass."""


class Hub:
    """Many sites as one source.

    Args:
        sites: The members, in order of configuration.
        secret: Seals the cursors; shared by all processes of the hub.
        url: The address of its STAC API, where versions of an item are linked to.
    """

    def __init__(self, sites: Sequence[Site], *, secret: bytes, url: str = "") -> None:
        self._sites = list(sites)
        self._url = url
        self._signer = Signer(secret, "hub")

    async def close(self) -> None:
        """Give up what is under way in the background."""
        for site in self._sites:
            await site.close()

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        """See `ItemSource.search`."""
        request = total_order(request)
        search, page = await self._searched(caller, request)
        return ItemPage(
            items=shown(page, search.at_hand(), request, self._url),
            token=search.next_cursor(page).seal(request, self._signer) if page.more else None,
            matched=search.matched(page),
            extra=_federation(search.statuses),
        )

    async def _searched(self, caller: Caller, request: SearchRequest) -> tuple[Search, Page]:
        cursor = open_cursor(request, self._signer)
        search = Search(self._sites, caller, request, cursor, time.monotonic())
        page = await search.run()
        for each in search.statuses:
            log_site(
                each.id,
                each.state,
                reason=each.reason,
                elapsed_ms=each.elapsed_ms,
                items=each.returned,
                retries=each.retries,
            )
        _require_answers(search.statuses, strict=request.strict)
        return search, page

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
        request = total_order(SearchRequest(collections=(collection_id,), ids=(item_id,), limit=_AROUND))
        (search, page), others = await asyncio.gather(
            self._searched(caller, request), self._others(caller, request)
        )
        if page.products:
            found = [[copies for copies in page.products if _is_called(copies, item_id)], page.products]
            one = Page([next(copies for some in found for copies in some)], more=False)
            return shown(one, [*others, *search.at_hand()], request, self._url)[0]
        _refuse_if_missing(_federation(search.statuses), f"item {item_id!r}")
        raise NotFound(f"no site here holds an item {item_id!r} in collection {collection_id!r}")

    async def _others(self, caller: Caller, request: SearchRequest) -> Sequence[Copy]:
        """What lies when and where the product does that is asked for by name: its versions are there."""
        found: list[Copy] = []
        for search in Wanted.of(request.ids or ()).elsewhere(request, ()):
            try:
                around, _ = await self._searched(caller, replace(search, limit=_AROUND))
            except SitesMissing:
                continue
            found += around.at_hand()
        return found

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `ItemSource.queryables`: what at least one site knows."""
        asked = (collection_id,) if collection_id is not None else None

        async def ask(site: Site) -> Mapping[str, Any]:
            listed = (await site.listing(caller)).names
            natives = site.translation.collections(asked, listed)
            if natives is None:
                return await site.source.queryables(caller, None)
            return await site.source.queryables(caller, next(iter(natives))) if natives else {}

        since = time.monotonic()
        if collection_id is not None:
            await self.collection(caller, collection_id)
        answers, statuses = await self._ask_all(caller, ask, since)
        _require_answers(statuses, strict=False)
        return {name: schema for _, found in reversed(answers) for name, schema in found.items()}

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        """See `Aggregates.aggregate`: copies count at each site that holds them."""
        since, counting = time.monotonic(), Counting(caller, request)
        askings = [Asking(site, caller, request.search, since=since) for site in self._sites]

        async def count(asking: Asking) -> None:
            await asking.begin(request.search)
            if asking.run.done or asking.reading is None:
                return
            site, reading = asking.site, asking.reading
            shown = site.translation.shown if reading.names is None else reading.names.get
            try:
                told = await counting.count(
                    site.member.id, site.source, reading.request, shown, asking.within
                )
            except SiteError as error:
                asking.status.failed(error)
                return
            asking.status.counted(told)

        await asyncio.gather(*map(count, askings))
        statuses = [asking.status for asking in askings]
        _require_answers(statuses, strict=request.search.strict)
        return counting.answer(_federation(statuses))

    async def _all_collections(
        self, caller: Caller, since: float | None = None
    ) -> tuple[list[tuple[Site, Answered]], list[Status]]:
        answers, statuses = await self._ask_all(caller, lambda site: site.listing(caller), since)
        by_id = {status.id: status for status in statuses}
        answered = []
        for site, listing in answers:
            by_id[site.member.id].inner_missing(list(listing.missing))
            for each in listing.collections:
                url = site.source.collection_url(each["id"])
                answered.append((site, (site.member.id, site.member.name, each, url)))
        return answered, statuses

    async def _ask_all(
        self, caller: Caller, ask: Callable[[Site], Awaitable[T]], since: float | None = None
    ) -> tuple[list[tuple[Site, T]], list[Status]]:
        """Ask every site at once; the answers that came, and every site's status."""
        askings = [Asking(site, caller, SearchRequest(), since=since) for site in self._sites]

        async def answer(asking: Asking) -> list[tuple[Site, T]]:
            try:
                return [(asking.site, await asking.within(lambda: ask(asking.site)))]
            except SiteError as error:
                asking.status.failed(error)
                return []

        answers = await asyncio.gather(*(answer(asking) for asking in askings))
        return [each for some in answers for each in some], [asking.status for asking in askings]


def _is_called(copies: Sequence[Copy], item_id: str) -> bool:
    """Whether a site has a product under just this id: others may agree with what it tells."""
    return any(item_id in (copy.item.id, copy.item.name) for copy in copies)


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
