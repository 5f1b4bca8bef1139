"""The codec of stored bodies: size and CPU time of zstd, lz4 and zlib, with dictionaries and without.

On generated items of about 12 KB, and on real ones of many missions (`../shared/data`), where there are few
of a kind. Dictionaries are learnt from other items than they are measured on.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measuring import generated, table
from benchmarks.peers import environment

_DATA = Path(__file__).parents[2] / "shared" / "data" / "discovery"
_CHOSEN = ("zstd 3", 16)  # what bodies are stored with: codec, KiB of the dictionary
_LEARN = 300


def run(items: int) -> str:
    """Measure on `items` generated items, and on all real ones."""
    real = list(_real())
    mine = [msgspec.json.encode(item) for item in generated(items + _LEARN)]
    parts = {
        "generated-learn": mine[:_LEARN],
        "generated": mine[_LEARN:],
        "real-learn": real[::2],  # of each file every other item, which has its like on the other side
        "real": real[1::2],
    }
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as folder:
        places = [Path(folder) / name for name in parts]
        for place, bodies in zip(places, parts.values(), strict=True):
            place.write_bytes(b"\n".join(bodies))
        command = [environment.python(), environment.HERE / "compressing.py", *places]
        done = subprocess.run(command, env=environment.environ(), stdout=subprocess.PIPE, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return "\n\n".join(_section(name, found) for name in ("generated", "real"))


def _real() -> Iterator[bytes]:
    """The STAC items in the real data, in the order of their files."""
    for path in sorted(_DATA.rglob("*.json")):
        for item in _items(json.loads(path.read_bytes())):
            yield msgspec.json.encode(item)


def _items(value: Any) -> Iterator[dict[str, Any]]:
    """The items in a JSON document, however deep they stand."""
    if isinstance(value, dict):
        if value.get("type") == "Feature" and "stac_version" in value and "assets" in value:
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _items(each)


def _section(name: str, found: Sequence[dict[str, Any]]) -> str:
    mine = [each for each in found if each["of"] == name]
    head = ["codec", "dictionary KiB", "bytes an item", "ratio", "compress µs an item", "inflate µs an item"]
    rows = [
        [
            f"**{each['codec']}**"
            if (each["codec"], round(each["dictionary"] / 1024)) == _CHOSEN
            else each["codec"],
            f"{each['dictionary'] / 1024:.0f}",
            f"{each['after']:,.0f}",
            f"{each['before'] / each['after']:.1f}",
            f"{each['compress']:.1f}",
            f"{each['inflate']:.1f}",
        ]
        for each in mine
    ]
    about = f"{mine[0]['distinct']:,} {name} items of {mine[0]['before']:,.0f} bytes"
    return f"{about}; CPU time, one thread; bold: what bodies are stored with.\n\n{table(head, rows)}"
