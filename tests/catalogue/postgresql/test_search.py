"""Searches in an archive longer than any batch: all ways give the plain answer, at any depth."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue.postgresql import PostgresCatalogue, PostgresStore
from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.searching import conditions
from cscale.catalogue.postgresql.searching.query import Query, Way
from cscale.catalogue.postgresql.searching.ways import choose
from cscale.catalogue.statistics import CollectionStatistics
from cscale.stac.geometry import Box
from cscale.stac.items import Item
from cscale.stac.search import NEWEST_FIRST, SearchRequest, SortField
from cscale.stac.times import Interval
from cscale.testing.archives import COLLECTIONS, plain_item
from cscale.testing.items import brute_force, requests, walk
from tests.catalogue.postgresql.conftest import DATA_URL
from tests.postgres import fresh

SIZE = 700
WAYS: list[Way | None] = ["box", "time", "column", None]


def scene(n: int, draw: random.Random) -> Item:
    """One of many: ten times in three years, a box a degree wide or a triangle, anywhere."""
    west, south = -180 + draw.uniform(0, 358), draw.uniform(-89, 88)
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring if n % 3 else [*ring[:2], ring[3], ring[0]]]}
    cloud = {"eo:cloud_cover": draw.choice([0, 5, 50, 99.5])} if n % 9 else {}
    return plain_item(
        id=f"scene-{n:04}",
        collection=COLLECTIONS[n % 7 % 3],
        geometry=geometry if n % 50 else None,
        properties={
            "datetime": f"{2019 + n % 3}-06-{1 + n % 10:02}T10:30:00Z",
            "platform": draw.choice(["sentinel-2a", "sentinel-2b"]),
            "test:count": n % 4,
            **cloud,
        },
    )


@pytest.fixture(scope="module")
def scenes() -> list[Item]:
    draw = random.Random(1)
    return [scene(n, draw) for n in range(SIZE)]


@pytest.fixture(scope="module")
def filled(postgres_server: str, scenes: list[Item]) -> Iterator[str]:
    with fresh(postgres_server) as url:
        with PostgresStore(url).writing() as writer:
            for item in scenes:
                writer.put(item)
        yield url


@pytest.fixture(scope="module", params=WAYS, ids=str)
def source(filled: str, request: pytest.FixtureRequest) -> Iterator[PostgresCatalogue]:
    opened = PostgresCatalogue(
        Place.parse(filled), data_url=DATA_URL, secret=b"s", way=request.param, few=20.0
    )
    yield opened
    opened.close()


def names(source: PostgresCatalogue, request: SearchRequest) -> list[str]:
    pages = asyncio.run(walk(source, request, at_most=2 * SIZE))
    return [item.id for page in pages for item in page.items]


def in_space_and_time() -> st.SearchStrategy[SearchRequest]:
    boxes = st.builds(
        lambda west, south, size: Box.parse([west, south, west + size, min(90, south + size)]),
        st.floats(-180, 180),
        st.floats(-90, 90),
        st.sampled_from([0.0, 4.0, 30.0, 200.0]),
    )
    days = st.tuples(st.integers(1, 10), st.integers(1, 10)).map(sorted)
    spans = days.map(lambda ends: f"2019-06-{ends[0]:02}T00:00:00Z/2021-06-{ends[1]:02}T12:00:00Z")
    orders = [
        NEWEST_FIRST,
        (SortField("datetime"),),
        (SortField("eo:cloud_cover"), SortField("datetime", descending=True)),
        (SortField("eo:cloud_cover", descending=True), SortField("collection")),
    ]
    return st.builds(
        SearchRequest,
        bbox=st.none() | boxes,
        datetime=st.none() | spans.map(Interval.parse),
        filter=st.sampled_from([None, {"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}]),
        sortby=st.sampled_from(orders),
        limit=st.sampled_from([50, 128, 1000]),
    )


@settings(max_examples=12)
@given(asked=in_space_and_time())
def test_any_way_gives_the_plain_answer(
    source: PostgresCatalogue, scenes: list[Item], asked: SearchRequest
) -> None:
    assert names(source, asked) == [item["id"] for item in brute_force(scenes, asked)]


@settings(max_examples=8)
@given(asked=requests())
def test_any_search_gives_the_plain_answer(
    source: PostgresCatalogue, scenes: list[Item], asked: SearchRequest
) -> None:
    asked = replace(asked, limit=max(asked.limit, 150))
    assert names(source, asked) == [item["id"] for item in brute_force(scenes, asked)]


@pytest.mark.parametrize("limit", [7, 100])
def test_a_walk_through_all_is_complete(source: PostgresCatalogue, scenes: list[Item], limit: int) -> None:
    asked = SearchRequest(collections=("two",) if limit == 7 else None, limit=limit)
    assert names(source, asked) == [item["id"] for item in brute_force(scenes, asked)]


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (SearchRequest(), "time"),
        (SearchRequest(bbox=Box(10, 10, 11, 11)), "box"),
        (SearchRequest(bbox=Box(-180, -90, 180, 90)), "time"),
        (SearchRequest(sortby=(SortField("eo:cloud_cover"),)), "column"),
        (SearchRequest(sortby=(SortField("test:count"),)), "read"),
        (SearchRequest(ids=("a",)), "ids"),
    ],
)
def test_the_statistics_choose_the_way(asked: SearchRequest, way: Way) -> None:
    known = CollectionStatistics(1, "one", 0, 0)
    known.load([(cell, 40) for cell in range(2592)], [(day, 100) for day in range(1037)])
    query = Query(asked, [known], {"eo:cloud_cover": (1, "number")}, frozenset())
    assert choose(query, None) == way


def test_no_literal_of_a_filter_stands_in_its_sql() -> None:
    evil = "'; DROP TABLE item; --"
    columns: conditions.Columns = {"platform": (1, "string"), "instruments": (2, "strings")}
    for each in (
        {"op": "=", "args": [{"property": "platform"}, evil]},
        {"op": "like", "args": [{"property": "platform"}, evil + "%"]},
        {"op": "in", "args": [{"property": "platform"}, [evil]]},
        {"op": "a_contains", "args": [{"property": "instruments"}, [evil]]},
    ):
        [(sql, bound)], rest = conditions.split(each, columns)
        assert rest is None
        assert "DROP" not in sql
        assert evil in str(bound)
