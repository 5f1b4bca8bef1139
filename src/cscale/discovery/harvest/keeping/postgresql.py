"""A shelf in a schema of the hub's PostgreSQL database."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

from cscale.catalogue import Store
from cscale.catalogue.postgresql import PostgresStore
from cscale.catalogue.postgresql.connection import SCHEMA, Place, connect
from cscale.catalogue.postgresql.schema import Connection, only_one, opened
from cscale.discovery.harvest.keeping.shelf import StillAlone
from cscale.errors import SiteError

_LONGEST_SCHEMA = 48
_TABLE = "CREATE TABLE IF NOT EXISTS harvest_note (name text PRIMARY KEY, value bytea NOT NULL)"
_HERE = "SELECT to_regclass(%s) IS NOT NULL"


def site_address(url: str, site: str) -> str:
    """The address of a site's schema: the hub's own schema, two underscores, and the site's id.

    Hyphens become underscores, which no site id has; names longer than a schema's can be are cut, with a
    digest of the whole at their end.
    """
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    name = f"{asked.get('schema', SCHEMA)}__{site.replace('-', '_')}"
    if len(name) > _LONGEST_SCHEMA:
        name = f"{name[:31]}_{hashlib.blake2b(name.encode(), digest_size=8).hexdigest()}"
    return urlunsplit(parts._replace(query=urlencode(asked | {"schema": name})))


class PostgresShelf:
    """A shelf in a database.

    Args:
        url: The address of the hub's state.
        site: The site's id.

    Raises:
        BadConfiguration: If the address cannot be read. The database is not asked yet.
    """

    def __init__(self, url: str, site: str) -> None:
        Place.parse(url)  # complains in the operator's own words
        address = site_address(url, site)
        self._place = Place.parse(address)
        self._store = PostgresStore(address)

    @property
    def store(self) -> Store:
        """See `Shelf.store`."""
        return self._store

    def notes(self) -> dict[str, bytes]:
        """See `Shelf.notes`."""
        with self._talking(connect(self._place)) as connection:
            here = connection.execute(_HERE, [f"{self._place.schema}.harvest_note"]).fetchone()
            if not (here and here[0]):
                return {}
            rows = connection.execute("SELECT name, value FROM harvest_note")
            return {name: bytes(value) for name, value in rows.fetchall()}

    def note(self, changes: Mapping[str, bytes | None]) -> None:
        """See `Shelf.note`."""
        with opened(self._place) as other, self._talking(other) as connection, connection.transaction():
            only_one(connection, self._place, "notes")
            connection.execute(_TABLE)
            gone = [name for name, value in changes.items() if value is None]
            connection.execute("DELETE FROM harvest_note WHERE name = ANY(%s)", [gone])
            connection.cursor().executemany(
                "INSERT INTO harvest_note VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                [(name, value) for name, value in changes.items() if value is not None],
            )

    @contextmanager
    def alone(self) -> Iterator[StillAlone | None]:
        """See `Shelf.alone`: a lock of a connection, which the server lets go of when that ends."""
        with connect(self._place) as connection:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s))", [f"cscale {self._place.schema} harvest"]
            ).fetchone()

            def still() -> bool:
                try:
                    connection.execute("SELECT 1")
                except psycopg.Error:
                    return False
                return True

            yield still if row and row[0] else None

    @contextmanager
    def _talking(self, connection: Connection) -> Iterator[Connection]:
        try:
            with connection:
                yield connection
        except psycopg.OperationalError as error:
            said = self._place.without_password(error)
            raise SiteError(f"{self._place.shown}: the hub's database went away ({said})") from None
