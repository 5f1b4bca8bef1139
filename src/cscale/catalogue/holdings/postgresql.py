"""`Holdings` of a catalogue in PostgreSQL: an index in tables beside its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.holdings.claims import HERE, Claims, served_paths
from cscale.catalogue.postgresql.connection import Place, connect
from cscale.catalogue.postgresql.schema import Connection, only_one, opened
from cscale.errors import SiteError

_BATCH = 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS holdings_state (collection integer PRIMARY KEY, generation bigint NOT NULL);
CREATE TABLE IF NOT EXISTS holdings_seen (
    collection integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    digest bytea,
    PRIMARY KEY (collection, id)
);
CREATE TABLE IF NOT EXISTS holdings_asset (
    collection integer NOT NULL,
    path text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (collection, path, id)
);
CREATE INDEX IF NOT EXISTS holdings_asset_item ON holdings_asset (collection, id)
"""
_STALE = """
SELECT coalesce(c.n, s.collection) FROM collection c
FULL JOIN holdings_state s ON s.collection = c.n WHERE s.generation IS DISTINCT FROM c.generation
"""
_FORGET = """
DELETE FROM holdings_seen s WHERE collection = ANY(%(stale)s) AND NOT EXISTS (
    SELECT FROM held h WHERE h.collection = s.collection AND h.id = s.id AND h.t IS NOT NULL
    AND h.digest IS NOT DISTINCT FROM s.digest);
DELETE FROM holdings_asset a WHERE collection = ANY(%(stale)s) AND NOT EXISTS (
    SELECT FROM holdings_seen s WHERE s.collection = a.collection AND s.id = a.id);
DELETE FROM holdings_state WHERE collection = ANY(%(stale)s)
"""
_NEW = """
SELECT h.collection, h.id, h.digest, i.dictionary, i.body FROM held h
JOIN item i ON i.collection = h.collection AND i.t = h.t AND i.id = h.id
WHERE h.collection = ANY(%(stale)s) AND NOT EXISTS (
    SELECT FROM holdings_seen s WHERE s.collection = h.collection AND s.id = h.id)
"""


class PostgresHoldings(Claims):
    """Knows which collection a served file belongs to.

    Args:
        url: The address of the catalogue, as of `PostgresStore`.
        data_url: The address under which the site serves its files.
    """

    def __init__(self, url: str, data_url: str) -> None:
        self._own = _PostgresIndex(Place.parse(url), data_url)
        super().__init__(self._own)

    def close(self) -> None:
        """See `Holdings.close`."""
        self._own.close()


class _PostgresIndex:
    def __init__(self, place: Place, data_url: str) -> None:
        self._place = place
        self._data_url = data_url
        self._open: Connection | None = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def refresh(self) -> None:
        with self._errors() as connection:
            if connection.execute(f"{_STALE} LIMIT 1").fetchone():
                self._update(connection)

    def naming(self, paths: list[str]) -> list[tuple[str, str]]:
        query = (
            "SELECT a.path, c.id FROM collection c JOIN holdings_asset a ON a.collection = c.n"
            " WHERE a.path = ANY(%s)"
        )
        with self._errors() as connection:
            return [(path, name) for path, name in connection.execute(query, [_texts(paths)])]

    def below(self, folder: str) -> set[str]:
        query = (
            "SELECT c.id FROM collection c WHERE EXISTS (SELECT FROM holdings_asset a"
            " WHERE a.collection = c.n AND a.path > %s AND a.path < %s)"
        )
        ends = _texts([f"{folder}/", f"{folder}0"])  # 0 comes after the slash
        with self._errors() as connection:
            return {name for (name,) in connection.execute(query, ends)}

    @contextmanager
    def _errors(self) -> Iterator[Connection]:
        """The connection, made anew after an error: the server may have been away."""
        try:
            yield self._connection()
        except psycopg.Error as error:
            self.close()
            raise SiteError(
                f"the archive's database does not answer ({self._place.without_password(error)})"
            ) from None

    def _connection(self) -> Connection:
        if self._open is None or self._open.closed:
            with opened(self._place):  # it is a catalogue, and of our format
                pass
            connection = connect(self._place)
            with connection.transaction():
                only_one(connection, self._place, "holdings")
                connection.execute(_TABLES)
            self._open = connection
        return self._open

    def _update(self, connection: Connection) -> None:
        """Take in what has changed; of processes that see it at once, one does."""
        with connection.transaction():
            only_one(connection, self._place, "holdings")
            stale = [n for (n,) in connection.execute(_STALE.encode())]
            if not stale:
                return
            # as they are before the items are read: what is kept meanwhile is read the next time
            now = connection.execute("SELECT n, generation FROM collection WHERE n = ANY(%s)", [stale])
            states = now.fetchall()
            for statement in _FORGET.split(";"):
                connection.execute(statement.encode(), {"stale": stale})
            self._read_new(connection, stale)
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO holdings_state VALUES (%s, %s)", states)

    def _read_new(self, connection: Connection, stale: list[int]) -> None:
        inflater, known = Inflater(HERE), dict[int, bytes]()

        def dictionary(n: int) -> bytes:
            if n not in known:
                found = connection.execute("SELECT data FROM dictionary WHERE n = %s", [n]).fetchone()
                known[n] = bytes(found[0]) if found else b""
            return known[n]

        while True:
            rows: list[tuple[Any, ...]] = connection.execute(
                f"{_NEW} LIMIT {_BATCH}".encode(), {"stale": stale}
            ).fetchall()
            bodies = inflater.inflate([(row[3], bytes(row[4])) for row in rows], dictionary)
            assets = [
                (row[0], path, row[1])
                for row, body in zip(rows, bodies, strict=True)
                for path in served_paths(body, self._data_url)
                if "\0" not in path
            ]
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO holdings_seen VALUES (%s, %s, %s)", [row[:3] for row in rows])
                cursor.executemany("INSERT INTO holdings_asset VALUES (%s, %s, %s)", assets)
            if len(rows) < _BATCH:
                return


def _texts(paths: list[str]) -> list[str]:
    """Paths as the database can be asked for them: it knows no text with a NUL, and no item has one."""
    return [path.replace("\0", "\ufffd").encode(errors="replace").decode() for path in paths]
