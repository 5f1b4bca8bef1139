"""Who has accepted which licence."""

import asyncio
import time

from cscale.accounting.ledger import Ledger

FRESH = 60.0
"""Seconds that what somebody has accepted is believed; what they have not is looked up each time."""
_KEPT = 10_000


class Licences:
    """Knows what users have accepted.

    Args:
        ledger: Where it is kept.
        offered: The ids of the licences that can be accepted.
    """

    def __init__(self, ledger: Ledger, offered: frozenset[str] = frozenset()) -> None:
        self._ledger = ledger
        self.offered = offered
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    async def accepted(self, user: str, wanted: frozenset[str] | None = None) -> frozenset[str]:
        """The ids of the licences that a user has accepted.

        Args:
            user: The user's pseudonym.
            wanted: Which are of interest; None for all. Where these are known to be accepted already,
                nothing is looked up.
        """
        kept = self._known.get(user)
        if kept and wanted is not None and time.monotonic() - kept[0] < FRESH and wanted <= kept[1]:
            return kept[1]
        now = time.monotonic()
        found = frozenset(await asyncio.to_thread(self._ledger.accepted, user))
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[user] = now, found
        return found

    async def accept(self, user: str, licence: str) -> None:
        """Keep that a user accepts a licence."""
        await asyncio.to_thread(self._ledger.accept, user, licence)
        self._known.pop(user, None)
