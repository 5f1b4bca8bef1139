"""`Store` over one SQLite file."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path

from cscale.catalogue.migrations.on_sqlite import migrate
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.sqlite.schema import FORMAT, column, columns_of, connect
from cscale.catalogue.sqlite.source import SqliteCatalogue
from cscale.catalogue.sqlite.writing import SqliteWriter, writing
from cscale.net.signing import shared_secret

FILE = "catalogue.sqlite"


class SqliteStore:
    """A catalogue in a file of a site's state.

    Args:
        state: The folder.
        columns: The typed columns it shall have.
    """

    def __init__(self, state: Path, *, columns: Mapping[str, Kind] = COLUMNS) -> None:
        self._state = state
        self._path = state / FILE
        self._columns = columns

    def source(self, *, data_url: str, secret: bytes) -> SqliteCatalogue:
        """See `Store.source`."""
        return SqliteCatalogue(self._path, data_url=data_url, secret=secret, columns=self._columns)

    def writing(self, patience: float = 60.0) -> AbstractContextManager[SqliteWriter]:
        """See `Store.writing`."""
        return writing(self._path, patience, self._columns)

    def secret(self) -> bytes:
        """See `Store.secret`."""
        return shared_secret(self._state)

    def columns(self) -> Mapping[str, Kind]:
        """See `Store.columns`."""
        if not self._path.exists():
            return self._columns
        with closing(connect(self._path, columns=self._columns)) as connection:
            return columns_of(connection)

    def migrate(self) -> list[str]:
        """See `Store.migrate`."""
        return migrate(self._path, FORMAT, self._columns, column)
