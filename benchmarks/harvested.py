"""A harvested site: how fast it is harvested, and how fast a hub answers from it, beside pgstac.

The peer holds a tenth of the items. Both are asked in turn for the same pages, without compression.
"""

import json
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.measuring import archives, p50, p95, table
from benchmarks.measuring.clients import Client, load, post
from benchmarks.measuring.processes import Server, cscale, free_port, served
from benchmarks.pages import LIMIT, SECONDS, searches
from benchmarks.peers import pgstac

ROUNDS = 3
PEER_HOLDS = 10
"""The peer holds one of so many items."""


def run(items: int) -> str:
    few = items // PEER_HOLDS
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        lines, collection = folder / "items.ndjson", folder / "collection.ndjson"
        archives.write_collection(collection)
        archives.write_items(lines, few)
        database = stack.enter_context(pgstac.database())
        database.anew(collection)
        loaded = few / database.load(lines)
        database.settle()
        theirs = stack.enter_context(database.api())
        archives.write_items(lines, items)
        config = archives.configure(folder)
        archives.ingest(config, collection, lines)
        lines.unlink()
        hub, seconds = _harvested(stack, folder, config, items)
        rows, ratios = _asked(hub, theirs, few)
    head = ["server", "items", "search", "requests/s", "p50 ms", "p95 ms"]
    said = (
        f"`cscale harvest` of {items:,} items from a site on this machine: {items / seconds:,.0f} items/s; "
        f"`pypgstac load items` of {few:,}: {loaded:,.0f} items/s; {items / seconds / loaded:.1f} times.\n\n"
        f"Pages of {LIMIT} over HTTP, one client, medians of {ROUNDS} rounds in turn:\n\n"
    )
    return said + table(head, rows) + "\n\n" + "; ".join(ratios) + "."


def _harvested(stack: ExitStack, folder: Path, config: Path, items: int) -> tuple[Server, float]:
    """The hub that answers from what it has harvested, and how long the harvest took."""
    port = free_port()
    with archives.site(config) as site:
        member = {
            "id": "bench",
            "endpoints": [{"kind": "stac-api", "url": f"http://127.0.0.1:{site.port}/stac"}],
            "discovery": "harvest",
            "timeout": 60,
        }
        about = {"id": "hub", "url": f"http://127.0.0.1:{port}"}
        hub = folder / "hub.json"
        hub.write_text(json.dumps({"federation": about, "state": "hub", "sites": [member], "watch": 0}))
        started = time.perf_counter()
        command = cscale("harvest", "--config", str(hub), "--once", "--json")
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        [told] = json.loads(done.stdout)["sites"]
        assert told["items"]["added"] == items, told
    return stack.enter_context(served(cscale("serve", "hub", "--config", str(hub)), port)), seconds


def _asked(hub: Server, theirs: Server, few: int) -> tuple[list[list[str]], list[str]]:
    rows, ratios = [], []
    for search, bodies in searches(few).items():
        ours = [post("/stac/search", body) for body in bodies]
        peers = [post("/search", body) for body in bodies]
        with Client(hub.port) as client:
            for request in ours:
                page = json.loads(bytes(client.ask(request)))
                assert len(page["features"]) == LIMIT
                assert not page["federation:missing"]
        rounds: dict[str, list[tuple[float, float, float]]] = {"hub": [], "peer": []}
        for _ in range(ROUNDS):
            for name, server, requests in (("hub", hub, ours), ("peer", theirs, peers)):
                seen = load(server.port, requests, 1, SECONDS)
                rounds[name].append((seen.rate, p50(seen.latencies), p95(seen.latencies)))
        middle = {
            name: [statistics.median(each[i] for each in some) for i in range(3)]
            for name, some in rounds.items()
        }
        held = {"hub": few * PEER_HOLDS, "peer": few}
        shown = {"hub": "cscale hub, harvested", "peer": "stac-fastapi-pgstac"}
        for name, (rate, middle_ms, most_ms) in middle.items():
            rows.append(
                [shown[name], f"{held[name]:,}", search, f"{rate:.1f}", f"{middle_ms:.1f}", f"{most_ms:.1f}"]
            )
        ratios.append(f"{search}: {middle['hub'][0] / middle['peer'][0]:.1f} times the peer's requests/s")
    return rows, ratios
