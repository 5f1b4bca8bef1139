"""Where a harvest is kept: a catalogue for each site, and beside it the notes of how far it has come.

Each site has a catalogue of its own, in the hub's state: a directory `harvest/SITE`, or a schema of the
hub's database. So its bodies are compressed by what they have in common, its collections keep their own
ids, it can be thrown away as a whole, and to a search it is one more `Source` among the others.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from cscale.catalogue import SqliteStore, Store
from cscale.catalogue.sqlite.store import FILE
from cscale.errors import BadConfiguration

StillAlone = Callable[[], bool]
"""Tells whether nobody else can have become the harvester meanwhile."""


class Shelf(Protocol):
    """What is kept of one harvested site.

    Its methods wait for disk or database: they are not for the event loop.
    """

    @property
    def store(self) -> Store:
        """The catalogue."""
        ...

    def notes(self) -> dict[str, bytes]:
        """All notes; none where nothing was ever harvested."""
        ...

    def note(self, changes: Mapping[str, bytes | None]) -> None:
        """Write notes down, all or none of them; None takes one away."""
        ...

    def alone(self) -> AbstractContextManager[StillAlone | None]:
        """Be the only harvester of this site among all processes; None where another is.

        It ends with the block, and with the process however that ends.
        """
        ...


class FolderShelf:
    """A shelf in a directory.

    Args:
        folder: The directory; made when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = SqliteStore(folder)

    @property
    def store(self) -> Store:
        """See `Shelf.store`."""
        return self._store

    def notes(self) -> dict[str, bytes]:
        """See `Shelf.notes`."""
        if not self._path.exists():
            return {}
        with closing(self._opened()) as connection:
            return dict(connection.execute("SELECT name, value FROM note"))

    def note(self, changes: Mapping[str, bytes | None]) -> None:
        """See `Shelf.note`."""
        self._sync()  # what is noted must not outlive, in a loss of power, what it tells of
        with closing(self._opened()) as connection, connection:
            gone = [(name,) for name, value in changes.items() if value is None]
            connection.executemany("DELETE FROM note WHERE name = ?", gone)
            kept = [(name, value) for name, value in changes.items() if value is not None]
            connection.executemany("INSERT OR REPLACE INTO note VALUES (?, ?)", kept)

    @contextmanager
    def alone(self) -> Iterator[StillAlone | None]:
        """See `Shelf.alone`: a lock on a file, which the kernel lets go of when its process ends."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("ab")
        except OSError as error:
            raise BadConfiguration(f"{self._folder}: state cannot be kept here: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield lambda: True

    def _sync(self) -> None:
        for name in (FILE, f"{FILE}-wal"):
            with suppress(FileNotFoundError), (self._folder / name).open("rb") as file:
                os.fsync(file.fileno())

    @property
    def _path(self) -> Path:
        return self._folder / "harvest.sqlite"

    def _opened(self) -> sqlite3.Connection:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=60)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
        except (OSError, sqlite3.DatabaseError) as error:
            raise BadConfiguration(f"{self._path}: notes cannot be kept here ({error})") from error
        return connection
