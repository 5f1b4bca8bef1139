"""One archive in SQLite: ingest, and searches in process beside the bare read of the same bodies."""

import asyncio
import random
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import generated, p50, p95, table, timed
from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.catalogue.sqlite.search import read_bodies
from cscale.identity import ANONYMOUS
from cscale.stac.items import read_body
from cscale.stac.search import SearchRequest, from_json

REPEATS = 40


def run(items: int) -> str:
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as folder:
        path = Path(folder) / "catalogue.sqlite"
        spent = 0.0
        with writing(path) as writer:
            for item in generated(items):
                started = time.perf_counter()
                writer.put(item)
                spent += time.perf_counter() - started
        size = path.stat().st_size
        rows = asyncio.run(_searches(path))
    head = ["search", "limit", "p50 ms", "p95 ms", "bare read p50 ms", "ratio"]
    return (
        f"{items:,} items; {items / spent:,.0f} items/s into the catalogue (one process, no files read); "
        f"{size / items:,.0f} bytes an item on disk.\n\n" + table(head, rows)
    )


def _queries(rng: random.Random) -> dict[str, Any]:
    """The questions, each made anew every time."""

    def box(side: float) -> list[float]:
        west, south = rng.uniform(-11, 34 - min(side, 30)), rng.uniform(29, 67 - min(side, 30))
        return [west, south, west + side, south + side]

    def days(length: int) -> str:
        first = rng.randrange(0, 730 - length)
        start, end = (
            time.gmtime(1640995200 + first * 86400),
            time.gmtime(1640995200 + (first + length) * 86400),
        )
        return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', start)}/{time.strftime('%Y-%m-%dT%H:%M:%SZ', end)}"

    cloud = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}
    by_cloud = [{"field": "eo:cloud_cover", "direction": "asc"}]
    boxes = {
        f"box {side}°, {length} days": lambda side=side, length=length: {
            "bbox": box(side),
            "datetime": days(length),
        }
        for side in (1, 4, 30)
        for length in (30, 90, 365)
    }
    return boxes | {
        "all, newest first": dict,
        "all, cloud < 10": lambda: {"filter": cloud},
        "box 4°, 90 days, cloud < 10": lambda: {"bbox": box(4), "datetime": days(90), "filter": cloud},
        "box 4°, 90 days, sorted by cloud": lambda: {
            "bbox": box(4),
            "datetime": days(90),
            "sortby": by_cloud,
        },
        "all, sorted by cloud": lambda: {"sortby": by_cloud},
    }


async def _searches(path: Path) -> list[list[str]]:
    catalogue = SqliteCatalogue(path, data_url="http://127.0.0.1/data", secret=b"x" * 32)
    rows = []
    for limit in (10, 100):
        for name, make in _queries(random.Random(7)).items():
            asked = [from_json(make() | {"limit": limit}) for _ in range(REPEATS)]
            rows.append(await _row(catalogue, path, name, asked))
        rows.append(await _row(catalogue, path, "page at random depth", await _deep(catalogue, limit)))
    catalogue.close()
    return rows


async def _row(catalogue: SqliteCatalogue, path: Path, name: str, asked: list[SearchRequest]) -> list[str]:
    await catalogue.search(ANONYMOUS, asked[0])
    ours, bare = [], []
    for request in asked:
        page = await catalogue.search(ANONYMOUS, request)
        ours.append(await timed(lambda request=request: catalogue.search(ANONYMOUS, request)))
        numbers = await asyncio.to_thread(_numbers, path, [(item.collection, item.id) for item in page.items])
        bare.append(await timed(lambda numbers=numbers: _bare(catalogue, numbers)))
    ratio = p50(ours) / max(p50(bare), 1e-6)
    return [
        name,
        str(asked[0].limit),
        f"{p50(ours):.2f}",
        f"{p95(ours):.2f}",
        f"{p50(bare):.2f}",
        f"{ratio:.1f}",
    ]


def _numbers(path: Path, items: list[tuple[str, str]]) -> list[int]:
    connection = sqlite3.connect(path)
    sql = "SELECT i.n FROM item i JOIN collection c ON c.n = i.collection WHERE c.id = ? AND i.id = ?"
    numbers = [connection.execute(sql, item).fetchone()[0] for item in items]
    connection.close()
    return numbers


async def _bare(catalogue: SqliteCatalogue, numbers: list[int]) -> None:
    """The hand-written limit: the same bodies read and inflated, and nothing else."""

    def read(connection: sqlite3.Connection) -> None:
        read_bodies(connection, numbers, catalogue._inflater)  # noqa: SLF001  # the same code, alone

    await catalogue._in_thread(read)  # noqa: SLF001


async def _deep(catalogue: SqliteCatalogue, limit: int) -> list[SearchRequest]:
    """Pages that begin anywhere: the cursor after an item picked at random."""
    asked = []
    rng = random.Random(11)
    for _ in range(REPEATS):
        moment = 1640995200 + rng.randrange(730 * 86400)
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
        first = await catalogue.search(ANONYMOUS, from_json({"datetime": f"../{until}", "limit": 1}))
        if not first.items or first.token is None:
            continue
        found = read_body(first.items[0].body)["properties"]["datetime"]
        page = await catalogue.search(ANONYMOUS, from_json({"datetime": f"../{found}", "limit": limit}))
        if page.token is not None:
            asked.append(from_json({"datetime": f"../{found}", "limit": limit, "token": page.token}))
    return asked
