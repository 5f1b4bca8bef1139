"""Ingest and watch as processes that are killed, and that lose the processes they read with."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cscale.stac.items import read_body
from cscale.stac.search import SearchRequest
from cscale.testing.archives import MOMENTS, plain_item
from cscale.testing.items import walk
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import write

CSCALE = str(Path(sys.executable).with_name("cscale"))


@pytest.fixture
def config(tmp_path: Path, data: Path) -> Path:
    site = {"id": "a", "url": "https://example.org"}
    path = tmp_path / "site.yaml"
    path.write_text(json.dumps({"site": site, "state": ".", "data": {"scenes": "data"}}))
    return path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands; those that have not ended at the end are killed."""
    processes: list[subprocess.Popen[str]] = []

    def start_it(*arguments: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [CSCALE, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        processes.append(process)
        return process

    yield start_it
    for process in processes:
        process.kill()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
        process.wait()


def lines_of(path: Path, first: int, stop: int, version: int) -> Path:
    properties = {"datetime": MOMENTS[0], "version": version, "filler": "x" * 2000}
    return write(path, *(plain_item(id=f"{n}", properties=properties) for n in range(first, stop)))


async def versions(opened: Opened) -> dict[str, int]:
    source = opened()
    pages = await walk(source, SearchRequest(limit=1000))
    source.close()
    return {item.id: read_body(item.body)["properties"]["version"] for page in pages for item in page.items}


def children(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            found += [int(status.parent.name), *children(int(status.parent.name))]
    return found


def until(happened: Callable[[], Any], process: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("kills", [6, pytest.param(60, marks=pytest.mark.soak)])
async def test_killed_while_several_read_it_leaves_old_or_new(
    config: Path, data: Path, opened: Opened, start: Start, kills: int
) -> None:
    """And no process of it is left."""
    old, new = lines_of(data / "old.ndjson", 0, 3000, 1), lines_of(data / "new.ndjson", 1000, 4000, 2)
    states = (
        dict.fromkeys(map(str, range(3000)), 1),
        dict.fromkeys(map(str, range(1000)), 1) | dict.fromkeys(map(str, range(1000, 4000)), 2),
    )
    assert start("ingest", old, "--config", config, "--workers", 2).wait(120) == 0
    draw = random.Random(3)
    for _ in range(kills):
        process = start("ingest", new, "--config", config, "--workers", 2)
        await asyncio.sleep(draw.uniform(0.3, 2.5))
        started = children(process.pid)
        process.kill()
        process.wait()
        until(lambda started=started: not any(alive(pid) for pid in started))  # type: ignore[misc]
        assert await versions(opened) in states
    assert start("ingest", new, "--config", config).wait(120) == 0
    assert await versions(opened) == states[1]


async def test_a_process_that_dies_ends_it_with_a_clear_error(
    config: Path, data: Path, opened: Opened, start: Start
) -> None:
    path = lines_of(data / "items.ndjson", 0, 40_000, 1)
    process = start("ingest", path, "--config", config, "--workers", 2)
    until(lambda: len(children(process.pid)) >= 3, process)
    for pid in sorted(children(process.pid))[-2:]:
        os.kill(pid, signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a process that reads has died" in said
    assert await versions(opened) == {}


@pytest.mark.parametrize("workers", [1, 2])
async def test_ctrl_c_ends_all_of_it(
    config: Path, data: Path, opened: Opened, start: Start, workers: int
) -> None:
    path = lines_of(data / "items.ndjson", 0, 40_000, 1)
    process = start("ingest", path, "--config", config, "--workers", workers)
    until(lambda: (config.parent / "catalogue.sqlite").exists() or len(children(process.pid)) > 2, process)
    await asyncio.sleep(0.5)
    started = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    until(lambda: not any(alive(pid) for pid in started))
    assert await versions(opened) == {}


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.soak)])
async def test_a_watch_killed_in_a_batch_leaves_nothing_half(
    config: Path, data: Path, opened: Opened, start: Start, kills: int
) -> None:
    draw = random.Random(11)
    known = 0
    for batch in range(kills):
        process = start("ingest", data, "--config", config, "--watch", "--quiet", "0.2", "--json")
        lines_of(data / f".{batch}", 2000 * batch, 2000 * (batch + 1), batch).rename(data / f"{batch}.ndjson")
        await asyncio.sleep(draw.uniform(1.0, 3.5))
        process.kill()
        process.wait()
        count = len(await versions(opened))
        assert count % 2000 == 0
        assert count >= known
        known = count
    process = start("ingest", data, "--config", config, "--watch", "--quiet", "0.2", "--json")
    assert process.stdout
    said = json.loads(process.stdout.readline())
    assert said["inputs"] == kills
    assert sum(said["items"].values()) == 2000 * kills
    process.terminate()
    assert process.wait(60) == 0
    assert len(await versions(opened)) == 2000 * kills


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_a_watch_that_is_told_to_end_finishes_its_batch(
    config: Path, data: Path, opened: Opened, start: Start, end: signal.Signals
) -> None:
    process = start("ingest", data, "--config", config, "--watch", "--quiet", "0.1", "--workers", 2)
    assert process.stderr
    assert "watching" in process.stderr.readline()
    lines_of(data / ".items", 0, 20_000, 1).rename(data / "items.ndjson")
    until(lambda: len(children(process.pid)) >= 3, process)
    os.killpg(process.pid, end)
    said, complained = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "20,000 added" in said, complained
    assert len(await versions(opened)) == 20_000
