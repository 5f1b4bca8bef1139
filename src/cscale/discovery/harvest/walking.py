"""A site that can only be read as a whole, from the first item to the last.

What a walk has not met is removed only when the walk came to its end and could read all that it met; where
it could not, only when the walk before that came to its end has not met it either.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from cscale.catalogue import Writer
from cscale.discovery.harvest.keeping.ledger import Ledger
from cscale.discovery.harvest.keeping.progress import CollectionNotes
from cscale.discovery.harvest.taking.intake import Counts, Intake, Ticket
from cscale.discovery.source import Walkable
from cscale.identity import ANONYMOUS

_PAGE = 500
_AHEAD = 12  # pages that are on their way into the catalogue

_Name = tuple[str, str]


async def walk(
    source: Walkable,
    intake: Intake,
    ledger: Ledger,
    counts: Counts,
    told: Callable[[], None],
) -> None:
    """Read a site whole and keep what it holds.

    Args:
        source: The site.
        intake: Takes the items.
        ledger: Where is noted what was done.
        counts: Where is counted what was done.
        told: Called now and then.

    Raises:
        SiteError: If the walk breaks off; what came until then is kept, and nothing removed.
    """
    met: set[_Name] = set()
    waiting: deque[Ticket] = deque()
    all_taken = True

    async def settle(at_most: int) -> None:
        nonlocal all_taken
        while len(waiting) > at_most:
            ticket = waiting.popleft()
            seen = await ticket.written()
            for name in {each.collection for each in seen} - ledger.progress.collections.keys():
                ledger.progress.collections[name] = CollectionNotes()
            ledger.saw(seen)
            met.update((each.collection, each.id) for each in seen)
            all_taken = all_taken and ticket.all_taken
            told()

    page: list[msgspec.Raw] = []
    try:
        async for item in source.items(ANONYMOUS):
            page.append(item)
            if len(page) >= _PAGE:
                waiting.append(await intake.take(page, None))
                page = []
                await settle(_AHEAD)
    finally:
        waiting.append(await intake.take(page, None))
        await settle(0)
    counts.rejected += source.rejected
    unseen = await intake.write(lambda writer: _unseen(writer, met))
    site = ledger.progress.site
    gone = unseen if all_taken and not source.rejected else unseen & set(site.unseen)
    removed = await intake.write(lambda writer: sum(writer.remove(*name) for name in sorted(gone)))
    counts.removed += removed
    site.unseen = sorted(unseen - gone)
    await ledger.note()


def _unseen(writer: Writer, met: set[_Name]) -> set[_Name]:
    return {
        (name, each.id)
        for name in writer.collections()
        for each in writer.held_between(name, None, None)
        if (name, each.id) not in met
    }
