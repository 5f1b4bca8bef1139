"""Which stretches of time a collection is read by: pure rules."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median_low

from cscale.discovery.harvest.keeping.progress import Progress, Window
from cscale.stac.times import instant

SECOND = 1_000_000
DAY = 86_400 * SECOND
_MOST_WINDOWS = 600


def first_windows(collection: str, first: int | None, last: int | None) -> list[Window]:
    """The windows that a collection is first read by: its months, and all that lies before and after.

    Together they hold all of time, so that nothing depends on what the site says of its extent.

    Args:
        collection: The collection's id.
        first: About when its items begin, microseconds since 1970; None where that is not known.
        last: About when they end.
    """
    if first is None or last is None or first > last:
        return [Window(collection, None, None)]
    cuts = _months(first, last)
    ends = [None, *cuts, None]
    return [Window(collection, start, end) for start, end in pairwise(ends)]


def _months(first: int, last: int) -> list[int]:
    """The first instants of the months that touch a stretch of time; of every n-th, where they are many."""
    begin, end = (datetime.fromtimestamp(moment // SECOND, UTC) for moment in (first, last))
    months = range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month)
    step = max(1, math.ceil(len(months) / _MOST_WINDOWS))
    return [
        instant(f"{month // 12:04}-{month % 12 + 1:02}-01T00:00:00Z")
        for month in months[::step]
        if month // 12 >= 1
    ]


def halves(window: Window, moments: Sequence[int]) -> tuple[Window, Window] | None:
    """A window as two, cut at a whole second; None where it cannot be cut.

    Args:
        window: The window.
        moments: When items in it lie that were read already: an open window is cut among them.
    """
    _, start, end = window
    if start is not None and end is not None:
        cut = (start + end) // 2
    elif moments:
        cut = median_low(moments)
    else:
        return None
    return cut_at(window, cut) or (cut_at(window, cut + SECOND) if start is None or end is None else None)


def cut_at(window: Window, moment: int) -> tuple[Window, Window] | None:
    """A window as two, cut at the whole second before a moment; None where that is not inside it."""
    collection, start, end = window
    cut = moment // SECOND * SECOND
    if (start is not None and cut <= start) or (end is not None and cut >= end):
        return None
    return Window(collection, start, cut), Window(collection, cut, end)


def recent(window: Window, now: int, days: float) -> bool:
    """Whether a window reaches into the last days before `now`."""
    return window.end is None or window.end >= now - days * DAY


def due(progress: Progress, asked: frozenset[str], now: int, days: float, rotation: float) -> list[Window]:
    """The windows that a harvest reads: those never read, then the recent, then those read longest ago.

    Args:
        progress: How far the harvest has come.
        asked: The collections whose changes were asked for by `updated`: their recent windows can wait.
        now: When the harvest began.
        days: How many days are recent.
        rotation: In how many days all windows are read again; 0: at each harvest.
    """
    unread = [window for window, read in progress.windows.items() if read is None]
    lately = [
        window
        for window, read in progress.windows.items()
        if read is not None and window.collection not in asked and recent(window, now, days)
    ]
    taken = {*unread, *lately}
    others = sorted(
        (read, window.collection, window.start or -math.inf, window)
        for window, read in progress.windows.items()
        if read is not None and window not in taken
    )
    elapsed = now - (progress.site.ended or now)
    share = min(1.0, elapsed / (rotation * DAY)) if rotation else 1.0
    again = math.ceil(len(progress.windows) * share) if progress.site.ended else 0
    return unread + lately + [window for *_, window in others[: again if rotation else None]]
