"""A small database of a service: a SQLite file in its directory, or tables in its PostgreSQL schema."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from cscale.errors import BadConfiguration

SCHEMA = "cscale"
"""The database schema, where the address names none."""
_PATIENCE = 10  # seconds that a change waits for another one
_SCHEMES = ("postgresql://", "postgres://")


class Database:
    """Tables that processes share; made at first, by one of those that start at once.

    Nothing is dialled before it is asked, and no error holds a password. All methods wait for the
    database: not for an event loop. They raise `BadConfiguration` if it cannot be reached or used.

    Args:
        state: The service's directory, or a `postgresql://` address (`?schema=` names the schema).
        name: What is kept there, in a word: the file's name, too.
        tables: The tables; their names differ from those of all others in the schema.
    """

    def __init__(self, state: Path | str, name: str, tables: sa.MetaData) -> None:
        self._name = name
        self._tables = tables
        self._folder = None if str(state).startswith(_SCHEMES) else Path(state)
        self.sqlite = self._folder is not None
        self._schema = ""
        if self._folder is not None:
            path = self._folder / f"{name}.sqlite"
            self._engine, self._shown = _sqlite(path), str(path)
        else:
            self._engine, self._schema, self._shown = _postgresql(str(state), name)
        self._lock = threading.Lock()
        self._ready = False

    @contextmanager
    def changing(self) -> Iterator[sa.Connection]:
        """A transaction, kept where the block ends without an error."""
        with self._errors():
            self._prepare()
            with self._engine.begin() as connection:
                yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, OSError) as error:
            # the message of SQLAlchemy repeats statements and values, and a driver's the address
            cause = getattr(error, "orig", None) or error
            raise BadConfiguration(
                f"{self._shown}: {self._name} cannot be kept here ({type(cause).__name__}); "
                "start the database or mend `state` in the configuration"
            ) from None

    def _prepare(self) -> None:
        with self._lock:
            if self._ready:
                return
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            with self._engine.begin() as connection:
                if not self.sqlite:
                    lock = sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))")
                    connection.execute(lock, {"name": f"cscale {self._schema} {self._name}"})
                    connection.execute(sa.schema.CreateSchema(self._schema, if_not_exists=True))
                self._tables.create_all(connection)
            self._ready = True


def _sqlite(path: Path) -> sa.Engine:
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": _PATIENCE})
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _postgresql(state: str, name: str) -> tuple[sa.Engine, str, str]:
    """The engine, the database schema, and how the place is shown."""
    try:
        parts = urlsplit(state)
        asked = dict(parse_qsl(parts.query))
        schema = asked.pop("schema", SCHEMA)
        plain = urlunsplit(parts._replace(scheme="postgresql+psycopg", query=urlencode(asked)))
        url = sa.make_url(plain)
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, sa.exc.ArgumentError):
        raise BadConfiguration("state: not as postgresql://user:password@host:5432/database") from None
    if not schema.replace("_", "a").isalnum() or not schema.isascii() or schema != schema.lower():
        raise BadConfiguration(f"state: schema={schema!r} is not a plain lower-case name")
    engine = sa.create_engine(
        url,
        poolclass=NullPool,
        connect_args={"connect_timeout": _PATIENCE, "application_name": f"cscale {name}"},
        execution_options={"schema_translate_map": {None: schema}},
    )
    return engine, schema, f"postgresql://{parts.hostname or ''}{port}{parts.path}"


def _on_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, not at the first change
    with suppress(sqlite3.OperationalError):  # another process is just setting it
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _on_begin(connection: sa.Connection) -> None:
    # a reader that becomes a writer could find that another one was quicker, and would fail at once
    connection.exec_driver_sql("BEGIN IMMEDIATE")
