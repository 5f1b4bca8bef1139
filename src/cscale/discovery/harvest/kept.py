"""A harvested site as a `Source`: its answers come from the hub's own catalogue."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from cscale.catalogue import Store
from cscale.catalogue.bodies import DATA
from cscale.discovery.harvest.keeping.progress import Progress
from cscale.discovery.harvest.keeping.shelf import Shelf
from cscale.discovery.source import Source, SourcePage, Walkable
from cscale.errors import BadConfiguration, NotFound, SiteError
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.items import close_body
from cscale.stac.search import SearchRequest
from cscale.stac.times import text_of

_AS_IT_CAME = msgspec.json.encode(DATA).decode().strip('"')
"""The address of `/data`, so that no href of a site becomes one of ours."""
_LOOK = 2.0  # seconds after which the notes are looked at again


class Coverage(NamedTuple):
    """Where and when the items of a collection lie, exactly.

    Attributes:
        first: The first instant of any of its items, microseconds since 1970; None where it has none.
        last: The last instant.
        bbox: West, south, east, north (CRS84); None where no item has a place. From -180 to 180 where an
            item crosses the antimeridian.
    """

    first: int | None
    last: int | None
    bbox: Sequence[float] | None


class Kept:
    """What is kept of a harvested site.

    Args:
        site: The site itself: it tells the addresses of its items, and is asked nothing else.
        shelf: Where its harvest is kept.
        look: After how many seconds it looks again how far the harvest is.

    Raises:
        BadConfiguration: If the shelf cannot be used.
    """

    def __init__(self, site: Source | Walkable, shelf: Shelf, *, look: float = _LOOK) -> None:
        self._site = site
        self._shelf = shelf
        self._look = look
        store: Store = shelf.store
        self._catalogue = store.source(data_url=_AS_IT_CAME, secret=store.secret())
        self._progress = Progress({})
        self._looked = -float("inf")
        self._covered: tuple[int | None, dict[str, Coverage]] = (None, {})

    def close(self) -> None:
        """Let go of the catalogue; searches under way finish."""
        self._catalogue.close()

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """See `Source.search`; also says when the oldest of what was asked for was read."""
        progress = await self._now()  # before the search: what was whole by then is in its answer
        page = await self._catalogue.search(caller, replace(request, token=token))
        return SourcePage(
            [msgspec.Raw(close_body(item.body, b"")) for item in page.items],
            page.token,
            page.matched,
            harvested_at=_oldest(progress, request.collections),
            partial=await self._lacking(progress, request.collections),
        )

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`."""
        return (await self._catalogue.collections(caller)).collections, ()

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `Source.queryables`."""
        try:
            return await self._catalogue.queryables(caller, collection_id)
        except NotFound:
            return {}

    def item_url(self, collection_id: str, item_id: str) -> str:
        """The address of an item at the site."""
        return self._site.item_url(collection_id, item_id)

    def collection_url(self, collection_id: str) -> str:
        """The address of a collection at the site."""
        return self._site.collection_url(collection_id)

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        """See `Aggregates.aggregate`: exact over what is kept; `lacking` tells whether that is all."""
        return await self._catalogue.aggregate(caller, request)

    async def lacking(self, collections: Iterable[str] | None) -> str | None:
        """Why some of what the site holds is not kept yet, in a sentence; None where all is.

        Args:
            collections: The site's ids of those asked for; None for all.
        """
        return await self._lacking(await self._now(), collections)

    async def freshness(self) -> Mapping[str, str]:
        """When each collection was last read, as RFC 3339 text; those are absent that never were wholly."""
        notes = (await self._now()).collections
        return {name: text_of(each.at) for name, each in notes.items() if each.at is not None}

    async def coverage(self) -> Mapping[str, Coverage]:
        """Where and when the items of each collection lie; those are absent that are not wholly kept."""
        progress = await self._now()
        if self._covered[0] != progress.site.ended or self._covered[0] is None:
            extents = await self._catalogue.extents()
            covered = {name: Coverage(each.start, each.end, each.bbox) for name, each in extents.items()}
            self._covered = progress.site.ended, covered
        whole = {name for name, notes in progress.collections.items() if notes.at is not None}
        nothing = Coverage(None, None, None)
        return {name: self._covered[1].get(name, nothing) for name in sorted(whole)}

    async def _now(self) -> Progress:
        """How far the harvest is, or was a moment ago."""
        if time.monotonic() - self._looked >= self._look:
            self._looked = time.monotonic()
            try:
                self._progress = Progress(await asyncio.to_thread(self._shelf.notes))
            except BadConfiguration as error:  # a database that has gone away
                raise SiteError(f"what is kept of it cannot be read: {error}") from error
        return self._progress

    async def _lacking(self, progress: Progress, collections: Iterable[str] | None) -> str | None:
        if progress.site.listed is None:
            return f"it was not harvested yet{_because(progress)}"
        asked = progress.collections.keys() if collections is None else set(collections)
        known = progress.collections
        new = [name for name in asked if name in known and known[name].at is None]
        if not new:
            return None
        counted = await self._catalogue.search(ANONYMOUS, SearchRequest(tuple(new), limit=1))
        held = counted.matched or 0
        told = [known[name].expected for name in new]
        expected = sum(count for count in told if count is not None)
        about = "" if None in told else f" of about {max(expected, held):,}"
        if progress.site.ended is None:
            return f"first harvest under way: {held:,}{about} items"
        return f"its first harvest is not complete: {held:,}{about} items{_because(progress)}"


def _because(progress: Progress) -> str:
    return f" (last error: {progress.site.error})" if progress.site.error else ""


def _oldest(progress: Progress, collections: Iterable[str] | None) -> str | None:
    """When the oldest of what is asked for was read."""
    known = progress.collections
    asked = known.keys() if collections is None else set(collections) & known.keys()
    times = [at for name in asked if (at := known[name].at) is not None]
    oldest = min(times, default=progress.site.listed)
    return None if oldest is None else text_of(oldest // 1_000_000 * 1_000_000)
