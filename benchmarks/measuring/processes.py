"""Servers under measurement: started, watched and ended; what a process and its children cost."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cscale.net.server import free_port

_TICK = os.sysconf("SC_CLK_TCK")
_PATIENCE = 60.0  # seconds for a server to answer, and for one to end


@dataclass(frozen=True)
class Cost:
    """What processes have used so far."""

    cpu: float
    """Seconds of CPU time, in user mode and in the kernel."""
    memory: float
    """Resident memory, MB; what several share (mapped files too) is divided among them."""


@dataclass(frozen=True)
class Server:
    """A server under way."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def pid(self) -> int:
        return self.process.pid


def cscale(*arguments: str) -> list[str]:
    """The command line of this checkout's `cscale`."""
    return [sys.executable, "-m", "cscale", *arguments]


@contextmanager
def served(
    command: Sequence[str | Path],
    port: int,
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[Server]:
    """Run a server on a port of 127.0.0.1 until the block ends; it takes connections when the block begins.

    Raises:
        RuntimeError: If it ends instead, with the last lines of what it said.
    """
    owner = {"user": user, "group": user, "extra_groups": []} if user else {}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdout=said,
            stderr=said,
            env=dict(env) if env is not None else None,
            **owner,  # type: ignore[call-overload]  # who else runs it
        )
        try:
            _await(process, port, said.fileno())
            yield Server(port, process)
        finally:
            _end(process, end)


def _await(process: "subprocess.Popen[bytes]", port: int, said: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    tail = os.pread(said, 2000, max(0, os.fstat(said).st_size - 2000)).decode(errors="replace")
    raise RuntimeError(f"{process.args!r} took no connections on port {port}:\n{tail}")


def _end(process: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        for pid in reversed(tree(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def tree(root: int) -> list[int]:
    """A process and all its descendants, the parents first."""
    children: dict[int, list[int]] = {}
    for pid, fields in _processes():
        children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cost(*roots: int) -> Cost:
    """What processes and their descendants have used."""
    wanted = {pid for root in roots for pid in tree(root)}
    # of each its own time and that of its children that have ended, such as a database's connections
    ticks = sum(sum(map(int, fields[11:15])) for pid, fields in _processes() if pid in wanted)
    return Cost(ticks / _TICK, sum(map(_memory, wanted)) / 1000)


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Every process and its fields from the third of /proc/PID/stat on."""
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                text = (place / "stat").read_text()
            except OSError:  # it has just ended
                continue
            yield int(place.name), text.rpartition(")")[2].split()


def _memory(pid: int) -> float:
    """The proportional set size, kB."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return float(text.partition("\nPss:")[2].split()[0])


__all__ = ["Cost", "Server", "cost", "cscale", "free_port", "served", "tree"]
