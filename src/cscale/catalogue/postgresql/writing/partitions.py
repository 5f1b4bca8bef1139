"""The partitions of the items: one for each collection, and in it one for each year."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime

from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.schema import Connection, only_one

_FIRST, _LAST = 1970, 2070
"""Each year from the first until before the last has a partition of its own; one holds what is earlier, one
what is later. A DEFAULT partition would be locked whenever another is made."""


def _start_of(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


_STARTS = [_start_of(year) for year in range(_FIRST, _LAST + 1)]


def year_of(moment: int) -> int:
    """The year whose partition holds an instant, microseconds since 1970.

    Returns:
        1969 for all before 1970, 2070 for all after.
    """
    return _FIRST - 1 + bisect_right(_STARTS, moment)


def leaf(collection: int, year: int) -> str:
    """The name of a partition."""
    return f"item_{collection}_{year}"


def make(connection: Connection, place: Place, wanted: Iterable[tuple[int, int]]) -> None:
    """Make the partitions that are not there yet, in a transaction of their own.

    They are attached when they are made: that keeps neither searches nor other ingests waiting, as
    CREATE TABLE ... PARTITION OF would.

    Args:
        connection: One that is in no transaction.
        place: Where the catalogue lies.
        wanted: Numbers of collections and years.
    """
    there = _there(connection, place)
    missing = sorted(each for each in wanted if leaf(*each) not in there)
    if not missing:
        return
    with connection.transaction():
        only_one(connection, place, "partitions")
        there = _there(connection, place)  # another process may have made them meanwhile
        for collection, year in missing:
            of_collection = f"item_{collection}"
            if of_collection not in there:
                _attach(connection, "item", of_collection, f"IN ({collection})", " PARTITION BY RANGE (t)")
                there.add(of_collection)
            if (name := leaf(collection, year)) not in there:
                first = "MINVALUE" if year < _FIRST else str(_start_of(year))
                last = "MAXVALUE" if year >= _LAST else str(_start_of(year + 1))
                _attach(connection, of_collection, name, f"FROM ({first}) TO ({last})", "")


def _there(connection: Connection, place: Place) -> set[str]:
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relispartition AND c.relkind IN ('r', 'p')",
        [place.schema],
    )
    return {name for (name,) in rows}


def _attach(connection: Connection, parent: str, name: str, values: str, partitioned: str) -> None:
    connection.execute(f"CREATE TABLE {name} (LIKE item INCLUDING STORAGE){partitioned}".encode())
    connection.execute(f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES {values}".encode())
