"""How long to wait: before asking again, and before asking a second time in parallel; and how often, pure."""

import random
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

BUSY = frozenset({429, 502, 503, 504})
"""The statuses of a member that may answer when it is asked again."""
LONGEST_PAUSE = 4.0
"""The longest time, in seconds, that a member can have a request wait by Retry-After."""
_FIRST_PAUSE = 0.1


def backoff(retry: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds before a retry (0 for the first): doubled each time, of which a random half is left out."""
    return float(min(_FIRST_PAUSE * 2.0 ** min(retry, 30), LONGEST_PAUSE) * (1 - chance() / 2))


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds that a member asks to be left alone for (RFC 9110 10.2.3); 0 if it says nothing of use.

    Args:
        headers: Of its answer.
        now: The time, for a header that gives a date.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        date = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return 0.0
    until = date.replace(tzinfo=date.tzinfo or UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


class Latencies:
    """How long the last answers took.

    Args:
        most: How many are remembered.
        least: How many it takes to say anything.
    """

    def __init__(self, most: int = 200, least: int = 20) -> None:
        self._most = most
        self._least = least
        self._in_order: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        """Note an answer's time."""
        if len(self._in_order) == self._most:
            del self._sorted[bisect_left(self._sorted, self._in_order.popleft())]
        self._in_order.append(seconds)
        insort(self._sorted, seconds)

    def p95(self) -> float | None:
        """The time in which 95 of 100 came; None while too few are known."""
        count = len(self._sorted)
        return self._sorted[-(-count * 95 // 100) - 1] if count >= self._least else None


class Allowance:
    """Keeps what is asked beside what must be asked to a small share of it.

    Args:
        share: What each request adds.
        most: How much can be saved up.
    """

    def __init__(self, share: float = 0.05, most: float = 5.0) -> None:
        self._share = share
        self._most = most
        self._left = 0.0

    def earn(self) -> None:
        """Note a request."""
        self._left = min(self._left + self._share, self._most)

    def take(self) -> bool:
        """Whether one more may be asked, which is taken off."""
        if self._left < 1 - 1e-9:  # a sum of twentieths
            return False
        self._left -= 1
        return True
