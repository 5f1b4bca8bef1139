"""How things are timed: alternating with their measure in one run, quoted as medians."""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

_TOOLS = Path(__file__).parents[3] / "shared" / "tools"


def generated(
    items: int, first: int = 0, site: str = "https://eodata.example.org"
) -> Iterator[dict[str, Any]]:
    """Sentinel-2-like items, the same for the same index (`../shared/tools/gen_items.py`)."""
    sys.path.insert(0, str(_TOOLS))
    import gen_items  # type: ignore[import-not-found]

    for index in range(first, first + items):
        yield gen_items.make_item(index, site_base=site, n_hint=items, order="random")


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds that an awaitable takes."""
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


def p50(values: list[float]) -> float:
    return statistics.median(values)


def p95(values: list[float]) -> float:
    return sorted(values)[min(int(len(values) * 0.95), len(values) - 1)]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
