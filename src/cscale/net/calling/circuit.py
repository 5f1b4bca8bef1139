"""When to leave a member alone that has failed again and again (the circuit breaker), pure.

Closed, all requests pass. After some failures in a row it opens: nobody asks for a while. When that is over
it is half open: one request is let through to try, and says whether it closes or stays open for longer.
A request that was begun in an earlier state says nothing about a later one.
"""

import random
import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """A circuit's state."""

    closed = "closed"
    open = "open"
    half_open = "half-open"


class Refusal(NamedTuple):
    """Why a request does not pass.

    Attributes:
        since: How many seconds ago the member was given up.
        failures: How often in a row it has failed.
        reason: How it failed last.
        again_in: In how many seconds it is tried again; 0 while it is being tried.
    """

    since: float
    failures: int
    reason: str
    again_in: float


class Circuit:
    """One member's circuit.

    Args:
        failures: After how many failures in a row it opens.
        pause: How long it stays open at first, in seconds; each failed try doubles it.
        longest: The longest pause, in seconds.
        clock: Seconds, never going back.
        chance: A number from 0 up to 1; pauses are shortened by up to a fifth, so that several who ask
            do not try at once.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        pause: float = 5.0,
        longest: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._limit = failures
        self._first = pause
        self._longest = longest
        self._clock = clock
        self._chance = chance
        self.state = State.closed
        self._period = 0  # counts the states it has been in
        self._failures = 0
        self._reason = ""
        self._tries = 0  # in vain, since it opened
        self._opened = 0.0
        self._until = 0.0

    def refusal(self) -> Refusal | None:
        """Why no request passes at this moment; None if one does."""
        now = self._clock()
        if self.state is State.closed or (self.state is State.open and now >= self._until):
            return None
        again_in = 0.0 if self.state is State.half_open else self._until - now
        return Refusal(now - self._opened, self._failures, self._reason, again_in)

    def enter(self) -> int:
        """Let a request through, of which `refusal` has said that it may pass; its ticket for the outcome."""
        if self.state is State.open:
            self.state = State.half_open
            self._period += 1
        return self._period

    def succeeded(self, ticket: int) -> None:
        """Note that a request was answered."""
        if ticket != self._period:
            return
        self._failures = 0
        if self.state is State.half_open:
            self.state, self._tries = State.closed, 0
            self._period += 1

    def failed(self, ticket: int, reason: str, at_least: float = 0.0) -> None:
        """Note that a request failed.

        Args:
            ticket: The request's.
            reason: How it failed.
            at_least: For how many seconds the member asked to be left alone.
        """
        if ticket != self._period:
            return
        self._failures += 1
        self._reason = reason
        if self.state is State.half_open:
            self._tries += 1
            self._open(at_least)
        elif self._failures >= self._limit:
            self._opened = self._clock()
            self._open(at_least)

    def abandoned(self, ticket: int) -> None:
        """Note that a request was given up before it could say anything; the next one may try."""
        if ticket == self._period and self.state is State.half_open:
            self.state, self._until = State.open, self._clock()
            self._period += 1

    def _open(self, at_least: float) -> None:
        pause = min(self._first * 2.0 ** min(self._tries, 30), self._longest) * (1 - self._chance() / 5)
        self.state = State.open
        self._until = self._clock() + max(pause, min(at_least, self._longest))
        self._period += 1
