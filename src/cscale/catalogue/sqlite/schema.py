"""The tables of an archive's catalogue in SQLite, and how it is opened."""

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from cscale.catalogue.queryables import COLUMNS, INDEXED, Kind
from cscale.errors import BadConfiguration

FORMAT = 2
"""The version of these tables, kept in the file's `user_version`."""

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
    origin INTEGER REFERENCES origin,
    words TEXT,                     -- what free text is looked for in
    UNIQUE (collection, id)
);
CREATE INDEX item_newest ON item (collection, t DESC, id);
-- where and when, in degrees and days since 1970
CREATE VIRTUAL TABLE item_box USING rtree (n, west, east, south, north, first, last);
CREATE TABLE body (n INTEGER PRIMARY KEY, dictionary INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE dictionary (n INTEGER PRIMARY KEY, collection INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE origin (               -- the files that items came from
    n INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE
);
CREATE TABLE queryable (            -- the properties that have a column in item
    n INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL
);
CREATE TABLE property (             -- the properties that were seen in items: name and JSON type
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (collection, name)
) WITHOUT ROWID;
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


HOLDS = "holds"
"""The SQL function that looks for texts in a list: (stored, wanted as JSON, whether all) -> 0, 1, NULL."""


@lru_cache(maxsize=256)
def _texts(wanted: bytes) -> frozenset[str]:
    return frozenset(msgspec.json.decode(wanted))


def _holds(stored: object, wanted: bytes, every: int) -> bool | None:
    """Whether a stored list holds all, or any, of some texts; nothing where it is no list."""
    value = msgspec.json.decode(stored) if isinstance(stored, bytes) else None
    if not isinstance(value, list):
        return None
    found = _texts(wanted).intersection(each for each in value if isinstance(each, str))
    return len(found) == len(_texts(wanted)) if every else bool(found)


def index(name: str) -> str:
    """The quoted name of the index on a property's column."""
    return f'"item_by:{name}"'


def column(name: str) -> str:
    """The quoted name of a property's column."""
    quoted = name.replace('"', '""')
    return f'"p:{quoted}"'


def connect(
    path: Path,
    *,
    writing: bool = False,
    patience: float = 60.0,
    columns: Mapping[str, Kind] = COLUMNS,
) -> sqlite3.Connection:
    """Open a catalogue, and make it where there is none yet.

    Args:
        path: The database file.
        writing: Whether this connection may change it.
        patience: How long to wait for other writers, seconds.
        columns: The typed columns of a catalogue that is made.

    Raises:
        BadConfiguration: If the file is no catalogue, or one of another version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, columns)
        if writing:
            connection.execute("PRAGMA cache_size = -262144")
        else:
            connection.execute("PRAGMA query_only = 1")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise BadConfiguration(f"{path}: cannot be used as a catalogue ({error})") from error
    except BadConfiguration:
        connection.close()
        raise
    return connection


def columns_of(connection: sqlite3.Connection) -> dict[str, Kind]:
    """The typed columns that a catalogue has."""
    return dict(connection.execute("SELECT name, kind FROM queryable ORDER BY n"))


def _prepare(connection: sqlite3.Connection, path: Path, columns: Mapping[str, Kind]) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA mmap_size = 1073741824")
    connection.execute("PRAGMA foreign_keys = 1")
    connection.create_function(HOLDS, 3, _holds, deterministic=True)
    if version_of(connection) == 0:
        create(connection, columns)
    if (found := version_of(connection)) < FORMAT:
        raise BadConfiguration(
            f"{path}: holds a catalogue of format {found}, this cscale wants {FORMAT}; "
            "bring it up to date: cscale migrate --config SITE.yaml"
        )
    if found > FORMAT:
        raise BadConfiguration(
            f"{path}: holds a catalogue of format {found}, this cscale knows {FORMAT} at most; "
            "use the newer cscale that made it"
        )


def version_of(connection: sqlite3.Connection) -> int:
    """The format of a catalogue; 0 where there is none yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create(connection: sqlite3.Connection, columns: Mapping[str, Kind]) -> None:
    """Make the tables; of processes that start at once, one does."""
    connection.execute("BEGIN IMMEDIATE")
    if version_of(connection) == 0:
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        add_columns(connection, columns)
        for name in INDEXED:
            connection.execute(f"CREATE INDEX {index(name)} ON item (collection, {column(name)}, id)")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def add_columns(connection: sqlite3.Connection, columns: Mapping[str, Kind]) -> None:
    """Add typed columns, empty as yet."""
    for name, kind in columns.items():
        connection.execute(f"ALTER TABLE item ADD COLUMN {column(name)}")
        connection.execute("INSERT INTO queryable (name, kind) VALUES (?, ?)", [name, kind])
