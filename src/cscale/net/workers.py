"""Several processes that serve one address: the kernel shares the connections out among them."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from types import FrameType

log = logging.getLogger("cscale.net")

_SOONEST = 1.0
"""Seconds that a process must have lived for another to take its place at once."""


def run_workers(count: int, work: Callable[[Callable[[], None]], None], started: Callable[[], None]) -> int:
    """Do `work` in some processes until SIGINT or SIGTERM; one that dies is replaced.

    Args:
        count: How many.
        work: What each does until it is told to end; it calls what it is handed when it is ready.
        started: Called once, when all are ready.

    Returns:
        0 if all ended as they were told; 1 if they ended by themselves before they were ready.
    """
    return _Workers(count, work).run(started)


class _Workers:
    def __init__(self, count: int, work: Callable[[Callable[[], None]], None]) -> None:
        self._count = count
        self._work = work
        self._born: dict[int, float] = {}
        self._ending = False

    def run(self, started: Callable[[], None]) -> int:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._end)
        ready, tell = os.pipe()
        self._watched, self._alive = os.pipe()  # nobody writes: it ends when this process does
        for _ in range(self._count):
            self._start(tell)
        heard = 0
        while heard < self._count and not self._ending:
            if self._one_has_ended():
                self._end(signal.SIGTERM, None)
                self._wait_for_all()
                return 1
            heard += len(_read(ready))
        if not self._ending:
            started()
        self._keep(tell)
        return 0

    def _start(self, tell: int) -> None:
        process = os.fork()
        if process:
            self._born[process] = time.monotonic()
            return
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_DFL)
        os.close(self._alive)
        Thread(target=_end_with, args=[self._watched], daemon=True).start()
        self._work(lambda: _say(tell))  # what it raises ends this process as it would end the caller
        os._exit(0)

    def _keep(self, tell: int) -> None:
        while self._born:
            try:
                process, status = os.wait()
            except ChildProcessError:
                return
            born = self._born.pop(process, 0.0)
            if not self._ending:
                log.warning("a serving process has ended (status %d): another takes its place", status)
                time.sleep(0 if time.monotonic() - born > _SOONEST else _SOONEST)
                self._start(tell)

    def _one_has_ended(self) -> bool:
        process, _ = os.waitpid(-1, os.WNOHANG)
        self._born.pop(process, None)
        return process != 0

    def _wait_for_all(self) -> None:
        while self._born:
            process, _ = os.wait()
            self._born.pop(process, None)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        for process in self._born:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)


def _say(tell: int) -> None:
    os.write(tell, b".")


def _end_with(parent: int) -> None:
    """End this process as soon as the one that began it is no more."""
    os.read(parent, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _read(ready: int) -> bytes:
    """What the processes have told within a moment."""
    os.set_blocking(ready, False)
    time.sleep(0.02)
    try:
        return os.read(ready, 100)
    except BlockingIOError:
        return b""
