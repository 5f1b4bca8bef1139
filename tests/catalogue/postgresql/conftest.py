"""A database schema of one's own for each test."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from cscale.catalogue.postgresql import PostgresCatalogue, PostgresStore
from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.schema import opened as connected
from cscale.stac.items import Item
from tests.postgres import fresh, postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

Opened = Callable[..., PostgresCatalogue]
DATA_URL = "https://example.org/data"


@pytest.fixture
def store(postgres_url: str) -> PostgresStore:
    return PostgresStore(postgres_url)


@pytest.fixture
def opened(postgres_url: str) -> Iterator[Opened]:
    """Opens the catalogue; it is closed at the end."""
    sources: list[PostgresCatalogue] = []

    def open_it(secret: bytes = b"s", **options: Any) -> PostgresCatalogue:
        options = {"data_url": DATA_URL} | options
        sources.append(PostgresCatalogue(Place.parse(postgres_url), secret=secret, **options))
        return sources[-1]

    yield open_it
    for source in sources:
        source.close()


@pytest.fixture(scope="class")
def kept_url(postgres_server: str) -> Iterator[str]:
    """The address of a schema that the tests of a class share, one after the other."""
    with fresh(postgres_server) as url:
        yield url


def put(store: PostgresStore, *items: Item) -> None:
    with store.writing() as writer:
        for item in items:
            writer.put(item)


def empty(url: str) -> None:
    """Remove all that a catalogue holds; its tables and partitions stay."""
    with connected(Place.parse(url)) as connection:
        connection.execute("SELECT set_config('lock_timeout', '60s', false)")
        for table in ("item", "held", "collection", "property", "odd", "cell", "day", "dictionary", "file"):
            connection.execute(f"DELETE FROM {table}".encode())


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with connected(Place.parse(url)) as connection:
        return connection.execute(query.encode()).fetchall()


def tables(url: str) -> dict[str, list[Any]]:
    """All rows of all tables but the partitions."""
    names = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename !~ '_[0-9]'"
    return {name: sorted(rows(url, f"SELECT t::text FROM {name} t")) for (name,) in rows(url, names)}


def run(server: str, statement: str) -> None:
    """Do something to the database itself."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())
