"""The catalogue in PostgreSQL: it keeps the promises of every source, whichever way it takes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from cscale.catalogue.postgresql import PostgresCatalogue, PostgresStore
from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.searching.query import Way
from cscale.stac.items import Collection, Item
from cscale.stac.source import ItemSource
from cscale.testing.items import ItemSourceTests
from tests.catalogue.postgresql.conftest import DATA_URL, empty


class PostgresTests(ItemSourceTests):
    way: Way | None = None
    few: float = 0.5
    examples = 4

    @pytest.fixture(autouse=True)
    def _kept(self, kept_url: str) -> None:
        self.url = kept_url

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        empty(self.url)
        with PostgresStore(self.url).writing() as writer:
            for collection in collections:
                writer.put_collection(collection)
            for item in items:
                writer.put(item)
        source = PostgresCatalogue(
            Place.parse(self.url), data_url=DATA_URL, secret=b"s", way=self.way, few=self.few
        )
        try:
            yield source
        finally:
            source.close()


class TestTheShorterWay(PostgresTests):
    way = None
    examples = 8


class TestByBox(PostgresTests):
    way = "box"


class TestByTime(PostgresTests):
    way = "time"


class TestByColumn(PostgresTests):
    way = "column"


class TestRead(PostgresTests):
    way = "read"
