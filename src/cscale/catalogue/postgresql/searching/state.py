"""What a catalogue knows of itself, read anew when an ingest has changed it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import sql

from cscale.catalogue.describing import REQUIRED, told_by_items
from cscale.catalogue.postgresql.connection import Reader
from cscale.catalogue.postgresql.searching.conditions import Columns
from cscale.catalogue.statistics import CollectionStatistics, Extent
from cscale.stac.items import Collection

FIRST = sql.SQL(
    "SELECT n, id, before, after, generation, (SELECT count(*) FROM queryable WHERE ready)"
    " FROM collection ORDER BY id"
)
"""The query that each transaction starts with: which collections there are, and whether they are known."""

_EXTENT = """
SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box), first, last
FROM (SELECT ST_Collect(ARRAY[
             ST_MakePoint(min(ST_XMin(geom)), min(ST_YMin(geom))),
             ST_MakePoint(max(ST_XMax(geom)), max(ST_YMax(geom)))]) AS box,
         min(t_first) AS first, max(t_last) AS last FROM item WHERE collection = %s) AS extent
"""


class State(NamedTuple):
    """One state of a catalogue.

    Attributes:
        columns: The typed columns of its items.
        collections: Where and when the items of its collections lie, by id, in order.
        odd: The columns that do not fit some item, by the number of its collection.
    """

    columns: Columns
    collections: Mapping[str, CollectionStatistics]
    odd: Mapping[int, frozenset[str]]


class CurrentState:
    """The state of a catalogue; what did not change is not read again."""

    def __init__(self) -> None:
        # both replaced as a whole: searches may be reading different states
        self._columns: Columns = {}
        self._known: Mapping[int, tuple[int, CollectionStatistics, frozenset[str]]] = {}

    async def of(self, reader: Reader, rows: Sequence[tuple[Any, ...]]) -> State:
        """The state that a transaction sees.

        Args:
            reader: Inside the transaction.
            rows: What `FIRST` gave there.
        """
        if not rows:
            return State({}, {}, {})
        columns, known = self._columns, self._known
        if len(columns) != rows[0][5]:
            cursor = await reader.execute("SELECT name, n, kind FROM queryable WHERE ready ORDER BY n")
            columns = {name: (n, kind) for name, n, kind in await cursor.fetchall()}
        current = {}
        for n, name, before, after, generation, _ in rows:
            if n not in known or known[n][0] != generation:
                loaded = await _load(reader, CollectionStatistics(n, name, before, after))
                current[n] = (generation, *loaded)
            else:
                current[n] = known[n]
        self._columns, self._known = columns, current
        return State(
            columns,
            {statistics.id: statistics for _, statistics, _ in current.values()},
            {n: odd for n, (_, _, odd) in current.items() if odd},
        )


async def _load(
    reader: Reader, collection: CollectionStatistics
) -> tuple[CollectionStatistics, frozenset[str]]:
    async def rows(query: str) -> list[tuple[Any, ...]]:
        return await (await reader.execute(query.encode(), [collection.n])).fetchall()

    collection.load(
        await rows("SELECT cell, items FROM cell WHERE collection = %s AND items > 0"),
        await rows("SELECT day, items FROM day WHERE collection = %s AND items > 0"),
    )
    odd = await rows("SELECT name FROM odd WHERE collection = %s")
    return collection, frozenset(name for (name,) in odd)


async def properties(reader: Reader, collection: CollectionStatistics | None) -> dict[str, set[str]]:
    """The properties that were seen in items of a collection, or of any, with the JSON types they had."""
    query = "SELECT name FROM property WHERE collection = coalesce(%s::integer, collection)"
    found: dict[str, set[str]] = {}
    for (seen,) in await (await reader.execute(query, [collection and collection.n])).fetchall():
        name, _, kind = seen.rpartition(":")
        found.setdefault(name, set()).add(kind)
    return found


async def described(reader: Reader, collections: Sequence[CollectionStatistics]) -> list[Collection]:
    """Collections as they were handed in; what their descriptions lack is told by their items.

    One that was never described and has no items is none.
    """
    cursor = await reader.execute(
        "SELECT n, body FROM collection WHERE n = ANY(%s)", [[each.n for each in collections]]
    )
    bodies: dict[int, bytes | None] = dict(await cursor.fetchall())
    found = []
    for each in collections:
        if bodies[each.n] is None and not each.items:
            continue  # it was never described, and its last item is gone
        own: Collection = msgspec.json.decode(bodies[each.n] or b"{}")
        if not own.keys() >= REQUIRED:
            own = told_by_items(each.id, await extent(reader, each)) | own
        found.append(own)
    return found


async def extent(reader: Reader, collection: CollectionStatistics) -> Extent:
    """The box and the stretch of time that all items of a collection lie in; looked up once."""
    if collection.extent is None:
        row = await (await reader.execute(_EXTENT, [collection.n])).fetchone()
        assert row is not None  # an aggregate gives one
        collection.extent = Extent(None if row[0] is None else list(row[:4]), *row[4:])
    return collection.extent
