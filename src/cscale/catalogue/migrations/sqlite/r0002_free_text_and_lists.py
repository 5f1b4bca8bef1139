"""Columns of lists, free text, where items came from, properties that were seen, boxes with time."""

from typing import Any

import msgspec
from alembic import op

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.queryables import Kind
from cscale.catalogue.rows import names_of, row_of

revision = "0002"
down_revision = "0001"

_COLUMNS: dict[str, Kind] = {
    "eo:cloud_cover": "number",
    "gsd": "number",
    "platform": "string",
    "constellation": "string",
    "instruments": "strings",
    "sat:orbit_state": "string",
    "sat:relative_orbit": "number",
    "sat:absolute_orbit": "number",
    "sar:instrument_mode": "string",
    "sar:product_type": "string",
    "sar:polarizations": "strings",
    "product:type": "string",
    "processing:level": "string",
    "processing:version": "string",
    "s2:processing_baseline": "string",
    "s2:product_uri": "string",
    "grid:code": "string",
    "created": "string",
    "updated": "string",
}
_BEFORE = """
DROP INDEX item_newest;
DROP INDEX "item_by:eo:cloud_cover";
DROP INDEX "item_by:updated";
DROP TABLE item_box;
ALTER TABLE item RENAME TO item_before;
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
CREATE VIRTUAL TABLE item_box USING rtree (n, west, east, south, north, first, last)
"""
_AFTER = """
CREATE INDEX "item_by:eo:cloud_cover" ON item (collection, "p:eo:cloud_cover", id);
CREATE INDEX "item_by:updated" ON item (collection, "p:updated", id);
DROP TABLE item_before;
UPDATE generation SET n = n + 1;
PRAGMA user_version = 2
"""
_KEPT = ("n", "collection", "id", "t", "t_first", "t_last", "west", "south", "east", "north", "bottom", "top",
         "geometry", "digest")  # fmt: skip
_BATCH = 1000
_DAY = 86_400_000_000


def upgrade() -> None:
    """Make the new tables, and fill them from the old and from the items themselves."""
    connection = op.get_bind()
    for statement in _BEFORE.strip().split(";\n"):
        connection.exec_driver_sql(statement)
    for name, kind in _COLUMNS.items():
        connection.exec_driver_sql(f'ALTER TABLE item ADD COLUMN "p:{name}"')
        connection.exec_driver_sql("INSERT INTO queryable (name, kind) VALUES (?, ?)", (name, kind))
    _fill(connection)
    for statement in _AFTER.strip().split(";\n"):
        connection.exec_driver_sql(statement)


def _fill(connection: Any) -> None:
    dictionaries = dict(connection.exec_driver_sql("SELECT n, data FROM dictionary").all())
    inflater = Inflater("")
    columns = (*_KEPT, "words", *(f'"p:{name}"' for name in _COLUMNS))
    insert = f"INSERT INTO item ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # our own names
    select = (
        f"SELECT {', '.join('i.' + name for name in _KEPT)}, b.dictionary, b.data"  # noqa: S608  # our own names
        " FROM item_before i JOIN body b ON b.n = i.n WHERE i.n > ? ORDER BY i.n LIMIT ?"
    )
    last = -1
    while rows := connection.exec_driver_sql(select, (last, _BATCH)).all():
        last = rows[-1][0]
        bodies = inflater.inflate([row[-2:] for row in rows], dictionaries.__getitem__)
        items, boxes, seen = [], [], set()
        for row, body in zip(rows, bodies, strict=True):
            item = msgspec.json.decode(body + b"]}")
            made = row_of(item, _COLUMNS)
            items.append((*row[:-2], made.text, *made.properties))
            seen |= {(row[1], name) for name in names_of(item)}
            if row[6] is not None:
                west, east = (row[6], row[8]) if row[6] <= row[8] else (-180.0, 180.0)
                boxes.append((row[0], west, east, row[7], row[9], row[4] / _DAY, row[5] / _DAY))
        connection.exec_driver_sql(insert, items)
        connection.exec_driver_sql("INSERT OR IGNORE INTO property VALUES (?, ?)", sorted(seen))
        if boxes:
            connection.exec_driver_sql("INSERT INTO item_box VALUES (?, ?, ?, ?, ?, ?, ?)", boxes)
