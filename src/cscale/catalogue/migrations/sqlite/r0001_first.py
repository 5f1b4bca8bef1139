"""The first tables."""

from alembic import op

revision = "0001"
down_revision = None

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
    "p:eo:cloud_cover",
    "p:gsd",
    "p:platform",
    "p:constellation",
    "p:sat:orbit_state",
    "p:sat:relative_orbit",
    "p:sat:absolute_orbit",
    "p:product:type",
    "p:processing:level",
    "p:processing:version",
    "p:s2:processing_baseline",
    "p:s2:product_uri",
    "p:grid:code",
    "p:created",
    "p:updated",
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
CREATE INDEX "item_by:eo:cloud_cover" ON item (collection, "p:eo:cloud_cover", id);
CREATE INDEX "item_by:updated" ON item (collection, "p:updated", id);
PRAGMA user_version = 1
"""


def upgrade() -> None:
    """Make them."""
    for statement in _TABLES.split(";\n"):
        op.get_bind().exec_driver_sql(statement)
