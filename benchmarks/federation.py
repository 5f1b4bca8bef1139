"""A hub over three sites that answer after 50 ms: what the hub adds to the slowest of them."""

import asyncio
import json
import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.measuring import generated, p50, p95, table
from cscale.app import HubConfig, SiteConfig, hub_app, site_app
from cscale.catalogue.sqlite import writing
from cscale.net.server import free_port
from cscale.settings import load
from tests.serving import serving

SITES = 3
DELAY = 0.05
REPEATS = 60


def slow_site(config: str) -> Any:
    """A site whose answers are held back by `DELAY`."""
    app = site_app(load(Path(config), SiteConfig))

    async def delayed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(DELAY)
        await app(scope, receive, send)

    return delayed


def hub(config: str) -> Any:
    return hub_app(load(Path(config), HubConfig))


def run(items: int) -> str:
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as folder, ExitStack() as stack:
        members = []
        for number in range(SITES):
            config = _site(Path(folder), number, items // SITES)
            served = stack.enter_context(serving(slow_site, str(config)))
            members.append(f"{served.url}/stac")
        config = _hub(Path(folder), members)
        served = stack.enter_context(serving(hub, str(config)))
        rows = asyncio.run(_measure(f"{served.url}/stac", members))
    head = ["limit", "hub p50 ms", "hub p95 ms", "slowest site p50 ms", "hub adds, p50 ms"]
    said = f"{items:,} items over {SITES} sites, each held back by {DELAY * 1000:.0f} ms; one client.\n\n"
    return said + table(head, rows)


def _site(folder: Path, number: int, items: int) -> Path:
    config = folder / f"site{number}.json"
    about = {"id": f"site{number}", "url": f"http://127.0.0.1:{free_port()}"}
    config.write_text(json.dumps({"site": about, "state": f"state{number}"}))
    with writing(folder / f"state{number}" / "catalogue.sqlite") as writer:
        for item in generated(items, first=number * items):
            writer.put(item)
    return config


def _hub(folder: Path, members: list[str]) -> Path:
    sites = [
        {"id": f"site{number}", "endpoints": [{"kind": "stac-api", "url": url}]}
        for number, url in enumerate(members)
    ]
    config = folder / "hub.json"
    about = {"id": "hub", "url": f"http://127.0.0.1:{free_port()}"}
    config.write_text(json.dumps({"federation": about, "state": "hub", "sites": sites}))
    return config


async def _measure(hub_url: str, members: list[str]) -> list[list[str]]:
    rows = []
    async with aiohttp.ClientSession() as session:
        for limit in (10, 100):
            rng = random.Random(3)
            ours, slowest = [], []
            for _ in range(REPEATS):
                west, south = rng.uniform(-11, 30), rng.uniform(29, 63)
                body = {"bbox": [west, south, west + 4, south + 4], "limit": limit}
                alone = [await _ask(session, url, body) for url in members]
                slowest.append(max(alone))
                ours.append(await _ask(session, hub_url, body))
            adds = p50([hub - site for hub, site in zip(ours, slowest, strict=True)])
            rows.append(
                [str(limit), f"{p50(ours):.1f}", f"{p95(ours):.1f}", f"{p50(slowest):.1f}", f"{adds:.1f}"]
            )
    return rows


async def _ask(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> float:
    started = time.perf_counter()
    async with session.post(f"{url}/search", json=body) as response:
        assert response.status == 200, await response.text()
        await response.read()
    return (time.perf_counter() - started) * 1000
