"""`Holdings` of a catalogue in SQLite: an index in a file beside it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.holdings.claims import HERE, Claims, served_paths
from cscale.catalogue.sqlite.schema import connect
from cscale.catalogue.sqlite.store import FILE
from cscale.errors import BadConfiguration

INDEX = "holdings.sqlite"
_PATIENCE = 60.0  # seconds
_BATCH = 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY, digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS asset (
    collection TEXT NOT NULL,
    path TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (collection, path, n)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS asset_item ON asset (n);
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), catalogue TEXT NOT NULL);
INSERT OR IGNORE INTO state VALUES (1, '');
"""
_CHANGED = """
CREATE TEMP TABLE changed AS
SELECT s.n FROM seen s LEFT JOIN catalogue.item i ON i.n = s.n WHERE i.digest IS NOT s.digest
"""
_NEW = """
SELECT i.n, i.digest, c.id, b.dictionary, b.data FROM catalogue.item i
JOIN catalogue.collection c ON c.n = i.collection JOIN catalogue.body b ON b.n = i.n
WHERE i.n NOT IN (SELECT n FROM seen)
"""


class SqliteHoldings(Claims):
    """Knows which collection a served file belongs to.

    The index can be deleted: it is made again.

    Args:
        state: The site's directory, in which the catalogue lies.
        data_url: The address under which the site serves its files.
    """

    def __init__(self, state: Path, data_url: str) -> None:
        self._own = _SqliteIndex(state, data_url)
        super().__init__(self._own)

    def close(self) -> None:
        """See `Holdings.close`."""
        self._own.close()


class _SqliteIndex:
    def __init__(self, state: Path, data_url: str) -> None:
        self._catalogue = state / FILE
        self._path = state / INDEX
        self._data_url = data_url
        self._open: sqlite3.Connection | None = None
        self._collections: list[str] = []

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def refresh(self) -> None:
        with self._errors() as connection:
            state = self._state(connection)
            kept = connection.execute("SELECT catalogue FROM state").fetchone()[0]
            if kept != state:
                self._update(connection)
            rows = connection.execute("SELECT id FROM catalogue.collection")
            self._collections = [name for (name,) in rows]

    def naming(self, paths: list[str]) -> list[tuple[str, str]]:
        with self._errors() as connection:
            marks = ",".join("?" * len(paths))
            sql = f"SELECT path, collection FROM asset WHERE collection = ? AND path IN ({marks})"  # noqa: S608  # marks only
            return [row for name in self._collections for row in connection.execute(sql, [name, *paths])]

    def below(self, folder: str) -> set[str]:
        sql = "SELECT 1 FROM asset WHERE collection = ? AND path > ? AND path < ? LIMIT 1"
        ends = [f"{folder}/", f"{folder}0"]  # 0 comes after the slash
        with self._errors() as connection:
            return {name for name in self._collections if connection.execute(sql, [name, *ends]).fetchone()}

    @contextmanager
    def _errors(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection()
        except (sqlite3.Error, OSError) as error:
            raise BadConfiguration(
                f"{self._path}: cannot be kept ({error}); let the site write to its state, or delete the file"
            ) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            connect(self._catalogue).close()  # it is one, and of our format
            connection = sqlite3.connect(
                self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
            connection.execute("ATTACH ? AS catalogue", [str(self._catalogue)])
            self._open = connection
        return self._open

    def _state(self, connection: sqlite3.Connection) -> str:
        """What another state of the catalogue, or another catalogue, does not have."""
        generation = connection.execute("SELECT n FROM catalogue.generation").fetchone()[0]
        found = self._catalogue.stat()
        return f"{found.st_dev}:{found.st_ino}:{generation}"

    def _update(self, connection: sqlite3.Connection) -> None:
        """Take in what has changed; of processes that see it at once, one does."""
        connection.execute("BEGIN")  # not IMMEDIATE: that would lock the catalogue, too
        try:
            connection.execute("UPDATE state SET catalogue = catalogue")  # from here on others wait
            state = self._state(connection)
            if connection.execute("SELECT catalogue FROM state").fetchone()[0] != state:
                connection.execute(_CHANGED)
                for table in ("asset", "seen"):
                    connection.execute(f"DELETE FROM {table} WHERE n IN (SELECT n FROM changed)")  # noqa: S608  # our own names
                connection.execute("DROP TABLE changed")
                self._read_new(connection)
                connection.execute("UPDATE state SET catalogue = ?", [state])
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _read_new(self, connection: sqlite3.Connection) -> None:
        inflater = Inflater(HERE)
        dictionaries = dict(connection.execute("SELECT n, data FROM catalogue.dictionary"))
        cursor = connection.execute(_NEW)
        batches = iter(lambda: cursor.fetchmany(_BATCH), [])
        for rows in batches:
            bodies = inflater.inflate([row[3:] for row in rows], dictionaries.__getitem__)
            connection.executemany("INSERT INTO seen VALUES (?, ?)", [row[:2] for row in rows])
            connection.executemany(
                "INSERT INTO asset VALUES (?, ?, ?)",
                [
                    (row[2], path, row[0])
                    for row, body in zip(rows, bodies, strict=True)
                    for path in served_paths(body, self._data_url)
                ],
            )
