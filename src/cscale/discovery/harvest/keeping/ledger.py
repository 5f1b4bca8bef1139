"""The notes of one harvest under way, written down as it goes."""

import asyncio
import time
from collections.abc import Iterable, Sequence

from cscale.discovery.harvest.keeping.progress import CollectionNotes, Progress, Window
from cscale.discovery.harvest.keeping.shelf import Shelf, StillAlone
from cscale.discovery.harvest.taking.intake import Seen
from cscale.errors import SiteError


def now() -> int:
    """This instant, microseconds since 1970."""
    return time.time_ns() // 1000


class Ledger:
    """Knows how far a harvest has come and writes it down, always after what it tells of.

    Args:
        shelf: Where.
        progress: What was noted there before.
        still_alone: Whether nobody else can have become the harvester.
    """

    def __init__(self, shelf: Shelf, progress: Progress, still_alone: StillAlone) -> None:
        self.progress = progress
        self.began = now()
        self._shelf = shelf
        self._still_alone = still_alone
        self._latest: dict[str, int] = {}
        self._one_at_a_time = asyncio.Lock()

    async def note(self) -> None:
        """Write down what has changed.

        Raises:
            SiteError: If another may be the harvester by now.
        """
        async with self._one_at_a_time:
            changes = self.progress.changes()
            if changes:
                await asyncio.to_thread(self._write, changes)

    async def read(self, window: Window) -> None:
        """Note that a window was read to its end."""
        if window in self.progress.windows:
            self.progress.windows[window] = self.began
        await self.note()

    async def replace(self, windows: Iterable[Window], by: Sequence[Window]) -> None:
        """Note that windows are others from now on, not read yet."""
        for window in windows:
            self.progress.windows.pop(window, None)
        self.progress.windows |= dict.fromkeys(by)
        await self.note()

    def saw(self, seen: Iterable[Seen]) -> None:
        """Remember when items were changed last."""
        for each in seen:
            if (notes := self.progress.collections.get(each.collection)) is None:
                continue
            if each.updated is None:
                notes.undated = True
            else:
                self._latest[each.collection] = max(self._latest.get(each.collection, 0), each.updated)

    def whole(self, collection: str) -> None:
        """Remember that a collection is kept wholly, as it was when this harvest began."""
        notes = self.progress.collections.setdefault(collection, CollectionNotes())
        # what was read first may have changed while the rest was read
        oldest = min((read or 0 for read in map(self.progress.windows.get, self.progress.of(collection))),
                     default=self.began) if notes.at is None else self.began  # fmt: skip
        latest = max(self._latest.get(collection, 0), notes.updated or 0)
        notes.updated = min(latest, oldest) or None
        notes.at = self.began

    def _write(self, changes: dict[str, bytes | None]) -> None:
        if not self._still_alone():
            raise SiteError("this harvest has lost its lock, another may be under way; it goes on next time")
        self._shelf.note(changes)
