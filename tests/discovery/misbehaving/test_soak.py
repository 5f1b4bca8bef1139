"""Sites that are killed and started again while a hub is searched: no wrong answer, none that fails."""

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from cscale.stac.search import SearchRequest, from_json
from tests.discovery.federations import MORNING, PLACES, Archive, feature, member, union
from tests.discovery.misbehaving.hubs import asked
from tests.discovery.misbehaving.truth import Truth, shown_on, states
from tests.federated import Got, Service, federation
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
MINUTE = 60_000_000
SETTLED = 10
"""Searches after a site died or came back until the hub is taken to know."""
SEARCHES: tuple[dict[str, Any], ...] = (
    {"limit": 10},
    {"limit": 10, "sortby": [{"field": "datetime", "direction": "asc"}]},
    {"limit": 10, "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 40]}},
    {"limit": 10, "bbox": [0, 0, 5, 5], "datetime": "2020-05-20T00:00:00Z/2020-05-21T06:00:00Z"},
    {"limit": 10, "sortby": [{"field": "eo:cloud_cover", "direction": "asc"}]},
    {"limit": 10, "collections": ["c"], "duplicates": "keep"},
)


def _archive(rank: int) -> Archive:
    """Each holds what its neighbours hold, too, and ties with all."""
    items = [
        feature(
            f"P{number:04}",
            "cd"[number % 3 == 0],
            MORNING + number % 60 * 40 * MINUTE,
            {"eo:cloud_cover": number * 37 % 100} if number % 7 else {},
            PLACES[number % 4 == 0],
        )
        for number in range(rank * 20, rank * 20 + 30)
    ]
    return Archive(member(f"site-{rank:02}"), items)


@dataclass
class Running:
    """Sites in processes of their own, each with one or more."""

    archives: Sequence[Archive]
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, *sites: str) -> None:
        """Serve these in one process, which bears the first one's name, and wait until they listen."""
        for site in sites:
            self.ports.setdefault(site, free_port())
        command = [sys.executable, "-m", "tests.discovery.misbehaving.site"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
        self.processes[sites[0]] = process
        assert process.stdin is not None
        held = {each.member.id: each.items for each in self.archives}
        process.stdin.write(json.dumps({self.ports[site]: held[site] for site in sites}).encode())
        process.stdin.close()
        for site in sites:
            while not self._listens(site):
                assert process.poll() is None, "a site did not start"
                time.sleep(0.02)

    def kill(self, site: str) -> None:
        process = self.processes.pop(site)
        process.kill()
        process.wait()

    def close(self) -> None:
        for site in tuple(self.processes):
            self.kill(site)

    def _listens(self, site: str) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[site]), 1):
            return True
        return False


@contextmanager
def _running(folder: Path, count: int, mortal: Sequence[str]) -> Iterator[tuple[Running, Service]]:
    archives = [_archive(rank) for rank in range(count)]
    running = Running(archives)
    with federation(folder) as services:
        try:
            running.start(*(each.member.id for each in archives if each.member.id not in mortal))
            for site in mortal:
                running.start(site)
            hub = services.hub(
                "hub",
                [
                    {"id": site, "endpoints": [{"kind": "stac-api", "url": f"http://127.0.0.1:{port}/stac"}]}
                    for site, port in sorted(running.ports.items())
                ],
            )
            services.await_started()
            yield running, hub
        finally:
            running.close()


@dataclass
class Client:
    """Searches one after the other, judges each answer, and keeps the time.

    Attributes:
        archives: The sites.
        hub: Who is asked.
        mortal: Who may be missing.
        dead: Who is.
        took: Seconds of each search, by what it tells of.
    """

    archives: Sequence[Archive]
    hub: Service
    mortal: frozenset[str]
    dead: set[str] = field(default_factory=set)
    took: dict[str, list[float]] = field(default_factory=dict)
    _next: Iterator[dict[str, Any]] = field(default_factory=lambda: cycle(SEARCHES))
    _unions: dict[tuple[str, frozenset[str]], list[Any]] = field(default_factory=dict)

    def search(self, times: int, of: str) -> None:
        """Search so many times, the first page of each and the one after it."""
        for _ in range(times):
            body = next(self._next)
            first = self._timed(f"{self.hub.stac}/search", body, of)
            link = next((each for each in first.json["links"] if each["rel"] == "next"), None)
            pages = [first] if link is None else [first, self._timed(link["href"], link["body"], of)]
            for got in pages:
                self._check_status(got)
            self._judge(from_json(body), [got.json for got in pages])

    def _timed(self, url: str, body: Any, of: str) -> Got:
        began = time.perf_counter()
        got = asked(url, body)
        self.took.setdefault(of, []).append(time.perf_counter() - began)
        assert got.status == 200, (self.dead, got.body)
        return got

    def _check_status(self, got: Got) -> None:
        missing, said = set(got.json["federation:missing"]), states(got.json)
        assert missing <= self.mortal, said
        for site in self.dead:
            assert site in missing or said[site].startswith("skipped"), (site, said)

    def _judge(self, request: SearchRequest, pages: list[dict[str, Any]]) -> None:
        """Those who answered are complete, in order; of the others nothing is shown, or what is true."""
        missing = [frozenset(page["federation:missing"]) for page in pages]
        shown = [each for page in pages for each in shown_on(page)]
        if len(set(missing)) == 1 and not any(
            place[0] in missing[0] for each in shown for place in each.places
        ):
            found = [(each.name, each.collection, list(each.places)) for each in shown]
            assert found == self._union(request, missing[0])[: len(found)], [states(page) for page in pages]
            return
        harms: Any = {each.member.id: "may" for each in self.archives}
        truth = Truth(self.archives, request, harms)
        for each in shown:
            truth.judge_shown(each)

    def _union(self, request: SearchRequest, missing: frozenset[str]) -> list[Any]:
        key = (request.digest(), missing)
        if key not in self._unions:
            # Their places in the configuration stay as they are.
            there = [
                Archive(each.member, [] if each.member.id in missing else each.items)
                for each in self.archives
            ]
            self._unions[key] = union(there, request)
        return self._unions[key]

    def recovered(self) -> bool:
        """Whether nobody is missing any more."""
        missing: list[str] = asked(f"{self.hub.stac}/search").json["federation:missing"]
        return not missing

    def p95(self, of: str) -> float:
        took = sorted(self.took[of])
        return round(took[math.ceil(len(took) * 0.95) - 1] * 1000, 1)


def _memory(hub: Service) -> float:
    """What a hub has in memory, MiB."""
    assert hub.process is not None
    pages = int(Path(f"/proc/{hub.process.pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def _soak(folder: Path, *, sites: int, killed: int, searches: int) -> dict[str, Any]:
    """The figures of a run in which so many of the sites are killed and started again in turn.

    Each search is of two pages, so that there are more requests than searches.
    """
    mortal = [f"site-{rank:02}" for rank in range(1, 2 * killed, 2)]
    portion = searches // 20
    with _running(folder, sites, mortal) as (running, hub):
        client = Client(running.archives, hub, frozenset(mortal))
        client.search(2 * portion, "healthy")
        at_start = _memory(hub)
        rounds = 16 * portion // (2 * max(SETTLED, portion // 2))
        for site, _ in zip(cycle(mortal), range(max(rounds, killed)), strict=False):
            client.dead.add(site)
            running.kill(site)
            client.search(SETTLED, "just died")
            client.search(max(portion // 2 - SETTLED, 1), "dead")
            running.start(site)
            client.dead.remove(site)
            client.search(SETTLED, "just back")
        for _ in range(300):
            if client.recovered():
                break
            time.sleep(0.2)
        assert client.recovered(), "a site that is back is still not asked"
        client.search(2 * portion, "healthy again")
        at_end = _memory(hub)
    assert at_end < 1.5 * at_start, f"{at_start} MiB at the start, {at_end} at the end"
    return {
        "sites": sites,
        "killed in turn": killed,
        "requests": sum(map(len, client.took.values())),
        "p95 ms": {of: client.p95(of) for of in client.took},
        "hub MiB at start": at_start,
        "hub MiB at end": at_end,
    }


def test_sites_that_die_and_come_back_spoil_no_answer(tmp_path: Path) -> None:
    assert _soak(tmp_path, sites=6, killed=3, searches=80)["requests"] >= 150


@pytest.mark.soak
def test_ten_of_twenty_sites_die_in_turn_over_ten_thousand_searches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = _soak(tmp_path, sites=20, killed=10, searches=10_000)
    assert figures["requests"] >= 10_000
    with capsys.disabled():
        sys.stdout.write(f"\n{json.dumps(figures)}\n")
