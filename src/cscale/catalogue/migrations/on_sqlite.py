"""`Store.migrate` of a catalogue in SQLite."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.migrations import steps
from cscale.catalogue.queryables import Kind
from cscale.catalogue.rows import row_of
from cscale.errors import BadConfiguration

_BATCH = 1000


def migrate(
    path: Path, wanted: int, columns: Mapping[str, Kind], column: Callable[[str], str], patience: float = 60.0
) -> list[str]:
    """Bring a catalogue to a format, and make and fill the columns that are missing: all of it or nothing.

    Args:
        path: The database file.
        wanted: The format that this version knows.
        columns: The typed columns it shall have.
        column: The quoted name of a property's column.
        patience: How long to wait for writers, seconds.

    Returns:
        What was done, a line each.

    Raises:
        BadConfiguration: If it was made by a newer version, is no catalogue, or is being written to.
    """
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            done = _migrate(connection, path, wanted, columns, column)
            connection.execute("COMMIT")
            return done
    except sqlite3.DatabaseError as error:
        raise BadConfiguration(f"{path}: cannot be migrated ({error}); it is as it was") from error


def _migrate(
    connection: sqlite3.Connection,
    path: Path,
    wanted: int,
    columns: Mapping[str, Kind],
    column: Callable[[str], str],
) -> list[str]:
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > wanted:
        raise BadConfiguration(
            f"{path}: holds a catalogue of format {found}, this cscale knows {wanted} at most; "
            "use the newer cscale that made it"
        )
    if found == 0:
        return []
    done = steps(connection, "sqlite", found) if found < wanted else []
    there = {name for (name,) in connection.execute("SELECT name FROM queryable")}
    missing = {name: kind for name, kind in columns.items() if name not in there}
    for name, kind in missing.items():
        connection.execute(f"ALTER TABLE item ADD COLUMN {column(name)}")
        connection.execute("INSERT INTO queryable (name, kind) VALUES (?, ?)", [name, kind])
    if missing:
        filled = _fill(connection, missing, column)
        connection.execute("UPDATE generation SET n = n + 1")
        done += [f"column {name}: filled from {filled} items" for name in missing]
    return done


def _fill(connection: sqlite3.Connection, missing: Mapping[str, Kind], column: Callable[[str], str]) -> int:
    dictionaries = dict(connection.execute("SELECT n, data FROM dictionary"))
    inflater, last, filled = Inflater(""), -1, 0
    update = f"UPDATE item SET {', '.join(f'{column(name)} = ?' for name in missing)} WHERE n = ?"  # noqa: S608  # our own names
    while True:
        rows = connection.execute(
            "SELECT n, dictionary, data FROM body WHERE n > ? ORDER BY n LIMIT ?", [last, _BATCH]
        ).fetchall()
        if not rows:
            return filled
        last, filled = rows[-1][0], filled + len(rows)
        bodies = inflater.inflate([row[1:] for row in rows], dictionaries.__getitem__)
        items = [msgspec.json.decode(body + b"]}") for body in bodies]
        connection.executemany(
            update,
            [(*row_of(item, missing).properties, row[0]) for item, row in zip(items, rows, strict=True)],
        )
