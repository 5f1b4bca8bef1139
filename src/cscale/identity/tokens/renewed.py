"""What is fetched when it is first needed, kept, and fetched anew in the background."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cscale.errors import CscaleError
from cscale.identity.refusals import IssuerUnavailable

T = TypeVar("T")


class Renewed(Generic[T]):
    """A value that comes from afar.

    However many ask, one fetch is under way at a time, and one begins every `pause` seconds at most. Whoever
    stops waiting does not stop the others.

    Args:
        fetch: Fetches it.
        fresh: Seconds after which it is fetched anew, while the old one still serves.
        stale: Seconds after which the old one no longer serves.
        pause: Seconds between two fetches.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], *, fresh: float, stale: float, pause: float
    ) -> None:
        self._fetch = fetch
        self._fresh, self._stale, self._pause = fresh, stale, pause
        self._value: T | None = None
        self._fetched = self._begun = float("-inf")
        self._failure = "not asked as yet"
        self._task: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """The value.

        Raises:
            IssuerUnavailable: If there is none, and none could be fetched.
        """
        age = time.monotonic() - self._fetched
        if self._value is not None and age < self._fresh:
            return self._value
        task = self._begin()
        if self._value is not None and age < self._stale:
            return self._value
        if task is not None:
            await asyncio.shield(task)
        if self._value is None or time.monotonic() - self._fetched >= self._stale:
            raise IssuerUnavailable(self._failure)
        return self._value

    async def anew(self) -> T | None:
        """The value, fetched anew unless that has just been done."""
        task = self._begin()
        if task is not None:
            await asyncio.shield(task)
        return self._value

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> "asyncio.Task[None] | None":
        """The fetch under way, or a new one; None if the last one began only just now."""
        if self._task is not None and not self._task.done():
            return self._task
        now = time.monotonic()
        if now - self._begun < self._pause:
            return None
        self._begun = now
        self._task = asyncio.create_task(self._renew())
        return self._task

    async def _renew(self) -> None:
        try:
            self._value = await self._fetch()
            self._fetched = time.monotonic()
        except CscaleError as error:
            self._failure = str(error)
