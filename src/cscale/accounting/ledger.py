"""What is kept of the use of a site's data: records, their hourly sums, quotas, accepted licences.

Tables of a SQLite file in the site's directory, or of its PostgreSQL schema; several processes and hosts
may write to one.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cscale.federation.database import Database

HOUR = 3600
_MANY = 500  # rows of one statement: SQLite takes 32,766 values

_tables = sa.MetaData()
_record = sa.Table(
    "usage_record",
    _tables,
    sa.Column("n", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, index=True),  # seconds since 1970
    sa.Column("user", sa.Text, nullable=False),  # pseudonym; empty for anonymous
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("collection", sa.Text, nullable=False),  # empty where no item names the file
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
_hour = sa.Table(
    "usage_hour",
    _tables,
    sa.Column("hour", sa.BigInteger, primary_key=True),  # its first second, since 1970
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("site", sa.Text, primary_key=True),
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
_quota = sa.Table(
    "usage_quota",
    _tables,
    sa.Column("day", sa.Text, primary_key=True),  # 2026-11-22, in UTC
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
_accepted = sa.Table(
    "licence_accepted",
    _tables,
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("licence", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),  # seconds since 1970
)


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a file: requests of one user, with one outcome, in one moment.

    Attributes:
        at: When the first of them ended, seconds since 1970.
        user: The user's pseudonym; empty for anonymous.
        collection: The id of the collection; empty where no item names the file.
        path: The file, as it is served below `/data`.
        status: The HTTP status of the answers.
        requests: How many requests.
        bytes: How many bytes of the body were sent in all.
    """

    at: float
    user: str
    collection: str
    path: str
    status: int
    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Hour:
    """What was used in an hour.

    Attributes:
        hour: Its first second, since 1970.
        user: The user's pseudonym; empty for anonymous.
        site: The id of the site.
        collection: The id of the collection; empty where no item names the files.
        requests: How many requests were answered with data.
        bytes: How many bytes were sent.
    """

    hour: int
    user: str
    site: str
    collection: str
    requests: int
    bytes: int


Consumed = Mapping[tuple[str, str], tuple[int, int]]
"""Requests and bytes, by user and collection."""


class Ledger:
    """The books of a site.

    Records are only ever added. All methods wait for the database, and raise `BadConfiguration` if it
    cannot be reached or used.

    Args:
        state: The site's directory, in which `accounting.sqlite` is made, or a `postgresql://` address.
        site: The id of the site.
    """

    def __init__(self, state: Path | str, site: str) -> None:
        self._database = Database(state, "accounting", _tables)
        self._site = site

    def write(self, uses: Sequence[Use], consumed: Consumed | None = None) -> Consumed:
        """Add records, and what they come to in their hours, all or nothing.

        Args:
            uses: The records.
            consumed: What was consumed of quotas since this was last told.

        Returns:
            What was consumed today, by all processes, of the quotas in `consumed`.
        """
        hours: dict[tuple[Any, ...], list[int]] = {}
        for each in uses:
            if each.status < 400:
                key = (int(each.at) // HOUR * HOUR, each.user, self._site, each.collection)
                _add(hours, key, each.requests, each.bytes)
        day = today()
        with self._database.changing() as connection:
            for some in _batches(uses):
                rows = [
                    {
                        "at": each.at,
                        "user": each.user,
                        "site": self._site,
                        "collection": each.collection,
                        "path": each.path,
                        "status": each.status,
                        "requests": each.requests,
                        "bytes": each.bytes,
                    }
                    for each in some
                ]
                connection.execute(_record.insert(), rows)
            self._sum(connection, _hour, ("hour", "user", "site", "collection"), hours)
            quotas = {(day, *who): list(each) for who, each in (consumed or {}).items()}
            self._sum(connection, _quota, ("day", "user", "collection"), quotas)
            return _consumed(connection, day, list(consumed or {}))

    def records(self, limit: int = 1000) -> list[Use]:
        """The latest records, newest first."""
        names = ("at", "user", "collection", "path", "status", "requests", "bytes")
        asked = sa.select(*(_record.c[name] for name in names)).order_by(_record.c.n.desc()).limit(limit)
        with self._database.changing() as connection:
            return [Use(*row) for row in connection.execute(asked)]

    def hours(self, start: float | None = None, end: float | None = None) -> list[Hour]:
        """What was used by the hour, in order of time.

        Args:
            start: From the hour of this instant on, seconds since 1970; None for the first.
            end: Before this instant; None for no end.
        """
        asked = sa.select(_hour).order_by(*_hour.primary_key)
        if start is not None:
            asked = asked.where(_hour.c.hour >= int(start) // HOUR * HOUR)
        if end is not None:
            asked = asked.where(_hour.c.hour < end)
        with self._database.changing() as connection:
            return [Hour(*row) for row in connection.execute(asked)]

    def accept(self, user: str, licence: str) -> None:
        """Keep that a user has accepted a licence; the first time counts.

        Args:
            user: The user's pseudonym.
            licence: The licence's id.
        """
        insert: Any = sqlite.insert if self._database.sqlite else postgresql.insert
        row = insert(_accepted).values(user=user, licence=licence, at=time.time())
        with self._database.changing() as connection:
            connection.execute(row.on_conflict_do_nothing())

    def accepted(self, user: str) -> dict[str, float]:
        """The licences that a user has accepted, and when, seconds since 1970."""
        asked = sa.select(_accepted.c.licence, _accepted.c.at).where(_accepted.c.user == user)
        with self._database.changing() as connection:
            return {row.licence: row.at for row in connection.execute(asked)}

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _sum(
        self,
        connection: sa.Connection,
        table: sa.Table,
        names: Sequence[str],
        sums: Mapping[tuple[Any, ...], Sequence[int]],
    ) -> None:
        insert: Any = sqlite.insert if self._database.sqlite else postgresql.insert
        # in one order everywhere: two processes that hold rows of each other would wait for ever
        for some in _batches(sorted(sums)):
            rows = [
                {**dict(zip(names, key, strict=True)), "requests": sums[key][0], "bytes": sums[key][1]}
                for key in some
            ]
            statement = insert(table).values(rows)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=list(names),
                    set_={
                        "requests": table.c.requests + statement.excluded.requests,
                        "bytes": table.c.bytes + statement.excluded.bytes,
                    },
                )
            )


def today() -> str:
    """The day it is, in UTC, as 2026-11-22."""
    return datetime.now(UTC).date().isoformat()


def _consumed(connection: sa.Connection, day: str, whose: Sequence[tuple[str, str]]) -> Consumed:
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for some in _batches(whose):
        asked = sa.select(_quota.c.user, _quota.c.collection, _quota.c.requests, _quota.c.bytes).where(
            _quota.c.day == day, sa.tuple_(_quota.c.user, _quota.c.collection).in_(some)
        )
        for user, collection, requests, size in connection.execute(asked):
            found[user, collection] = requests, size
    return found


def _add(sums: dict[tuple[Any, ...], list[int]], key: tuple[Any, ...], requests: int, size: int) -> None:
    found = sums.setdefault(key, [0, 0])
    found[0] += requests
    found[1] += size


def _batches(rows: Iterable[Any]) -> Iterable[list[Any]]:
    every = list(rows)
    return [every[at : at + _MANY] for at in range(0, len(every), _MANY)]
