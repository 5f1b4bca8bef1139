"""Sorted by a column that has an index: the same order as by reading everything, page by page."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue.conditions import bounds
from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.catalogue.sqlite.ways import Way
from cscale.identity import ANONYMOUS
from cscale.stac import cql2
from cscale.stac.items import read_body
from cscale.stac.search import SearchRequest, SortField
from cscale.testing.archives import plain_item
from cscale.testing.items import brute_force, walk

CLOUDS = st.sampled_from([0, 0, 5, 10.5, 100, None, "10", "x"])


def archive(clouds: list[Any]) -> list[dict[str, Any]]:
    items = []
    for number, cloud in enumerate(clouds):
        item = plain_item(id=f"i{number}", collection="ab"[number % 2])
        item["properties"]["eo:cloud_cover"] = cloud
        items.append(item)
    return items


@settings(max_examples=60)
@given(
    clouds=st.lists(CLOUDS, max_size=12),
    descending=st.booleans(),
    with_id=st.booleans(),
    limit=st.integers(1, 5),
    way=st.sampled_from([None, "column", "time"]),
)
def test_a_walk_by_a_column_is_the_plain_order(
    clouds: list[Any], descending: bool, with_id: bool, limit: int, way: Way | None
) -> None:
    items = archive(clouds)
    order = (SortField("eo:cloud_cover", descending), *([SortField("id")] if with_id else []))
    request = SearchRequest(sortby=order, limit=limit)
    with TemporaryDirectory() as folder:
        path = Path(folder, "catalogue.sqlite")
        with writing(path) as writer:
            for item in items:
                writer.put(item)
        source = SqliteCatalogue(path, data_url="http://x/data", secret=b"s", way=way)
        pages = asyncio.run(walk(source, request))
        source.close()
    walked = [read_body(item.body)["id"] for page in pages for item in page.items]
    assert walked == [item["id"] for item in brute_force(items, request)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("S_INTERSECTS(geometry, BBOX(1,2,3,4))", [(1, 2, 3, 4)]),
        ("gsd = 1 AND S_WITHIN(geometry, POLYGON((0 0, 2 0, 2 1, 0 0)))", [(0, 0, 2, 1)]),
        ("S_INTERSECTS(geometry, BBOX(170,0,-170,1))", [(170, 0, 180, 1), (-180, 0, -170, 1)]),
        ("S_DISJOINT(geometry, BBOX(1,2,3,4))", []),
        ("NOT S_INTERSECTS(geometry, BBOX(1,2,3,4))", []),
        ("gsd = 1 OR S_INTERSECTS(geometry, BBOX(1,2,3,4))", []),
        ("gsd = 1", []),
    ],
)
def test_only_a_geometry_that_must_be_met_bounds_the_search(text: str, place: list[Any]) -> None:
    assert bounds(cql2.parse(text, "cql2-text")) == place


def test_a_column_of_other_things_than_numbers_and_texts_is_sorted_all_the_same(tmp_path: Path) -> None:
    items = archive([True, 0.5, [1], False, None])
    path = tmp_path / "catalogue.sqlite"
    with writing(path) as writer:
        for item in items:
            writer.put(item)
    source = SqliteCatalogue(path, data_url="http://x/data", secret=b"s", way="column")
    request = SearchRequest(sortby=(SortField("eo:cloud_cover"),))
    page = asyncio.run(source.search(ANONYMOUS, request))
    source.close()
    assert [item.id for item in page.items] == [item["id"] for item in brute_force(items, request)]


def test_a_cursor_holds_any_number_that_json_can_say(tmp_path: Path) -> None:
    items = []
    for number, size in enumerate([10**40, 2**64, 1, -(10**30)]):
        item = plain_item(id=f"i{number}", collection="a")
        item["properties"]["size"] = size
        items.append(item)
    path = tmp_path / "catalogue.sqlite"
    with writing(path) as writer:
        for item in items:
            writer.put(item)
    source = SqliteCatalogue(path, data_url="http://x/data", secret=b"s")
    pages = asyncio.run(walk(source, SearchRequest(sortby=(SortField("size"),), limit=1)))
    source.close()
    assert [item.id for page in pages for item in page.items] == ["i3", "i2", "i1", "i0"]
