"""One archive as it grows, 10,000 to 1,000,000 items: ingest, size, and searches over HTTP by one client.

Everything by the commands that an operator has, so that it holds for any store of the catalogue.
"""

import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import archives, p50, p95, table
from benchmarks.measuring.clients import Client, post
from benchmarks.measuring.processes import cost
from benchmarks.peers.postgresql import BIN, postgres, variables
from benchmarks.search import _queries

SIZES = (10_000, 100_000, 1_000_000)
LIMITS = (10, 100)
REPEATS = 40
_CHUNK = 50_000  # items an ingest: their files need not all lie on the disk at once
_ROWS = (
    "box 1°, 90 days",
    "box 4°, 90 days",
    "box 30°, 90 days",
    "all, newest first",
    "all, cloud < 10",
    "box 4°, 90 days, cloud < 10",
    "box 4°, 90 days, sorted by cloud",
    "all, sorted by cloud",
)
_DEEP = "page at random depth"


@dataclass(frozen=True)
class Store:
    """Where an archive keeps its catalogue.

    Attributes:
        state: What its configuration calls `state`.
        size: Bytes on disk.
        processes: Those besides the site's own that do its work.
    """

    state: str
    size: Callable[[], int]
    processes: tuple[int, ...] = ()


@contextmanager
def _sqlite(folder: Path) -> Iterator[Store]:
    yield Store("state", lambda: sum(file.stat().st_size for file in (folder / "state").iterdir()))


@contextmanager
def _postgresql(_: Path) -> Iterator[Store]:
    with postgres() as server:

        def ask(sql: str) -> str:
            command = [str(BIN / "psql"), "-Atqc", sql]
            env = variables(server, "postgres")
            return subprocess.check_output(command, env=env, text=True)

        ask("CREATE DATABASE cscale")
        url = f"postgresql://postgres:none@127.0.0.1:{server.port}/cscale"
        yield Store(url, lambda: int(ask("SELECT pg_database_size('cscale')")), (server.pid,))


STORES: Mapping[str, Callable[[Path], AbstractContextManager[Store]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}


def run(items: int, stores: Sequence[str] = tuple(STORES)) -> str:
    """Measure archives of up to `items` items, one in each of `stores`, of `STORES`."""
    sizes = [size for size in SIZES if size < items] + [items]
    return "\n\n".join(_grown(name, sizes) for name in stores)


def _grown(name: str, sizes: Sequence[int]) -> str:
    rows: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as place, STORES[name](Path(place)) as store:
        folder = Path(place)
        config = archives.configure(folder, store.state)
        held = 0
        for size in sizes:
            seconds = _grow(folder, config, held, size)
            rows.setdefault("ingest, items/s", []).append(f"{(size - held) / seconds:,.0f}")
            rows.setdefault("bytes an item on disk", []).append(f"{store.size() / size:,.0f}")
            held = size
            with archives.site(config) as server, Client(server.port) as client:
                for row, seen in _searched(client):
                    rows.setdefault(row, []).append(f"{p50(seen):.2f} ({p95(seen):.2f})")
                memory = cost(server.pid, *store.processes).memory
            rows.setdefault("memory while serving, MB", []).append(f"{memory:,.0f}")
    head = [name, *(f"{size:,} items" for size in sizes)]
    said = f"Searches: p50 (p95) in ms over HTTP, one client, {REPEATS} different ones a row."
    return f"{said}\n\n{table(head, [[row, *values] for row, values in rows.items()])}"


def _grow(folder: Path, config: Path, held: int, size: int) -> float:
    """Ingest the items from `held` to `size`; the seconds that the commands take, the items being at hand."""
    firsts = range(held, size, _CHUNK)
    seconds = 0.0

    def written(first: int) -> Path:
        lines = folder / f"{first}.ndjson"
        archives.write_items(lines, min(_CHUNK, size - first), first)
        return lines

    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(written, firsts[0])
        for first in firsts:
            lines = waiting.result()
            if first + _CHUNK < size:
                waiting = ahead.submit(written, first + _CHUNK)
            seconds += archives.ingest(config, lines)
            lines.unlink()
    return seconds


def _searched(client: Client) -> Iterator[tuple[str, list[float]]]:
    """Each row's name and its times in milliseconds."""
    for limit in LIMITS:
        queries = _queries(random.Random(7))
        for row in _ROWS:
            bodies = [queries[row]() | {"limit": limit} for _ in range(REPEATS)]
            yield f"{row}; limit {limit}", _timed(client, bodies)
        yield f"{_DEEP}; limit {limit}", _timed(client, _deep(client, limit))


def _timed(client: Client, bodies: Sequence[object]) -> list[float]:
    requests = [post("/stac/search", json.dumps(body).encode()) for body in bodies]
    client.ask(requests[0])
    seen = []
    for request in requests:
        started = time.perf_counter()
        client.ask(request)
        seen.append((time.perf_counter() - started) * 1000)
    return seen


def _deep(client: Client, limit: int) -> list[object]:
    """The second pages of searches that end anywhere in time."""
    rng = random.Random(11)
    bodies: list[object] = []
    while len(bodies) < REPEATS:
        moment = time.gmtime(1640995200 + rng.randrange(30 * 86400, 730 * 86400))
        first = {"datetime": f"../{time.strftime('%Y-%m-%dT%H:%M:%SZ', moment)}", "limit": limit}
        page = json.loads(bytes(client.ask(post("/stac/search", json.dumps(first).encode()))))
        bodies += [link["body"] for link in page["links"] if link["rel"] == "next"]
    return bodies
