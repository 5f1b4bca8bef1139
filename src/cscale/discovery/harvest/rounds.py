"""One harvest of a site: what changed, what was never read, what was read long ago."""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

from cscale.catalogue import Writer
from cscale.discovery.harvest.keeping.ledger import Ledger
from cscale.discovery.harvest.keeping.progress import CollectionNotes, Progress, Window
from cscale.discovery.harvest.keeping.shelf import Shelf, StillAlone
from cscale.discovery.harvest.plan import DAY, due, first_windows
from cscale.discovery.harvest.reading import Manner, Reading, pages
from cscale.discovery.harvest.taking.intake import Counts, Intake
from cscale.discovery.harvest.walking import walk
from cscale.discovery.source import Source, SourcePage, Walkable
from cscale.errors import BadInput, SiteError, SiteTimeout
from cscale.identity import ANONYMOUS
from cscale.stac.items import Collection
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.times import Interval, instant, text_of

_OVERLAP = DAY  # a site may show a change some time after the instant that it dates it with
_FAILURES = 3  # in a row, after which the site is left alone
_UPDATED = "updated"
_LONG_AGO = instant("1900-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often what is read.

    Attributes:
        interval: Minutes from the end of one harvest to the next.
        recent: How many days are read anew each time, where changes cannot be asked for.
        rotation: In how many days everything is read anew; 0: at each harvest.
    """

    interval: float = 60.0
    recent: float = 30.0
    rotation: float = 30.0


@dataclass(frozen=True, slots=True)
class Harvested:
    """A site that is harvested.

    Attributes:
        id: Its id in the federation.
        address: The kind and the address of the interface; another one is another archive.
        source: The interface.
        shelf: Where its harvest is kept.
        rhythm: How often what is read.
        manner: How it is read.
        processes: How many processes make items ready; 0 for a thread.
    """

    id: str
    address: str
    source: Source | Walkable
    shelf: Shelf
    rhythm: Rhythm = field(default_factory=Rhythm)
    manner: Manner = field(default_factory=Manner)
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What one harvest of a site has done.

    Attributes:
        site: Its id.
        counts: What was done.
        windows: How many stretches of time were read.
        left: How many have never been read yet.
        elsewhere: Whether nothing was done since another process is at it.
    """

    site: str
    counts: Counts
    windows: int = 0
    left: int = 0
    elsewhere: bool = False


Tell = Callable[[Counts, Progress], None]
"""Told now and then how far a harvest is."""


async def harvest(site: Harvested, tell: Tell | None = None) -> Report:
    """Bring what is kept of a site up to date; goes on where the last harvest has ended, however it did.

    Args:
        site: The site.
        tell: Told how far it is.

    Returns:
        What was done; what the site did wrong stands in its errors.

    Raises:
        BadConfiguration: If the shelf cannot be used.
        BadInput: If the catalogue cannot be written.
    """
    alone = site.shelf.alone()
    still_alone = await asyncio.to_thread(alone.__enter__)
    try:
        if still_alone is None:
            return Report(site.id, Counts(), elsewhere=True)
        return await _Round(site, still_alone, tell or (lambda *_: None)).run()
    finally:
        await asyncio.to_thread(alone.__exit__, None, None, None)


class _Round:
    def __init__(self, site: Harvested, still_alone: StillAlone, tell: Tell) -> None:
        self._site = site
        self._still_alone = still_alone
        self._tell = tell
        self._counts = Counts()
        self._windows = 0
        self._failures = 0
        self._failed: set[str] = set()  # collections

    async def run(self) -> Report:
        progress = Progress(await asyncio.to_thread(self._site.shelf.notes))
        if progress.site.address != self._site.address:  # of another archive nothing is known
            progress.site = type(progress.site)(address=self._site.address)
            for name in list(progress.collections):
                progress.forget(name)
        self._ledger = ledger = Ledger(self._site.shelf, progress, self._still_alone)
        progress.site.began = ledger.began
        await ledger.note()
        try:
            async with Intake(self._site.shelf.store, self._site.processes, self._counts) as intake:
                await self._harvest(intake)
        except SiteError as error:
            self._counts.failed(str(error))
        progress.site.error = "; ".join(self._counts.errors) or None
        progress.site.ended = ledger.began
        await ledger.note()
        left = sum(read is None for read in progress.windows.values())
        return Report(self._site.id, self._counts, self._windows, left)

    async def _harvest(self, intake: Intake) -> None:
        listed = await self._list(intake)
        source = self._site.source
        if not _is_searched(source):
            await walk(cast("Walkable", source), intake, self._ledger, self._counts, self._told)
            await self._settle(list(self._ledger.progress.collections))
            return
        reading = Reading(source, intake, self._ledger, self._counts, self._site.manner)
        progress = self._ledger.progress
        for name in listed:
            if not progress.of(name):
                await self._plan(reading, name)
        asked = {name for name in listed if await self._asked_for_changes(reading, name)}
        rhythm = self._site.rhythm
        windows = due(progress, frozenset(asked), self._ledger.began, rhythm.recent, rhythm.rotation)
        known = set(listed)
        await self._read_all(reading, deque(each for each in windows if each.collection in known))
        await self._settle(listed)
        await self._drop_collections(reading, intake, listed)

    async def _list(self, intake: Intake) -> list[str]:
        """Read the list of collections, keep them; their ids."""
        site, progress = self._site, self._ledger.progress
        async with _within(site.manner.patience):
            listed, missing = await site.source.collections(ANONYMOUS)
        if missing:
            self._counts.failed(f"its own members {', '.join(sorted(missing))} are missing")
        names = await intake.write(lambda writer: self._put_collections(writer, listed))
        for name in names:
            progress.collections.setdefault(name, CollectionNotes())
        if not missing:
            progress.site.listed = self._ledger.began
        await self._ledger.note()
        return names

    def _put_collections(self, writer: Writer, listed: Sequence[Mapping[str, Any]]) -> list[str]:
        names: dict[str, None] = {}
        for each in listed:
            collection: Collection = dict(each)
            try:
                writer.put_collection(collection)
                names[collection["id"]] = None
            except BadInput as error:
                self._counts.reject([f"collection {str(each.get('id'))[:80]!r}: {error}"])
        return list(names)

    async def _plan(self, reading: Reading, name: str) -> None:
        """Decide by which stretches of time a collection is read."""
        try:
            ends = [await self._end(reading, name, descending) for descending in (False, True)]
        except SiteError as error:
            self._fail(name, error)
            return
        (first, page), (last, timed) = ends
        notes = self._ledger.progress.collections[name]
        notes.expected, notes.timeless = page.matched, "datetime" in timed.left
        small = page.matched is not None and page.matched <= self._site.manner.most
        if small or timed.left & {"datetime", "sortby", "collections"}:
            windows = [Window(name, None, None)]
        else:
            windows = first_windows(name, first, last)
        await self._ledger.replace((), windows)

    async def _end(self, reading: Reading, name: str, descending: bool) -> tuple[int | None, SourcePage]:  # noqa: FBT001  # a plain switch
        order = (SortField("datetime", descending),)
        # the time selects nothing: it is asked for to learn whether the site evaluates it; not where the
        # site shall count, which is easier without
        long = Interval(_LONG_AGO, None) if descending else None
        request = SearchRequest((name,), datetime=long, sortby=order, limit=1)
        async for page in pages(reading.source, request, self._site.manner.patience):
            ticket = await reading.take(page, name)
            times = [each.t for each in await reading.written(ticket)]
            return (times[0] if times else None), page
        raise SiteError("it has not answered")

    async def _asked_for_changes(self, reading: Reading, name: str) -> bool:
        """Read what has changed since the last harvest, where the site can tell; whether it could."""
        notes = self._ledger.progress.collections[name]
        if notes.at is None or notes.updated is None or notes.undated or notes.deaf:
            return False
        since = notes.updated - _OVERLAP
        condition = {"op": ">=", "args": [{"property": _UPDATED}, {"timestamp": text_of(since)}]}
        request = SearchRequest(
            (name,), filter=condition, sortby=(SortField(_UPDATED),), limit=self._site.manner.page
        )
        try:
            async for page in pages(reading.source, request, self._site.manner.patience):
                seen = await reading.written(await reading.take(page, name))
                if "filter" in page.left or any(not each.updated or each.updated < since for each in seen):
                    notes.deaf = True
                    return False
                if page.missing:
                    raise SiteError(f"its own members {', '.join(page.missing)} are missing")
        except SiteError as error:
            self._fail(name, error)
            return False
        return True

    async def _read_all(self, reading: Reading, windows: deque[Window]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._site.manner.readers):
                    group.create_task(self._read_on(reading, windows))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _read_on(self, reading: Reading, windows: deque[Window]) -> None:
        while windows:
            window = windows.popleft()
            if self._failures >= _FAILURES:
                self._failed.add(window.collection)
                continue
            try:
                parts = await reading.read(window)
            except SiteError as error:
                self._failures += 1
                self._fail(window.collection, error)
            else:
                self._failures = 0
                self._windows += 1
                windows.extendleft(reversed(parts))
            self._told()

    async def _drop_collections(self, reading: Reading, intake: Intake, listed: Sequence[str]) -> None:
        """Remove the collections that are not listed any more, twice, and of which no item is found."""
        progress = self._ledger.progress
        if progress.site.listed != self._ledger.began or not progress.collections.keys() - set(listed):
            return
        async with _within(self._site.manner.patience):
            again, missing = await self._site.source.collections(ANONYMOUS)
        if missing:
            return
        for name in sorted(progress.collections.keys() - set(listed) - {each.get("id") for each in again}):
            if await self._is_gone(reading, name):
                removed = await intake.write(functools.partial(_remove_collection, name))
                self._counts.removed += removed
                progress.forget(name)
        await self._ledger.note()

    async def _is_gone(self, reading: Reading, name: str) -> bool:
        try:
            seen, whole = await reading.answer(SearchRequest((name,), limit=1))
        except SiteTimeout:
            raise
        except SiteError:  # some refuse the id of a collection that they do not have
            return True
        return whole and not seen

    async def _settle(self, listed: Sequence[str]) -> None:
        """Note which collections are kept wholly now."""
        progress = self._ledger.progress
        for name in listed:
            unread = any(progress.windows[window] is None for window in progress.of(name))
            searched = bool(progress.of(name)) or not _is_searched(self._site.source)
            if name not in self._failed and searched and not unread:
                self._ledger.whole(name)
        await self._ledger.note()

    def _fail(self, collection: str, error: SiteError) -> None:
        self._failed.add(collection)
        self._counts.failed(f"{collection}: {error}")

    def _told(self) -> None:
        self._tell(self._counts, self._ledger.progress)


def _is_searched(source: Source | Walkable) -> TypeGuard[Source]:
    return hasattr(source, "search")


def _remove_collection(name: str, writer: Writer) -> int:
    return writer.remove_collection(name)


@asynccontextmanager
async def _within(patience: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(patience):
            yield
    except TimeoutError as error:
        raise SiteTimeout(f"no answer within {patience:g} s") from error
