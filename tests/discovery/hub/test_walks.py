"""A hub over archives in this process: its answers are the brute-force union of what they hold."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from cscale.discovery import Hub
from cscale.discovery.hub.translation import Translation
from cscale.stac.items import Item, OpenItem, read_body
from cscale.stac.search import SearchRequest, from_json
from cscale.testing.items import walk
from tests.discovery.federations import (
    MORNING,
    Archive,
    Expected,
    archives,
    feature,
    hub_over,
    member,
    union,
)

SORTS = ("-datetime", "+datetime", "-eo:cloud_cover", "eo:cloud_cover", "id", "-id", "-datetime,id",
         "platform,-eo:cloud_cover")  # fmt: skip
COLLECTIONS = ("c", "d", "alpha|A-C", "alpha|c", "beta|x|y", "gamma|d", "nowhere")
TWO = {"op": "in", "args": [{"property": "id"}, ["P", "Q"]]}
INTERVALS = ("2020-05-20T18:40:00Z/2020-05-20T18:55:00Z", "2020-05-20T00:00:00Z/2020-05-20T01:00:00Z",
             "2020-05-21T00:00:00Z/..")  # fmt: skip
FILTERS: tuple[dict[str, Any], ...] = (
    {"op": "<", "args": [{"property": "eo:cloud_cover"}, 50]},
    TWO,
    {"op": "not", "args": [TWO]},
    {"op": "=", "args": [{"property": "collection"}, "c"]},
    {"op": "or", "args": [{"op": "like", "args": [{"property": "collection"}, "alpha|%"]}, TWO]},
    {"op": "not", "args": [{"op": "=", "args": [{"property": "properties.collection"}, "d"]}]},
)


def _body(**asked: Any) -> SearchRequest:
    body = {name: value for name, value in asked.items() if value is not None}
    body["sortby"] = [
        {"field": field.lstrip("+-"), "direction": "desc" if field.startswith("-") else "asc"}
        for field in body["sortby"].split(",")
    ]
    return from_json(body)


PARAMETERS: dict[str, st.SearchStrategy[Any]] = {
    "sortby": st.sampled_from(SORTS),
    "limit": st.sampled_from([1, 2, 7, 100]),
    "ids": st.none() | st.none() | st.lists(st.sampled_from("PQX"), min_size=1, max_size=2),
    "filter": st.none() | st.sampled_from(FILTERS),
    "bbox": st.none() | st.none() | st.just([0, 0, 5, 5]),
    "datetime": st.none() | st.none() | st.sampled_from(INTERVALS),
}
REQUESTS = st.builds(
    _body,
    duplicates=st.sampled_from(["join", "join", "keep"]),
    collections=st.none() | st.lists(st.sampled_from(COLLECTIONS), min_size=1, max_size=3),
    **PARAMETERS,
)


def found(item: OpenItem) -> Expected:
    body = read_body(item.body)
    assert (body["id"], body["collection"]) == (item.id, item.collection)
    return item.id, item.collection, [tuple(place.values()) for place in body["federation:sites"]]


async def _walked(hub: Hub, request: SearchRequest) -> list[Expected]:
    pages = await walk(hub, request)
    for page in pages:
        assert page.extra["federation:missing"] == [], page.extra["federation"]
    return [found(item) for page in pages for item in page.items]


@settings(max_examples=120, phases=set(Phase) - {Phase.explain}, report_multiple_bugs=False)
@given(archives(), REQUESTS)
def test_a_walk_equals_the_union_of_the_sites(sites: list[Archive], request: SearchRequest) -> None:
    async def check() -> None:
        async with hub_over(sites) as hub:
            assert await _walked(hub, request) == union(sites, request)

    asyncio.run(check())


def _seen_from_outside(expected: Expected) -> Expected:
    name, collection, places = expected
    inside = ("alpha", "beta")
    seen = [(f"inner/{site}" if site in inside else site, own, own_id) for site, own, own_id in places]
    return name, collection, seen


@settings(max_examples=120, phases=set(Phase) - {Phase.explain}, report_multiple_bugs=False)
@given(archives(minutes=[0, 0, 14, 120]), st.builds(_body, **PARAMETERS))
def test_a_hub_of_a_hub_answers_as_one_hub_of_all_sites(sites: list[Archive], request: SearchRequest) -> None:
    """Where no collection has to be shown as a site's own, which is named by the way to it."""
    plain = [replace(site, items=list(filter(_is_plain(site), site.items))) for site in sites]

    async def check() -> None:
        async with hub_over(plain[:2]) as inner, hub_over(plain[2:], inner) as outer:
            expected = [_seen_from_outside(each) for each in union(plain, request)]
            walked = await _walked(outer, request)
            assert [name for name, *_ in walked] == [name for name, *_ in expected]
            assert sorted(walked) == sorted(expected)  # what is of one name may come in another order

    asyncio.run(check())


def _at(minutes: int, item_id: str, collection: str = "c", **properties: str) -> Item:
    return feature(item_id, collection, MORNING + minutes * 60_000_000, properties)


ACROSS_PAGES = [
    Archive(member("alpha"), [_at(0, "P"), _at(7, "Q"), _at(28, "R"), _at(-60, "T")]),
    Archive(member("beta"), [_at(14, "P"), _at(20, "Q"), _at(29, "S")]),
]
SWAPPED = [
    Archive(
        member("alpha", collections={"c": "d", "d": "c"}),
        [_at(0, "P"), _at(0, "P", "d"), _at(0, "Q")],
        page=2,
    )
]


@pytest.mark.parametrize(
    ("sites", "asked"),
    [
        pytest.param(ACROSS_PAGES, {"sortby": "-datetime"}, id="newest, copies around a cut"),
        pytest.param(ACROSS_PAGES, {"sortby": "datetime"}, id="oldest, copies around a cut"),
        pytest.param(ACROSS_PAGES, {"sortby": "id"}, id="by name, copies around a cut"),
        pytest.param(SWAPPED, {"sortby": "id"}, id="equal keys, in the federation's words in another order"),
    ],
)
async def test_nothing_is_lost_where_pages_are_cut(sites: list[Archive], asked: dict[str, Any]) -> None:
    request = _body(limit=1, **asked)
    async with hub_over(sites) as hub:
        assert await _walked(hub, request) == union(sites, request)


def _is_plain(site: Archive) -> Callable[[Item], bool]:
    return lambda item: "|" not in Translation(site.member).shown(item["collection"])
