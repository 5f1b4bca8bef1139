"""Harvests in a service, each site in its own rhythm; of several processes of a hub, one does it."""

import asyncio
import logging
from collections.abc import Sequence

from cscale.discovery.harvest.keeping.ledger import now
from cscale.discovery.harvest.keeping.progress import Progress
from cscale.discovery.harvest.rounds import Harvested, Report, harvest
from cscale.errors import CscaleError

log = logging.getLogger("cscale.harvest")

_MINUTE = 60_000_000  # microseconds
_LOOK = 60.0  # seconds after which it is looked again whether a harvest is due


async def keep_harvesting(sites: Sequence[Harvested], *, look: float = _LOOK) -> None:
    """Harvest sites whenever it is time, until cancelled; one at a time, since they share the processors.

    What goes wrong is logged, and tried again.

    Args:
        sites: The sites.
        look: After how many seconds to look whether one is due, at most.
    """
    while True:
        for site in sites:
            try:
                if await wait_for(site) <= 0:
                    _tell(await harvest(site))
            except CscaleError as error:
                log.warning("harvest of %s: %s", site.id, error)
        soonest = look
        await asyncio.sleep(soonest)


async def wait_for(site: Harvested) -> float:
    """Seconds until a site is to be harvested; 0 or less where it is time.

    A harvest that was cut off goes on at once; one that ended with an error waits like any other.
    """
    notes = Progress(await asyncio.to_thread(site.shelf.notes)).site
    if notes.address != site.address or notes.ended is None or (notes.began or 0) > notes.ended:
        return 0.0
    return (notes.ended + site.rhythm.interval * _MINUTE - now()) / 1e6


def _tell(report: Report) -> None:
    if report.elsewhere:
        return
    counts = report.counts
    items = ", ".join(f"{count:,} {change}" for change, count in counts.items.items()) or "no items"
    log.log(
        logging.WARNING if counts.errors else logging.INFO,
        "harvest of %s: %s, %d removed, %d rejected%s",
        report.site,
        items,
        counts.removed,
        counts.rejected,
        f"; {'; '.join(counts.errors)}" if counts.errors else "",
    )
