"""What a catalogue knows of itself, read anew when an ingest has changed it."""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from cscale.catalogue.queryables import Kind
from cscale.catalogue.sqlite.schema import columns_of
from cscale.catalogue.statistics import CollectionStatistics, Extent

_EXTENT = """
SELECT min(CASE WHEN west > east THEN -180 ELSE west END), min(south),
       max(CASE WHEN west > east THEN 180 ELSE east END), max(north), min(t_first), max(t_last)
FROM item WHERE collection = ?
"""


class State(NamedTuple):
    """One state of a catalogue.

    Attributes:
        generation: Rises with every change.
        columns: The typed columns of its items.
        collections: Where and when the items of its collections lie, by id.
    """

    generation: int
    columns: Mapping[str, Kind]
    collections: Mapping[str, CollectionStatistics]


class CurrentState:
    """The state of a catalogue, kept while it is true."""

    def __init__(self) -> None:
        self._known = State(-1, {}, {})  # replaced at once: threads may be reading different states

    def of(self, connection: sqlite3.Connection) -> State:
        """The state that a transaction sees."""
        generation = connection.execute("SELECT n FROM generation").fetchone()[0]
        known = self._known
        if known.generation != generation:
            known = self._known = State(generation, columns_of(connection), _collections(connection))
        return known


def extent(connection: sqlite3.Connection, collection: CollectionStatistics) -> Extent:
    """The box and the stretch of time that all items of a collection lie in; looked up once."""
    if collection.extent is None:
        row = connection.execute(_EXTENT, [collection.n]).fetchone()
        collection.extent = Extent(None if row[0] is None else list(row[:4]), *row[4:])
    return collection.extent


def properties(
    connection: sqlite3.Connection, collection: CollectionStatistics | None
) -> dict[str, set[str]]:
    """The properties that were seen in items of a collection, or of any, with the JSON types they had."""
    sql = "SELECT name FROM property WHERE collection = coalesce(?, collection)"
    found: dict[str, set[str]] = {}
    for (seen,) in connection.execute(sql, [collection and collection.n]):
        name, _, kind = seen.rpartition(":")
        found.setdefault(name, set()).add(kind)
    return found


def _collections(connection: sqlite3.Connection) -> dict[str, CollectionStatistics]:
    rows = connection.execute("SELECT id, n, before, after FROM collection ORDER BY id").fetchall()
    found = {}
    for name, n, before, after in rows:
        known = found[name] = CollectionStatistics(n, name, before, after)
        known.load(
            connection.execute("SELECT cell, items FROM cell WHERE collection = ?", [n]),
            connection.execute("SELECT day, items FROM day WHERE collection = ?", [n]),
        )
    return found
