"""One site during one search: what it is asked, its run of copies, its deadline."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import msgspec

from cscale.discovery.hub.asking.reading import Reading
from cscale.discovery.hub.asking.site import Listing, Site
from cscale.discovery.hub.asking.status import Status
from cscale.discovery.hub.coverage import nothing_in
from cscale.discovery.hub.merging.merge import Copy, Run
from cscale.discovery.hub.naming import Wanted
from cscale.discovery.hub.translation import BAR, speaks_of_collections
from cscale.errors import SiteError, SiteTimeout, UnsortedPage
from cscale.identity import Caller
from cscale.net.calling import Tally, counted
from cscale.stac.search import MAX_LIMIT, SearchRequest

T = TypeVar("T")

ORDER = "sortby"
"""What is left where a site does not put its items in the order asked for."""
MOST = 10_000
"""How many items of one site are put in order for one page; a site with more is `partial`."""

_PORTIONS = 4
_PORTION = 10  # items at least
_MARGIN = 10
"""Items asked of a site beyond the page's length: mostly enough to see the copies that stand near its end."""
_NONE = "holds none of the collections asked for"


class Asking:
    """One site during one search: its status, its run of copies, its deadline.

    Args:
        site: The site.
        caller: Who is asking.
        shown: The search in the federation's words.
        token: The site's own token to begin at; None for its first page.
        since: When its time began, by the monotonic clock; None for now.
    """

    def __init__(
        self,
        site: Site,
        caller: Caller,
        shown: SearchRequest,
        token: str | None = None,
        since: float | None = None,
    ) -> None:
        self.site = site
        self.status = Status(site.member.id)
        self.run = Run(site.member.name)
        self._caller = caller
        self._shown = shown
        self._since = time.monotonic() if since is None else since
        self._next = token
        self._pages: list[tuple[str | None, list[Copy]]] = []
        self._unread: deque[msgspec.Raw] = deque()  # of the last page
        self._left: frozenset[str] = frozenset()  # by the last page
        self._ours: frozenset[str] = frozenset()  # what the site is not relied on for
        self._reading: Reading | None = None
        self._unnamed = shown  # the search in the site's words, without names of products
        self._looked_at = 0

    async def begin(self, request: SearchRequest) -> None:
        """Put a search into the site's words; a site that can hold nothing of it is done.

        Args:
            request: In the federation's words; perhaps narrower than what is shown.
        """
        wanted = None if request.ids is None else Wanted.of(request.ids)
        if wanted is not None and wanted.known and self._in_federation(request):
            request = replace(request, ids=tuple(wanted.quick()), limit=MAX_LIMIT)
        elif wanted is not None:
            wanted = Wanted(wanted.texts, {})
        try:
            planned = await self._planned(request)
        except SiteError as error:
            self.status.failed(error)
            self.run.done = True
            return
        if isinstance(planned, str):
            self.status.skipped(planned)
            self.run.done = True
            return
        names, asked, self._unnamed = planned
        limit = min(request.limit + _MARGIN, MAX_LIMIT)
        self._reading = Reading(
            self.site, self.status, names, replace(asked, limit=limit), self._shown, wanted
        )

    def _in_federation(self, request: SearchRequest) -> bool:
        """Whether any collection of the federation is asked for: there, names count in any form."""
        return request.collections is None or any(BAR not in name for name in request.collections)

    async def again(self, request: SearchRequest) -> "Asking":
        """The same site asked something else in the course of the same search, by the same deadline."""
        asking = Asking(self.site, self._caller, self._shown, since=self._since)
        await asking.begin(request)
        return asking

    async def grow(self) -> None:
        """Read on, and where all has been read ask for one more page; a site that fails is done.

        A page is read in portions: of what several sites send, most stands behind the page wanted.
        """
        if self.run.done or self._reading is None:
            return
        try:
            if self._reading.wanted is not None and self._reading.wanted.known:
                await self._read_named(self._reading, self._reading.wanted)
            elif ORDER in self._ours:
                await self._read_all(self._reading, at_hand=False)
            elif not self._unread and ORDER in await self._ask(self._reading):
                await self._read_all(self._reading, at_hand=True)
            else:
                await self._read(self._reading)
        except SiteError as error:
            self.status.failed(error, gave_some=bool(self.run.copies))
            self.run.done = True

    async def within(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Await an answer until the site's time is over.

        Raises:
            SiteTimeout: If it has not come by then.
        """
        started, tally = time.monotonic(), Tally()
        try:
            with counted(tally):
                async with asyncio.timeout(max(self._since + self.site.member.timeout - started, 0)):
                    return await ask()
        except TimeoutError as error:
            raise SiteTimeout(f"no answer within {self.site.member.timeout:g} s") from error
        finally:
            waited = round((time.monotonic() - started) * 1000)
            self.status.elapsed_ms = (self.status.elapsed_ms or 0) + waited
            self.status.retries += tally.retries

    def token_at(self, is_before: Callable[[Copy], bool]) -> str | None:
        """The site's token of the page to go on with; None: its first.

        Args:
            is_before: Whether a copy stands before all that is still wanted.
        """
        for token, copies in self._pages:
            unread = self._unread if copies is self._pages[-1][1] else ()
            if unread or not all(is_before(copy) for copy in copies):
                return token
        return self._next or (self._pages[-1][0] if self._pages else None)

    @property
    def reading(self) -> Reading | None:
        """How the site is asked and read; None where it is not asked."""
        return self._reading

    @property
    def ignores_time(self) -> bool:
        """Whether it has to be read from its first item on, whatever time is asked for."""
        return "datetime" in self._left

    async def _planned(
        self, request: SearchRequest
    ) -> tuple[Mapping[str, str] | None, SearchRequest, SearchRequest] | str:
        """The names of the site's collections, and the search in its words, as it is and without `ids`.

        Or why it can hold nothing of it.
        """
        site, words = self.site, self.site.translation
        needed = words.needs_list(request.collections)
        filtered = request.collections is None and speaks_of_collections(request.filter)
        listing = site.kept(self._caller)
        if needed and (listing is None or not listing.is_fresh(site.fresh)):
            listing = await self._listing_or_none() or listing
        if filtered and (listing is None or not listing.is_fresh(site.fresh)):
            listing = await self.within(lambda: site.listing(self._caller))
        why = self._nothing(request, listing)
        if why is not None and listing is not None and not listing.is_fresh(site.fresh):
            listing = await self._listing_or_none()
            why = self._nothing(request, listing)
        if why is not None:
            return why
        site.refresh(self._caller)
        if listing is not None and (needed or filtered):
            self.status.inner_missing(list(listing.missing))
        held = None if listing is None else listing.names
        natives = words.collections(request.collections, held)
        shown = (held or []) if filtered else []
        asked = words.request(request, natives, shown)
        unnamed = words.request(replace(request, ids=None), natives, shown)
        if not words.sorts(request.sortby, natives, held):
            self._ours |= {ORDER}
        self._ours |= site.seen.left() & {ORDER}
        return natives, asked, unnamed

    async def _listing_or_none(self) -> Listing | None:
        """What the site lists; None where it does not say in time: it may answer a search all the same."""
        try:
            return await self.within(lambda: self.site.listing(self._caller))
        except SiteError:
            return None

    def _nothing(self, request: SearchRequest, listing: Listing | None) -> str | None:
        """Why the site can hold nothing of a search, by what it lists."""
        held = None if listing is None else listing.names
        natives = self.site.translation.collections(request.collections, held)
        if natives is not None and not natives:
            return _NONE
        if listing is None:
            return None
        asked = set(listing.names if natives is None else natives)
        if not asked <= set(listing.names) - self.site.seen.beyond:
            return None
        extents = listing.extents
        return nothing_in((extents[each] for each in asked), request)

    async def _ask(self, reading: Reading) -> frozenset[str]:
        """Ask for the next page; what the site has left of the request."""
        token, request = self._next, reading.request
        page = await self.within(lambda: self.site.source.search(self._caller, request, token))
        if page.token is not None and any(page.token == before for before, _ in self._pages):
            raise SiteError("its next page is one that came before")
        self._pages.append((token, []))
        self._unread.extend(page.features)
        self._left = page.left
        self.status.inner_missing(list(page.missing))
        self.status.rejected += page.rejected
        self.status.harvested_at = page.harvested_at or self.status.harvested_at
        if page.partial is not None:
            self.status.partly(page.partial)
        if page.matched is not None and self.status.matched is None and not page.left - {ORDER}:
            self.status.matched = page.matched
        self._next = page.token
        return page.left

    async def _read(self, reading: Reading) -> None:
        """Take the next items of the page at hand."""
        count = min(max(_PORTION, reading.request.limit // _PORTIONS), len(self._unread))
        copies = reading.copies([self._unread.popleft() for _ in range(count)], self._left)
        if self._pages:
            self._pages[-1][1].extend(copies)
        try:
            self.run.extend(copies)
        except UnsortedPage:
            self.site.seen.does_not(ORDER)
            self._begin_anew(reading)
            await self._read_all(reading, at_hand=False)
            return
        self.run.done = self._next is None and not self._unread
        self._looked_at += count - len(copies)
        if not self.run.done and self._looked_at > MOST:
            self.status.partly(f"it does not select; of {MOST:,} of its items most were not asked for")
            self.run.done = True

    def _begin_anew(self, reading: Reading) -> None:
        reading.known.clear()
        self.run.copies.clear()
        self._pages.clear()
        self._unread.clear()
        self.status.rejected = self.status.unasked = 0

    async def _read_all(self, reading: Reading, *, at_hand: bool) -> None:
        """Take all that a site has which does not put it in order, as far as that is bearable."""
        copies = await self._whole(reading, at_hand=at_hand)
        self._pages = [(None, copies)]
        self.run.extend(sorted(copies, key=lambda copy: copy.rank))
        self.run.done = True

    async def _whole(self, reading: Reading, *, at_hand: bool = False) -> list[Copy]:
        """All that the site has of what it is asked, in no order.

        Args:
            reading: How it is asked and read.
            at_hand: Whether its first page has come already.
        """
        if not at_hand:
            self._next = None
            await self._ask(reading)
        looked_at, copies = 0, []
        while True:
            looked_at += len(self._unread)
            copies += reading.copies(self._unread, self._left)
            self._unread.clear()
            if self._next is None:
                return copies
            if looked_at >= MOST:
                self.status.partly(f"it does not sort; only {looked_at:,} of its items were put in order")
                self._next = None
                return copies
            await self._ask(reading)

    async def _read_named(self, reading: Reading, wanted: Wanted) -> None:
        """Take the products that are asked for by name, in whatever form the site has their names."""
        copies = await self._whole(reading)
        names = reading.names
        named = names is not None and self.site.seen.finds_by_name(names)
        found = [copy.item.identity for copy in copies if copy.item.identity is not None]
        for search in wanted.elsewhere(self._unnamed, found, named=named):
            copies += await self._whole(replace(reading, request=search))
        self.run.extend(sorted(copies, key=lambda copy: copy.rank))
        self.run.done = True
