"""Run the benchmarks and write their figures into RESULTS.md.

python -m benchmarks                 all of them
python -m benchmarks search          one
python -m benchmarks search --items 100000
"""

import argparse
import datetime
import importlib
import os
import platform
import re
import signal
import sys
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).with_name("RESULTS.md")


class Benchmark(NamedTuple):
    """A module of this folder with a `run(items)`, and the items that it is run with."""

    module: str
    items: int


BENCHMARKS = {
    "search": Benchmark("search", 1_000_000),
    "federation": Benchmark("federation", 100_000),
    "http": Benchmark("pages", 100_000),
    "codecs": Benchmark("compression", 2_000),
    "ingest": Benchmark("ingest", 100_000),
    "ranges": Benchmark("ranges", 32),
    "growth": Benchmark("growth", 1_000_000),
    "sites": Benchmark("sites", 90_000),
    "harvested": Benchmark("harvested", 1_000_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--items", type=int, help="how many items the archive holds; of `ranges`, files")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended too
    for name in asked.names or BENCHMARKS:
        items = asked.items or BENCHMARKS[name].items
        table = importlib.import_module(f"benchmarks.{BENCHMARKS[name].module}").run(items)
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


if __name__ == "__main__":
    main()
