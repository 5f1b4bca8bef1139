"""What stands in the catalogue is known to an ingest, whichever way it is looked up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cscale.catalogue.postgresql import PostgresStore
from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.schema import Connection
from cscale.catalogue.postgresql.schema import opened as connected
from cscale.catalogue.postgresql.writing import standing
from cscale.catalogue.postgresql.writing.standing import Standing, mark_of
from cscale.stac.items import Item
from cscale.testing.archives import MOMENTS, plain_item
from tests.catalogue.postgresql.conftest import put, rows

NAMES = ["a", "ä", "\U0001f6f0", "a/b", "x" * 1000, *(f"{n}" for n in range(300))]


def version(name: str, n: int, collection: str = "one") -> Item:
    return plain_item(id=name, collection=collection, properties={"datetime": MOMENTS[0], "n": n})


@contextmanager
def told(connection: Connection) -> Iterator[list[str]]:
    """The statements that a connection is asked."""
    asked: list[str] = []
    execute = connection.execute

    def listening(query: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(str(query))
        return execute(query, *arguments, **options)

    connection.execute = listening  # type: ignore[method-assign]  # it is asked all the same
    yield asked


@pytest.fixture
def filled(store: PostgresStore) -> PostgresStore:
    with store.writing() as writer:
        for n, name in enumerate(NAMES):
            writer.put(version(name, 0), f"/d/{name}" if n % 3 else None)
        writer.put(version("a", 1, "two"), "/elsewhere")
    return store


@pytest.mark.parametrize("block", [1, 7, 305, 50_000])
def test_both_ways_tell_what_is_there(filled: PostgresStore, postgres_url: str, block: int) -> None:
    stored = {
        (collection, name): (digest, origin)
        for collection, name, digest, origin in rows(
            postgres_url, "SELECT collection, id, digest, origin FROM held"
        )
    }
    assert len(stored) == len(NAMES) + 1
    with connected(Place.parse(postgres_url)) as connection:
        at_once, one_by_one = Standing(connection, block=block, reading=0), Standing(connection, most=0)
        for collection in (1, 2, 3):
            for name in [*NAMES, "b", "z" * 1000, "99999"]:
                expected = stored.get((collection, name))
                for each in (at_once, one_by_one):
                    found = each.of(collection, name)
                    assert (found is None) == (expected is None)
                    if found and expected:
                        assert found == (expected[0], mark_of(expected[1]))


def test_few_items_in_a_large_collection_are_asked_for_alone(
    filled: PostgresStore, postgres_url: str
) -> None:
    with connected(Place.parse(postgres_url)) as connection, told(connection) as asked:
        known = Standing(connection, fresh=1e9, reading=1e9)
        assert all(known.of(1, name) for name in NAMES)
        assert len(asked) == 2 + len(NAMES)


def test_where_many_are_asked_for_they_are_read_at_once(filled: PostgresStore, postgres_url: str) -> None:
    with connected(Place.parse(postgres_url)) as connection, told(connection) as asked:
        known = Standing(connection, fresh=1e9, reading=0)
        for name in NAMES:
            known.of(1, name)
        assert len(asked) == 2 + 1  # its generation and size; a block
        for name in NAMES:
            known.of(2, name)
        assert len(asked) == 3 + 2 + 1


@pytest.mark.parametrize("reading", [0, 1e9])
def test_what_another_ingest_keeps_is_seen(filled: PostgresStore, postgres_url: str, reading: float) -> None:
    with connected(Place.parse(postgres_url)) as connection:
        known = Standing(connection, fresh=0, reading=reading)
        before = [known.of(1, name) for name in NAMES]
        assert all(before)
        put(filled, version("a", 2), version("new", 0))
        with filled.writing() as writer:
            writer.remove("one", "7")
        assert known.of(1, "a") not in (None, before[0])
        assert known.of(1, "new") is not None
        assert known.of(1, "7") is None
        with filled.writing() as writer:
            writer.remove_collection("one")
        assert [known.of(1, name) for name in NAMES] == [None] * len(NAMES)


def test_collections_that_are_too_large_are_asked_one_by_one(
    filled: PostgresStore, postgres_url: str
) -> None:
    with connected(Place.parse(postgres_url)) as connection, told(connection) as asked:
        known = Standing(connection, most=len(NAMES) - 1, fresh=1e9, reading=0)
        assert all(known.of(1, name) for name in NAMES)
        assert len(asked) == 2 + len(NAMES)
        assert known.of(2, "a")
        assert not known.of(2, "b")
        assert len(asked) == 2 + len(NAMES) + 2 + 1  # the other is small


@pytest.mark.parametrize("most", [0, standing.MOST])
def test_an_ingest_says_the_same_either_way(
    filled: PostgresStore, postgres_url: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added, changed, unchanged and moved: the same answers and the same rows, read at once or not."""
    monkeypatch.setattr(standing, "MOST", most)
    monkeypatch.setattr(standing, "READING", 0)
    said = []
    with filled.writing() as writer:
        for n, name in enumerate(NAMES):
            writer.put(version(f"new {n}", 0))
            said.append(writer.put(version(name, n % 2), "/d/moved" if n % 5 == 0 else None))
        assert writer.remove("one", "8") == 1
        assert writer.put(version("8", 0)) == "added"
    assert said == ["changed" if n % 2 else "unchanged" for n in range(len(NAMES))]
    kept = dict(rows(postgres_url, "SELECT id, origin FROM held WHERE collection = 1"))
    assert len(kept) == 2 * len(NAMES)
    for n, name in enumerate(NAMES):
        if n % 5 == 0:
            assert kept[name] == "/d/moved"
        elif n % 2 == 0:
            assert kept[name] == (f"/d/{name}" if n % 3 and name != "8" else None)
