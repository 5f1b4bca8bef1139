"""A hub as its members become more: live over 3, 10 and 30 sites that answer after 50 ms.

A site answers from its own catalogue, and what it has answered once from memory, so that on one machine the
sites do not take the time that is measured. Some sites share a process.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.measuring import generated, p50, p95, table
from benchmarks.measuring.processes import cost
from cscale.app import SiteConfig, site_app
from cscale.catalogue.sqlite import writing
from cscale.net.server import free_port
from cscale.settings import load
from tests.serving import Served, serving

SIZES = (3, 10, 30)
TARGETS = {3: 10, 10: 15, 30: 25}
DELAY = 0.05
A_PROCESS = 10
SEARCHES = 40
REPEATS = 3
CLIENTS = 8
SECONDS = 5.0


def slow_sites(configs: str) -> Any:
    """Sites below `/0`, `/1` and so on, whose answers are held back by `DELAY`."""
    apps = [site_app(load(Path(each), SiteConfig)) for each in configs.split(",")]
    known: dict[tuple[str, bytes, bytes], list[Any]] = {}

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await apps[0](scope, receive, send)
            return
        due = asyncio.get_running_loop().time() + DELAY
        number, _, rest = scope["path"].lstrip("/").partition("/")
        body = (await receive())["body"]
        asked = scope["path"], scope["query_string"], body
        if asked not in known:
            said: list[Any] = []

            async def again() -> Any:
                return {"type": "http.request", "body": body}

            async def keep(message: Any) -> None:
                said.append(message)

            inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
            await apps[int(number)](inner, again, keep)
            known[asked] = said
        await asyncio.sleep(max(due - asyncio.get_running_loop().time(), 0))
        for message in known[asked]:
            await send(message)

    return answer


def run(items: int) -> str:
    rows = []
    for sites in SIZES:
        with tempfile.TemporaryDirectory(prefix="cscale-bench-") as folder, ExitStack() as stack:
            members = _members(stack, Path(folder), sites, items)
            hub = stack.enter_context(serving(_hub, str(_config(Path(folder), members))))
            rows.append([str(sites), *asyncio.run(_measure(hub, members)), f"{TARGETS[sites]}"])
    head = ["sites", "hub p50 ms", "hub p95 ms", "slowest site p50 ms", "hub adds, p50 ms", "requests/s"]
    head += ["hub's CPU ms a request", "to add at most, ms"]
    said = (
        f"{items:,} items in all, a tenth of each site's also at the next; each site held back by "
        f"{DELAY * 1000:.0f} ms; limit 10, boxes of 4 degrees; requests/s with {CLIENTS} clients.\n\n"
    )
    return said + table(head, rows)


def _hub(config: str) -> Any:
    from cscale.app import HubConfig, hub_app

    return hub_app(load(Path(config), HubConfig))


def _members(stack: ExitStack, folder: Path, sites: int, items: int) -> list[str]:
    configs, each = [], items // sites
    for number in range(sites):
        place = folder / f"site{number}"
        with writing(place / "catalogue.sqlite") as writer:
            for item in generated(each + each // 10, first=number * each):
                writer.put(item)
        about = {"id": f"site{number}", "url": f"http://127.0.0.1:1/{number % A_PROCESS}"}
        config = folder / f"site{number}.json"
        config.write_text(json.dumps({"site": about, "state": str(place)}))
        configs.append(config)
    urls = []
    for first in range(0, sites, A_PROCESS):
        some = configs[first : first + A_PROCESS]
        served = stack.enter_context(serving(slow_sites, ",".join(map(str, some))))
        urls += [f"{served.url}/{number}/stac" for number in range(len(some))]
    return urls


def _config(folder: Path, members: Sequence[str]) -> Path:
    sites = [
        {"id": f"site{number}", "endpoints": [{"kind": "stac-api", "url": url}]}
        for number, url in enumerate(members)
    ]
    about = {"id": "hub", "url": f"http://127.0.0.1:{free_port()}"}
    config = folder / "hub.json"
    config.write_text(json.dumps({"federation": about, "state": "hub", "sites": sites, "watch": 0}))
    return config


def _bodies() -> list[dict[str, Any]]:
    rng = random.Random(3)
    corners = [(rng.uniform(-11, 30), rng.uniform(29, 63)) for _ in range(SEARCHES)]
    return [{"bbox": [west, south, west + 4, south + 4], "limit": 10} for west, south in corners]


async def _measure(hub: Served, members: Sequence[str]) -> list[str]:
    bodies, ours, slowest = _bodies(), [], []
    url = f"{hub.url}/stac"
    async with aiohttp.ClientSession() as session:
        for body in bodies:  # so that every answer is at hand
            await _ask(session, url, body)
        for body in bodies:
            alone = [min([await _ask(session, each, body) for _ in range(2)]) for each in members]
            slowest.append(max(alone))
            ours += [await _ask(session, url, body) for _ in range(REPEATS)]
        rate, cpu = await _load(session, hub, bodies)
    adds = p50(ours) - p50(slowest)
    return [
        f"{p50(ours):.1f}",
        f"{p95(ours):.1f}",
        f"{p50(slowest):.1f}",
        f"{adds:.1f}",
        f"{rate:.0f}",
        f"{cpu:.1f}",
    ]


async def _load(
    session: aiohttp.ClientSession, hub: Served, bodies: Sequence[dict[str, Any]]
) -> tuple[float, float]:
    """Requests a second of some clients at once, and milliseconds of the hub's CPU time for each."""
    url, done = f"{hub.url}/stac", 0
    began, before = time.perf_counter(), cost(hub.process.pid).cpu

    async def client(number: int) -> None:
        nonlocal done
        at = number
        while time.perf_counter() - began < SECONDS:
            await _ask(session, url, bodies[at % len(bodies)])
            at, done = at + 1, done + 1

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    elapsed = time.perf_counter() - began
    return done / elapsed, 1000 * (cost(hub.process.pid).cpu - before) / done


async def _ask(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> float:
    started = time.perf_counter()
    async with session.post(f"{url}/search", json=body) as response:
        assert response.status == 200, await response.text()
        assert not (await response.json(content_type=None)).get("federation:missing")
    return (time.perf_counter() - started) * 1000
