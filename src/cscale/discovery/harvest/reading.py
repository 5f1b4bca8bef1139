"""One stretch of time of a collection: read from its site to the end, and compared with what is kept.

An item is removed only when two whole answers say that it is gone: one of a window that it lies in, and
one to a second question. That asks for the item by its id; where the site does not evaluate ids, it reads
anew the whole stretch of time that the missing items span. An answer is whole when its last page came, no
member was missing from it, and each of its records could be read.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from cscale.catalogue import Writer
from cscale.catalogue.store import Spanning
from cscale.discovery.harvest.keeping.ledger import Ledger
from cscale.discovery.harvest.keeping.progress import Window
from cscale.discovery.harvest.plan import cut_at, halves
from cscale.discovery.harvest.taking.intake import Counts, Intake, Seen, Ticket
from cscale.discovery.source import Source, SourcePage
from cscale.errors import SiteError, SiteTimeout
from cscale.identity import ANONYMOUS
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.times import Interval

_OLDEST_FIRST = (SortField("datetime"),)  # new items come at the end, where they move no page
_EMPTY_PAGES = 100
_IDS = 50  # that are asked for at once


@dataclass(frozen=True, slots=True)
class Manner:
    """How a site is read.

    Attributes:
        page: The longest page asked for.
        most: From how many items on a window is cut.
        patience: How long one page may take, seconds.
        readers: How many windows are read at once.
    """

    page: int = 500
    most: int = 10_000
    patience: float = 60.0
    readers: int = 4


async def pages(source: Source, request: SearchRequest, patience: float) -> AsyncIterator[SourcePage]:
    """All pages of an answer.

    Raises:
        SiteError: If one of them does not come in its time, or they do not end.
    """
    token: str | None = None
    tokens: set[str] = set()
    empty = 0
    while True:
        try:
            async with asyncio.timeout(patience):
                page = await source.search(ANONYMOUS, request, token)
        except TimeoutError as error:
            raise SiteTimeout(f"no answer within {patience:g} s") from error
        yield page
        token = page.token
        if token is None:
            return
        empty = 0 if page.features else empty + 1
        if token in tokens or empty > _EMPTY_PAGES:
            raise SiteError("its pages do not end: one leads to another that was read before, or to nothing")
        tokens.add(token)


class Reading:
    """Reads windows of one site's collections into its catalogue.

    Args:
        source: The site.
        intake: Takes the pages.
        ledger: Where is noted what was read.
        counts: Where is counted what was done.
        manner: How to read.
    """

    def __init__(
        self,
        source: Source,
        intake: Intake,
        ledger: Ledger,
        counts: Counts,
        manner: Manner,
    ) -> None:
        self.source = source
        self.manner = manner
        self._intake = intake
        self._ledger = ledger
        self._counts = counts

    async def read(self, window: Window) -> Sequence[Window]:
        """Read a window.

        Returns:
            The windows that it was cut into, which are to be read yet; none where it was read itself.

        Raises:
            SiteError: If the site does not answer properly; what came until then is kept.
        """
        return await _Run(self, window).run()

    async def answer(self, request: SearchRequest) -> tuple[list[Seen], bool]:
        """Take all that answers a request.

        Returns:
            The items, and whether the answer is whole.
        """
        tickets, whole = [], True
        only = request.collections[0] if request.collections else None
        async for page in pages(self.source, request, self.manner.patience):
            tickets.append(await self.take(page, only))
            whole = whole and not page.missing and not page.rejected
        seen = [each for ticket in tickets for each in await self.written(ticket)]
        return seen, whole and all(ticket.all_taken for ticket in tickets)

    async def take(self, page: SourcePage, only: str | None) -> Ticket:
        """Hand a page in."""
        self._counts.rejected += page.rejected
        return await self._intake.take(page.features, only)

    async def written(self, ticket: Ticket) -> list[Seen]:
        """The items of a page, once they are kept."""
        seen = await ticket.written()
        self._ledger.saw(seen)
        return seen

    async def finish(self, window: Window, ids: set[str]) -> None:
        """Remove what is gone from a window that was read to its end, and note that it was read.

        Args:
            window: The window.
            ids: What was read.
        """
        held = await self._intake.write(lambda writer: writer.held_between(*window))
        missing = [each for each in held if each.id not in ids]
        if missing:
            gone = await self._gone(window, missing)
            removed = await self._intake.write(lambda writer: _remove(writer, window, gone))
            self._counts.removed += removed
        await self._ledger.read(window)

    async def _gone(self, window: Window, missing: Sequence[Spanning]) -> list[Spanning]:
        """Those whose absence a second answer confirms."""
        gone: list[Spanning] = []
        for at in range(0, len(missing), _IDS):
            asked = missing[at : at + _IDS]
            request = SearchRequest((window.collection,), tuple(each.id for each in asked), limit=_IDS)
            if at == 0 and await self._leaves_ids(request):
                return await self._gone_from(window, missing)
            seen, whole = await self.answer(request)
            if whole:
                ids = {each.id for each in seen}
                gone += [each for each in asked if each.id not in ids]
        return gone

    async def _leaves_ids(self, request: SearchRequest) -> bool:
        async for page in pages(self.source, request, self.manner.patience):
            return "ids" in page.left
        return False

    async def _gone_from(self, window: Window, missing: Sequence[Spanning]) -> list[Spanning]:
        """Those that are not met in the whole stretch of time that they span."""
        starts, ends = [each.first for each in missing], [each.last for each in missing]
        start = None if window.start is None else min(window.start, *starts)
        end = None if window.end is None else max(window.end, *ends)
        seen, whole = await self.answer(self.request(window._replace(start=start, end=end)))
        ids = {each.id for each in seen}
        return [each for each in missing if each.id not in ids] if whole else []

    def request(self, window: Window) -> SearchRequest:
        """What asks for a window's items."""
        interval = Interval(window.start, window.end)
        return SearchRequest(
            collections=(window.collection,),
            datetime=None if interval == Interval(None, None) else interval,
            sortby=_OLDEST_FIRST,
            limit=self.manner.page,
        )

    def is_timeless(self, collection: str) -> bool:
        """Whether the site does not evaluate times."""
        notes = self._ledger.progress.collections.get(collection)
        return notes is not None and notes.timeless

    async def replace(self, windows: Sequence[Window], by: Sequence[Window]) -> None:
        """Note other windows in the place of some."""
        await self._ledger.replace(windows, by)


def _remove(writer: Writer, window: Window, gone: Sequence[Spanning]) -> int:
    """Remove items, but for those that another window has met elsewhere in time meanwhile."""
    still = set(writer.held_between(*window))
    return sum(writer.remove(window.collection, each.id) for each in gone if each in still)


class _Run:
    """One reading of a window.

    Where the site puts the oldest first, what was read is noted from time to time as a window of its own;
    where it does not, a window of too many items is read as halves.
    """

    def __init__(self, reading: Reading, window: Window) -> None:
        self._reading = reading
        self._whole = self._window = window
        self._pieces: list[Window] = []
        self._tickets: list[Ticket] = []
        self._times: dict[str, int] = {}  # of the items read of this piece
        self._last: int | None = None
        self._sorted = True
        self._in_time = not reading.is_timeless(window.collection)
        self._missing: set[str] = set()

    async def run(self) -> Sequence[Window]:
        """See `Reading.read`."""
        items = read = 0
        request = self._reading.request(self._window)
        try:
            async for page in pages(self._reading.source, request, self._reading.manner.patience):
                self._look_at(page)
                self._tickets.append(await self._reading.take(page, self._window.collection))
                items, read = items + len(page.features), read + 1
                if page.token is not None and items >= self._reading.manner.most:
                    if parts := await self._cut():
                        return parts
                    items = 0
        except SiteError:
            # perhaps it lets nobody turn so many pages: fewer items may come through
            if read and (parts := await self._halves()):
                return parts
            raise
        await self._settle()
        if self._missing:
            raise SiteError(f"its own members {', '.join(sorted(self._missing))} are missing")
        await self._reading.finish(self._window, set(self._times))
        return ()

    def _look_at(self, page: SourcePage) -> None:
        self._sorted = self._sorted and "sortby" not in page.left
        self._in_time = self._in_time and "datetime" not in page.left
        self._missing.update(page.missing)

    async def _settle(self) -> None:
        """Wait until all that came is kept."""
        for ticket in self._tickets:
            for each in await self._reading.written(ticket):
                self._times[each.id] = each.t
                if self._last is not None and each.t < self._last:
                    await self._not_sorted()
                self._last = max(self._last or each.t, each.t)
        self._tickets.clear()

    async def _not_sorted(self) -> None:
        """It says that it sorts, and does not: what seemed to be read wholly was not."""
        self._sorted = False
        if self._pieces:
            await self._reading.replace([*self._pieces, self._window], [self._whole])
            self._window, self._pieces = self._whole, []

    async def _cut(self) -> Sequence[Window] | None:
        """Note what was read up to here, or cut the window; None to read on."""
        await self._settle()
        if self._missing or not self._in_time:
            return None
        if not self._sorted:
            return await self._halves()
        parts = cut_at(self._window, self._last) if self._last is not None else None
        if parts:
            await self._reading.replace([self._window], parts)
            await self._reading.finish(parts[0], set(self._times))
            self._pieces.append(parts[0])
            self._window = parts[1]
            begin = parts[1].start or 0
            self._times = {name: t for name, t in self._times.items() if t >= begin}
        return None

    async def _halves(self) -> Sequence[Window] | None:
        await self._settle()
        parts = halves(self._window, list(self._times.values())) if self._in_time else None
        if parts:
            await self._reading.replace([self._window], parts)
        return parts
