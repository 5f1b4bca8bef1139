"""Run the benchmarks and write their figures into RESULTS.md.

python -m benchmarks                 all of them
python -m benchmarks search          one
python -m benchmarks search --items 100000
"""

import argparse
import datetime
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks import federation, search

RESULTS = Path(__file__).with_name("RESULTS.md")
BENCHMARKS: dict[str, Callable[[int], str]] = {"search": search.run, "federation": federation.run}
ITEMS = {"search": 1_000_000, "federation": 100_000}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--items", type=int, help="how many items the archive holds")
    asked = parser.parse_args()
    for name in asked.names or BENCHMARKS:
        items = asked.items or ITEMS[name]
        table = BENCHMARKS[name](items)
        print(table)
        _keep(name, items, table)


def _keep(name: str, items: int, table: str) -> None:
    """Put a benchmark's table in the place of its last one."""
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    command = f"python -m benchmarks {name} --items {items}"
    section = (
        f"## {name}\n\n{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {machine}: `{command}`\n\n{table}\n"
    )
    pattern = re.compile(rf"^## {name}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    text = pattern.sub(lambda _: section + "\n", text) if pattern.search(text) else f"{text}\n{section}"
    RESULTS.write_text(text.rstrip() + "\n")


main()
