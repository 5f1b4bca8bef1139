"""A hub watches its members: looks at them, counts, tries them, and one process does it at a time."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.federation.profiles import Profile
from cscale.federation.registry import HealthCheck, Registry
from cscale.membership import Health, Report, check
from cscale.membership.health import LEASE, Watched
from cscale.net.http import HttpPool
from tests.membership.archive import Archive
from tests.scripted import Request, answer, scripted


def watched(site: str, url: str, http: HttpPool, timeout: float = 5, *, tried: bool = True) -> Watched:
    endpoint = Endpoint(kind="stac-api", url=url)

    async def try_it() -> Report:
        return await check(endpoint)

    return Watched(site, url, StacApi(endpoint, http), timeout, try_it if tried else None)


@asynccontextmanager
async def connections() -> AsyncIterator[HttpPool]:
    http = HttpPool()
    try:
        yield http
    finally:
        await http.close()


@asynccontextmanager
async def running(health: Health) -> AsyncIterator[None]:
    task = asyncio.create_task(health.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], Any]) -> None:
    """Wait for something to be; the test's own time ends what never is."""
    while not true():  # noqa: ASYNC110  # what is waited for knows no events
        await asyncio.sleep(0.02)


async def test_members_are_looked_at_tried_and_told(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    archive = Archive(refuses=frozenset({"filter"}))
    async with (
        scripted(archive.respond) as good,
        scripted(lambda _: answer(b"<html>", 500)) as bad,
        scripted(lambda _: None) as silent,
        connections() as http,
    ):
        members = [
            watched("bad", bad.url, http),
            watched("silent", silent.url, http, 0.2),
            watched("good", good.url, http),
        ]
        health = Health(registry, members, every=0.3, lease=5)
        tell = registry.profiled("good", good.url)
        async with running(health):
            await until(lambda: tell() is not None)
            await until(lambda: "profile" in health.standing().get("good", {}))
            await until(lambda: health.standing()["good"]["availability"][0]["checks"] > 1)
        standing = health.standing()
    profile = tell()
    assert profile is not None
    assert profile.leaves == {"filter", "q"}
    assert standing["good"]["health"]["state"] == "ok"
    assert standing["good"]["profile"]["leaves"] == ["filter", "q"]
    assert standing["good"]["availability"][0]["rating"] == "stable"
    assert standing["bad"]["health"]["state"] == "error"
    assert "500" in standing["bad"]["health"]["reason"]
    assert standing["bad"]["availability"][0] == {
        **standing["bad"]["availability"][0], "share": 0.0, "rating": "warning",
    }  # fmt: skip
    assert "profile" not in standing["bad"]
    assert "no answer within 0.2 s" in standing["silent"]["health"]["reason"]
    assert (
        sum(request.method == "OPTIONS" for request in good.asked) == 1
    )  # it is tried once, not at each look


async def test_what_was_tried_today_is_not_tried_again(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    async with scripted(Archive().respond) as site, connections() as http:
        fresh = Profile(checked_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        registry.keep_profile("good", site.url, fresh)
        health = Health(registry, [watched("good", site.url, http)], every=0.1, lease=5)
        async with running(health):
            await until(lambda: len(site.asked) > 3)
        assert registry.profiles()["good"][1] == fresh


@pytest.mark.parametrize(
    "kept", [Profile(checked_at="2020-01-01T00:00:00Z"), Profile(), Profile(checked_at="?")]
)
async def test_what_is_old_is_tried_again(tmp_path: Path, kept: Profile) -> None:
    registry = Registry(tmp_path)
    async with scripted(Archive().respond) as site, connections() as http:
        registry.keep_profile("good", site.url, kept)
        async with running(Health(registry, [watched("good", site.url, http)], every=0.1, lease=5)):
            await until(lambda: registry.profiles()["good"][1].counts)


async def test_a_site_that_answers_no_search_properly_has_no_profile(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    async with scripted(Archive(methods=frozenset()).respond) as site, connections() as http:
        member = watched("odd", site.url, http)
        registry.keep_health("odd", HealthCheck(time.time(), good=True), "2026-11")
        async with running(Health(registry, [member], every=60, lease=0.3)):
            await until(lambda: any(request.method == "OPTIONS" for request in site.asked))
            await asyncio.sleep(0.3)
    assert registry.profiles() == {}


async def test_the_registry_may_be_away_and_come_back(tmp_path: Path) -> None:
    """A hub without its registry goes on; what it watches goes on when the registry is there again."""
    place = tmp_path / "hub"
    place.write_text("no directory")
    registry = Registry(place)
    async with scripted(Archive().respond) as site, connections() as http:
        health = Health(registry, [watched("good", site.url, http, tried=False)], every=0.1, lease=0.3)
        async with running(health):
            await asyncio.sleep(0.3)
            assert health.standing() == {}
            place.unlink()
            await until(lambda: "health" in health.standing().get("good", {}))


def _holders(state: Path) -> list[str]:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(state / "registry.sqlite")) as registry:
        return [holder for (holder,) in registry.execute("SELECT holder FROM lease")]
    return []


async def test_the_lease_is_given_back_at_the_end(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    async with running(Health(registry, [], lease=3600)):
        await until(lambda: _holders(tmp_path))
        assert not registry.take_lease(LEASE, "another", 1)
    assert registry.take_lease(LEASE, "another", 1)


_HUB = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.federation.registry import Registry
from cscale.membership import Health
from cscale.membership.health import Watched
from cscale.net.http import HttpPool
state, url = sys.argv[1:]
async def main():
    source = StacApi(Endpoint(kind="stac-api", url=url), HttpPool())
    state_of = state if state.startswith("postgres") else Path(state)
    await Health(Registry(state_of), [Watched("alpha", url, source, 5)], every=0.1, lease=1).run()
asyncio.run(main())
"""


def _hub(state: str, url: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _HUB, state, url])


async def test_a_holder_that_is_killed_is_followed_by_another(tmp_path: Path) -> None:
    """Three processes of one hub: one looks at the members, and when it is killed, another one does."""
    archive = Archive()

    def respond(request: Request) -> bytes | None:
        """Each process asks below a name of its own."""
        return archive.respond(replace(request, path="/" + request.path.split("/", 2)[2]))

    async with scripted(respond) as site:
        hubs = {name: _hub(str(tmp_path), f"{site.url}/{name}") for name in ("one", "two", "three")}

        def asking() -> set[str]:
            return {request.path.split("/")[1] for request in site.asked}

        try:
            await until(lambda: len(site.asked) > 8)
            (holder,) = asking()
            hubs[holder].send_signal(signal.SIGKILL)
            hubs[holder].wait()
            await asyncio.sleep(0.2)  # what it has sent may still be read
            site.asked.clear()
            await until(lambda: len(site.asked) > 8)
            (follower,) = asking()
            assert follower != holder
            assert [each.poll() for name, each in hubs.items() if name != holder] == [None, None]
        finally:
            for each in hubs.values():
                each.kill()
                each.wait()
    counted = Registry(tmp_path).availability()["alpha"][0]
    assert counted.good > 5
