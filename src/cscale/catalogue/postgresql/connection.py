"""How a catalogue's database in PostgreSQL is reached: its address, and connections to it.

No message and no `repr` holds the password.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cscale.errors import BadConfiguration, CscaleError, SiteError, SiteTimeout

SCHEMA = "cscale"
"""The database schema that holds the catalogue, where the address names none."""
OLDEST_SERVER = 15
_CONNECT_WITHIN = 10  # seconds
_CONNECTIONS = 10  # of one process: a search at a time each
_SCHEMES = ("postgresql", "postgres")
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a catalogue lies.

    Attributes:
        parameters: What libpq needs to connect.
        schema: The database schema that holds the tables.
        shown: The address without the password.
    """

    parameters: Mapping[str, Any] = field(repr=False)
    schema: str
    shown: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `postgresql://user:password@host:port/database?schema=name`.

        Other parameters after `?` are libpq's own, such as `sslmode`.

        Raises:
            BadConfiguration: If it cannot be read; says what is wrong without the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise BadConfiguration("state: the port or host of the postgresql:// address is wrong") from error
        if parts.scheme not in _SCHEMES or parts.fragment or "@" in parts.path + parts.query:
            raise BadConfiguration(f"state: not as {_EXAMPLE}")
        if parts.netloc.count("@") > 1:
            raise BadConfiguration(f"state: not as {_EXAMPLE}")
        asked = dict(parse_qsl(parts.query))
        schema = asked.pop("schema", SCHEMA)
        if not _SCHEMA_NAME.fullmatch(schema):
            raise BadConfiguration(f"state: schema={schema!r} is not a plain lower-case name")
        try:
            plain = urlunsplit(parts._replace(query=urlencode(asked)))
            parameters = {"connect_timeout": _CONNECT_WITHIN} | conninfo_to_dict(plain)
        except psycopg.Error:
            # its message may repeat what was given, so no cause is kept
            raise BadConfiguration(f"state: not as {_EXAMPLE}") from None
        user = f"{unquote(parts.username)}@" if parts.username else ""
        host = f"{parts.hostname or ''}{f':{port}' if port else ''}"
        return cls(parameters, schema, f"postgresql://{user}{host}{parts.path}")

    def without_password(self, error: BaseException) -> str:
        """What an error says, on one line."""
        said = " ".join(str(error).split())
        password = self.parameters.get("password")
        return said.replace(str(password), "***") if password else said

    def settings(self, statement_timeout: float | None = None) -> sql.Composed:
        """What every connection is told first.

        Args:
            statement_timeout: How long one statement may take, seconds; None for as long as it does.
        """
        milliseconds = round((statement_timeout or 0) * 1000)
        return sql.SQL(
            "SET search_path TO {}, public; SET statement_timeout = {}; SET jit = off;"
            " SET max_parallel_workers_per_gather = 0;"  # starting them takes longer than a search
            " SET client_min_messages = warning; SET extra_float_digits = 1; SET timezone = 'UTC'"
        ).format(sql.Identifier(self.schema), sql.Literal(milliseconds))


_EXAMPLE = (
    "postgresql://user:password@host:5432/database; characters of the password such as @ : / ? # % are"
    " written as %40 and so on"
)


def connect(place: Place) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that commits each statement; for changes.

    Raises:
        BadConfiguration: If the database cannot be reached, or not used.
    """
    try:
        connection = psycopg.connect(
            **place.parameters, autocommit=True, application_name="cscale", prepare_threshold=5
        )
    except psycopg.Error as error:
        raise BadConfiguration(
            f"{place.shown}: the database cannot be reached ({place.without_password(error)}); "
            "start it, or mend `state` in the configuration"
        ) from None
    try:
        _check_server(connection, place)
        connection.execute(place.settings())
    except BaseException:
        connection.close()
        raise
    return connection


def _check_server(connection: psycopg.Connection[tuple[Any, ...]], place: Place) -> None:
    info = connection.info
    if info.server_version < OLDEST_SERVER * 10_000:
        raise BadConfiguration(
            f"{place.shown}: is PostgreSQL {info.server_version // 10_000};"
            f" cscale needs {OLDEST_SERVER} or newer"
        )
    if (encoding := info.parameter_status("server_encoding")) != "UTF8":
        raise BadConfiguration(
            f"{place.shown}: its encoding is {encoding}; make a database with ENCODING 'UTF8'"
        )


Reader = psycopg.AsyncConnection[tuple[Any, ...]]


class Pool:
    """Connections for searches, of one process; each event loop has its own.

    Args:
        place: Where the catalogue lies.
        statement_timeout: How long one statement of a search may take, seconds.
        size: How many searches run at once; others wait.
    """

    def __init__(self, place: Place, statement_timeout: float, size: int = _CONNECTIONS) -> None:
        self._place = place
        self._timeout = statement_timeout
        self._size = size
        self._of_loops: dict[asyncio.AbstractEventLoop, _OfLoop] = {}
        self._closed = False

    @asynccontextmanager
    async def reading(self, first: sql.SQL) -> AsyncIterator[tuple[Reader, list[tuple[Any, ...]]]]:
        """A connection inside one read-only transaction that sees one state, and what it read first.

        Args:
            first: The query that the transaction starts with.

        Raises:
            SiteError: If the database cannot be reached or the connection is lost.
            SiteTimeout: If a statement takes too long.
        """
        mine = self._mine()
        async with mine.room:
            try:
                connection, rows = await self._begun(mine, first)
                try:
                    try:
                        yield connection, rows
                    except CscaleError:  # an answer like any other
                        await self._end(mine, connection)
                        raise
                    await self._end(mine, connection)
                finally:
                    if connection not in mine.idle:
                        connection.pgconn.finish()  # after an error, its state is not worth knowing
            except psycopg.errors.QueryCanceled as error:
                raise SiteTimeout(
                    f"the archive's database gave up after {self._timeout:g} s; ask for less at once"
                ) from error
            except psycopg.OperationalError as error:
                raise SiteError(
                    f"the archive's database does not answer ({self._place.without_password(error)})"
                ) from None

    async def _end(self, mine: "_OfLoop", connection: Reader) -> None:
        await connection.execute("ROLLBACK")
        mine.keep(connection, closed=self._closed)

    def close(self) -> None:
        """Let go of the database: idle connections now, the others when their search has ended."""
        self._closed = True
        for each in self._of_loops.values():
            each.drop()

    async def _begun(self, mine: "_OfLoop", first: sql.SQL) -> tuple[Reader, list[tuple[Any, ...]]]:
        """A connection in a transaction: one that was kept, else a new one."""
        while mine.idle:
            connection = mine.idle.pop()
            try:
                return connection, await _begin(connection, first)
            except psycopg.OperationalError:  # the server has ended it meanwhile, and so the others
                connection.pgconn.finish()
            except BaseException:
                connection.pgconn.finish()
                raise
        connection = await psycopg.AsyncConnection.connect(
            **self._place.parameters, autocommit=True, application_name="cscale", prepare_threshold=None
        )
        try:
            await connection.execute(self._place.settings(self._timeout))
            return connection, await _begin(connection, first)
        except BaseException:
            connection.pgconn.finish()
            raise

    def _mine(self) -> "_OfLoop":
        loop = asyncio.get_running_loop()
        if loop not in self._of_loops:
            for ended in [each for each in self._of_loops if each.is_closed()]:
                self._of_loops.pop(ended).drop()
            self._of_loops[loop] = _OfLoop(asyncio.Semaphore(self._size))
        return self._of_loops[loop]


@dataclass(slots=True)
class _OfLoop:
    room: asyncio.Semaphore
    idle: list[Reader] = field(default_factory=list)

    def keep(self, connection: Reader, *, closed: bool) -> None:
        if not closed:
            self.idle.append(connection)

    def drop(self) -> None:
        while self.idle:
            connection = self.idle.pop()  # named: it must live until it is closed
            connection.pgconn.finish()


_BEGIN = sql.SQL("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ")


async def _begin(connection: Reader, first: sql.SQL) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(_BEGIN + first)  # both in one message
    cursor.nextset()
    return await cursor.fetchall()
