"""What a hub keeps of its members: their profiles, how they are, and how available they were.

A SQLite file, or a schema of a PostgreSQL database; several processes and hosts may share one. Nothing is
dialled before it is asked, and no error holds a password.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import NullPool

from cscale.errors import BadConfiguration
from cscale.federation.profiles import Profile, Profiled

VERSION = 1
"""The version of these tables, kept in the table `meta`."""
SCHEMA = "cscale"
"""The database schema, where the address names none."""
STABLE, WARNING = 0.995, 0.95
_PATIENCE = 10  # seconds that a change waits for another one
_SCHEMES = ("postgresql", "postgres")

_tables = sa.MetaData()
_meta = sa.Table(
    "meta", _tables, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Integer)
)
_profile = sa.Table(
    "profile",
    _tables,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),  # another address is another site
    sa.Column("body", sa.Text, nullable=False),
)
_health = sa.Table(
    "health",
    _tables,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),  # seconds since 1970
    sa.Column("good", sa.Boolean, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Column("elapsed_ms", sa.Integer, nullable=False),
)
_availability = sa.Table(
    "availability",
    _tables,
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),  # 2026-11
    sa.Column("good", sa.Integer, nullable=False),
    sa.Column("bad", sa.Integer, nullable=False),
)
_lease = sa.Table(
    "lease",
    _tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", sa.Float, nullable=False),  # seconds since 1970, by the database's clock
)
_BODY = msgspec.json.Decoder(Profile)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a site was when it was last asked.

    Attributes:
        at: When, seconds since 1970.
        good: Whether it answered.
        said: What was wrong; empty where nothing was.
        elapsed_ms: How long it took, milliseconds.
    """

    at: float
    good: bool
    said: str = ""
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True)
class Availability:
    """How often a site answered in a month.

    Attributes:
        month: As 2026-11, in UTC.
        good: How many checks it answered.
        bad: How many it did not.
    """

    month: str
    good: int
    bad: int

    @property
    def share(self) -> float:
        """The part of the checks that was answered, 0 to 1."""
        return self.good / max(1, self.good + self.bad)

    @property
    def rating(self) -> Literal["stable", "fair", "warning"]:
        """`stable` from 99.5 % on, `warning` under 95 %, `fair` between."""
        return "stable" if self.share >= STABLE else "warning" if self.share < WARNING else "fair"


class Registry:
    """What a hub keeps of its members.

    All methods but `profiled` wait for the database: not for an event loop. They raise
    `BadConfiguration` if it cannot be reached or used, or was made by a newer version.

    Args:
        state: The hub's directory, in which `registry.sqlite` is made, or a `postgresql://` address
            (`?schema=` names the database schema).
    """

    def __init__(self, state: Path | str) -> None:
        self._engine, self._schema, self._shown = _engine(state)
        self._sqlite = self._engine.dialect.name == "sqlite"
        self._folder = Path(state) if self._sqlite else None
        self._lock = threading.Lock()
        self._ready = False
        self._profiles: Mapping[str, tuple[str, Profile]] = {}

    def keep_profile(self, site: str, url: str, profile: Profile) -> None:
        """Keep what a site was seen to do, in place of what was known.

        Args:
            site: Its id in the federation.
            url: The address that was tried.
            profile: What it does.
        """
        body = msgspec.json.encode(profile).decode()
        with self._changing() as connection:
            self._put(connection, _profile, {"site": site}, {"url": url, "body": body})

    def profiles(self) -> dict[str, tuple[str, Profile]]:
        """Address and profile of each site that was tried; also what `profiled` tells from now on."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_profile)).all()
        self._profiles = {site: (url, _BODY.decode(body)) for site, url, body in rows}
        return dict(self._profiles)

    def profiled(self, site: str, url: str) -> Profiled:
        """Tells a site's profile as it was when `profiles` was last read; never waits.

        Args:
            site: Its id in the federation.
            url: The address that searches go to; a profile of another one is not told.
        """

        def tell() -> Profile | None:
            kept = self._profiles.get(site)
            return kept[1] if kept is not None and kept[0] == url else None

        return tell

    def keep_health(self, site: str, check: HealthCheck, month: str) -> None:
        """Keep how a site was, and count it.

        Args:
            site: Its id in the federation.
            check: How it was.
            month: The month it is counted in, as 2026-11.
        """
        told = {"at": check.at, "good": check.good, "said": check.said, "elapsed_ms": check.elapsed_ms}
        good, bad = int(check.good), int(not check.good)
        with self._changing() as connection:
            self._put(connection, _health, {"site": site}, told)
            counted = {"good": _availability.c.good + good, "bad": _availability.c.bad + bad}
            key = {"site": site, "month": month}
            self._put(connection, _availability, key, {"good": good, "bad": bad}, counted)

    def health(self) -> dict[str, HealthCheck]:
        """How each site was when it was last asked."""
        with self._reading() as connection:
            rows = connection.execute(sa.select(_health)).all()
        return {site: HealthCheck(*rest) for site, *rest in rows}

    def availability(self, months: int = 13) -> dict[str, list[Availability]]:
        """How available each site was, newest month first.

        Args:
            months: How many months are told at most.
        """
        found: dict[str, list[Availability]] = {}
        with self._reading() as connection:
            asked = sa.select(_availability).order_by(_availability.c.site, _availability.c.month.desc())
            for site, *rest in connection.execute(asked):
                found.setdefault(site, []).append(Availability(*rest))
        return {site: each[:months] for site, each in found.items()}

    def take_lease(self, name: str, holder: str, seconds: float) -> bool:
        """Take work that only one process does at a time, or go on holding it.

        Args:
            name: Which work.
            holder: Who takes it; no two processes have one name.
            seconds: How long it is held unless it is taken again.

        Returns:
            Whether the holder has it now.
        """
        clock = sa.text(_CLOCK_SQLITE if self._sqlite else _CLOCK_POSTGRESQL)
        with self._changing() as connection:
            now = float(connection.execute(clock).scalar_one())
            told = {"holder": holder, "until": now + seconds}
            free = sa.or_(_lease.c.holder == holder, _lease.c.until < now)
            return self._put(connection, _lease, {"name": name}, told, told, where=free)

    def give_lease(self, name: str, holder: str) -> None:
        """Let go of work that is held, so that another process can take it at once."""
        with self._changing() as connection:
            connection.execute(_lease.delete().where(_lease.c.name == name, _lease.c.holder == holder))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _changing(self) -> Iterator[sa.Connection]:
        with self._errors():
            self._prepare()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._errors():
            self._prepare()
            with self._engine.connect() as connection:
                yield connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.SQLAlchemyError, OSError) as error:
            # the message of SQLAlchemy repeats statements and values, and a driver's the address
            cause = getattr(error, "orig", None) or error
            raise BadConfiguration(
                f"{self._shown}: the registry cannot be used ({type(cause).__name__}); "
                "start the database or mend `state` in the configuration"
            ) from None

    def _prepare(self) -> None:
        """Make the tables at first; of processes that start at once, one does."""
        with self._lock:
            if self._ready:
                return
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            with self._engine.begin() as connection:
                self._create(connection)
                found = connection.execute(sa.select(_meta.c.value).where(_meta.c.name == "version")).scalar()
            if found != VERSION:
                raise BadConfiguration(
                    f"{self._shown}: holds a registry of version {found}, this cscale knows {VERSION}; "
                    "use the cscale that made it"
                )
            self._ready = True

    def _create(self, connection: sa.Connection) -> None:
        if not self._sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('cscale registry'))"))
            connection.execute(sa.schema.CreateSchema(self._schema, if_not_exists=True))
        there = sa.inspect(connection).has_table("meta", schema=self._schema or None)
        if not there:
            _tables.create_all(connection)
            connection.execute(_meta.insert().values(name="version", value=VERSION))

    def _put(
        self,
        connection: sa.Connection,
        table: sa.Table,
        key: Mapping[str, Any],
        values: Mapping[str, Any],
        instead: Mapping[str, Any] | None = None,
        where: Any = None,
    ) -> bool:
        """Put a row, or change the one that is there; whether a row was put or changed."""
        insert: Any = sqlite.insert if self._sqlite else postgresql.insert
        statement = insert(table).values(**key, **values)
        changed = statement.on_conflict_do_update(
            index_elements=_names(key), set_=dict(instead or values), where=where
        )
        # without the option, psycopg's count is not kept for an INSERT
        return connection.execute(changed, execution_options={"preserve_rowcount": True}).rowcount > 0


_CLOCK_SQLITE = "SELECT (julianday('now') - 2440587.5) * 86400.0"
_CLOCK_POSTGRESQL = "SELECT extract(epoch FROM clock_timestamp())"


def _names(key: Mapping[str, Any]) -> Sequence[str]:
    return list(key)


def _engine(state: Path | str) -> tuple[sa.Engine, str, str]:
    """The engine, the database schema (none in SQLite), and how the place is shown."""
    if not str(state).startswith(tuple(f"{scheme}://" for scheme in _SCHEMES)):
        path = Path(state) / "registry.sqlite"
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=NullPool,
            connect_args={"timeout": _PATIENCE},
        )
        sa.event.listen(engine, "connect", _on_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine, "", str(path)
    try:
        parts = urlsplit(str(state))
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
        connect_args={"connect_timeout": _PATIENCE, "application_name": "cscale registry"},
        execution_options={"schema_translate_map": {None: schema}},
    )
    return engine, schema, f"postgresql://{parts.hostname or ''}{port}{parts.path}"


def _on_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, not at the first change
    with suppress(sqlite3.OperationalError):  # another process is just setting it
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    # a reader that becomes a writer could find that another one was quicker, and would fail at once
    connection.exec_driver_sql("BEGIN IMMEDIATE")
