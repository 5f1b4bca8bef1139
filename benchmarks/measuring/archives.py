"""An archive as its operator makes one: a configuration, an NDJSON file, `cscale ingest`, `cscale serve`."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.measuring import generated
from benchmarks.measuring.processes import Server, cscale, free_port, served

COLLECTION = "sentinel-2-l2a"


def write_items(path: Path, items: int, first: int = 0) -> None:
    """Generated items as NDJSON."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as lines:
        for item in generated(items, first):
            lines.write(encoder.encode(item) + b"\n")


def write_collection(path: Path) -> None:
    """The generated items' collection, one line of NDJSON."""
    collection = {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": COLLECTION,
        "description": "Generated items.",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2022-01-01T00:00:00Z", "2024-01-01T00:00:00Z"]]},
        },
        "links": [],
    }
    path.write_text(json.dumps(collection) + "\n")


def configure(folder: Path, state: str = "state", data: Mapping[str, Path] | None = None) -> Path:
    """A site's configuration file in `folder`.

    Args:
        folder: Where it stands.
        state: Where the site keeps what it knows: a directory beside the file, or a database's URL.
        data: Folders of files that it serves, by name.
    """
    config = folder / "site.json"
    about = {"id": "bench", "url": f"http://127.0.0.1:{free_port()}"}
    folders = {name: str(place) for name, place in (data or {}).items()}
    config.write_text(json.dumps({"site": about, "state": state, "data": folders}))
    return config


def ingest(config: Path, *paths: Path) -> float:
    """`cscale ingest`; the seconds that the whole command takes.

    Raises:
        RuntimeError: If it refuses anything.
    """
    started = time.perf_counter()
    command = cscale("ingest", *map(str, paths), "--config", str(config), "--json")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"cscale ingest: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return time.perf_counter() - started


@contextmanager
def site(config: Path, workers: int = 1) -> Iterator[Server]:
    """`cscale serve site`, until the block ends."""
    port = int(json.loads(config.read_text())["site"]["url"].rpartition(":")[2])
    with served(cscale("serve", "site", "--config", str(config), "--workers", str(workers)), port) as server:
        yield server
