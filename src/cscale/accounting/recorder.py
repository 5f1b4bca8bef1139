"""Writes usage down in batches, in a thread of its own: nobody who is given data waits for it.

What is noted is in the database half a second later; a process that is killed loses what it noted in
that time, and nothing else. While the database cannot be reached, records wait in memory.
"""

import logging
import threading
import time
from collections.abc import Callable

from cscale.accounting.ledger import Ledger, Use
from cscale.accounting.quotas import QuotaCounter
from cscale.errors import CscaleError

log = logging.getLogger("cscale.accounting")

EVERY = 0.5
"""Seconds between two batches."""
_WAITING = 200_000  # records kept in memory at most, while the database cannot be reached
_PATIENCE = 30.0  # seconds, at most, between two tries of a database that cannot be reached

_Key = tuple[str, str, int]


class Recorder:
    """Takes notes of use.

    What one user gets of one file with one status between two batches becomes one record.

    Args:
        ledger: Where it is written.
        collection_of: Tells the id of the collection that a file belongs to, empty where none does; is
            called in the recorder's thread.
        quotas: What has to be told to, and learnt from, other processes.
        every: Seconds between two batches.
    """

    def __init__(
        self,
        ledger: Ledger,
        collection_of: Callable[[str], str],
        quotas: QuotaCounter | None = None,
        every: float = EVERY,
    ) -> None:
        self._ledger = ledger
        self._collection_of = collection_of
        self._quotas = quotas or QuotaCounter()
        self._every = every
        self._lock = threading.Lock()
        self._notes: dict[_Key, list[float]] = {}
        self._lost = 0
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._written: list[Use] = []  # read, but not yet in the database

    def note(self, user: str, path: str, status: int, sent: int) -> None:
        """Note an answer that has ended; takes a microsecond, from any thread.

        Args:
            user: The pseudonym; empty for anonymous.
            path: The file, as it is served below `/data`.
            status: The HTTP status.
            sent: How many bytes of the body were sent.
        """
        key = (user, path, status)
        with self._lock:
            found = self._notes.get(key)
            if found is not None:
                found[1] += 1
                found[2] += sent
            elif len(self._notes) < _WAITING:
                self._notes[key] = [time.time(), 1, sent]
            else:
                self._lost += 1
            if self._thread is None:  # not before: a process may be forked from one that has served nothing
                self._thread = threading.Thread(target=self._run, name="accounting", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what was noted, as far as the database can be reached, and end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = self._every
        while not self._ending.wait(pause):
            pause = self._every if self._write() else min(_PATIENCE, 2 * pause)
        self._write()

    def _write(self) -> bool:
        """Write a batch; whether it is written."""
        with self._lock:
            notes, self._notes = self._notes, {}
            lost, self._lost = self._lost, 0
        if lost:
            log.error("%d uses of data were not recorded: the database does not take them", lost)
        untold = self._quotas.untold()
        try:
            self._written += self._uses(notes)
            notes = {}
            if self._written or untold:
                known = self._ledger.write(self._written, untold)
                self._written = []
                self._quotas.learn(untold, known)
        except CscaleError as error:
            self._take_back(notes)
            self._quotas.take_back(untold)
            log.warning("usage waits to be written: %s", error)
            return False
        return True

    def _uses(self, notes: dict[_Key, list[float]]) -> list[Use]:
        return [
            Use(at, user, self._collection_of(path), path, status, int(requests), int(sent))
            for (user, path, status), (at, requests, sent) in notes.items()
        ]

    def _take_back(self, notes: dict[_Key, list[float]]) -> None:
        with self._lock:
            for key, (at, requests, sent) in notes.items():
                found = self._notes.setdefault(key, [at, 0, 0])
                found[1] += requests
                found[2] += sent
            room = max(0, _WAITING - len(self._notes))
            if len(self._written) > room:
                self._lost += len(self._written) - room
                self._written = self._written[:room]
