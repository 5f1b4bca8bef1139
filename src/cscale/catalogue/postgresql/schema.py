"""The tables of an archive's catalogue in PostgreSQL, and how they are made and checked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from cscale.catalogue.postgresql.connection import Place, connect
from cscale.catalogue.queryables import COLUMNS, INDEXED, Kind
from cscale.errors import BadConfiguration

FORMAT = 1
"""The version of these tables, kept in the table `format`."""

Connection = psycopg.Connection[tuple[Any, ...]]

_TYPES: Mapping[Kind, str] = {
    "number": "double precision",
    "string": 'text COLLATE "C"',
    "strings": "text[]",
}
"""The database type of each kind of column."""

LONGEST_NAME = 1000
"""The longest id, and text of an indexed column, in bytes of UTF-8: a B-tree page holds three."""

_TABLES = """
CREATE TABLE format (n integer NOT NULL);
CREATE TABLE secret (one boolean PRIMARY KEY DEFAULT true CHECK (one), data bytea NOT NULL);
-- the number of each collection's id, given before anyone sees the collection and never taken back
CREATE TABLE number (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE collection (
    n integer PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    body bytea,                             -- its JSON as handed in; NULL where only items were
    before bigint NOT NULL DEFAULT 0,       -- how far an item of it begins before its place in time, at most
    after bigint NOT NULL DEFAULT 0,        -- how far one ends after it, at most; microseconds
    generation bigint NOT NULL              -- another after every change
);
CREATE SEQUENCE generation;
-- each item once: whoever changes one holds its row here
CREATE TABLE held (
    collection integer NOT NULL,
    id text COLLATE "C" NOT NULL,
    t bigint,                               -- its place in time, microseconds since 1970
    was bigint,                             -- where the change before this one had put it
    digest bytea,                           -- of the body, to know what has changed
    origin text COLLATE "C",                -- the file or address that it came from
    PRIMARY KEY (collection, id)
);
CREATE INDEX held_origin ON held (origin) WHERE origin IS NOT NULL;
CREATE TABLE item (
    collection integer NOT NULL,
    dictionary integer NOT NULL,
    t bigint NOT NULL,
    t_first bigint NOT NULL,
    t_last bigint NOT NULL,
    bottom double precision,
    top double precision,
    cell integer,                           -- of its box's centre, for the statistics
    id text COLLATE "C" NOT NULL,
    geom geometry,                          -- cut at the antimeridian
    odd text[],                             -- properties whose values do not fit their columns
    words text COLLATE "C",                 -- what free text is looked for in
    body bytea NOT NULL                     -- compressed
) PARTITION BY LIST (collection);
ALTER TABLE item ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX item_newest ON item (t DESC, id);
CREATE INDEX item_place ON item USING gist (geom);
CREATE TABLE dictionary (
    n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection integer NOT NULL,
    data bytea NOT NULL
);
-- the properties that have a column in item: p and the number
CREATE TABLE queryable (
    n integer PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    kind text NOT NULL,
    ready boolean NOT NULL                  -- whether it is filled
);
-- the properties that were seen in items: name and JSON type
CREATE TABLE property (collection integer, name text COLLATE "C", PRIMARY KEY (collection, name));
-- the columns that do not fit some item of a collection
CREATE TABLE odd (collection integer, name text COLLATE "C", PRIMARY KEY (collection, name));
-- the local files of the items' assets
CREATE TABLE file (
    path text COLLATE "C" NOT NULL,         -- as served below /data
    kind text COLLATE "C" NOT NULL,         -- the multihash's first bytes
    size bigint NOT NULL,
    changed bigint NOT NULL,                -- nanoseconds since 1970
    checksum text NOT NULL,                 -- multihash
    PRIMARY KEY (path, kind)
);
CREATE TABLE cell (collection integer, cell integer, items bigint NOT NULL, PRIMARY KEY (collection, cell));
CREATE TABLE day (collection integer, day integer, items bigint NOT NULL, PRIMARY KEY (collection, day));
"""


def column(n: int) -> str:
    """The name of a property's column, by its number: names may be longer than the database's can be."""
    return f"p{n}"


@contextmanager
def opened(place: Place, columns: Mapping[str, Kind] = COLUMNS) -> Iterator[Connection]:
    """A connection to a catalogue of the format that we know; it is made where there is none yet.

    Args:
        place: Where it lies.
        columns: The typed columns of a catalogue that is made.

    Raises:
        BadConfiguration: If the database cannot be reached or used, or holds another format.
    """
    with connect(place) as connection:
        found = format_of(connection, place)
        if found == 0:
            with connection.transaction():
                found = create(connection, place, columns)
        if found < FORMAT:
            raise BadConfiguration(
                f"{place.shown}: holds a catalogue of format {found}, this cscale wants {FORMAT}; "
                "bring it up to date: cscale migrate --config SITE.yaml"
            )
        if found > FORMAT:
            raise BadConfiguration(
                f"{place.shown}: holds a catalogue of format {found}, this cscale knows {FORMAT} at most; "
                "use the newer cscale that made it"
            )
        yield connection


def format_of(connection: Connection, place: Place) -> int:
    """The format of a catalogue; 0 where there is none yet."""
    here = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = 'format')",
        [place.schema],
    ).fetchone()
    if not (here and here[0]):
        return 0
    row = connection.execute("SELECT n FROM format").fetchone()
    return int(row[0]) if row else 0


def only_one(connection: Connection, place: Place, purpose: str = "tables") -> None:
    """Wait until no other process is about the same; holds until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"cscale {place.schema} {purpose}"])


WRITERS = "writers"
"""What writers share as long as they are at work: who adds a column waits for them."""


def at_work(connection: Connection, place: Place) -> None:
    """Share the lock of the writers; holds until the transaction ends."""
    name = f"cscale {place.schema} {WRITERS}"
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtext(%s))", [name])


def create(connection: Connection, place: Place, columns: Mapping[str, Kind]) -> int:
    """Make the tables, inside a transaction; of processes that start at once, one does.

    Returns:
        The format that is there now.

    Raises:
        BadConfiguration: If the database has no PostGIS, or may not be changed.
    """
    only_one(connection, place)
    if found := format_of(connection, place):
        return found
    prepare_database(connection, place)
    try:
        connection.execute(_TABLES)
        add_columns(connection, columns, ready=True)
        for name in INDEXED:
            add_index(connection, name)
        connection.execute("INSERT INTO format VALUES (%s)", [FORMAT])
    except psycopg.errors.InsufficientPrivilege as error:
        raise _forbidden(place, error) from error
    return FORMAT


def prepare_database(connection: Connection, place: Place) -> None:
    """Make the schema, and PostGIS where it is not there yet.

    Raises:
        BadConfiguration: If either cannot be made.
    """
    try:
        with connection.transaction():
            connection.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    except psycopg.Error as error:
        raise BadConfiguration(
            f"{place.shown}: the database has no PostGIS and cscale cannot add it"
            f" ({place.without_password(error)}); let a database administrator install the server's PostGIS 3"
            " package and run in this database: CREATE EXTENSION postgis"
        ) from error
    row = connection.execute(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'postgis'"
    ).fetchone()
    if row is None or row[0] != "public":
        raise BadConfiguration(
            f"{place.shown}: PostGIS lies in schema {row[0] if row else '?'}; cscale looks in public"
        )
    try:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(place.schema)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise _forbidden(place, error) from error


def _forbidden(place: Place, error: psycopg.Error) -> BadConfiguration:
    user = place.parameters.get("user", "its user")
    return BadConfiguration(
        f"{place.shown}: {user} may not make tables ({place.without_password(error)}); let a database"
        f" administrator run in this database: CREATE SCHEMA {place.schema} AUTHORIZATION {user}"
    )


def columns_of(connection: Connection) -> dict[str, tuple[int, Kind]]:
    """The typed columns that a catalogue has, also those that are being filled: name to number and kind."""
    rows = connection.execute("SELECT name, n, kind FROM queryable ORDER BY n")
    return {name: (n, kind) for name, n, kind in rows}


def add_columns(connection: Connection, columns: Mapping[str, Kind], *, ready: bool) -> None:
    """Add typed columns, empty as yet.

    Args:
        connection: Inside a transaction.
        columns: Names and kinds.
        ready: Whether searches may use them, as they may where there are no items.
    """
    row = connection.execute("SELECT coalesce(max(n), 0) FROM queryable").fetchone()
    first = (row[0] if row else 0) + 1
    for n, (name, kind) in enumerate(columns.items(), first):
        connection.execute(f"ALTER TABLE item ADD COLUMN {column(n)} {_TYPES[kind]}".encode())
        connection.execute("INSERT INTO queryable VALUES (%s, %s, %s, %s)", [n, name, kind, ready])


def add_index(connection: Connection, name: str) -> None:
    """Index a typed column."""
    n, _ = columns_of(connection)[name]
    connection.execute(f"CREATE INDEX item_by_{column(n)} ON item ({column(n)}, id)".encode())
