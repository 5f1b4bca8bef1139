"""The first tables."""

from alembic import op

revision = "0001"
down_revision = None

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
ALTER TABLE item ADD COLUMN p1 double precision;
ALTER TABLE item ADD COLUMN p2 double precision;
ALTER TABLE item ADD COLUMN p3 text COLLATE "C";
ALTER TABLE item ADD COLUMN p4 text COLLATE "C";
ALTER TABLE item ADD COLUMN p5 text[];
ALTER TABLE item ADD COLUMN p6 text COLLATE "C";
ALTER TABLE item ADD COLUMN p7 double precision;
ALTER TABLE item ADD COLUMN p8 double precision;
ALTER TABLE item ADD COLUMN p9 text COLLATE "C";
ALTER TABLE item ADD COLUMN p10 text COLLATE "C";
ALTER TABLE item ADD COLUMN p11 text[];
ALTER TABLE item ADD COLUMN p12 text COLLATE "C";
ALTER TABLE item ADD COLUMN p13 text COLLATE "C";
ALTER TABLE item ADD COLUMN p14 text COLLATE "C";
ALTER TABLE item ADD COLUMN p15 text COLLATE "C";
ALTER TABLE item ADD COLUMN p16 text COLLATE "C";
ALTER TABLE item ADD COLUMN p17 text COLLATE "C";
ALTER TABLE item ADD COLUMN p18 text COLLATE "C";
ALTER TABLE item ADD COLUMN p19 text COLLATE "C";
INSERT INTO queryable VALUES
    (1, 'eo:cloud_cover', 'number', true),
    (2, 'gsd', 'number', true),
    (3, 'platform', 'string', true),
    (4, 'constellation', 'string', true),
    (5, 'instruments', 'strings', true),
    (6, 'sat:orbit_state', 'string', true),
    (7, 'sat:relative_orbit', 'number', true),
    (8, 'sat:absolute_orbit', 'number', true),
    (9, 'sar:instrument_mode', 'string', true),
    (10, 'sar:product_type', 'string', true),
    (11, 'sar:polarizations', 'strings', true),
    (12, 'product:type', 'string', true),
    (13, 'processing:level', 'string', true),
    (14, 'processing:version', 'string', true),
    (15, 's2:processing_baseline', 'string', true),
    (16, 's2:product_uri', 'string', true),
    (17, 'grid:code', 'string', true),
    (18, 'created', 'string', true),
    (19, 'updated', 'string', true);
CREATE INDEX item_by_p1 ON item (p1, id);
CREATE INDEX item_by_p19 ON item (p19, id);
INSERT INTO format VALUES (1)
"""


def upgrade() -> None:
    """Make them, in the schema that the search path begins with."""
    op.get_bind().exec_driver_sql(_TABLES)
