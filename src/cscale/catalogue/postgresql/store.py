"""`Store` over a schema of a PostgreSQL database."""

import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager

from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.migrating import migrate
from cscale.catalogue.postgresql.schema import columns_of, opened
from cscale.catalogue.postgresql.searching.source import PostgresCatalogue
from cscale.catalogue.postgresql.writing.writer import PostgresWriter, writing
from cscale.catalogue.queryables import COLUMNS, Kind

_SECRET_BYTES = 32


class PostgresStore:
    """A catalogue in a database schema.

    Args:
        url: `postgresql://user:password@host:port/database`, with `?schema=name` where it is not `cscale`.
        columns: The typed columns it shall have.

    Raises:
        BadConfiguration: If the address cannot be read. The database is not asked yet.
    """

    def __init__(self, url: str, *, columns: Mapping[str, Kind] = COLUMNS) -> None:
        self._place = Place.parse(url)
        self._columns = columns

    def source(self, *, data_url: str, secret: bytes) -> PostgresCatalogue:
        """See `Store.source`."""
        return PostgresCatalogue(self._place, data_url=data_url, secret=secret, columns=self._columns)

    def writing(self, patience: float = 60.0) -> AbstractContextManager[PostgresWriter]:
        """See `Store.writing`."""
        return writing(self._place, patience, self._columns)

    def secret(self) -> bytes:
        """See `Store.secret`."""
        with opened(self._place, self._columns) as connection:
            made = secrets.token_bytes(_SECRET_BYTES)
            connection.execute("INSERT INTO secret (data) VALUES (%s) ON CONFLICT DO NOTHING", [made])
            row = connection.execute("SELECT data FROM secret").fetchone()
            assert row is not None  # it was made
            return bytes(row[0])

    def columns(self) -> Mapping[str, Kind]:
        """See `Store.columns`."""
        with opened(self._place, self._columns) as connection:
            return {name: kind for name, (_, kind) in columns_of(connection).items()}

    def migrate(self) -> list[str]:
        """See `Store.migrate`."""
        return migrate(self._place, self._columns)
