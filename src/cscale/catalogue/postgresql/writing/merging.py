"""What one ingest has gathered becomes part of the catalogue: in few statements, at its end.

Until then its items lie in temporary tables that nobody else sees, and no row is locked. Then all rows are
locked in one order (items by collection and id, then collections, then the counts), so that two ingests
at once wait for each other and never in a circle. A statement that waits sees what the other has kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cscale.catalogue.postgresql.schema import Connection, column
from cscale.catalogue.statistics import DAY

STAGED = ("collection", "id", "digest", "origin", "dictionary", "t", "t_first", "t_last", "bottom", "top",
          "cell", "wkb", "odd", "words", "body")  # fmt: skip
"""The columns of `put`, but for those of the properties."""
_OF_ITEM = ("collection", "id", "dictionary", "t", "t_first", "t_last", "bottom", "top", "cell", "odd",
            "words", "body")  # fmt: skip

_TEMPORARY = """
CREATE TEMP TABLE put ON COMMIT DROP AS
    SELECT h.collection, h.id, h.digest, h.origin, i.dictionary, i.t, i.t_first, i.t_last, i.bottom, i.top,
           i.cell, i.body AS wkb, i.odd, i.words, i.body{columns}
    FROM held h CROSS JOIN item i WITH NO DATA;
CREATE TEMP TABLE same (collection integer, id text COLLATE "C", origin text COLLATE "C") ON COMMIT DROP;
CREATE TEMP TABLE gone (collection integer, id text COLLATE "C") ON COMMIT DROP;
ALTER TABLE put ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TEMP TABLE counted (collection integer, day integer, cell integer, items bigint) ON COMMIT DROP
"""

_ORIGIN_ONLY = "'o'::bytea"  # in the place of a digest, which is longer: only the origin is new

_LOCK = f"""
WITH change AS (
    SELECT collection, id, t, digest, origin FROM put
    UNION ALL SELECT collection, id, NULL, NULL, NULL FROM gone
    UNION ALL SELECT collection, id, NULL, {_ORIGIN_ONLY}, origin FROM same WHERE origin IS NOT NULL
)
INSERT INTO held AS h (collection, id, t, digest, origin)
SELECT collection, id, t, digest, origin FROM change ORDER BY collection, id
ON CONFLICT (collection, id) DO UPDATE SET
    was = CASE WHEN excluded.digest = {_ORIGIN_ONLY} THEN NULL ELSE h.t END,
    t = CASE WHEN excluded.digest = {_ORIGIN_ONLY} THEN h.t ELSE excluded.t END,
    digest = CASE WHEN excluded.digest = {_ORIGIN_ONLY} THEN h.digest ELSE excluded.digest END,
    origin = excluded.origin
"""  # noqa: S608  # our own words

_FLOOR_DAY = f"((t - CASE WHEN t < 0 THEN {DAY - 1} ELSE 0 END) / {DAY})::integer"

_REMOVE = f"""
WITH change AS (SELECT collection, id FROM put UNION ALL SELECT collection, id FROM gone),
old AS (
    SELECT h.collection, h.id, h.was FROM change JOIN held h USING (collection, id) WHERE h.was IS NOT NULL
),
removed AS (
    DELETE FROM item i USING old WHERE i.collection = old.collection AND i.t = old.was AND i.id = old.id
    RETURNING i.collection, i.t, i.cell
)
INSERT INTO counted SELECT collection, {_FLOOR_DAY}, cell, -count(*) FROM removed GROUP BY 1, 2, 3
"""  # noqa: S608  # our own words

_INSERT = """
INSERT INTO item ({names}{columns}, geom)
SELECT {names}{columns}, ST_GeomFromWKB(wkb, 4326) FROM put ORDER BY collection, t
"""

_COUNT = f"""
INSERT INTO counted SELECT collection, {_FLOOR_DAY}, cell, count(*) FROM put GROUP BY 1, 2, 3
"""  # noqa: S608  # our own words

# a removal of what was not there, or was removed meanwhile
_CLEAR = """
DELETE FROM held h USING (SELECT * FROM gone UNION ALL SELECT collection, id FROM same) g
WHERE h.collection = g.collection AND h.id = g.id AND h.t IS NULL
"""

_DESCRIBE = """
INSERT INTO collection AS c (n, id, body, before, after, generation)
SELECT n, number.id, described.body, coalesce(reach.before, 0), coalesce(reach.after, 0),
       nextval('generation')
FROM number
LEFT JOIN unnest(%(described)s::integer[], %(bodies)s::bytea[]) AS described (n, body) USING (n)
LEFT JOIN (SELECT collection AS n, max(t - t_first) AS before, max(t_last - t) AS after FROM put GROUP BY 1)
    AS reach USING (n)
WHERE n IN (SELECT unnest(%(described)s::integer[]) UNION SELECT unnest(%(dropped)s::integer[])
            UNION SELECT collection FROM counted)
ORDER BY n
ON CONFLICT (n) DO UPDATE SET
    body = CASE WHEN c.n = ANY(%(dropped)s) THEN excluded.body ELSE coalesce(excluded.body, c.body) END,
    before = greatest(c.before, excluded.before),
    after = greatest(c.after, excluded.after),
    generation = excluded.generation
"""

_DROP = """
DELETE FROM collection WHERE n = ANY(%(dropped)s) AND n <> ALL(%(described)s)
AND n NOT IN (SELECT collection FROM put)
"""

_ADD_COUNTS = """
INSERT INTO {table} AS c (collection, {table}, items)
SELECT collection, {table}, sum(items) FROM counted WHERE {table} IS NOT NULL
GROUP BY 1, 2 HAVING sum(items) <> 0 ORDER BY 1, 2
ON CONFLICT (collection, {table}) DO UPDATE SET items = c.items + excluded.items
"""

_SEE = """
INSERT INTO {table} (collection, name) SELECT * FROM unnest(%s::integer[], %s::text[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""


def stage(connection: Connection, numbers: Iterable[int]) -> None:
    """Make the temporary tables.

    Args:
        connection: Inside the transaction of the ingest.
        numbers: Those of the property columns.
    """
    columns = "".join(f", i.{column(n)}" for n in numbers)
    connection.execute(_TEMPORARY.format(columns=columns).encode())


def merge(
    connection: Connection, numbers: Iterable[int], dropped: Iterable[int], described: Mapping[int, bytes]
) -> None:
    """Write what lies in the temporary tables into the catalogue's.

    Args:
        connection: Inside the transaction of the ingest.
        numbers: Those of the property columns.
        dropped: The numbers of collections that were removed.
        described: The numbers of collections and their bodies.
    """
    connection.execute("ANALYZE put; ANALYZE gone; ANALYZE same")
    connection.execute(_LOCK.encode())
    # without statistics of tables that have just grown, the planner would read all of them
    connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;"
                       " SET LOCAL enable_mergejoin = off")  # fmt: skip
    connection.execute(_REMOVE.encode())
    connection.execute(_CLEAR)
    connection.execute("RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin")
    columns = "".join(f", {column(n)}" for n in numbers)
    connection.execute(_INSERT.format(names=", ".join(_OF_ITEM), columns=columns).encode())
    connection.execute(_COUNT.encode())
    told = {"dropped": list(dropped), "described": list(described), "bodies": list(described.values())}
    connection.execute(_DESCRIBE, told)
    connection.execute(_DROP, told)
    for table in ("cell", "day"):
        connection.execute(_ADD_COUNTS.format(table=table).encode())


def see(connection: Connection, table: str, seen: Iterable[tuple[int, str]]) -> None:
    """Remember names that were seen in items of collections, in `property` or `odd`."""
    pairs: list[Any] = sorted(seen)
    if pairs:
        connection.execute(
            _SEE.format(table=table).encode(), [[n for n, _ in pairs], [name for _, name in pairs]]
        )
