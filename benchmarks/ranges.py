"""Parts of files over HTTP: our `/data` beside Debian's nginx, the same files from the page cache.

`wrk` asks on 16 connections for ranges that begin anywhere. The servers run side by side and are asked in
turn; quoted are the medians of the rounds.
"""

import json
import os
import random
import resource
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import archives, table
from benchmarks.measuring.clients import Client, get
from benchmarks.measuring.processes import Server, cost
from benchmarks.peers import environment
from benchmarks.peers.nginx import nginx

FILE = 16 * 1024 * 1024
LENGTHS = {"64 KiB": 64 * 1024, "1 MiB": 1024 * 1024}
CONNECTIONS = 16
ROUNDS = 5
SECONDS = 4
_THREADS = os.cpu_count() or 1  # of wrk: nobody but the machine is the limit
OURS, DEBIAN, UNCORKED = "cscale /data", "nginx as Debian sets it up", "nginx without tcp_nopush"


@dataclass(frozen=True)
class Figures:
    """What one round of one server gave."""

    rate: float
    p50: float
    p95: float
    cpu: float
    wrk_cpu: float
    busy: float
    wrk_busy: float


def run(items: int) -> str:
    """Measure over `items` files of 16 MiB."""
    environment.require("wrk", "nginx-light")
    with tempfile.TemporaryDirectory(prefix="cscale-bench-") as name, ExitStack() as stack:
        folder, files = Path(name), Path(name) / "files"
        files.mkdir()
        for number in range(items):
            (files / f"{number}.bin").write_bytes(random.Random(number).randbytes(FILE))
        servers = {
            OURS: stack.enter_context(
                archives.site(archives.configure(folder, data={"files": files}), workers=_THREADS)
            ),
            DEBIAN: stack.enter_context(nginx(folder / "nginx", files, nopush=True)),
            UNCORKED: stack.enter_context(nginx(folder / "uncorked", files, nopush=False)),
        }
        _check(servers, files, items)
        rounds: dict[tuple[str, str], list[Figures]] = {
            (length, server): [] for length in LENGTHS for server in servers
        }
        for _ in range(ROUNDS):
            for length in LENGTHS:
                for server, under in servers.items():
                    rounds[length, server].append(_round(under, items, LENGTHS[length]))
    said = (
        f"{items} files of 16 MiB, ranges that begin anywhere, {CONNECTIONS} connections of wrk; "
        f"medians of {ROUNDS} rounds of {SECONDS} s, the servers in turn.\n\n"
    )
    return said + _table(rounds) + "\n\n" + _ratios(rounds)


def _check(servers: dict[str, Server], files: Path, count: int) -> None:
    """All send exactly the bytes that were asked for."""
    rng = random.Random(2)
    for server in servers.values():
        with Client(server.port) as client:
            for length in LENGTHS.values():
                number, start = rng.randrange(count), rng.randrange(FILE - length)
                stop = start + length
                asked = get(f"/data/files/{number}.bin", f"Range: bytes={start}-{stop - 1}\r\n")
                assert client.ask(asked) == (files / f"{number}.bin").read_bytes()[start:stop]


def _round(server: Server, files: int, length: int) -> Figures:
    script = environment.HERE / "ranges.lua"
    url = f"http://127.0.0.1:{server.port}/data/files/"
    command = [
        "wrk",
        f"-t{_THREADS}",
        f"-c{CONNECTIONS}",
        f"-d{SECONDS}s",
        "--timeout",
        "30s",
        "-s",
        str(script),
        url,
        "--",
    ]
    before, own = cost(server.pid).cpu, _children_cpu()
    arguments = [str(files), str(FILE), str(length), str(random.randrange(2**31))]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    spent, own = cost(server.pid).cpu - before, _children_cpu() - own
    seen = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    requests, seconds = seen["requests"], seen["seconds"]
    if seen["failed"] or seen["bytes"] < requests * length:
        raise RuntimeError(f"port {server.port} did not send every range: {seen}")
    return Figures(
        requests / seconds,
        seen["p50"],
        seen["p95"],
        1000 * spent / requests,
        1000 * own / requests,
        spent / seconds,
        own / seconds,
    )


def _children_cpu() -> float:
    """Seconds of CPU time of the commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _median(rounds: Sequence[Figures], name: str) -> float:
    return float(statistics.median(getattr(each, name) for each in rounds))


def _table(rounds: dict[tuple[str, str], list[Figures]]) -> str:
    head = ["range", "server", "requests/s", "lowest to highest round", "GB/s", "p50 ms", "p95 ms"]
    head += ["server CPU ms a request", "wrk CPU ms a request", "cores busy: server", "wrk"]
    rows = []
    for (length, server), seen in rounds.items():
        rates = sorted(each.rate for each in seen)
        rate = _median(seen, "rate")
        rows.append(
            [
                length,
                server,
                f"{rate:,.0f}",
                f"{rates[0]:,.0f} to {rates[-1]:,.0f}",
                f"{rate * LENGTHS[length] / 1e9:.2f}",
                f"{_median(seen, 'p50'):.2f}",
                f"{_median(seen, 'p95'):.2f}",
                f"{_median(seen, 'cpu'):.3f}",
                f"{_median(seen, 'wrk_cpu'):.3f}",
                f"{_median(seen, 'busy'):.2f}",
                f"{_median(seen, 'wrk_busy'):.2f}",
            ]
        )
    return table(head, rows)


def _ratios(rounds: dict[tuple[str, str], list[Figures]]) -> str:
    head = ["range", "requests/s of nginx as Debian sets it up", "of nginx without tcp_nopush"]
    head += ["CPU a request, times the better nginx's"]
    rows = []
    for length in LENGTHS:
        ours, debian, uncorked = (rounds[length, server] for server in (OURS, DEBIAN, UNCORKED))
        better = max(debian, uncorked, key=lambda seen: _median(seen, "rate"))
        rows.append(
            [
                length,
                f"{_median(ours, 'rate') / _median(debian, 'rate'):.2f}",
                f"{_median(ours, 'rate') / _median(uncorked, 'rate'):.2f}",
                f"{_median(ours, 'cpu') / _median(better, 'cpu'):.1f}",
            ]
        )
    return table(head, rows)
