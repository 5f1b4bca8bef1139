"""What it took to have an answer, counted for whoever asks: a search's log line tells it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Tally:
    """What it took.

    Attributes:
        requests: How many requests were sent, all told.
        retries: How many of them repeated one that had failed.
        hedges: How many of them were sent beside one that was slow.
    """

    requests: int = 0
    retries: int = 0
    hedges: int = 0


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)


@contextmanager
def counted(tally: Tally) -> Iterator[Tally]:
    """Count into `tally` what is asked of members within the block, tasks begun there included."""
    token = _current.set(tally)
    try:
        yield tally
    finally:
        _current.reset(token)


def current() -> Tally:
    """Where to count."""
    return _current.get() or Tally()
