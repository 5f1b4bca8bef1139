"""The tables of an archive's catalogue in SQLite, and how it is opened."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from cscale.errors import BadConfiguration

FORMAT = 1
"""The version of these tables, kept in the file's `user_version`."""

COLUMNS: Mapping[str, str] = {
    "eo:cloud_cover": "number",
    "gsd": "number",
    "platform": "string",
    "constellation": "string",
    "sat:orbit_state": "string",
    "sat:relative_orbit": "number",
    "sat:absolute_orbit": "number",
    "product:type": "string",
    "processing:level": "string",
    "processing:version": "string",
    "s2:processing_baseline": "string",
    "s2:product_uri": "string",
    "grid:code": "string",
    "created": "string",
    "updated": "string",
}
"""Properties that have a column of their own, and the JSON type that is asked for. Any other is found too,
by reading the item."""

INDEXED = ("eo:cloud_cover", "updated")
"""The columns that items are sorted by often enough to pay for an index."""

_TABLES = """
CREATE TABLE collection (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    body BLOB,                      -- its JSON as handed in; NULL where only items were
    before INTEGER NOT NULL DEFAULT 0,  -- how far an item of it begins before its place in time, at most
    after INTEGER NOT NULL DEFAULT 0    -- how far one ends after it, at most; microseconds
);
CREATE TABLE item (
    n INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection,
    id TEXT NOT NULL,
    t INTEGER NOT NULL,             -- its place in time, microseconds since 1970
    t_first INTEGER NOT NULL,
    t_last INTEGER NOT NULL,
    west REAL, south REAL, east REAL, north REAL,  -- of the geometry; west > east over the antimeridian
    bottom REAL, top REAL,
    geometry BLOB,                  -- WKB; empty where it is the box itself, NULL where there is none
    digest BLOB NOT NULL,           -- of the body, to know what has changed
    {columns},
    UNIQUE (collection, id)
);
CREATE INDEX item_newest ON item (collection, t DESC, id);
CREATE VIRTUAL TABLE item_box USING rtree (n, west, east, south, north);
CREATE TABLE body (n INTEGER PRIMARY KEY, dictionary INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE dictionary (n INTEGER PRIMARY KEY, collection INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE file (                 -- the local files of the items' assets
    path TEXT NOT NULL,             -- as served below /data
    kind TEXT NOT NULL,             -- the multihash's first bytes
    size INTEGER NOT NULL,
    changed INTEGER NOT NULL,       -- nanoseconds since 1970
    checksum TEXT NOT NULL,         -- multihash
    PRIMARY KEY (path, kind)
) WITHOUT ROWID;
CREATE TABLE cell (collection INTEGER, cell INTEGER, items INTEGER NOT NULL,
    PRIMARY KEY (collection, cell)) WITHOUT ROWID;
CREATE TABLE day (collection INTEGER, day INTEGER, items INTEGER NOT NULL,
    PRIMARY KEY (collection, day)) WITHOUT ROWID;
-- rises with every change
CREATE TABLE generation (n INTEGER NOT NULL);
INSERT INTO generation VALUES (0);
"""


def index(name: str) -> str:
    """The quoted name of the index on a property's column."""
    return f'"item_by:{name}"'


def column(name: str) -> str:
    """The quoted name of a property's column."""
    return f'"p:{name}"'


def connect(path: Path, *, writing: bool = False, patience: float = 60.0) -> sqlite3.Connection:
    """Open a catalogue, and make it where there is none yet.

    Args:
        path: The database file.
        writing: Whether this connection may change it.
        patience: How long to wait for other writers, seconds.

    Raises:
        BadConfiguration: If the file is no catalogue, or one of another version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
        if not writing:
            connection.execute("PRAGMA query_only = 1")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise BadConfiguration(f"{path}: cannot be used as a catalogue ({error})") from error
    except BadConfiguration:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA mmap_size = 1073741824")
    connection.execute("PRAGMA foreign_keys = 1")
    if _version(connection) == 0:
        _create(connection)
    if (found := _version(connection)) != FORMAT:
        raise BadConfiguration(
            f"{path}: holds a catalogue of format {found}, this cscale knows {FORMAT}; "
            "move the file away and ingest again"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables; of processes that start at once, one does."""
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) == 0:
        columns = ",\n    ".join(column(name) for name in COLUMNS)
        for statement in _TABLES.format(columns=columns).split(";\n"):
            connection.execute(statement)
        for name in INDEXED:
            connection.execute(f"CREATE INDEX {index(name)} ON item (collection, {column(name)}, id)")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")
