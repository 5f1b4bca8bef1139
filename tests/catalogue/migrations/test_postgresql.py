"""Catalogues in PostgreSQL: made by migrations they are as made at once; columns are added and filled."""

import re
import threading
from typing import Any

import psycopg
import pytest

from cscale.catalogue.postgresql import PostgresStore
from cscale.catalogue.postgresql.connection import Place, connect
from cscale.catalogue.postgresql.migrating import migrated
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.errors import BadConfiguration
from cscale.identity import ANONYMOUS
from cscale.stac.search import from_json
from cscale.testing.archives import MOMENTS, plain_item

TIME = {"datetime": MOMENTS[0]}
MINE: dict[str, Kind] = {"my:count": "number", "my:tags": "strings", 'my:"name%s': "string"}
_SHAPE = (
    "SELECT table_name, column_name, ordinal_position, data_type, udt_name, collation_name, is_nullable,"
    " column_default, is_identity FROM information_schema.columns WHERE table_schema = current_schema()",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = current_schema()::regnamespace",
    "SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'item'::regclass AND attnum > 0",
    "SELECT * FROM queryable",
    "SELECT * FROM format",
)


def asked(url: str, *queries: str) -> list[list[tuple[Any, ...]]]:
    with connect(Place.parse(url)) as connection:
        return [sorted(connection.execute(query.encode()).fetchall(), key=str) for query in queries]


def shape(url: str) -> str:
    return re.sub(r"\bt[0-9a-f]{16}\b", "here", str(asked(url, *_SHAPE)))


def test_migrated_is_as_created(postgres_url: str) -> None:
    other = postgres_url[:-1] + ("0" if postgres_url[-1] != "0" else "1")
    try:
        assert migrated(Place.parse(postgres_url)) == ["format 1: The first tables."]
        with PostgresStore(other).writing():
            pass
        assert shape(postgres_url) == shape(other)
        assert PostgresStore(postgres_url).migrate() == []
    finally:
        with psycopg.connect(other.partition("?")[0], autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {other.rpartition('=')[2]} CASCADE".encode())


async def count(url: str, filter_: dict[str, Any], columns: dict[str, Kind]) -> int:
    source = PostgresStore(url, columns=columns).source(data_url="https://example.org/data", secret=b"s")
    try:
        page = await source.search(ANONYMOUS, from_json({"filter": filter_, "limit": 1000}))
        return len(page.items)
    finally:
        source.close()


async def test_columns_that_are_configured_are_made_and_filled(postgres_url: str) -> None:
    with PostgresStore(postgres_url).writing() as writer:
        for n in range(1100):
            writer.put(plain_item(id=f"{n}", properties=TIME | {"my:count": n, "my:tags": ["a", f"{n % 2}"]}))
        writer.put(plain_item(id="odd", properties=TIME | {"my:count": "many", "my:tags": "a", "gsd": "x"}))
    columns = {**COLUMNS, **MINE}
    store = PostgresStore(postgres_url, columns=columns)
    searching = store.source(data_url="https://example.org/data", secret=b"s")
    few = {"op": "<", "args": [{"property": "my:count"}, 3]}
    before = await searching.search(ANONYMOUS, from_json({"filter": few}))
    assert store.migrate() == [f"column {name}: filled from 1101 items" for name in MINE]
    assert store.migrate() == []
    assert store.columns() == columns
    after = await searching.search(ANONYMOUS, from_json({"filter": few}))
    assert [item.id for item in before.items] == [item.id for item in after.items] == ["0", "1", "2"]
    searching.close()
    n = len(COLUMNS) + 1
    assert asked(postgres_url, f"SELECT count(p{n}), sum(p{n}) FROM item") == [[(1100, 1099 * 550.0)]]
    odd = f"SELECT odd FROM item WHERE p{n} IS NULL"
    assert asked(postgres_url, odd) == [[(["gsd", "my:count", "my:tags"],)]]
    tags = {"op": "a_contains", "args": [{"property": "my:tags"}, ["1"]]}
    assert await count(postgres_url, tags, columns) == 550
    many = {"op": "=", "args": [{"property": "my:count"}, "many"]}
    assert await count(postgres_url, many, columns) == 1
    with store.writing() as writer:
        writer.put(plain_item(id="new", properties=TIME | {"my:count": -1}))
    assert asked(postgres_url, f"SELECT min(p{n}) FROM item") == [[(-1.0,)]]


async def test_what_an_interrupted_migration_left_is_not_used_and_filled_by_the_next(
    postgres_url: str,
) -> None:
    with PostgresStore(postgres_url).writing() as writer:
        writer.put(plain_item(id="a", properties=TIME | {"my:count": 1}))
    columns = {**COLUMNS, **MINE}
    store = PostgresStore(postgres_url, columns=columns)
    store.migrate()
    n = len(COLUMNS) + 1
    asked(
        postgres_url,
        f"UPDATE item SET p{n} = NULL RETURNING id",
        "UPDATE queryable SET ready = false RETURNING n",
    )
    asked(postgres_url, f"UPDATE queryable SET ready = true WHERE n < {n} RETURNING n")
    one = {"op": "=", "args": [{"property": "my:count"}, 1]}
    assert await count(postgres_url, one, columns) == 1  # read from the item
    assert len(store.migrate()) == len(MINE)
    assert asked(postgres_url, f"SELECT p{n} FROM item") == [[(1.0,)]]


def test_a_migration_waits_for_an_ingest_that_knows_the_old_columns(postgres_url: str) -> None:
    store = PostgresStore(postgres_url, columns={**COLUMNS, **MINE})
    done: list[list[str]] = []
    with PostgresStore(postgres_url).writing() as writer:
        writer.put(plain_item(id="a", properties=TIME | {"my:count": 1}))
        migration = threading.Thread(target=lambda: done.append(store.migrate()))
        migration.start()
        migration.join(0.3)
        assert not done
    migration.join()
    assert done == [[f"column {name}: filled from 1 items" for name in MINE]]


def test_a_migration_of_what_is_not_ours_is_refused(postgres_server: str) -> None:
    with pytest.raises(BadConfiguration, match="cannot be reached"):
        PostgresStore(postgres_server.replace("/cscale", "/nowhere")).migrate()
