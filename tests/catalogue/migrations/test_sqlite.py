"""Catalogues of older formats in SQLite become like new ones, and keep what they hold."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cscale.catalogue.migrations import steps
from cscale.catalogue.migrations.on_sqlite import migrate
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.sqlite.schema import FORMAT, column, connect
from cscale.catalogue.sqlite.source import SqliteCatalogue
from cscale.catalogue.sqlite.writing import writing
from cscale.errors import BadConfiguration
from cscale.identity import ANONYMOUS
from cscale.stac.items import read_body
from cscale.stac.search import from_json
from cscale.testing.archives import plain_item

OLD = Path(__file__).with_name("format1.sqlite.zst")
"""A catalogue that the first version made: 120 items with a dictionary, one odd one, three collections."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(zstandard.ZstdDecompressor().decompress(OLD.read_bytes()))
    return path


def bring_up(path: Path, columns: dict[str, Kind] | None = None) -> list[str]:
    return migrate(path, FORMAT, {**COLUMNS, **(columns or {})}, column)


def shape(path: Path) -> set[tuple[str, str, str]]:
    """Tables and indexes as SQLite knows them, without comments and white space."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()
    plain = {(kind, name, re.sub(r"\s+|--.*|\"item\"", "", sql or "")) for kind, name, sql in rows}
    return plain | {("version", str(version), "")}


async def found(path: Path, **asked: Any) -> dict[str, Any]:
    source = SqliteCatalogue(path, data_url="https://example.org/data", secret=b"s")
    try:
        page = await source.search(ANONYMOUS, from_json({"limit": 1000, **asked}))
        return {item.id: read_body(item.body) for item in page.items}
    finally:
        source.close()


def test_an_old_catalogue_is_refused_with_what_to_do(path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cscale migrate --config"):
        SqliteCatalogue(path, data_url="https://example.org/data", secret=b"s")


def test_migrated_is_as_created(path: Path, tmp_path: Path) -> None:
    assert bring_up(path)[0].startswith("format 2: Columns of lists")
    connect(tmp_path / "new.sqlite").close()
    assert shape(path) == shape(tmp_path / "new.sqlite")
    assert bring_up(path) == []


async def test_what_it_held_is_held_and_found_by_what_is_new(path: Path) -> None:
    bring_up(path)
    everything = await found(path)
    assert len(everything) == 121
    assert everything["s000"]["assets"]["data"]["href"] == "https://example.org/data/scenes/a.tif"
    assert everything["odd"]["properties"]["eo:cloud_cover"] == "much"
    assert set(await found(path, q="cluj")) == everything.keys() - {"odd"}
    msi = {"op": "a_contains", "args": [{"property": "instruments"}, ["msi"]]}
    assert len(await found(path, filter=msi)) == 120
    assert set(await found(path, bbox=[-175, -5, -172, 5])) == {"odd"}
    assert len(await found(path, bbox=[2.5, 3.5, 3, 4], datetime="1800-01-01T00:00:00Z/..")) == 40


def test_the_same_items_are_unchanged_and_their_files_known(path: Path) -> None:
    bring_up(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT checksum FROM file").fetchall() == [("1220ab",)]
        assert connection.execute("SELECT count(*) FROM property").fetchone()[0] > 10
        assert connection.execute("SELECT count(*) FROM item_box").fetchone() == (81,)
    with writing(path) as writer:
        assert writer.put(plain_item(id="new")) == "added"
        assert writer.remove("one", "s000") == 1


async def test_columns_that_are_configured_are_made_and_filled(path: Path) -> None:
    done = bring_up(path, {"my:count": "number"})
    assert done[1:] == ["column my:count: filled from 121 items"]
    assert bring_up(path, {"my:count": "number"}) == []
    few = {"op": "<", "args": [{"property": "my:count"}, 3]}
    assert set(await found(path, filter=few)) == {"s000", "s001", "s002"}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute('SELECT sum("p:my:count") FROM item').fetchone() == (119 * 60,)


def test_a_migration_that_fails_leaves_the_old_catalogue(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE body SET data = x'00' WHERE n = 100")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises((BadConfiguration, zstandard.ZstdError)):
        bring_up(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM item").fetchone() == (121,)
    assert path.read_bytes() == before


def test_what_is_newer_or_no_catalogue_is_refused(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BadConfiguration, match="newer cscale"):
        bring_up(path)
    (tmp_path / "text").write_text("no database, and longer than a header" * 20)
    with pytest.raises(BadConfiguration, match="cannot be migrated"):
        bring_up(tmp_path / "text")
    assert bring_up(tmp_path / "nothing") == []


def test_the_first_step_makes_what_the_first_version_made(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "steps.sqlite", isolation_level=None)) as connection:
        connection.execute("BEGIN")
        assert len(steps(connection, "sqlite", 0)) == FORMAT
        connection.execute("COMMIT")
    bring_up(path)
    assert shape(tmp_path / "steps.sqlite") == shape(path)
