"""Which items match a search and how they are ordered, against the plain words of STAC API."""

import math
from functools import cmp_to_key
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.stac import cql2
from cscale.stac.evaluation import Value, matcher, order_key, sort_value
from cscale.stac.geometry import Box
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.times import Interval, instant

MID = "2020-06-01T12:00:00Z"


def an_item(**changes: Any) -> dict[str, Any]:
    point = {"type": "Point", "coordinates": [10, 20]}
    item = {
        "id": "a",
        "collection": "c",
        "geometry": point,
        "bbox": [10, 20, 10, 20],
        "properties": {"datetime": MID},
    }
    return item | changes


def matches(item: dict[str, Any], **asked: Any) -> bool:
    accepts = matcher(SearchRequest(**asked))
    return accepts(item)


# Which match


def test_a_search_for_nothing_in_particular_matches_everything() -> None:
    for item in (an_item(), {}, {"properties": None, "geometry": None}):
        assert matches(item)


@pytest.mark.parametrize("name", ["ids", "collections"])
def test_names_match_exactly_and_none_matches_nothing(name: str) -> None:
    held = {"ids": "a", "collections": "c"}[name]
    assert matches(an_item(), **{name: ("x", held)})
    assert not matches(an_item(), **{name: ("x",)})
    assert not matches(an_item(), **{name: (held.upper(), f"{held} ", "")})
    assert not matches(an_item(), **{name: ()})
    others: list[Any] = [None, ["a"], {}, 5]
    for other in others:
        assert not matches(an_item(id=other, collection=other), **{name: (held,)})
    assert not matches({}, **{name: (held,)})


@pytest.mark.parametrize(
    ("datetime", "found"),
    [
        ("2020-06-01T12:00:00Z", "mid span"),
        ("2020-06-01T14:00:00+02:00", "mid span"),
        ("2020-06-01T12:00:00.000001Z", "span"),
        ("2020-06-01T00:00:00Z", "span"),
        ("2020-05-31T23:59:59.999999Z", ""),
        ("2020-06-02T00:00:00Z/..", "span"),
        ("2020-06-02T00:00:00.000001Z/..", ""),
        ("../2020-06-01T00:00:00Z", "span"),
        ("../2020-06-01T12:00:00Z", "mid span"),
        ("2020-06-01T06:00:00Z/2020-06-01T07:00:00Z", "span"),
        ("2000-01-01T00:00:00Z/2030-01-01T00:00:00Z", "mid span"),
    ],
)
def test_times_match_where_they_share_an_instant(datetime: str, found: str) -> None:
    stretch = {
        "datetime": None,
        "start_datetime": "2020-06-01T00:00:00Z",
        "end_datetime": "2020-06-02T00:00:00Z",
    }
    items = {"mid": an_item(), "span": an_item(properties=stretch), "none": an_item(properties={})}
    interval = Interval.parse(datetime)
    assert [name for name, item in items.items() if matches(item, datetime=interval)] == found.split()


@settings(deadline=None)
@given(
    st.integers(-185, 185),
    st.integers(-90, 90),
    st.integers(-185, 185),
    st.integers(0, 200),
    st.integers(-90, 80),
)
def test_a_box_and_the_same_as_a_geometry_match_what_lies_in_it(
    x: int, y: int, west: int, width: int, south: int
) -> None:
    # half degrees are no side of a box and not the antimeridian, which has two names
    item = an_item(geometry={"type": "Point", "coordinates": [x + 0.5, y]})
    east, north = west + width, south + 10
    inside = south <= y <= north and any(west <= x + 0.5 + 360 * turn <= east for turn in range(-2, 3))
    assert matches(item, bbox=Box.parse([west, south, east, north])) == inside
    area = shapely.geometry.mapping(shapely.box(west, south, east, north))
    assert matches(item, intersects=area) == inside


@pytest.mark.parametrize(
    ("geometry", "met"),
    [
        ({"type": "Point", "coordinates": [10, 20]}, True),
        ({"type": "Point", "coordinates": [370, 20]}, True),
        ({"type": "LineString", "coordinates": [[0, 0], [11, 21]]}, True),
        ({"type": "LineString", "coordinates": [[0, 0], [5, 21]]}, False),
        ({"type": "MultiPoint", "coordinates": [[0, 0], [12, 20]]}, True),
        ({"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], [[13, 30], [13, 0]]]}, True),
        ({"type": "Polygon", "coordinates": [[[14, 14], [20, 14], [20, 20], [14, 20], [14, 14]]]}, True),
        (
            {"type": "Polygon", "coordinates": [[[14.1, 14], [20, 14], [20, 20], [14.1, 20], [14.1, 14]]]},
            False,
        ),
        ({"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 0]]]]}, False),
        ({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [11, 20]}]}, True),
    ],
)
def test_every_geometry_of_geojson_is_intersected_exactly(geometry: dict[str, Any], met: bool) -> None:
    diamond = {"type": "Polygon", "coordinates": [[[10, 16], [14, 20], [10, 24], [6, 20], [10, 16]]]}
    with_hole = {
        "type": "Polygon",
        "coordinates": [diamond["coordinates"][0], [[9, 19], [9, 19.5], [9.5, 19], [9, 19]]],
    }
    assert matches(an_item(geometry=diamond), intersects=geometry) is met
    assert matches(an_item(geometry=with_hole), intersects=geometry) is met
    assert not matches(an_item(geometry=with_hole), intersects={"type": "Point", "coordinates": [9.1, 19.1]})
    assert not matches(an_item(geometry=None), intersects=geometry)


@pytest.mark.parametrize(
    ("bbox", "met"),
    [
        ([10, 20, 0, 10, 20, 5], True), ([10, 20, 5, 10, 20, 5], True), ([10, 20, 5.1, 10, 20, 9], False),
        ([10, 20, -9, 10, 20, -0.1], False), ([10, 20, 10, 20], True), (None, True), ([], True), (5, True),
        ("abcdef", True), ([1, 2, "a", 4, 5, "b"], True), ({"a": 1}, True), ([1, 2, None, 4, 5, 6], True),
    ],
)  # fmt: skip
def test_heights_are_compared_where_both_have_them(bbox: Any, met: bool) -> None:
    assert matches(an_item(bbox=bbox), bbox=Box(0, 0, 30, 30, 0, 5)) is met
    assert matches(an_item(bbox=bbox), bbox=Box(0, 0, 30, 30))


def test_only_a_filter_that_is_true_matches_and_all_conditions_must_hold() -> None:
    known, unknown = (cql2.parse(text, "cql2-text") for text in ("id = 'a'", "nowhere = 1"))
    negated = cql2.parse("not nowhere = 1", "cql2-text")
    assert matches(an_item(), filter=known)
    assert not matches(an_item(), filter=unknown)
    assert not matches(an_item(), filter=negated)
    here = {"ids": ("a",), "collections": ("c",), "bbox": Box(0, 0, 30, 30), "datetime": Interval.parse(MID)}
    assert matches(an_item(), filter=known, **here)
    before = Interval.parse("../2019-01-01T00:00:00Z")
    elsewhere = {"ids": ("b",), "collections": ("d",), "bbox": Box(0, 0, 1, 1), "datetime": before}
    for name, value in elsewhere.items():
        assert not matches(an_item(), filter=known, **(here | {name: value})), name


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["datetime", "type", "a"]), inner)
    ),
    max_leaves=8,
)
members = st.sampled_from(["id", "collection", "geometry", "bbox", "properties"])
FULL = SearchRequest(
    ids=("a",), collections=("c",), bbox=Box(0, 0, 30, 30, 0, 1), datetime=Interval.parse(MID),
    filter=cql2.parse("a.b = 1 and s_intersects(geometry, POINT(1 1)) and datetime > DATE('2020-01-01')",
    "cql2-text"),
    sortby=(SortField("datetime"), SortField("a", descending=True), SortField("id"), SortField("a.b")),
)  # fmt: skip
WHOLE = [
    SearchRequest(),
    *(
        SearchRequest(**{name: getattr(FULL, name)})
        for name in ("ids", "collections", "bbox", "datetime", "filter")
    ),
]


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(members, json))
def test_no_item_however_odd_stops_a_search(changes: dict[str, Any]) -> None:
    for request in WHOLE:
        assert matcher(request)(an_item(**changes)) in (True, False)
    order_key([sort_value(an_item(**changes), field.name) for field in FULL.sortby], FULL.sortby)


# In which order


values: st.SearchStrategy[Value] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
)
fields = st.lists(st.builds(SortField, st.just("x"), st.booleans()), min_size=1, max_size=3).map(tuple)
rows = st.lists(values, min_size=3, max_size=3)


def compare(one: Value, other: Value, *, descending: bool) -> int:
    """The order in words: absent last either way; else numbers, then texts,
    and the mirror of it descending."""
    if one is None or other is None:
        return (one is None) - (other is None)
    mine: Any = (isinstance(one, str), one)
    theirs: Any = (isinstance(other, str), other)
    rising: int = (mine > theirs) - (mine < theirs)
    return -rising if descending else rising


def compare_rows(one: list[Value], other: list[Value], sortby: tuple[SortField, ...]) -> int:
    for mine, theirs, field in zip(one, other, sortby, strict=False):
        if (order := compare(mine, theirs, descending=field.descending)) != 0:
            return order
    return 0


@settings(deadline=None, max_examples=300)
@given(rows, rows, fields)
def test_keys_compare_as_the_order_says_in_all_six_ways(
    one: list[Value], other: list[Value], sortby: tuple[SortField, ...]
) -> None:
    a, b = (order_key(row[: len(sortby)], sortby) for row in (one, other))
    wanted = compare_rows(one[: len(sortby)], other[: len(sortby)], sortby)
    assert (a < b, a <= b, a == b, a != b, a >= b, a > b) == (
        wanted < 0, wanted <= 0, wanted == 0, wanted != 0, wanted >= 0, wanted > 0,
    )  # fmt: skip


@settings(deadline=None)
@given(st.lists(rows, max_size=8), fields)
def test_sorting_by_key_is_sorting_by_the_order(
    many: list[list[Value]], sortby: tuple[SortField, ...]
) -> None:
    cut = [row[: len(sortby)] for row in many]
    by_key = sorted(cut, key=lambda row: order_key(row, sortby))

    def in_words(one: list[Value], other: list[Value]) -> int:
        return compare_rows(one, other, sortby)

    assert by_key == sorted(cut, key=cmp_to_key(in_words))


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=8))
def test_descending_is_the_mirror_of_ascending_but_for_the_absent(many: list[Value]) -> None:
    up, down = ((SortField("x", falls),) for falls in (False, True))
    rising = sorted(many, key=lambda value: order_key([value], up))
    falling = sorted(many, key=lambda value: order_key([value], down))
    present = [value for value in rising if value is not None]
    assert [order_key([value], up) for value in falling if value is not None] == [
        order_key([value], up) for value in reversed(present)
    ]
    absent = many.count(None)
    assert rising[len(many) - absent :] == falling[len(many) - absent :] == [None] * absent


def test_the_order_in_one_example() -> None:
    many: list[Value] = [None, "b", 2, "", "ab", 1.5, "a", True, -math.inf, "\U0001f600", "\uffff", 2**70]
    rising: list[Value] = [-math.inf, True, 1.5, 2, 2**70, "", "a", "ab", "b", "\uffff", "\U0001f600"]
    for falls, wanted in ((False, rising), (True, rising[::-1])):
        assert sorted(many, key=lambda value: order_key([value], [SortField("x", falls)])) == [*wanted, None]


def test_a_key_needs_a_value_for_each_field() -> None:
    with pytest.raises(ValueError, match="zip"):
        order_key([1], [SortField("a"), SortField("b")])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "a"), ("collection", "c"), ("datetime", instant(MID)), ("cloud", 5), ("flag", True),
        ("deep.x", "y"), ("text", "z"), ("list", None), ("deep", None), ("none", None), ("nowhere", None),
        ("datetime.x", None),
    ],
)  # fmt: skip
def test_an_item_is_sorted_by_what_it_says_under_a_name(name: str, value: Value) -> None:
    properties = {
        "datetime": MID,
        "cloud": 5,
        "flag": True,
        "deep": {"x": "y"},
        "text": "z",
        "list": [1],
        "none": None,
    }
    assert sort_value(an_item(properties=properties), name) == value


def test_an_item_without_a_time_that_can_be_read_is_sorted_as_absent() -> None:
    start = {"datetime": None, "start_datetime": MID, "end_datetime": "2021-01-01T00:00:00Z"}
    assert sort_value(an_item(properties=start), "datetime") == instant(MID)
    for properties in (
        {},
        None,
        {"datetime": "soon"},
        {"datetime": 5},
        {"datetime": MID, "end_datetime": "soon"},
    ):
        assert sort_value(an_item(properties=properties), "datetime") is None
