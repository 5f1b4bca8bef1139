"""Search parameters from a URL and from a JSON body: both read the same, and nothing is guessed."""

from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.stac import cql2
from cscale.stac.geometry import Box
from cscale.stac.search import (
    CRS84,
    DEFAULT_LIMIT,
    MAX_LIMIT,
    NEWEST_FIRST,
    Fields,
    SearchRequest,
    SortField,
    from_json,
    from_query,
)
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT, Interval

MID = "2020-06-01T12:00:00Z"
POINT = {"type": "Point", "coordinates": [1.5, 2]}
TEXTS = [
    "a = 1",
    "true",
    "eo:cloud_cover < 10 and not platform in ('s2a', 's2b')",
    "s_intersects(geometry, POINT(1 2))",
    "t_during(datetime, INTERVAL('2020-01-01', '..'))",
    "casei(title) like casei('%é%')",
    "a between -1e3 and 2.5",
    "a_contains(tags, ('x', 'y')) or b is not null",
    "(a + 1) * 2 div 3 % 4 ^ 2 - 5 / 6 = 0",
    "name = 'it''s'",
]
names = st.text(min_size=1, max_size=8)
plain_names = st.from_regex(r"[A-Za-z][\w:.-]{0,8}", fullmatch=True)  # what a list in a URL can say
instants = st.integers(MIN_INSTANT, MAX_INSTANT)
intervals = st.one_of(
    instants.map(lambda one: Interval(one, one)), instants.map(lambda one: Interval(one, None)),
    instants.map(lambda one: Interval(None, one)),
    st.tuples(instants, instants).map(lambda two: Interval(min(two), max(two))),
)  # fmt: skip
longitudes = st.floats(-180, 180)
positions = st.tuples(longitudes, st.floats(-90, 90)).map(list)
geometries: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda at: {"type": "Point", "coordinates": at}, positions),
    st.builds(
        lambda many: {"type": "MultiPoint", "coordinates": many}, st.lists(positions, min_size=1, max_size=4)
    ),
    st.just({"type": "Polygon", "coordinates": [[[170, 0], [190, 0], [190, 5], [170, 0]]]}),
)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    south, north = sorted(draw(st.tuples(st.floats(-90, 90), st.floats(-90, 90))))
    low, high = sorted(draw(st.tuples(st.floats(-1e3, 1e4), st.floats(-1e3, 1e4))))
    flat = [draw(longitudes), south, draw(longitudes), north]
    return Box.parse(flat if draw(st.booleans()) else [*flat[:2], low, *flat[2:], high])


def requests(name: st.SearchStrategy[str] = names) -> st.SearchStrategy[SearchRequest]:
    some = st.none() | st.lists(name, min_size=1, max_size=3, unique=True).map(tuple)
    place = st.one_of(
        st.just({}), boxes().map(lambda box: {"bbox": box}), geometries.map(lambda one: {"intersects": one})
    )
    sortby = st.lists(st.builds(SortField, name.filter(lambda text: not text.startswith("properties.")),
    st.booleans()),
                      min_size=1, max_size=3).map(tuple)  # fmt: skip
    asked = st.fixed_dictionaries({
        "collections": some, "ids": some, "datetime": st.none() | intervals, "limit": st.integers(1,
        MAX_LIMIT),
        "filter": st.none() | st.sampled_from(TEXTS).map(lambda text: cql2.parse(text, "cql2-text")),
        "sortby": sortby,
    })  # fmt: skip
    return st.builds(lambda one, other: SearchRequest(**one, **other), asked, place)


def query_of(request: SearchRequest) -> list[tuple[str, str]]:
    """The request as a client writes it into a URL, through the URL and back."""
    said = {
        "limit": str(request.limit),
        "sortby": ",".join(map(str, request.sortby)),
        "collections": request.collections and ",".join(request.collections),
        "ids": request.ids and ",".join(request.ids),
        "bbox": request.bbox and ",".join(map(repr, request.bbox.numbers())),
        "intersects": request.intersects and msgspec.json.encode(request.intersects).decode(),
        "datetime": request.datetime and str(request.datetime),
        "filter": request.filter and msgspec.json.encode(request.filter).decode(),
        "filter-lang": request.filter and "cql2-json",
    }
    return parse_qsl(urlencode({name: text for name, text in said.items() if text is not None}))


# The same, however it is asked


def test_nothing_asked_is_everything_newest_first() -> None:
    for request in (from_json({}), from_query([])):
        assert request == SearchRequest()
        assert (request.limit, request.sortby, request.collections) == (DEFAULT_LIMIT, NEWEST_FIRST, None)


@settings(deadline=None)
@given(requests())
def test_a_request_survives_being_written_as_a_body_and_read(request: SearchRequest) -> None:
    assert from_json(request.body()) == request
    assert from_json(msgspec.json.decode(msgspec.json.encode(request.body()))) == request


@settings(deadline=None)
@given(requests(plain_names))
def test_a_url_and_a_body_read_the_same(request: SearchRequest) -> None:
    assert from_query(query_of(request)) == from_json(request.body())


@pytest.mark.parametrize("text", TEXTS)
def test_a_filter_reads_the_same_as_text_and_as_json_by_url_and_by_body(text: str) -> None:
    parsed = cql2.parse(text, "cql2-text")
    as_json = msgspec.json.encode(parsed).decode()
    for request in (
        from_query([("filter", text)]),
        from_query([("filter-lang", "cql2-text"), ("filter", text)]),
        from_query([("filter", as_json), ("filter-lang", "cql2-json"), ("filter-crs", CRS84)]),
        from_json({"filter": parsed}),
        from_json({"filter": as_json, "filter-lang": "cql2-json"}),
        from_json({"filter": text, "filter-lang": "cql2-text", "filter-crs": CRS84}),
    ):
        assert request.filter == parsed


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({"ids": "a, b ,c"}, {"ids": ["a", "b", "c"]}), ({"ids": "a,b,a"}, {"ids": ["a", "b"]}),
        ({"limit": "1000000000000000000000"}, {"limit": 10**21}), ({"limit": "0012"}, {"limit": 12}),
        ({"bbox": " 1, 2.5,-3e0 ,4"}, {"bbox": [1, 2.5, -3, 4]}),
        ({"bbox": "1,2,3,4,5,6"}, {"bbox": [1, 2, 3, 4, 5, 6]}),
        ({"sortby": "a,+b, c"}, {"sortby": [{"field": "a"}, {"field": "b"}, {"field": "c"}]}),
        ({"sortby": "a"}, {"sortby": [{"field": "a", "direction": "asc"}]}),
        ({"sortby": "-properties.eo:a"}, {"sortby": [{"field": "eo:a", "direction": "desc"}]}),
        ({"sortby": "--a,+-b"}, {"sortby": [{"field": "-a", "direction": "desc"}, {"field": "-b"}]}),
        ({"sortby": ""}, {"sortby": []}),
        ({"fields": "id,+a.b,-c, d"}, {"fields": {"include": ["id", "a.b", "d"], "exclude": ["c"]}}),
        ({"fields": ""}, {"fields": {}}),
        ({"fields": "-a"}, {"fields": {"exclude": ["a"], "include": None}}),
        ({"strict": "true", "duplicates": "keep"}, {"strict": True, "duplicates": "keep"}),
        ({"strict": "false", "duplicates": "join"}, {"strict": False, "duplicates": "join"}),
        ({"token": "abc"}, {"token": "abc"}), ({"datetime": MID}, {"datetime": MID}),
    ],
)  # fmt: skip
def test_each_parameter_reads_the_same_by_url_and_body(query: dict[str, str], body: dict[str, Any]) -> None:
    assert from_query(list(query.items())) == from_json(body)


def test_what_is_read_is_what_was_said() -> None:
    request = from_json({
        "collections": ["c"], "ids": ["i", "j"], "bbox": [170, -10, -170, 10], "datetime": f"{MID}/..",
        "limit": 7, "sortby": [{"field": "properties.a", "direction": "desc"}], "token": "t",
        "duplicates": "keep", "strict": True, "fields": {"include": ["id"], "exclude": ["assets"]},
        "filter": {"op": "isNull", "args": [{"property": "a"}]},
    })  # fmt: skip
    assert request == SearchRequest(
        collections=("c",), ids=("i", "j"), bbox=Box(170, -10, -170, 10),
        datetime=Interval.parse(f"{MID}/.."),
        limit=7, sortby=(SortField("a", descending=True),), token="t", duplicates="keep", strict=True,
        fields=Fields(frozenset({"id"}), frozenset({"assets"})),
        filter={"op": "isNull", "args": [{"property": "a"}]},
    )  # fmt: skip


def test_an_empty_list_of_names_is_kept() -> None:
    assert from_json({"ids": [], "collections": []}) == SearchRequest(ids=(), collections=())


@pytest.mark.parametrize(
    ("asked", "given"), [(1, 1), (MAX_LIMIT, MAX_LIMIT), (MAX_LIMIT + 1, MAX_LIMIT), (10**4000, MAX_LIMIT)]
)
def test_a_limit_above_the_longest_page_gets_the_longest_page(asked: int, given: int) -> None:
    assert from_json({"limit": asked}).limit == from_query([("limit", str(asked))]).limit == given


# The name of a search


@settings(deadline=None)
@given(requests(), st.integers(1, MAX_LIMIT), st.none() | st.text())
def test_all_pages_of_a_search_have_one_digest(request: SearchRequest, limit: int, token: str | None) -> None:
    page = replace(request, limit=limit, token=token, fields=Fields(frozenset({"id"})), strict=True)
    assert page.digest() == request.digest()
    assert from_json(request.body()).digest() == request.digest()


def test_searches_that_differ_have_different_digests() -> None:
    asked: Sequence[dict[str, Any]] = [
        {}, {"ids": ("a",)}, {"ids": ("b",)}, {"ids": ("a", "b")}, {"ids": ()}, {"collections": ("a",)},
        {"bbox": Box(0, 0, 1, 1)}, {"bbox": Box(0, 0, 1, 1, 0, 1)}, {"intersects": POINT},
        {"duplicates": "keep"}, {"datetime": Interval.parse(MID)}, {"q": ("a",)}, {"q": ("a", "b")},
        {"datetime": Interval.parse(f"{MID}/..")}, {"sortby": (SortField("a"),)},
        {"sortby": (SortField("a", descending=True),)}, {"sortby": (SortField("a"), SortField("b"))},
        *({"filter": cql2.parse(text, "cql2-text")} for text in TEXTS),
    ]  # fmt: skip
    digests = [SearchRequest(**each).digest() for each in asked]
    assert len(set(digests)) == len(asked)
    known = {field.name for field in fields_of(SearchRequest)}
    assert {name for each in asked for name in each} == known - {"limit", "token", "fields", "strict"}
