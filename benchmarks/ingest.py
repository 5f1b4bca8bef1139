"""Items into an archive: `cscale ingest` beside `pypgstac load items`, of the same NDJSON file.

Whole commands into empty archives, in turn; quoted are the medians.
"""

import json
import resource
import statistics
import tempfile
from pathlib import Path

from benchmarks.measuring import archives, table
from benchmarks.measuring.clients import Client, get
from benchmarks.measuring.processes import cost
from benchmarks.peers import pgstac

ROUNDS = 3


def run(items: int) -> str:
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as name, pgstac.database() as database:
        folder = Path(name)
        lines, collection = folder / "items.ndjson", folder / "collection.ndjson"
        archives.write_items(lines, items)
        archives.write_collection(collection)
        size = lines.stat().st_size
        for number in range(ROUNDS):
            database.anew(collection)
            theirs.append(_theirs(database, lines))
            ours.append(_ours(folder / str(number), collection, lines))
            _check(folder / str(number), database, items)
    rows = [_row("cscale ingest", items, ours), _row("pypgstac load items", items, theirs)]
    ratio = statistics.median(s for s, _ in theirs) / statistics.median(s for s, _ in ours)
    head = ["command", "items/s", "lowest to highest round", "seconds", "CPU ms an item"]
    said = f"{items:,} items, an NDJSON file of {size / 1e6:,.0f} MB; medians of {ROUNDS} rounds in turn.\n\n"
    return f"{said}{table(head, rows)}\n\n{ratio:.1f} times the peer's items/s."


def _ours(folder: Path, collection: Path, lines: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU time."""
    folder.mkdir()
    config = archives.configure(folder)
    archives.ingest(config, collection)
    before = _children_cpu()
    seconds = archives.ingest(config, lines)
    return seconds, _children_cpu() - before


def _theirs(database: pgstac.Database, lines: Path) -> tuple[float, float]:
    before = _children_cpu() + cost(database.server.pid).cpu
    seconds = database.load(lines)
    return seconds, _children_cpu() + cost(database.server.pid).cpu - before


def _children_cpu() -> float:
    """Seconds of CPU time of the commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _check(folder: Path, database: pgstac.Database, items: int) -> None:
    """Both hold all of them."""
    assert database.count() == items, f"pgstac holds {database.count()} of {items} items"
    with archives.site(folder / "site.json") as server, Client(server.port) as client:
        page = json.loads(bytes(client.ask(get("/stac/search?limit=1"))))
    assert page["numberMatched"] == items, f"our archive holds {page['numberMatched']} of {items} items"


def _row(name: str, items: int, rounds: list[tuple[float, float]]) -> list[str]:
    seconds = sorted(each for each, _ in rounds)
    middle = statistics.median(seconds)
    cpu = statistics.median(each for _, each in rounds) / items * 1000
    spread = f"{items / seconds[-1]:,.0f} to {items / seconds[0]:,.0f}"
    return [name, f"{items / middle:,.0f}", spread, f"{middle:.1f}", f"{cpu:.2f}"]
