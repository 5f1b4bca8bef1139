"""How a hub's members are: asked every few minutes, counted by month, tried anew once a day.

Of several processes over one registry one does the work, by a lease that ends when it does not renew it.
"""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cscale.discovery.source import Source, Walkable
from cscale.errors import CscaleError
from cscale.federation.profiles import Profile
from cscale.federation.registry import Availability, HealthCheck, Registry
from cscale.identity.caller import ANONYMOUS
from cscale.membership.report import Report
from cscale.membership.wire import line
from cscale.stac.search import SearchRequest
from cscale.stac.times import instant

log = logging.getLogger(__name__)

LEASE = "health"
_DAY = 86_400.0
_HOUR = 3_600.0
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Watched:
    """A member that is watched.

    Attributes:
        id: Its id in the federation.
        url: The address that searches go to.
        source: How it is searched, or walked.
        timeout: Seconds that it may take.
        check: Tries what it does; None where that is not to be tried, as of one that is only walked.
    """

    id: str
    url: str
    source: Source | Walkable
    timeout: float
    check: Callable[[], Awaitable[Report]] | None = None


class Health:
    """Watches the members of a hub in the background, and never fails it.

    Args:
        registry: Where it is kept.
        members: Who is watched.
        every: Seconds between two looks at a member; each look is up to a tenth earlier or later.
        lease: Seconds after which another process goes on when this one does not.
    """

    def __init__(
        self, registry: Registry, members: Sequence[Watched], every: float = 300, lease: float = 60
    ) -> None:
        self._registry = registry
        self._members = members
        self._every = every
        self._lease = lease
        self._holder = uuid.uuid4().hex
        self._looked: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._checked: dict[str, float] = {}
        self._standing: dict[str, dict[str, Any]] = {}
        self._checking: asyncio.Task[None] | None = None

    def standing(self) -> Mapping[str, Mapping[str, Any]]:
        """How each member is, by id, for `/sites`: as it was read last; never waits.

        Returns:
            `health` (how it was at the last look), `availability` (month by month, newest first), and
            `profile` (what it does), each as far as it is known.
        """
        return self._standing

    async def run(self) -> None:
        """Watch until cancelled."""
        tick = max(0.05, min(self._lease / 3, self._every))
        holds, perhaps, failing = False, False, False
        try:
            while True:
                try:
                    perhaps = True  # until it is known
                    holds = await _aside(self._registry.take_lease, LEASE, self._holder, self._lease)
                    perhaps = holds
                    await self._round(holds=holds, tick=tick)
                    failing = False
                except asyncio.CancelledError:
                    raise
                except Exception as error:  # noqa: BLE001  # whatever it is, searches must go on
                    if not failing:  # once, not at each tick
                        log.warning("members are not watched for now: %s", _told(error))
                    failing = True
                await asyncio.sleep(tick * random.uniform(0.9, 1.1))  # noqa: S311  # no secret
        finally:
            await self._stop_checking()
            if perhaps:
                with suppress(CscaleError):
                    await _aside(self._registry.give_lease, LEASE, self._holder)

    async def _round(self, *, holds: bool, tick: float) -> None:
        """One look at those whose turn it is, if this process holds the work; then read what is known."""
        if not holds:
            await self._stop_checking()
            await self._read()
            return
        health = await _aside(self._registry.health)
        now = time.time()
        due = [each for each in self._members if self._is_due(each.id, health.get(each.id), now)]
        if due:
            await self._renewing(self._look(due), tick)
        await self._read()
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_next())

    async def _renewing(self, work: Coroutine[Any, Any, None], tick: float) -> None:
        """Hold the lease while the work goes on; give the work up where another process has it."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=tick))[0]:
                if not await _aside(self._registry.take_lease, LEASE, self._holder, self._lease):
                    return
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _is_due(self, site: str, last: HealthCheck | None, now: float) -> bool:
        if last is None or last.at > now + self._every:  # a clock that was set back
            return True
        if self._looked.get(site) != last.at:
            self._looked[site] = last.at
            self._next[site] = last.at + self._every * random.uniform(0.9, 1.1)  # noqa: S311  # no secret
        return now >= self._next[site]

    async def _look(self, due: Sequence[Watched]) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(member: Watched) -> None:
            async with room:
                seen = await look(member)
            month = datetime.fromtimestamp(seen.at, UTC).strftime("%Y-%m")
            await _aside(self._registry.keep_health, member.id, seen, month)

        async with asyncio.TaskGroup() as group:
            for each in due:
                group.create_task(one(each))

    async def _check_next(self) -> None:
        """Try one member that nobody has tried for a day, if it is well."""
        try:
            member = await self._unchecked()
            if member is None or member.check is None:
                return
            self._checked[member.id] = time.time()
            profile = (await member.check()).profile
            if profile.refuses >= {"GET", "POST"}:
                log.warning("site %s: no search of a check was answered; nothing is known of it", member.id)
                return
            await _aside(self._registry.keep_profile, member.id, member.url, profile)
            await _aside(self._registry.profiles)
            log.info(
                "site %s: tried; it leaves %s", member.id, ", ".join(sorted(profile.leaves)) or "nothing"
            )
        except Exception as error:  # noqa: BLE001  # a site may answer anything; the hub goes on
            log.warning("what a site does could not be tried: %s", _told(error))

    async def _unchecked(self) -> Watched | None:
        profiles = await _aside(self._registry.profiles)
        health = await _aside(self._registry.health)
        now = time.time()
        for member in self._members:
            seen = health.get(member.id)
            well = seen is not None and seen.good and now - self._checked.get(member.id, 0) > _HOUR
            if well and member.check is not None and not _is_fresh(profiles.get(member.id), member, now):
                return member
        return None

    async def _stop_checking(self) -> None:
        if self._checking is not None and not self._checking.done():
            self._checking.cancel()
            await asyncio.wait({self._checking})

    async def _read(self) -> None:
        profiles = await _aside(self._registry.profiles)
        health = await _aside(self._registry.health)
        availability = await _aside(self._registry.availability)
        self._standing = {
            each.id: _standing(health.get(each.id), availability.get(each.id, []), profiles.get(each.id))
            for each in self._members
        }


async def look(member: Watched) -> HealthCheck:
    """One light request: a search for one item, or the collections where a site is only walked."""
    begun, wall, said = time.monotonic(), time.time(), ""
    try:
        async with asyncio.timeout(member.timeout):
            search = getattr(member.source, "search", None)
            if search is not None:
                await search(ANONYMOUS, SearchRequest(limit=1), None)
            else:
                await member.source.collections(ANONYMOUS)
    except TimeoutError:
        said = f"no answer within {member.timeout:g} s"
    except Exception as error:  # noqa: BLE001  # whatever an adapter raises, the site was not well
        said = _told(error)
    return HealthCheck(wall, not said, said, round((time.monotonic() - begun) * 1000))


def _told(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return line(str(error) if isinstance(error, CscaleError) else f"{type(error).__name__}: {error}") or "?"


async def _aside(work: Callable[..., Any], *arguments: Any) -> Any:
    """Wait for the database in a thread; a change that was begun is ended also where nobody waits for it."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def _is_fresh(kept: tuple[str, Profile] | None, member: Watched, now: float) -> bool:
    if kept is None or kept[0] != member.url or kept[1].checked_at is None:
        return False
    with suppress(CscaleError):
        return now - instant(kept[1].checked_at) / 1e6 < _DAY
    return False


def _standing(
    health: HealthCheck | None, months: Sequence[Availability], kept: tuple[str, Profile] | None
) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if health is not None:
        at = datetime.fromtimestamp(health.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        told["health"] = {
            "state": "ok" if health.good else "error",
            "at": at,
            "elapsed_ms": health.elapsed_ms,
        }
        if health.said:
            told["health"]["reason"] = health.said
    if months:
        told["availability"] = [
            {
                "month": each.month,
                "checks": each.good + each.bad,
                "share": round(each.share, 5),
                "rating": each.rating,
            }
            for each in months
        ]
    if kept is not None:
        profile = kept[1]
        told["profile"] = {
            "checked_at": profile.checked_at,
            "leaves": sorted(profile.leaves),
            "refuses": sorted(profile.refuses),
            "page": profile.page,
            "counts": profile.counts,
            "stable": profile.stable,
            "cors": profile.cors,
            "tls": profile.tls,
            "ranges": profile.ranges,
        }
    return told
