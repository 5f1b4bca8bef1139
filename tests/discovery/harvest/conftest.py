"""Shelves in both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cscale.discovery.harvest import Shelf, shelf_of
from cscale.discovery.harvest.keeping.postgresql import site_address
from tests.postgres import fresh, postgres_server, shared_server

__all__ = ["postgres_server"]


@contextmanager
def database_shelf() -> Iterator[Shelf]:
    """A shelf in a schema of its own, dropped at the end."""
    server = shared_server()
    with fresh(server) as url:
        try:
            yield shelf_of(url, "alpha")
        finally:
            schema = site_address(url, "alpha").partition("schema=")[2]
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@pytest.fixture(params=["folder", "database"])
def any_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """A shelf, once in a directory and once in a database."""
    if request.param == "folder":
        yield shelf_of(tmp_path / "hub", "alpha")
        return
    with database_shelf() as found:
        yield found


@pytest.fixture
def folder_shelf(tmp_path: Path) -> Shelf:
    return shelf_of(tmp_path / "hub", "alpha")
