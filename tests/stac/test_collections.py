"""Collection search: which match, in which order, page by page."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import shapely.affinity
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import BadCursor, BadRequest
from cscale.stac.answers.collections import DEFAULT_LIMIT, read, search
from cscale.stac.geometry import Box
from cscale.stac.items import Collection
from cscale.stac.search import MAX_LIMIT, SearchRequest, SortField
from cscale.stac.text import normal
from cscale.stac.times import Interval, instant
from cscale.testing.archives import LATITUDES, LONGITUDES, MOMENTS_IN_ORDER
from cscale.testing.searches import boxes, terms

NAMES = ("a", "B", "b", "c|d", "é", "😀")
texts = st.sampled_from(["Sentinel-2", "sentinel 2 scenes", "EO", "Earth", "Observation", "", "Cluj"])


def box_lists() -> st.SearchStrategy[list[list[float]]]:
    return st.lists(boxes().map(Box.numbers), min_size=1, max_size=3)


def interval_lists() -> st.SearchStrategy[list[list[str | None]]]:
    moments = st.sampled_from(MOMENTS_IN_ORDER)
    pair = st.tuples(st.none() | moments, st.none() | moments).map(
        lambda two: sorted(two, key=MOMENTS_IN_ORDER.index) if None not in two else list(two)
    )
    return st.lists(pair, min_size=1, max_size=2)


held = st.lists(
    st.builds(
        lambda name, title, keywords, bbox, interval: {
            "type": "Collection", "id": name, "title": title, "description": "", "keywords": keywords,
            "extent": {"spatial": {"bbox": bbox}, "temporal": {"interval": interval}},
        },
        st.sampled_from(NAMES), texts, st.lists(texts, max_size=2), box_lists(), interval_lists(),
    ),
    max_size=6,
    unique_by=lambda each: each["id"],
)  # fmt: skip
intervals = st.tuples(st.sampled_from(MOMENTS_IN_ORDER), st.sampled_from(MOMENTS_IN_ORDER)).map(
    lambda two: Interval.parse("/".join(sorted(two, key=MOMENTS_IN_ORDER.index)))
)
orders = st.lists(
    st.builds(SortField, st.sampled_from(["id", "title", "extent.spatial", "nowhere"]), st.booleans()),
    min_size=1, max_size=2, unique_by=lambda field: field.name,
).map(tuple)  # fmt: skip


def walked(collections: list[Collection], request: SearchRequest) -> Iterator[Collection]:
    token = None
    for _ in range(50):
        page = search(collections, replace(request, token=token))
        assert len(page.collections) <= request.limit
        yield from page.collections
        token = page.token
        if token is None:
            return
    raise AssertionError("the walk does not end")


def in_box(collection: Collection, asked: Box) -> bool:
    """The plain meaning: a globe on which -180 and 180 are one."""

    def on_globe(box: Box) -> Any:
        return shapely.union_all([shapely.affinity.translate(box.geometry(), by) for by in (-360, 0, 360)])

    return any(
        asked.meets_heights(box.bottom, box.top) and on_globe(asked).intersects(box.geometry())
        for box in map(Box.parse, collection["extent"]["spatial"]["bbox"])
    )


def in_time(collection: Collection, asked: Interval) -> bool:
    for start, end in collection["extent"]["temporal"]["interval"]:
        first = -(10**18) if start is None else instant(start)
        last = 10**18 if end is None else instant(end)
        if asked.meets(first, last):
            return True
    return False


def speaks_of(collection: Collection, asked: tuple[str, ...]) -> bool:
    told = [collection["id"], collection["title"], *collection["keywords"]]
    return any(f" {term} " in f" {normal(text)} " for term in asked for text in told)


@given(held, st.none() | boxes(), st.none() | intervals, st.none() | terms(), orders, st.integers(1, 4))
def test_a_walk_gives_every_match_once_and_in_order(
    collections: list[Collection],
    bbox: Box | None,
    when: Interval | None,
    q: tuple[str, ...] | None,
    sortby: tuple[SortField, ...],
    limit: int,
) -> None:
    request = SearchRequest(bbox=bbox, datetime=when, q=q, sortby=sortby, limit=limit)
    expected = [
        each
        for each in sorted(collections, key=lambda each: str(each["id"]))
        if (bbox is None or in_box(each, bbox))
        and (when is None or in_time(each, when))
        and (q is None or speaks_of(each, q))
    ]
    for field in reversed(sortby):
        if field.name in ("id", "title"):
            expected.sort(key=lambda each: each[field.name], reverse=field.descending)  # used at once
    found = list(walked(collections, request))
    assert found == expected
    assert search(collections, request).matched == len(expected)


def test_extents_that_cannot_be_read_match_nothing() -> None:
    odd: list[Any] = [None, [], {"spatial": []}, {"spatial": {"bbox": [[1]], "temporal": 5}}]
    odd += [{"spatial": {"bbox": 5}, "temporal": {"interval": [["yesterday", None], [None], 5]}}]
    collections = [{"id": str(number), "extent": extent} for number, extent in enumerate(odd)]
    assert search(collections, read([("bbox", "-180,-90,180,90")])).matched == 0
    assert search(collections, read([("datetime", "2020-01-01T00:00:00Z/..")])).matched == 0
    assert search(collections, read([])).matched == len(odd)


def test_without_parameters_all_come_by_id() -> None:
    request = read([])
    assert (request.limit, request.sortby) == (DEFAULT_LIMIT, (SortField("id"),))
    assert read([("limit", "5000")]).limit == MAX_LIMIT


def test_what_is_not_known_of_collections_is_refused() -> None:
    for name in ("collections", "ids", "intersects", "filter", "query", "strict", "foo"):
        with pytest.raises(BadRequest, match=f"^{name}: not known of collections"):
            read([(name, "a")])


def test_a_token_is_good_for_its_search_alone() -> None:
    collections: list[Collection] = [{"id": name} for name in NAMES]
    token = search(collections, read([("limit", "2")])).token
    assert token
    assert search(collections, read([("limit", "9"), ("token", token)])).matched == len(NAMES)
    other = [("sortby", "-id"), ("token", token)], [("sortby", "title,id"), ("token", token)]
    changed = [[("token", each)] for each in ("", "x", "é", "AAAA", token[:-3], token + "A", "A" + token)]
    for asked in (*other, *changed):
        with pytest.raises(BadCursor):
            search(collections, read(asked))


def test_places_at_the_edges_are_drawn() -> None:
    assert {-180.0, 180.0} <= set(LONGITUDES)
    assert {-90.0, 90.0} <= set(LATITUDES)
