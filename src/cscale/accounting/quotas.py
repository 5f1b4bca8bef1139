"""Quotas: requests a second, answers at once, bytes a day, of each user and collection.

How exact: in one process, requests and answers are counted exactly, bytes but for the answers under way.
Several processes tell each other through the ledger, every half second, what they have counted: for so long
each knows of its own only. So a user whose connections reach W processes may get W times the burst once,
then what was too much is made up for; W times the answers at once; and a day's bytes are passed by what W
processes send in half a second, and by the answers under way.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cscale.accounting.ledger import Consumed, today
from cscale.errors import QuotaExceeded
from cscale.federation.policies import Quotas

BURST = 2.0
"""Seconds of requests that may come at once."""
_KEPT = 50_000  # users and collections; the idle ones among more are forgotten

Who = tuple[str, str]
"""A user, and a collection."""


@dataclass(slots=True)
class _Account:
    """What one user has had of one collection.

    Attributes:
        tokens: Requests that may come at once.
        seen: When `tokens` was right, by the clock.
        running: Answers under way.
        day: The day that `bytes` is of.
        bytes: Sent on that day, as far as is known, by all processes.
        untold_requests: Counted here since the ledger was told.
        untold_bytes: The same of bytes.
        known_requests: Of the day, as the ledger knew them.
    """

    tokens: float
    seen: float
    running: int = 0
    day: str = ""
    bytes: int = 0
    untold_requests: int = 0
    untold_bytes: int = 0
    known_requests: int | None = None


class QuotaCounter:
    """Counts what users have, and refuses what is too much.

    Args:
        clock: Tells seconds; of a clock that only goes forward.
        day: Tells the day it is, in UTC.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, day: Callable[[], str] = today) -> None:
        self._clock = clock
        self._day = day
        self._lock = threading.Lock()
        self._accounts: dict[Who, _Account] = {}

    def enter(self, who: Who, quotas: Quotas) -> None:
        """Count a request that begins; `leave` has to follow.

        Raises:
            QuotaExceeded: If it is too much; says of what, and after how many seconds to ask again.
        """
        with self._lock:
            account = self._account(who, quotas)
            if quotas.concurrent is not None and account.running >= quotas.concurrent:
                raise QuotaExceeded(
                    f"{quotas.concurrent} answers at once are what one user may have of"
                    f" {_named(who)}; wait until one has ended",
                    1,
                )
            if quotas.bytes_per_day is not None and account.bytes >= quotas.bytes_per_day:
                raise QuotaExceeded(
                    f"{quotas.bytes_per_day} bytes a day are what one user may have of {_named(who)};"
                    " there is more after midnight UTC",
                    _until_midnight(),
                )
            rate = quotas.requests_per_second
            if rate is not None:
                if account.tokens < 1:
                    raise QuotaExceeded(
                        f"{rate:g} requests a second are what one user may have of {_named(who)}; ask slower",
                        max(1, math.ceil((1 - account.tokens) / rate)),
                    )
                account.tokens -= 1
            account.running += 1
            account.untold_requests += 1

    def leave(self, who: Who, sent: int) -> None:
        """Count the end of a request.

        Args:
            who: As was given to `enter`.
            sent: How many bytes were sent.
        """
        with self._lock:
            account = self._accounts[who]
            account.running -= 1
            account.bytes += sent
            account.untold_bytes += sent

    def untold(self) -> Consumed:
        """What was counted here since this was last asked, or is under way: what the ledger is to know."""
        with self._lock:
            told = {}
            for who, account in self._accounts.items():
                if account.untold_requests or account.untold_bytes or account.running:
                    told[who] = account.untold_requests, account.untold_bytes
                    account.untold_requests = account.untold_bytes = 0
            return told

    def take_back(self, untold: Consumed) -> None:
        """What the ledger could not be told after all."""
        with self._lock:
            for who, (requests, sent) in untold.items():
                if account := self._accounts.get(who):
                    account.untold_requests += requests
                    account.untold_bytes += sent

    def learn(self, told: Consumed, known: Consumed) -> None:
        """Take what all processes together have counted today.

        Args:
            told: What the ledger was told, from here.
            known: What it knows with that.
        """
        with self._lock:
            for who, (requests, sent) in known.items():
                account = self._accounts.get(who)
                if account is None:
                    continue
                if account.day == self._day():
                    account.bytes = sent + account.untold_bytes
                if account.known_requests is not None:
                    others = requests - account.known_requests - told[who][0]
                    account.tokens -= max(0, others)  # also below nothing: it is made up for
                account.known_requests = requests

    def _account(self, who: Who, quotas: Quotas) -> _Account:
        rate, now, day = quotas.requests_per_second or 0.0, self._clock(), self._day()
        full = max(1.0, BURST * rate)
        account = self._accounts.get(who)
        if account is None:
            if len(self._accounts) >= _KEPT:
                self._forget(now)
            account = self._accounts[who] = _Account(full, now, day=day)
        account.tokens = min(full, max(account.tokens, -full) + rate * (now - account.seen))
        account.seen = now
        if account.day != day:
            account.day, account.bytes, account.known_requests = day, 0, None
        return account

    def _forget(self, now: float) -> None:
        """Forget who was idle longest; what they had of a day the ledger still knows."""
        idle = [
            who
            for who, each in self._accounts.items()
            if not (each.running or each.untold_requests or each.untold_bytes)
        ]
        idle.sort(key=lambda who: self._accounts[who].seen)
        for who in idle[: _KEPT // 10]:
            del self._accounts[who]


def _named(who: Who) -> str:
    return f"collection {who[1]}" if who[1] else "these files"


def _until_midnight() -> int:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, math.ceil((midnight - now).total_seconds()))
