"""Counts over an archive in SQLite, against counting its items one by one."""

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from cscale.catalogue.bodies import Inflater
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.sqlite.aggregation import aggregate
from cscale.catalogue.sqlite.schema import connect
from cscale.catalogue.sqlite.state import CurrentState
from cscale.catalogue.sqlite.writing import writing
from cscale.identity import Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.aggregation.evaluation import aggregate as one_by_one
from cscale.stac.aggregation.words import KINDS
from cscale.stac.geometry import Box
from cscale.stac.items import Collection, Item
from cscale.stac.search import SearchRequest
from cscale.stac.source import Aggregates
from cscale.testing.aggregates import AggregatesTests
from cscale.testing.archives import items


class Counted:
    """A catalogue's counts, each in a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        with closing(connect(self._path)) as connection:
            connection.execute("BEGIN")
            return aggregate(connection, CurrentState().of(connection), Inflater("http://a.test"), request)


def filled(path: Path, held: Sequence[Item], columns: Mapping[str, Kind] = COLUMNS) -> Counted:
    connect(path, columns=columns).close()
    with writing(path) as writer:
        for item in held:
            writer.put(item)
    return Counted(path)


class TestCounts(AggregatesTests):
    examples = 120

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Aggregates]:
        with tempfile.TemporaryDirectory() as folder:
            yield filled(Path(folder) / "catalogue.sqlite", items)


class TestCountsWithoutColumns(AggregatesTests):
    """What has no column of its own is read from the items."""

    examples = 60

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Aggregates]:
        indexed: dict[str, Any] = {name: COLUMNS[name] for name in ("eo:cloud_cover", "updated")}
        with tempfile.TemporaryDirectory() as folder:
            yield filled(Path(folder) / "catalogue.sqlite", items, indexed)


@settings(max_examples=20, deadline=None)
@given(items(max_size=30))
async def test_what_touches_a_box_is_looked_at(held: list[Item]) -> None:
    for box in ([0, 0, 0, 0], [-10, -10, 10, 10], [170, -90, -170, 90], [-180, -90, 180, 90]):
        request = AggregateRequest(SearchRequest(bbox=Box.parse(box)), tuple(KINDS))
        with tempfile.TemporaryDirectory() as folder:
            counted = filled(Path(folder) / "catalogue.sqlite", held)
            got = await counted.aggregate(Caller(), request)
        assert got == one_by_one(held, request)
