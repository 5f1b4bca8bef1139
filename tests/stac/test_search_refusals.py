"""Searches that cannot be asked: each is a `BadRequest` that names the parameter, and never another error."""

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import BadRequest
from cscale.stac.search import from_json, from_query

MID = "2020-06-01T12:00:00Z"
POINT = {"type": "Point", "coordinates": [1.5, 2]}


# What is refused


NO_NAMES: list[Any] = ["c", 5, {}, True, [5], [None], [""], ["a", ["b"]], [{}], {"c": 1}]
NO_FILTER: list[Any] = [
    {"op": "="}, {"op": "foo", "args": []}, {"op": "=", "args": {}}, {"op": "and", "args": []},
    {"args": [1]}, {"op": "=", "args": [1]}, {"op": "=", "args": [1, math.nan]},
    {"op": "=", "args": [{"property": 5}, 1]}, {"op": "s_within", "args": [POINT, 5]}, {"property": "a"},
]  # fmt: skip
NO_GEOMETRY: list[Any] = [
    {"type": "Circle"},
    {"type": "Point"},
    {"type": []},
    {"type": "Point", "coordinates": ["1", "2"]},
    {"type": "Point", "coordinates": [True, 2]},
    {"type": "Point", "coordinates": [math.nan, 2]},
    {"type": "Point", "coordinates": [10**400, 2]},
    {"type": "Point", "coordinates": [500, 100]},
    {"type": "point", "coordinates": [1, 2]},
    {"type": "Feature", "geometry": POINT, "properties": {}},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]},
    {"type": "GeometryCollection", "geometries": []},
    {"type": "GeometryCollection", "geometries": {}},
    POINT | {"foreign": 10**4000},
    POINT | {"foreign": ...},
]
NO_FIELD: list[Any] = [
    "a", 5, None, {}, {"field": ""}, {"field": 5}, {"field": None}, {"field": "properties."},
    {"direction": "asc"}, {"field": "a", "direction": "up"}, {"field": "a", "direction": "DESC"},
    {"field": "a", "direction": None}, {"field": "a", "direction": []},
]  # fmt: skip
NO_BOX: list[Any] = [
    [], [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, "4"], [1, 2, 3, None], [1, 2, 3, True], [[1, 2, 3, 4]],
    [math.nan] * 4, [0, 0, math.inf, 1], [0, 0, 10**400, 1], [0, 10, 1, 5], [0, 0, 1, 91],
]  # fmt: skip
WRONG: dict[str, list[Any]] = {
    "collections": NO_NAMES,
    "ids": NO_NAMES,
    "bbox": ["1,2,3,4", 5, {}, *NO_BOX],
    "intersects": ["POINT(1 2)", 5, [], [1, 2], {}, True, *NO_GEOMETRY],
    "datetime": [5, [MID], {}, True, "", "2020-06-01", f"{MID}/{MID}/{MID}", "../..", f"{MID}/{MID[1:]}"],
    "limit": [0, -1, -(10**4000), 1.5, 10.0, "10", True, [10], {}, math.nan, math.inf],
    "sortby": ["a", 5, {}, True, {"field": "a"}, *([{"field": "b"}, each] for each in NO_FIELD)],
    "token": [5, [], {}, True, 1.5],
    "fields": [
        "a",
        5,
        ["a"],
        True,
        {"only": ["a"]},
        *({"include": each} for each in [*NO_NAMES, "", 0, False]),
    ],
    "duplicates": ["both", "", 5, True, [], {}, ["keep"], "Join"],
    "strict": ["yes", "", "True", 1, 0, [], {}, [True]],
    "filter-lang": ["sql", "", 5, [], {}, True, "cql2"],
    "filter-crs": ["EPSG:4326", "", 5, [], {}],
    "filter": [5, "a = 1", [], {}, ..., *NO_FILTER],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG.items() for value in values],
    ids=lambda one: repr(one)[:40],
)
def test_a_wrong_value_in_a_body_is_a_bad_request_that_names_the_parameter(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match=f"^{name}"):
        from_json({name: value})


WRONG_TEXTS = {
    "limit": [
        "",
        "0",
        "-1",
        "--5",
        "-",
        "+5",
        "1.0",
        "1e3",
        "ten",
        " 5",
        "5 ",
        "1_0",
        "\u0665",
        "\u00b2",
        "0x1",
        "5,6",
    ],
    "bbox": ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,", "1;2;3;4", "[1,2,3,4]", "1_0,2,3,4", "1,,3,4"],
    "bbox ": ["nan,1,2,3", "0,0,inf,1", "0,0,1e999,1", "0,5,1,4", "0x1,2,3,4"],
    "datetime": ["", "/", "../..", "2020", "now", "2020-06-01T00:00:00+0100"],
    "intersects": ["", "POINT(1 2)", "null", "[]", "5", "{", "[" * 5000, '{"type":"Point"}'],
    "intersects ": ['{"type":"Point","coordinates":[NaN,1]}', '{"type":"Point","coordinates":[1e999,1]}'],
    "ids": ["", ",", "a,,b", "a,", " "],
    "collections": ["", "a,"],
    "sortby": ["-", "+", "a,-", "properties."],
    "fields": ["-", "a,-", "+"],
    "strict": ["", "1", "yes", "TRUE"],
    "duplicates": ["", "none"],
    "filter": ["", "a", "a =", "a = 1 or", "5", "'x'", "a = null", "foo(a) = 1", "{}", "\x00", "(" * 60],
    "filter-lang": ["", "cql", "CQL2-TEXT"],
    "filter-crs": ["", "CRS84"],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [(name.strip(), text) for name, texts in WRONG_TEXTS.items() for text in texts],
    ids=lambda one: repr(one)[:40],
)
def test_a_wrong_text_in_a_url_is_a_bad_request_that_names_the_parameter(name: str, text: str) -> None:
    with pytest.raises(BadRequest, match=f"^{name}"):
        from_query([(name, text)])


@pytest.mark.parametrize("body", [None, [], "limit", 5, True, [{"limit": 1}], b"{}"])
def test_a_body_that_is_no_object_is_a_bad_request(body: object) -> None:
    with pytest.raises(BadRequest, match="not a JSON object"):
        from_json(body)


def test_null_is_the_same_as_left_out() -> None:
    assert from_json(dict.fromkeys(WRONG)) == from_json({})


def test_what_is_not_known_is_refused_by_name_and_not_dropped() -> None:
    with pytest.raises(BadRequest, match="cloudCover"):
        from_json({"cloudCover": 5, "limit": 1})
    with pytest.raises(BadRequest, match="query"):
        from_query([("query", "{}")])
    with pytest.raises(BadRequest, match="Limit"):
        from_query([("Limit", "5")])


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"^limit: given twice"):
        from_query([("limit", "5"), ("limit", "5")])


def test_a_box_and_a_geometry_at_once_are_refused() -> None:
    with pytest.raises(BadRequest, match="bbox and intersects"):
        from_json({"bbox": [1, 2, 3, 4], "intersects": POINT})
    with pytest.raises(BadRequest, match="bbox and intersects"):
        from_query([("bbox", "1,2,3,4"), ("intersects", msgspec.json.encode(POINT).decode())])


def test_nesting_without_end_is_a_bad_request() -> None:
    deep: dict[str, Any] = POINT
    deep_filter: dict[str, Any] = {"op": "isNull", "args": [{"property": "a"}]}
    deep_list: list[Any] = []
    for _ in range(5000):
        deep = {"type": "GeometryCollection", "geometries": [deep]}
        deep_filter = {"op": "not", "args": [deep_filter]}
        deep_list = [deep_list]
    for name, value in {"intersects": deep, "filter": deep_filter}.items():
        with pytest.raises(BadRequest, match=f"^{name}"):
            from_json({name: value})
    with pytest.raises(BadRequest, match=r"^intersects"):
        from_json({"intersects": POINT | {"foreign": deep_list}})


numbers = st.floats() | st.integers() | st.sampled_from([10**400, -(10**4000), 2**63, 0, 1])
words = [
    "type",
    "coordinates",
    "geometries",
    "op",
    "args",
    "property",
    "field",
    "direction",
    "include",
    "exclude",
    "date",
    "timestamp",
    "interval",
    "bbox",
]
json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | numbers
    | st.text(max_size=4)
    | st.sampled_from([MID, "a = 1", "asc", "keep", "Point"]),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(words) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=10,
)
parameters = st.sampled_from([*WRONG, *WRONG, "query", "limit "])


GOOD: dict[str, Any] = {
    "collections": ["c"], "ids": ["i"], "datetime": f"{MID}/..", "limit": 7, "token": "t",
    "duplicates": "keep", "strict": True, "sortby": [{"field": "a", "direction": "desc"}],
    "fields": {"include": ["id"]}, "filter": {"op": "isNull", "args": [{"property": "a"}]},
}  # fmt: skip
bodies = st.dictionaries(parameters, json, max_size=3)


@settings(deadline=None, max_examples=300)
@given(bodies | bodies.map(lambda odd: GOOD | odd) | json)
def test_any_json_is_a_request_that_can_be_passed_on_or_a_bad_request(body: Any) -> None:
    try:
        request = from_json(body)
    except BadRequest:
        return
    assert (
        from_json(msgspec.json.decode(msgspec.json.encode(request.body()))).digest()
        == replace(request, duplicates="join").digest()
    )


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.tuples(parameters, st.text(max_size=30) | json.map(str) | st.text(alphabet="0123456789,.-+eE_ ")),
        max_size=3,
    )
)
def test_any_query_is_a_request_or_a_bad_request(query: list[tuple[str, str]]) -> None:
    try:
        request = from_query(query)
    except BadRequest:
        return
    assert from_json(request.body()).digest() == replace(request, duplicates="join").digest()
