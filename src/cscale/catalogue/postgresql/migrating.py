"""`Store.migrate` of a catalogue in PostgreSQL."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import psycopg

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.migrations import steps
from cscale.catalogue.postgresql.connection import Place, connect
from cscale.catalogue.postgresql.records import fitting
from cscale.catalogue.postgresql.schema import (
    FORMAT,
    WRITERS,
    Connection,
    add_columns,
    column,
    create,
    format_of,
    only_one,
    prepare_database,
)
from cscale.catalogue.queryables import Kind
from cscale.catalogue.rows import row_of
from cscale.errors import BadConfiguration

log = logging.getLogger(__name__)

_BATCH = 1000

_NEXT = """
SELECT h.collection, h.id, i.t, i.dictionary, i.body
FROM held h JOIN item i ON i.collection = h.collection AND i.t = h.t AND i.id = h.id
WHERE (h.collection, h.id) > (%s, %s) ORDER BY h.collection, h.id LIMIT %s FOR UPDATE OF h
"""


def migrate(place: Place, columns: Mapping[str, Kind]) -> list[str]:
    """Bring a catalogue to our format, and make and fill the columns that are missing.

    Searches and ingests go on meanwhile, but for moments. What an interruption leaves of a column is not
    used, and filled by the next migration.

    Args:
        place: Where it lies.
        columns: The typed columns it shall have.

    Returns:
        What was done, a line each.

    Raises:
        BadConfiguration: If it was made by a newer version, or may not be changed.
    """
    with connect(place) as connection:
        try:
            done = _to_our_format(connection, place, columns)
            with connection.transaction():
                only_one(connection, place, WRITERS)
                there = {name for (name,) in connection.execute("SELECT name FROM queryable").fetchall()}
                missing = {name: kind for name, kind in columns.items() if name not in there}
                add_columns(connection, missing, ready=False)
            return done + _fill(connection)
        except psycopg.Error as error:
            raise BadConfiguration(
                f"{place.shown}: cannot be migrated ({place.without_password(error)}); it is as it was"
            ) from None


def migrated(place: Place) -> list[str]:
    """Make a catalogue by its migrations, from nothing on: what an old one has gone through."""
    with connect(place) as connection, connection.transaction():
        prepare_database(connection, place)
        return steps(connection, "postgresql", 0)


def _to_our_format(connection: Connection, place: Place, columns: Mapping[str, Kind]) -> list[str]:
    with connection.transaction():
        found = format_of(connection, place)
        if found == 0:
            create(connection, place, columns)
            return []
        if found > FORMAT:
            raise BadConfiguration(
                f"{place.shown}: holds a catalogue of format {found}, this cscale knows {FORMAT} at most; "
                "use the newer cscale that made it"
            )
        only_one(connection, place)
        only_one(connection, place, WRITERS)
        found = format_of(connection, place)  # another process may have done it meanwhile
        return steps(connection, "postgresql", found) if found < FORMAT else []


def _fill(connection: Connection) -> list[str]:
    """Fill the columns that are not ready."""
    rows = connection.execute("SELECT name, n, kind FROM queryable WHERE NOT ready ORDER BY n").fetchall()
    columns: dict[str, tuple[int, Kind]] = {name: (n, kind) for name, n, kind in rows}
    if not columns:
        return []
    inflater = Inflater("")
    dictionaries: dict[int, bytes] = {}
    after: tuple[int, str] | None = (0, "")
    filled = 0
    while after is not None:
        with connection.transaction():
            batch = connection.execute(_NEXT, [*after, _BATCH], binary=True).fetchall()
            if batch:
                if any(
                    row[3] and row[3] not in dictionaries for row in batch
                ):  # others may learn more meanwhile
                    dictionaries = dict(connection.execute("SELECT n, data FROM dictionary").fetchall())
                bodies = inflater.inflate([row[3:] for row in batch], dictionaries.__getitem__)
                _fill_some(connection, columns, batch, [msgspec.json.decode(body + b"]}") for body in bodies])
        after = batch[-1][:2] if batch else None
        filled += len(batch)
        if batch:
            log.info("columns %s: %d items filled", ", ".join(columns), filled)
    with connection.transaction():
        connection.execute("UPDATE queryable SET ready = true WHERE name = ANY(%s)", [list(columns)])
        connection.execute("UPDATE collection SET generation = nextval('generation')")
    return [f"column {name}: filled from {filled} items" for name in columns]


def _fill_some(
    connection: Connection, columns: Mapping[str, tuple[int, Kind]], batch: list[Any], items: list[Any]
) -> None:
    kinds = {name: kind for name, (_, kind) in columns.items()}
    values, seen = [], set()
    for row, item in zip(batch, items, strict=True):
        stored = row_of(item, kinds).properties
        pairs = zip(stored, kinds.values(), strict=True)
        fit = [None if each is None else fitting(each, kind) for each, kind in pairs]
        odd = [
            name
            for name, own, other in zip(kinds, stored, fit, strict=True)
            if own is not None and other is None
        ]
        seen |= {(row[0], name) for name in odd}
        values.append((*fit, odd or None, row[0], row[2], row[1]))
    sets = ", ".join(f"{column(n)} = %s" for n, _ in columns.values())
    update = (
        f"UPDATE item SET {sets},"  # noqa: S608  # our own names
        " odd = nullif(coalesce(odd, '{}') || coalesce(%s::text[], '{}'), '{}')"
        " WHERE collection = %s AND t = %s AND id = %s"
    )
    connection.cursor().executemany(update.encode(), values)
    connection.cursor().executemany("INSERT INTO odd VALUES (%s, %s) ON CONFLICT DO NOTHING", sorted(seen))
