"""What the kit draws can be asked and held: valid filters, valid items, all of their kinds."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cscale.catalogue.queryables import COLUMNS
from cscale.catalogue.rows import row_of
from cscale.stac import cql2
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest, from_json
from cscale.testing.archives import PROPERTIES, geometries, items
from cscale.testing.searches import filters, requests

T = TypeVar("T")
GEOMETRIES = {
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
}

OPERATORS = {"and", "or", "not", "<", "in", "between", "isNull", "like", "s_", "t_", "a_"}


@settings(max_examples=20)  # the schema is slow
@given(filters())
def test_every_filter_is_valid_cql2(drawn: cql2.Expression) -> None:
    assert cql2.parse(drawn, "cql2-json")


@given(requests().filter(lambda drawn: drawn.filter is None))
def test_every_search_can_be_asked_by_its_body(drawn: SearchRequest) -> None:
    assert from_json(drawn.body()) == drawn


@given(items())
def test_every_item_is_one_and_none_stands_twice(drawn: list[Item]) -> None:
    assert all(row_of(item, COLUMNS) for item in drawn)
    names = Counter((item["collection"], item["id"]) for item in drawn)
    assert set(names.values()) <= {1}


ITEMS: dict[str, Callable[[Item], object]] = {
    "no place": lambda item: item["geometry"] is None,
    "over the antimeridian": lambda item: item.get("bbox") and item["bbox"][0] > item["bbox"][2],
    "heights": lambda item: len(item.get("bbox", [])) == 6,
    "a stretch of time": lambda item: item["properties"]["datetime"] is None,
    "a time and a stretch": lambda item: len(item["properties"].keys() & {"datetime", "end_datetime"}) == 2,
}
SEARCHES: dict[str, Callable[[SearchRequest], object]] = {
    "over the antimeridian": lambda asked: asked.bbox and asked.bbox.west > asked.bbox.east,
    "heights": lambda asked: asked.bbox and asked.bbox.bottom is not None,
    "a line or point for a box": lambda asked: asked.bbox and asked.bbox.west == asked.bbox.east,
    "an open start": lambda asked: asked.datetime and asked.datetime.start is None,
    "an open end": lambda asked: asked.datetime and asked.datetime.end is None,
    "time and filter": lambda asked: asked.datetime and asked.filter,
    "three fields": lambda asked: len(asked.sortby) == 3,
    "a geometry": lambda asked: asked.intersects,
    "ids": lambda asked: asked.ids,
    "collections": lambda asked: asked.collections,
    "free text": lambda asked: asked.q,
}


def drawn_from(strategy: st.SearchStrategy[T], examples: int) -> list[T]:
    drawn: list[T] = []

    @settings(max_examples=examples, phases=[Phase.generate], database=None, derandomize=True)
    @given(strategy)
    def draw(one: T) -> None:
        drawn.append(one)

    draw()
    return drawn


def test_items_are_of_all_kinds() -> None:
    held = [item for archive in drawn_from(items(), 200) for item in archive]
    assert {name for name, is_so in ITEMS.items() if any(map(is_so, held))} == ITEMS.keys()
    assert {name for item in held for name in item["properties"]} >= PROPERTIES.keys()
    assert {item["geometry"]["type"] for item in held if item["geometry"]} == GEOMETRIES


def test_searches_are_of_all_kinds() -> None:
    asked = drawn_from(requests(), 800)
    assert {name for name, is_so in SEARCHES.items() if any(map(is_so, asked))} == SEARCHES.keys()


def test_filters_are_of_all_kinds() -> None:
    drawn = {each["op"] for each in drawn_from(filters(), 800)}
    assert {op[:2] if op[1:2] == "_" else op for op in drawn if op != "="} >= OPERATORS


def test_geometries_are_of_all_types() -> None:
    assert {drawn["type"] for drawn in drawn_from(geometries(), 200)} == GEOMETRIES


@given(st.lists(items(), max_size=3))
def test_two_draws_share_nothing_that_can_change(drawn: list[list[Item]]) -> None:
    for held in drawn:
        for item in held:
            assert "changed" not in item["properties"]
            item["properties"]["changed"] = True
