"""Units of input read by several processes, in order, and never more at once than fit in memory."""

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait

from cscale.catalogue.ingest.reading import How, Outcome, Unit, read
from cscale.errors import BadInput

PARALLEL_BYTES = 16 << 20
"""From so much input on, several processes are quicker than one: they take half a second to start."""
_AHEAD = 3  # tasks for each process

_how: list[How] = []  # of a process that reads


def available() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def outcomes(
    tasks: Iterable[Sequence[Unit]], how: How, processes: int
) -> Iterator[tuple[Sequence[Unit], list[Outcome]]]:
    """Read units, several at a time.

    Args:
        tasks: What a process reads at once.
        how: How to read.
        processes: How many; with one, it is this process that reads.

    Returns:
        What each task gave, in their order.

    Raises:
        BadInput: If a process dies.
    """
    if processes < 2:
        for task in tasks:
            yield task, [read(unit, how) for unit in task]
        return
    context = multiprocessing.get_context("forkserver")  # a fork of a process with threads may hang
    context.set_forkserver_preload([__name__])
    resource_tracker.ensure_running()  # by itself, since it unblocks signals when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        forkserver.ensure_running()  # with the signals blocked, as they are in all that it starts
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    pool = ProcessPoolExecutor(processes, context, _begin, (how, os.getpid()))
    try:
        yield from _in_order(pool, tasks, processes * _AHEAD)
    except BrokenProcessPool as error:
        raise BadInput(
            "a process that reads has died, perhaps for want of memory; nothing was taken. "
            "Try --workers 1, or less input at once"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, tasks: Iterable[Sequence[Unit]], ahead: int
) -> Iterator[tuple[Sequence[Unit], list[Outcome]]]:
    waiting: deque[tuple[Sequence[Unit], Future[list[Outcome]]]] = deque()
    for task in tasks:
        waiting.append((task, pool.submit(_read_all, task)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


def _begin(how: How, parent: int) -> None:
    """Make a process ready: signals are the business of the one that started it, with which it also ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _how.append(how)
    gc.freeze()
    gc.set_threshold(100_000)  # items are trees, not circles
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    started_by = multiprocessing.parent_process()
    if started_by is not None and started_by.pid == parent:
        wait([started_by.sentinel])
        os._exit(1)


def _read_all(units: Sequence[Unit]) -> list[Outcome]:
    return [read(unit, _how[-1]) for unit in units]
