"""Counts over an archive in PostgreSQL, against counting its items one by one."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.catalogue.postgresql import PostgresCatalogue, PostgresStore
from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.identity import ANONYMOUS
from cscale.stac.aggregation import AggregateRequest
from cscale.stac.aggregation.evaluation import aggregate as one_by_one
from cscale.stac.aggregation.words import KINDS, PRECISIONS
from cscale.stac.geometry import Box
from cscale.stac.items import Collection, Item
from cscale.stac.search import SearchRequest
from cscale.stac.source import Aggregates
from cscale.stac.times import Interval
from cscale.testing.aggregates import AggregatesTests
from cscale.testing.archives import items, plain_item
from tests.catalogue.postgresql.conftest import DATA_URL, Opened, empty, put

ALL = tuple(KINDS)


@contextmanager
def filled(
    url: str, held: Sequence[Item], columns: Mapping[str, Kind] = COLUMNS
) -> Iterator[PostgresCatalogue]:
    empty(url)
    put(PostgresStore(url, columns=columns), *held)
    source = PostgresCatalogue(Place.parse(url), data_url=DATA_URL, secret=b"s", columns=columns)
    try:
        yield source
    finally:
        source.close()


class TestCounts(AggregatesTests):
    examples = 30

    @pytest.fixture(autouse=True)
    def _kept(self, kept_url: str) -> None:
        self.url = kept_url

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Aggregates]:
        with filled(self.url, items) as source:
            yield source


class TestCountsWithoutColumns(AggregatesTests):
    """What has no column of its own is read from the items."""

    examples = 20

    @pytest.fixture(autouse=True)
    def _kept(self, kept_url: str) -> None:
        self.url = kept_url
        columns: dict[str, Any] = {name: COLUMNS[name] for name in ("eo:cloud_cover", "updated")}
        PostgresStore(self.url, columns=columns).columns()  # made with these

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Aggregates]:
        with filled(self.url, items) as source:
            yield source


class TestPlaces:
    """Cells by what the database computes, and the edges between them."""

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    async def test_a_cell_is_the_one_of_the_centre(self, kept_url: str, data: st.DataObject) -> None:
        numbers = st.sampled_from(
            [-180.0, -135.0, -45.0, 0.0, 1e-12, 11.25, 45.0, 66.51326044311186, 90.0, 180.0]
        )
        places = st.tuples(
            numbers | st.floats(-180, 180), numbers.filter(lambda n: abs(n) <= 90) | st.floats(-90, 90)
        )
        held = [
            plain_item(id=f"{n}", geometry={"type": kind, "coordinates": coordinates})
            for n, (kind, coordinates) in enumerate(
                data.draw(
                    st.lists(
                        places.map(lambda place: ("Point", list(place)))
                        | st.lists(places, min_size=1, max_size=3).map(lambda some: ("MultiPoint", some)),
                        max_size=20,
                    )
                )
            )
        ]
        with filled(kept_url, held) as source:
            for precision in (0, 1, 3, 8, 24):
                fitting = {
                    name: max(least, min(precision, most)) for name, (least, most, _) in PRECISIONS.items()
                }
                request = AggregateRequest(SearchRequest(), tuple(PRECISIONS), None, fitting)
                assert await source.aggregate(ANONYMOUS, request) == one_by_one(held, request)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(held=items(max_size=30))
    async def test_what_touches_a_box_counts(self, kept_url: str, held: list[Item]) -> None:
        with filled(kept_url, held) as source:
            for box in ([0, 0, 0, 0], [-10, -10, 10, 10], [170, -90, -170, 90], [-180, -90, 180, 90]):
                request = AggregateRequest(SearchRequest(bbox=Box.parse(box)), ALL)
                assert await source.aggregate(ANONYMOUS, request) == one_by_one(held, request)


@pytest.mark.parametrize(
    "interval", [None, "2020-06-01T00:00:00Z/2020-06-03T00:00:00Z", "2020-06-01T00:00:00Z/.."]
)
@pytest.mark.parametrize("filtered", [None, {"op": "<>", "args": [{"property": "platform"}, "a"]}])
async def test_the_step_follows_what_matches(
    store: PostgresStore, opened: Opened, interval: str | None, filtered: dict[str, Any] | None
) -> None:
    """Hours, days or months, also where some values do not fit their columns."""
    times = ["2020-06-01T03:10:00Z", "2020-06-01T03:50:00Z", "2020-06-02T00:00:00Z", "2020-07-02T00:00:00Z"]
    platforms: list[Any] = ["b", 7, ["b", "c"], "a"]
    held = [
        plain_item(id=f"{n}", properties={"datetime": time, "platform": platform})
        for n, (time, platform) in enumerate(zip(times, platforms, strict=True))
    ]
    for upto in (2, 3, 4):
        put(store, *held[:upto])
        search = SearchRequest(datetime=Interval.parse(interval) if interval else None, filter=filtered)
        request = AggregateRequest(search, ALL)
        assert await opened().aggregate(ANONYMOUS, request) == one_by_one(held[:upto], request)


async def test_removed_items_are_counted_no_more(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"), plain_item(id="b"), plain_item(id="c", collection="two"))
    source = opened()
    request = AggregateRequest(SearchRequest(), ALL)
    await source.aggregate(ANONYMOUS, request)
    with store.writing() as writer:
        writer.remove("one", "a")
        writer.remove_collection("two")
    for names in (ALL, ("total_count", "collection_frequency", "datetime_frequency")):
        request = AggregateRequest(SearchRequest(), names)
        assert await source.aggregate(ANONYMOUS, request) == one_by_one([plain_item(id="b")], request)


async def test_what_the_database_cannot_compare_is_counted_here(store: PostgresStore, opened: Opened) -> None:
    """Geometry collections, and names that nothing has."""
    point = {"type": "Point", "coordinates": [10, 50]}
    mixed = {"type": "GeometryCollection", "geometries": [point]}
    held = [
        plain_item(id="a", geometry=mixed),
        plain_item(id="b", geometry=point),
        plain_item(id="c", geometry=None),
    ]
    put(store, *held)
    for search in (
        SearchRequest(bbox=Box(9, 49, 11, 51)),
        SearchRequest(intersects=mixed),
        SearchRequest(ids=("a", "c", "x")),
        SearchRequest(ids=("x\0",)),
        SearchRequest(collections=("nowhere",)),
        SearchRequest(filter={"op": "=", "args": [{"property": "none"}, 1]}),
    ):
        request = AggregateRequest(search, ALL)
        assert await opened().aggregate(ANONYMOUS, request) == one_by_one(held, request)
