"""Searches in an archive longer than any batch: both ways give the plain answer, at any depth."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.catalogue.sqlite.schema import connect
from cscale.catalogue.sqlite.state import CurrentState
from cscale.catalogue.sqlite.ways import Position, Query, Way, Ways
from cscale.identity import ANONYMOUS
from cscale.stac.geometry import Box
from cscale.stac.items import Item
from cscale.stac.search import NEWEST_FIRST, SearchRequest, SortField
from cscale.stac.times import Interval
from cscale.testing.archives import COLLECTIONS, plain_item
from cscale.testing.items import brute_force, requests, walk

SIZE = 1500
WAYS: list[Way | None] = ["box", "time", None]


def scene(n: int, draw: random.Random) -> Item:
    """One of many: ten times in all, a box a degree wide or a triangle, anywhere."""
    west, south = draw.uniform(-181, 179), draw.uniform(-89, 88)
    west = -180 + (west + 180) % 359
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring if n % 3 else [*ring[:2], ring[3], ring[0]]]}
    return plain_item(
        id=f"scene-{n:04}",
        collection=COLLECTIONS[n % 7 % 3],
        geometry=geometry if n % 50 else None,
        properties={
            "datetime": f"2020-06-{1 + n % 10:02}T10:30:00Z",
            "eo:cloud_cover": draw.choice([0, 5, 50, 99.5]),
            "platform": draw.choice(["sentinel-2a", "sentinel-2b"]),
            "test:count": n % 4,
        },
    )


@pytest.fixture(scope="module")
def scenes() -> list[Item]:
    draw = random.Random(1)
    return [scene(n, draw) for n in range(SIZE)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, scenes: list[Item]) -> Path:
    path = tmp_path_factory.mktemp("query") / "catalogue.sqlite"
    with writing(path) as writer:
        for item in scenes:
            writer.put(item)
    return path


@pytest.fixture(scope="module", params=WAYS, ids=str)
def source(filled: Path, request: pytest.FixtureRequest) -> Iterator[SqliteCatalogue]:
    opened = SqliteCatalogue(filled, data_url="https://example.org/data", secret=b"s", way=request.param)
    yield opened
    opened.close()


def names(source: SqliteCatalogue, request: SearchRequest) -> list[str]:
    pages = asyncio.run(walk(source, request, at_most=2 * SIZE))
    return [item.id for page in pages for item in page.items]


def boxes_of_any_size() -> st.SearchStrategy[Box]:
    sizes = st.sampled_from([0.0, 1.0, 4.0, 30.0, 200.0])
    return st.builds(
        lambda west, south, size: Box.parse([west, south, west + size, min(90, south + size)]),
        st.floats(-180, 180),
        st.floats(-90, 90),
        sizes,
    )


def in_space_and_time() -> st.SearchStrategy[SearchRequest]:
    days = st.tuples(st.integers(1, 10), st.integers(1, 10)).map(sorted)
    spans = days.map(lambda ends: f"2020-06-{ends[0]:02}T00:00:00Z/2020-06-{ends[1]:02}T12:00:00Z")
    orders = [
        NEWEST_FIRST,
        (SortField("datetime"),),
        (SortField("eo:cloud_cover"), SortField("datetime", descending=True)),
    ]
    return st.builds(
        SearchRequest,
        bbox=st.none() | boxes_of_any_size(),
        datetime=st.none() | spans.map(Interval.parse),
        filter=st.sampled_from([None, {"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}]),
        sortby=st.sampled_from(orders),
        limit=st.sampled_from([10, 128, 200, 1000]),
    )


@settings(max_examples=25)
@given(asked=in_space_and_time())
def test_any_way_gives_the_plain_answer(
    source: SqliteCatalogue, scenes: list[Item], asked: SearchRequest
) -> None:
    assert names(source, asked) == [item["id"] for item in brute_force(scenes, asked)]


@settings(max_examples=15)
@given(asked=requests())
def test_any_search_gives_the_plain_answer(
    source: SqliteCatalogue, scenes: list[Item], asked: SearchRequest
) -> None:
    asked = replace(asked, limit=max(asked.limit, 100))
    assert names(source, asked) == [item["id"] for item in brute_force(scenes, asked)]


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_a_walk_through_all_is_complete(source: SqliteCatalogue, scenes: list[Item], limit: int) -> None:
    asked = SearchRequest(collections=("two",) if limit == 1 else None, limit=limit)
    assert names(source, asked) == [item["id"] for item in brute_force(scenes, asked)]


def way_of(filled: Path, asked: SearchRequest) -> Way:
    connection = connect(filled)
    try:
        collection = CurrentState().of(connection).collections["one"]
        return Ways(connection, collection, Query(asked)).way
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (SearchRequest(), "time"),
        (SearchRequest(bbox=Box(10, 10, 11, 11)), "box"),
        (SearchRequest(bbox=Box(-180, -90, 180, 90)), "time"),
        (SearchRequest(bbox=Box(-170, -80, 170, 80), sortby=(SortField("datetime"),)), "time"),
        (SearchRequest(bbox=Box(10, 10, 11, 11), datetime=Interval.parse("1999-01-01T00:00:00Z")), "time"),
        (SearchRequest(bbox=Box(10, 10, 11, 11), ids=("scene-0001",)), "ids"),
        (SearchRequest(intersects={"type": "Point", "coordinates": [10, 10]}), "box"),
    ],
)
def test_the_statistics_choose_the_shorter_way(filled: Path, asked: SearchRequest, way: Way) -> None:
    assert way_of(filled, asked) == way


@pytest.mark.parametrize(
    "asked",
    [
        SearchRequest(limit=10),
        SearchRequest(datetime=Interval.parse("2020-06-02T00:00:00Z/2020-06-04T00:00:00Z")),
        SearchRequest(filter={"op": "<", "args": [{"property": "eo:cloud_cover"}, 10]}),
    ],
)
def test_a_page_in_the_order_of_time_is_read_from_the_index(filled: Path, asked: SearchRequest) -> None:
    """Without sorting, and at any depth: the plan has no temporary tree."""
    connection = connect(filled)
    collection = CurrentState().of(connection).collections["one"]
    item = connection.execute(
        "SELECT t, id FROM item WHERE collection = ? ORDER BY t LIMIT 1", [collection.n]
    )
    moment, item_id = item.fetchone()
    query = Query(asked, Position((moment,), item_id, "one"))
    ways = Ways(connection, collection, query)
    [walk] = ways.walks()
    sql, values = ways.sql(walk)
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))
    connection.close()
    assert "item_newest" in plan
    assert "TEMP B-TREE" not in plan


async def test_long_searches_do_not_hold_up_quick_ones(filled: Path) -> None:
    opened = SqliteCatalogue(filled, data_url="https://example.org/data", secret=b"s")
    everywhere = {"op": ">", "args": [{"property": "test:count"}, 99]}
    long = [
        asyncio.ensure_future(opened.search(ANONYMOUS, SearchRequest(filter=everywhere))) for _ in range(20)
    ]
    await asyncio.sleep(0)
    page = await opened.search(ANONYMOUS, SearchRequest(limit=1))
    assert page.items
    assert not all(each.done() for each in long)
    await asyncio.gather(*long)
    opened.close()
