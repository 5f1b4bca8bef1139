"""One search over many sites: asked until the page is certain."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cscale.discovery.hub.asking import Asking, Site, missing_names
from cscale.discovery.hub.merging.cursor import Cursor
from cscale.discovery.hub.merging.joining import Held
from cscale.discovery.hub.merging.merge import (
    WIDEST,
    Copy,
    NeedCopies,
    NeedRuns,
    Page,
    Product,
    merge_by_key,
    merge_by_time,
)
from cscale.identity import Caller
from cscale.stac.search import MAX_LIMIT, SearchRequest
from cscale.stac.times import Interval

_NAMES = 20
"""Products that a site is asked for at once: as a filter, more could be longer than sites take."""


@dataclass
class Search:
    """One page of one search.

    Attributes:
        sites: The members.
        caller: Who is asking.
        request: What is asked, in an order that each site can keep to the last tie.
        cursor: Where the page begins; None for the first.
        since: When the members' time began, by the monotonic clock.
    """

    sites: Sequence[Site]
    caller: Caller
    request: SearchRequest
    cursor: Cursor | None
    since: float

    def __post_init__(self) -> None:
        first = self.request.sortby[0]
        self.by_time, self.descending = first.name == "datetime", first.descending
        self.join = self.request.duplicates == "join"
        self.after = self.cursor.rank if self.cursor else None
        self.known: dict[Product, list[Copy]] = {}
        tokens = self.cursor.tokens if self.cursor else {}
        self.askings = [
            Asking(site, self.caller, self.request, tokens.get(site.member.id), self.since)
            for site in self.sites
        ]
        self.statuses = [asking.status for asking in self.askings]

    async def run(self) -> Page:
        """Ask until the page is certain."""
        bounded = self._bounded()
        await asyncio.gather(*(asking.begin(bounded) for asking in self.askings))
        while True:
            step = self._merged()
            if isinstance(step, Page):
                self._count(step)
                return step
            if isinstance(step, NeedRuns):
                await asyncio.gather(*(self.askings[i].grow() for i in step.runs))
            else:
                await self._find_copies(step)

    def at_hand(self) -> list[Copy]:
        """All that the sites have sent and that matches."""
        return [copy for asking in self.askings for copy in asking.run.copies]

    def next_cursor(self, page: Page) -> Cursor:
        """Where the next page begins, after one that is full."""
        last = page.products[-1][0]
        sign = -1 if self.descending else 1

        def is_before(copy: Copy) -> bool:
            if self.by_time:
                return sign * copy.time < sign * last.time - WIDEST
            return copy.rank <= last.rank

        found = {
            asking.site.member.id: asking.token_at(is_before)
            for asking in self.askings
            if asking.ignores_time or not self.by_time
        }
        tokens = {site: token for site, token in found.items() if token is not None}
        return Cursor(last.values, last.rank, tokens)

    def matched(self, page: Page) -> int | None:
        """How many match in all: exact where all fits on one page, or one site alone says so."""
        if self.cursor is not None or missing_names(self.statuses):
            return None
        if not page.more:
            return len(page.products)
        asked = [asking for asking in self.askings if asking.status.state != "skipped"]
        if len(asked) != 1 or asked[0].status.rejected or asked[0].status.unasked:
            return None
        site = asked[0].site
        may_join = self.join and (site.member.product is not None or site.seen.odd)
        return None if may_join else asked[0].status.matched

    def _merged(self) -> Page | NeedRuns | NeedCopies:
        runs = [asking.run for asking in self.askings]
        limit = self.request.limit
        if self.by_time:
            return merge_by_time(runs, self.after, limit, descending=self.descending, join=self.join)
        return merge_by_key(runs, self.after, limit, self.known if self.join else None)

    def _bounded(self) -> SearchRequest:
        """The search from `WIDEST` before the position on.

        An item may stand beyond the end of the interval that it meets; if the position does, too, what
        is left meets that end.
        """
        if self.after is None or not self.by_time:
            return self.request
        asked = self.request.datetime or Interval(None, None)
        if self.descending:
            bound = self.after.time + WIDEST
            left = asked.within(None, max(bound, bound if asked.start is None else asked.start))
        else:
            bound = self.after.time - WIDEST
            left = asked.within(min(bound, bound if asked.end is None else asked.end), None)
        return replace(self.request, datetime=left)

    async def _find_copies(self, wanted: NeedCopies) -> None:
        """Ask the sites for all copies of some products that match the search."""
        found: dict[Product, list[Copy]] = {product: [copy] for product, copy in wanted.products.items()}
        names = list(dict.fromkeys(_name(copy) for copy in wanted.products.values()))
        some = [tuple(names[start : start + _NAMES]) for start in range(0, len(names), _NAMES)]

        async def read(asking: Asking, ids: tuple[str, ...]) -> None:
            request = replace(self.request, ids=ids, limit=MAX_LIMIT)
            again = await asking.again(request)
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


def _name(copy: Copy) -> str:
    """What the product of a copy is asked for by, where it is shown in the federation."""
    held: Held = copy.item
    return (held.identity.name if held.identity is not None else None) or held.name
