"""Pages of a hundred items over HTTP: `cscale serve site` beside stac-fastapi-pgstac and beside ready bytes.

The same generated items in each, the same searches of each, without compression. The servers run side by
side and are asked in turn, round after round; quoted are the medians of the rounds. The floor is a Starlette
route that sends the bytes of our own pages, read before.
"""

import json
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import archives, p50, p95, table
from benchmarks.measuring.clients import Client, get, load, post
from benchmarks.measuring.processes import Server, cost, free_port, served
from benchmarks.peers import environment, pgstac

LIMIT = 100
SEARCHES = 48
ROUNDS = 3
SECONDS = 4.0
CLIENTS = (1, 16)
OURS, PEER, FLOOR, FLOOR_ON_UVICORN = "cscale", "stac-fastapi-pgstac", "ready bytes", "ready bytes, uvicorn"
NEWEST, BOX = "newest before a day", "a box, a year"


@dataclass(frozen=True)
class Asked:
    """A server, all processes behind it, and what is asked of it."""

    name: str
    search: str
    server: Server
    behind: tuple[int, ...]
    requests: Sequence[bytes]


@dataclass(frozen=True)
class Figures:
    """What one round of one server gave."""

    rate: float
    p50: float
    p95: float
    cpu: float
    memory: float
    clients_cpu: float


Rounds = dict[tuple[str, str, int], list[Figures]]
"""By server, search and number of clients."""


def run(items: int) -> str:
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as folder, ExitStack() as stack:
        asked, said = _servers(stack, Path(folder), items)
        rounds: Rounds = {(one.name, one.search, clients): [] for clients in CLIENTS for one in asked}
        for one in asked:
            load(one.server.port, one.requests, 1, SECONDS / 2)  # warm
        for _ in range(ROUNDS):
            for clients in CLIENTS:
                for one in asked:
                    rounds[one.name, one.search, clients].append(_round(one, clients))
    about = (
        f"{items:,} items; {SEARCHES} searches of each kind, limit {LIMIT}, without compression; {said}. "
        f"Medians of {ROUNDS} rounds of {SECONDS:.0f} s, the servers in turn.\n\n"
    )
    return about + _table(rounds) + "\n\n" + _ratios(rounds)


def _servers(stack: ExitStack, folder: Path, items: int) -> tuple[list[Asked], str]:
    """All servers with what is asked of them, and how far their answers agree."""
    lines, collection = folder / "items.ndjson", folder / "collection.ndjson"
    archives.write_items(lines, items)
    archives.write_collection(collection)
    config = archives.configure(folder)
    archives.ingest(config, collection, lines)
    ours = stack.enter_context(archives.site(config))
    database = stack.enter_context(pgstac.database())
    database.anew(collection)
    database.load(lines)
    database.settle()
    theirs = stack.enter_context(database.api())
    asked, said, pages = [], [], []
    for search, bodies in searches(items).items():
        our_requests = [post("/stac/search", body) for body in bodies]
        their_requests = [post("/search", body) for body in bodies]
        pages = _pages(ours, our_requests)
        said.append(f"{search}: {_alike(pages, _pages(theirs, their_requests))}")
        asked += [
            Asked(OURS, search, ours, (ours.pid,), our_requests),
            Asked(PEER, search, theirs, (theirs.pid, database.server.pid), their_requests),
        ]
    for name, uvicorn in ((FLOOR, False), (FLOOR_ON_UVICORN, True)):
        floor = stack.enter_context(_floor(folder / f"ready{uvicorn:d}", pages, uvicorn=uvicorn))
        asked.append(Asked(name, "none", floor, (floor.pid,), [get(f"/{n}") for n in range(len(pages))]))
    return asked, "; ".join(said)


def searches(items: int) -> dict[str, list[bytes]]:
    """Searches that fill their pages: with few items, over all of Europe."""
    rng = random.Random(5)
    side = 4 if items >= 50_000 else 30
    found: dict[str, list[bytes]] = {NEWEST: [], BOX: []}
    for _ in range(SEARCHES):
        west, south = round(rng.uniform(-11, 34 - side), 3), round(rng.uniform(29, 67 - side), 3)
        year, month, day = rng.choice((2022, 2023)), rng.randrange(7, 13), rng.randrange(1, 29)
        common = {"collections": [archives.COLLECTION], "limit": LIMIT}
        newest = {"datetime": f"../{year}-{month:02}-{day:02}T00:00:00Z"}
        box = {
            "bbox": [west, south, west + side, south + side],
            "datetime": f"{year}-01-01T00:00:00Z/{year}-12-31T23:59:59Z",
        }
        found[NEWEST].append(json.dumps(common | newest).encode())
        found[BOX].append(json.dumps(common | box).encode())
    return found


def _pages(server: Server, requests: Sequence[bytes]) -> list[bytes]:
    with Client(server.port) as client:
        return [bytes(client.ask(request)) for request in requests]


def _alike(ours: Sequence[bytes], theirs: Sequence[bytes]) -> str:
    """How many pages are the same: the same ids in the same order, and the same properties."""
    same = 0
    for our_page, their_page in zip(ours, theirs, strict=True):
        our_items, their_items = (json.loads(page)["features"] for page in (our_page, their_page))
        assert len(our_items) == LIMIT, f"a page of {len(our_items)}: the searches must fill their pages"
        same += [_shape(item) for item in our_items] == [_shape(item) for item in their_items]
    size = sum(map(len, ours)) / len(ours)
    return f"{size / 1e6:.2f} MB a page, {same} of {len(ours)} pages hold the same items in the same order"


def _shape(item: dict[str, Any]) -> Any:
    return item["id"], item["properties"], item["geometry"], sorted(item["assets"])


@contextmanager
def _floor(folder: Path, pages: Sequence[bytes], *, uvicorn: bool) -> Iterator[Server]:
    folder.mkdir()
    for number, page in enumerate(pages):
        (folder / str(number)).write_bytes(page)
    port = free_port()
    address = ["--host", "127.0.0.1", "--port", str(port)]
    if uvicorn:
        place = ["--app-dir", str(environment.HERE), "--no-access-log", "--log-level", "warning"]
        command = [str(environment.command("uvicorn")), "ready:app", *address, *place]
    else:
        place = ["--interface", "asgi", "--no-log", "--working-dir", str(environment.HERE)]
        command = [str(environment.command("granian")), "ready:app", *address, *place]
    with served(command, port, env=environment.environ(READY=str(folder))) as server:
        yield server


def _round(one: Asked, clients: int) -> Figures:
    before = cost(*one.behind)
    seen = load(one.server.port, one.requests, clients, SECONDS)
    after = cost(*one.behind)
    per_request = 1000 * (after.cpu - before.cpu) / len(seen.latencies)
    own = 1000 * seen.own_cpu / len(seen.latencies)
    return Figures(seen.rate, p50(seen.latencies), p95(seen.latencies), per_request, after.memory, own)


def _median(rounds: Sequence[Figures], name: str) -> float:
    return float(statistics.median(getattr(each, name) for each in rounds))


def _table(rounds: Rounds) -> str:
    head = ["server", "search", "clients", "requests/s", "lowest to highest round", "p50 ms", "p95 ms"]
    head += ["server CPU ms a request", "client CPU ms a request", "memory MB"]
    rows = []
    for (name, search, clients), seen in rounds.items():
        rates = sorted(each.rate for each in seen)
        rows.append(
            [
                name,
                search,
                str(clients),
                f"{_median(seen, 'rate'):.1f}",
                f"{rates[0]:.1f} to {rates[-1]:.1f}",
                f"{_median(seen, 'p50'):.1f}",
                f"{_median(seen, 'p95'):.1f}",
                f"{_median(seen, 'cpu'):.2f}",
                f"{_median(seen, 'clients_cpu'):.2f}",
                f"{_median(seen, 'memory'):.0f}",
            ]
        )
    return table(head, rows)


def _ratios(rounds: Rounds) -> str:
    head = ["search", "clients", "requests/s, times the peer's", "the peer's CPU a request, times ours"]
    head += ["CPU a request, times the ready bytes'"]
    rows = []
    for search in (NEWEST, BOX):
        for clients in CLIENTS:
            ours, peer = (rounds[name, search, clients] for name in (OURS, PEER))
            floor = rounds[FLOOR, "none", clients]
            rows.append(
                [
                    search,
                    str(clients),
                    f"{_median(ours, 'rate') / _median(peer, 'rate'):.1f}",
                    f"{_median(peer, 'cpu') / _median(ours, 'cpu'):.1f}",
                    f"{_median(ours, 'cpu') / _median(floor, 'cpu'):.2f}",
                ]
            )
    return table(head, rows)
