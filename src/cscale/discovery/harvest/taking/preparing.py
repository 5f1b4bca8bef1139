"""Items made ready for the catalogue as they came: in processes of their own, so that searches do not wait.

Everything here is safe in another process: it is told all that it needs, and answers in bytes.
"""

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from typing import Any, NamedTuple

import msgspec

from cscale.catalogue.queryables import Kind
from cscale.catalogue.rows import Prepared, prepare
from cscale.errors import BadInput
from cscale.stac.items import property_value
from cscale.stac.times import instant

_A_TASK = 250  # items that a process reads at once
_SOFTLY = 10  # how much less urgent than what answers searches
_UNREADABLE = (BadInput, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Ready(NamedTuple):
    """An item that can be put.

    Attributes:
        item: The item as the catalogue wants it.
        updated: Its `updated`, microseconds since 1970; None where it has none that can be read.
    """

    item: Prepared
    updated: int | None


Outcome = tuple[list[Ready], list[str]]
"""What became of some items: those that can be put, and why the others cannot."""


def ready(raws: Sequence[bytes], columns: Mapping[str, Kind]) -> Outcome:
    """Make items ready.

    Args:
        raws: The JSON of each.
        columns: The typed columns of the catalogue.
    """
    taken, refused = [], []
    for raw in raws:
        try:
            item = msgspec.json.decode(raw)
            if not isinstance(item, dict):
                raise BadInput("not a JSON object")
            taken.append(Ready(prepare(item, columns), _updated(item)))
        except _UNREADABLE as error:
            refused.append(f"{_named(raw)}: {error}"[:300])
    return taken, refused


def _updated(item: Mapping[str, Any]) -> int | None:
    try:
        return instant(property_value(item, "updated"))
    except BadInput:
        return None


class _Name(msgspec.Struct):
    id: str


def _named(raw: bytes) -> str:
    try:
        return repr(msgspec.json.decode(raw, type=_Name).id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "a thing without an id"


class Preparing:
    """Makes items ready, several at a time.

    Args:
        columns: The typed columns of the catalogue.
        processes: How many processes do it; with 0 a thread of this one does.
    """

    def __init__(self, columns: Mapping[str, Kind], processes: int) -> None:
        self._columns = columns
        self._executor = _processes(processes) if processes else ThreadPoolExecutor(1, "harvest")

    async def ready(self, raws: Sequence[msgspec.Raw]) -> Outcome:
        """Make a page's items ready, in their order.

        Raises:
            BadInput: If a process dies.
        """
        loop = asyncio.get_running_loop()
        tasks = [
            loop.run_in_executor(
                self._executor, ready, [bytes(raw) for raw in raws[at : at + _A_TASK]], self._columns
            )
            for at in range(0, len(raws), _A_TASK)
        ]
        try:
            done = await asyncio.gather(*tasks)
        except BrokenProcessPool as error:
            raise BadInput("a process that reads has died, perhaps for want of memory; try again") from error
        return [each for taken, _ in done for each in taken], [
            each for _, refused in done for each in refused
        ]

    def close(self) -> None:
        """Let go of the processes."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _processes(count: int) -> Executor:
    context = multiprocessing.get_context("forkserver")  # a fork of a process with threads may hang
    context.set_forkserver_preload([__name__])
    resource_tracker.ensure_running()  # by itself, since it unblocks signals when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        forkserver.ensure_running()  # with the signals blocked, as they are in all that it starts
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ProcessPoolExecutor(count, context, _begin, (os.getpid(),))


def _begin(parent: int) -> None:
    """Make a process ready: signals are the business of the one that started it, with which it also ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_SOFTLY)
    gc.freeze()
    gc.set_threshold(100_000)  # items are trees, not circles
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    started_by = multiprocessing.parent_process()
    if started_by is not None and started_by.pid == parent:
        wait([started_by.sentinel])
        os._exit(1)
