"""Pages on their way into the catalogue: made ready as they come, written in batches by a thread."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeVar

import msgspec

from cscale.catalogue import Store, Writer
from cscale.discovery.harvest.taking.preparing import Outcome, Preparing, Ready
from cscale.errors import BadInput

T = TypeVar("T")

_BATCH = 5000  # items that are written in one transaction
_PAGES = 12  # that may wait to be written
_SHOWN = 20


class Seen(NamedTuple):
    """An item that is in the catalogue now.

    Attributes:
        collection: The id of its collection.
        id: Its id.
        t: Its place in time, microseconds since 1970.
        updated: Its `updated`; None where it has none.
    """

    collection: str
    id: str
    t: int
    updated: int | None


@dataclass
class Counts:
    """What a harvest has done.

    Attributes:
        items: How many were added, changed, unchanged.
        removed: How many were removed.
        rejected: How many could not be taken.
        reasons: Why, of the first of them.
        errors: What went wrong with the site, once each.
    """

    items: "Counter[str]" = field(default_factory=Counter)
    removed: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def reject(self, reasons: Sequence[str]) -> None:
        """Count items that could not be taken."""
        self.rejected += len(reasons)
        self.reasons += list(reasons)[: max(_SHOWN - len(self.reasons), 0)]

    def failed(self, error: str) -> None:
        """Note what went wrong."""
        if error not in self.errors:
            self.errors.append(error)


class Ticket:
    """A page that was handed in; await `written` to have its items in the catalogue."""

    def __init__(self, outcome: "asyncio.Task[Outcome]", only: str | None) -> None:
        self.outcome = outcome
        self.only = only
        self.seen: asyncio.Future[list[Seen]] = asyncio.get_running_loop().create_future()

    @property
    def all_taken(self) -> bool:
        """Whether all that the page holds could be read; to be asked after `written`."""
        return not self.outcome.result()[1]

    async def written(self) -> list[Seen]:
        """The items of the page, once they are in the catalogue to stay.

        Raises:
            CscaleError: If they could not be written.
        """
        return await self.seen


class Intake:
    """Takes pages and writes them; use it as a context, its end waits for what is under way.

    Args:
        store: The catalogue.
        processes: How many processes make items ready; 0 for a thread.
        counts: Where is counted what was done.
    """

    def __init__(self, store: Store, processes: int, counts: Counts) -> None:
        self._store = store
        self._processes = processes
        self._counts = counts
        self._queue: asyncio.Queue[Ticket] = asyncio.Queue(_PAGES)
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        columns = await asyncio.to_thread(self._store.columns)
        self._preparing = Preparing(columns, self._processes)
        self._writing = asyncio.create_task(self._write_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writing.cancel()
        with suppress(asyncio.CancelledError):
            await self._writing
        self._preparing.close()

    async def take(self, features: Sequence[msgspec.Raw], only: str | None) -> Ticket:
        """Hand a page in; waits while too many are waiting.

        Args:
            features: Its items.
            only: The collection whose items are taken; None for all.
        """
        ticket = Ticket(asyncio.create_task(self._preparing.ready(features)), only)
        await self._queue.put(ticket)
        return ticket

    async def write(self, work: Callable[[Writer], T]) -> T:
        """Change the catalogue in a thread, while nothing else of this harvest does.

        Args:
            work: What is done to it, in one transaction.
        """

        def transact() -> T:
            with self._store.writing() as writer:
                return work(writer)

        async with self._one_at_a_time:
            # shielded: a thread cannot be cancelled, and must not be left writing by itself
            written = asyncio.create_task(asyncio.to_thread(transact))
            try:
                return await asyncio.shield(written)
            except asyncio.CancelledError:
                await asyncio.wait([written])
                raise

    async def _write_all(self) -> None:
        while True:
            tickets = [await self._queue.get()]
            try:
                await self._write(tickets)
            except Exception as error:  # noqa: BLE001  # whoever waits must be told, or waits for ever
                for ticket in tickets:
                    _fail(ticket, error)

    async def _write(self, tickets: list[Ticket]) -> None:
        """Write a batch: what has come by now, up to a number of items."""
        batch = [_of(tickets[0], await tickets[0].outcome, self._counts)]
        while sum(map(len, batch)) < _BATCH and not self._queue.empty():
            tickets.append(self._queue.get_nowait())
            batch.append(_of(tickets[-1], await tickets[-1].outcome, self._counts))
        seen = await self.write(lambda writer: self._put(writer, batch))
        for ticket, page in zip(tickets, seen, strict=True):
            if not ticket.seen.done():
                ticket.seen.set_result(page)

    def _put(self, writer: Writer, batch: Sequence[Sequence[Ready]]) -> list[list[Seen]]:
        # of what came twice, the one that came last: pages move while a site changes
        last = {(each.item.collection, each.item.id): each for page in batch for each in page}
        refused: dict[tuple[str, str], str] = {}
        items: Counter[str] = Counter()
        for name, each in last.items():
            try:
                items[writer.put_prepared(each.item)] += 1
            except BadInput as error:
                refused[name] = f"{each.item.id!r}: {error}"
        self._counts.items += items
        self._counts.reject(list(refused.values()))
        return [
            [
                Seen(item.collection, item.id, item.row.t, updated)
                for item, updated in page
                if (item.collection, item.id) not in refused
            ]
            for page in batch
        ]


def _of(ticket: Ticket, outcome: Outcome, counts: Counts) -> list[Ready]:
    taken, refused = outcome
    counts.reject(refused)
    if ticket.only is None:
        return taken
    return [each for each in taken if each.item.collection == ticket.only]


def _fail(ticket: Ticket, error: Exception) -> None:
    if not ticket.seen.done():
        ticket.seen.set_exception(error)
        ticket.seen.exception()  # whoever waits for it is told; if nobody does, it has been said
