"""A member, ready to be asked: its entry, its interface, what it lists, and what it was seen to do."""

import asyncio
import time
from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cscale.discovery.hub.coverage import Extent, extent_of
from cscale.discovery.hub.translation import Translation
from cscale.discovery.source import Source
from cscale.errors import SiteTimeout
from cscale.federation import Member
from cscale.identity import Caller

FRESH = 60.0
"""Seconds that a member's list of collections is believed."""
_FORGET = 3600.0
"""Seconds after which a member is given another chance to do what it was seen not to do."""


@dataclass(frozen=True)
class Listing:
    """What a member lists.

    Attributes:
        collections: As they came, each with an `id`.
        missing: The members missing from it, if it is a hub.
        read: When, by the monotonic clock.
    """

    collections: Sequence[Mapping[str, Any]]
    missing: Sequence[str]
    read: float

    @cached_property
    def names(self) -> list[str]:
        """The ids of the collections."""
        return [each["id"] for each in self.collections]

    @cached_property
    def extents(self) -> dict[str, Extent]:
        """What each says that it holds."""
        return {each["id"]: extent_of(each) for each in self.collections}

    def is_fresh(self, seconds: float) -> bool:
        """Whether it was read within these last seconds."""
        return time.monotonic() - self.read < seconds


@dataclass
class Seen:
    """What a member was seen to do, by its answers to searches; forgotten in time.

    Attributes:
        leaves: The parts of a search that it was seen not to evaluate, and until when that is held
            against it.
        named: The collections in which all ids seen were names that a product's name leads to.
        odd: The collections in which one was not.
        beyond: The collections of which an item was seen outside of what their extent says.
    """

    leaves: dict[str, float] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)
    beyond: set[str] = field(default_factory=set)

    def does_not(self, part: str) -> None:
        """Note that it was seen not to evaluate a part of a search."""
        self.leaves[part] = time.monotonic() + _FORGET

    def left(self) -> frozenset[str]:
        """The parts that are held against it."""
        now = time.monotonic()
        return frozenset(part for part, until in self.leaves.items() if until > now)

    def finds_by_name(self, collections: Names[str]) -> bool:
        """Whether a product's name leads to all that these collections hold of it."""
        return all(each in self.named and each not in self.odd for each in collections)


@dataclass(frozen=True)
class Site:
    """A member, ready to be asked.

    Attributes:
        rank: Its place in the configuration.
        member: Its entry there.
        source: Its interface.
        seen: What it was seen to do.
        fresh: Seconds that its list of collections is believed.
    """

    rank: int
    member: Member
    source: Source
    seen: Seen = field(default_factory=Seen)
    fresh: float = FRESH
    _kept: dict[str | None, Listing] = field(default_factory=dict)
    _reading: dict[str | None, "asyncio.Task[Listing]"] = field(default_factory=dict)

    @property
    def translation(self) -> Translation:
        """Its words."""
        return Translation(self.member)

    def kept(self, caller: Caller) -> Listing | None:
        """What it listed when it was last asked, however long ago."""
        return self._kept.get(self._whose(caller))

    async def listing(self, caller: Caller) -> Listing:
        """What it lists now; those who ask at the same time share one answer.

        Raises:
            SiteError: If it does not say.
        """
        return await asyncio.shield(self._begin(caller))

    def refresh(self, caller: Caller) -> None:
        """Read its list anew in the background before it is too old, so that nobody waits for it."""
        kept = self.kept(caller)
        if kept is None or not kept.is_fresh(self.fresh / 2):
            self._begin(caller)

    async def close(self) -> None:
        """Give up what is being read in the background."""
        under_way = list(self._reading.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _begin(self, caller: Caller) -> "asyncio.Task[Listing]":
        whose = self._whose(caller)
        task = self._reading.get(whose)
        if task is None:
            task = self._reading[whose] = asyncio.create_task(self._read(caller))
            task.add_done_callback(lambda done: self._end(whose, done))
        return task

    async def _read(self, caller: Caller) -> Listing:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.member.timeout):
                collections, missing = await self.source.collections(caller)
        except TimeoutError as error:
            raise SiteTimeout(f"no answer within {self.member.timeout:g} s") from error
        listing = Listing(collections, missing, began)
        if self._whose(caller) is None:
            self._kept[None] = listing
        return listing

    def _end(self, whose: str | None, done: "asyncio.Task[Listing]") -> None:
        self._reading.pop(whose, None)
        if not done.cancelled():
            done.exception()  # whoever waits is told; nobody may

    def _whose(self, caller: Caller) -> str | None:
        """A member that is shown who asks may list other collections for each."""
        return caller.token if self.member.token == "pass" else None  # noqa: S105  # no password
