"""Items on their way out: bytes that are opened and closed, and what is read of an item."""

from typing import Any

import msgspec
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import BadInput
from cscale.stac.items import (
    STRUCTURAL,
    close_body,
    item_geometry,
    item_times,
    open_body,
    own_links,
    property_value,
    read_body,
)
from cscale.stac.times import instant

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
json = st.recursive(
    scalars | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
rels = st.sampled_from([*sorted(STRUCTURAL), "alternate", "license", "via", "derived_from"])
links = st.lists(
    st.fixed_dictionaries({"rel": rels, "href": st.text()}, optional={"title": st.text()}), max_size=5
)
names = st.text(max_size=5).filter(lambda name: name != "links")


def kept(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [link for link in written if link["rel"] not in STRUCTURAL]


@settings(deadline=None)
@given(st.dictionaries(names, json, max_size=4), links, links)
def test_an_item_is_opened_and_closed_with_other_links_and_nothing_else_changed(
    rest: dict[str, Any], own: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    body = open_body(rest | {"links": own})
    closed = msgspec.json.decode(close_body(body, msgspec.json.encode(new)[1:-1]))
    assert closed == rest | {"links": kept(own) + new}
    assert list(closed)[-1] == "links"
    assert read_body(body) == rest | {"links": kept(own)}
    assert open_body(read_body(body)) == body, "opened twice is opened once"


@settings(deadline=None)
@given(st.dictionaries(names, json, max_size=4), links)
def test_an_item_of_raw_values_is_opened_as_the_parsed_one(
    rest: dict[str, Any], own: list[dict[str, Any]]
) -> None:
    item = rest | {"links": own}
    raw = msgspec.json.decode(msgspec.json.encode(item), type=dict[str, msgspec.Raw])
    assert read_body(open_body(raw)) == read_body(open_body(item))


def test_raw_values_are_passed_on_byte_by_byte() -> None:
    text = b'{"id":"a","big":123456789012345678901234567890.10,"deep":{ "b" : 1,  "a":2}, "links" : [ ]}'
    raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    assert b'"big":123456789012345678901234567890.10' in open_body(raw)
    assert b'{ "b" : 1,  "a":2}' in open_body(raw)


def test_a_body_closes_without_links() -> None:
    assert close_body(open_body({"id": "a"}), b"") == b'{"id":"a","links":[]}'
    own = {"rel": "via", "href": "x"}
    assert msgspec.json.decode(close_body(open_body({"links": [own]}), b"")) == {"links": [own]}


def test_a_body_that_ends_in_a_bracket_of_its_own_closes_right() -> None:
    own = {"rel": "via", "href": "["}
    closed = close_body(open_body({"links": [own]}), b'{"rel":"self"}')
    assert msgspec.json.decode(closed)["links"] == [own, {"rel": "self"}]


@settings(deadline=None)
@given(json | st.lists(json | st.dictionaries(st.just("rel"), json), max_size=4))
def test_whatever_stands_in_the_place_of_links_the_item_is_opened(written: Any) -> None:
    item = {"id": "a", "links": written}
    for given_as in (item, msgspec.json.decode(msgspec.json.encode(item), type=dict[str, msgspec.Raw])):
        read = read_body(open_body(given_as))
        assert read["id"] == "a"
        assert all(isinstance(link, dict) and link.get("rel") != "self" for link in read["links"])
        assert own_links({"links": read["links"]}) == read["links"]


# What is read of an item


def test_a_property_is_found_by_name_before_path() -> None:
    item = {"properties": {"a": {"b": 1}, "a.b": 2, "c": {"d": {"e": 3}}, "x": None, "f": [1]}}
    found = [
        property_value(item, name) for name in ("a", "a.b", "c.d.e", "c.d", "x", "zz", "a.zz", "f.0", "")
    ]
    assert found == [{"b": 1}, 2, 3, {"e": 3}, None, None, None, None, None]


MID = "2020-06-01T12:00:00Z"
START, END = "2020-06-01T00:00:00Z", "2020-06-02T00:00:00Z"


@pytest.mark.parametrize(
    ("properties", "at", "first", "last"),
    [
        ({"datetime": MID}, MID, MID, MID),
        ({"datetime": None, "start_datetime": START, "end_datetime": END}, START, START, END),
        ({"start_datetime": START, "end_datetime": END}, START, START, END),
        ({"datetime": MID, "start_datetime": START, "end_datetime": END}, MID, START, END),
        ({"start_datetime": START}, START, START, START),
        ({"datetime": MID, "start_datetime": START}, MID, START, MID),
        ({"datetime": MID, "end_datetime": END}, MID, MID, END),
        ({"datetime": END, "start_datetime": START, "end_datetime": MID}, END, START, END),
        ({"datetime": None, "start_datetime": END, "end_datetime": START}, END, END, END),
    ],
)
def test_an_item_has_a_place_and_a_stretch_in_time(properties: Any, at: str, first: str, last: str) -> None:
    assert item_times({"properties": properties}) == (instant(at), instant(first), instant(last))


@pytest.mark.parametrize("item", [
    {}, {"properties": None}, {"properties": {}}, {"properties": [1]}, {"properties": "datetime"},
    {"properties": 5}, {"properties": {"datetime": None}}, {"properties": {"end_datetime": END}},
])  # fmt: skip
def test_an_item_without_time_has_no_place(item: dict[str, Any]) -> None:
    assert item_times(item)[0] is None


@pytest.mark.parametrize("bad", [5, "yesterday", [], {}, True, "2020-06-01", ""])
@pytest.mark.parametrize("name", ["datetime", "start_datetime", "end_datetime"])
def test_a_time_that_cannot_be_read_is_bad_input(name: str, bad: object) -> None:
    with pytest.raises(BadInput, match="RFC 3339"):
        item_times({"properties": {"datetime": MID} | {name: bad}})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["datetime", "start_datetime", "end_datetime"]), st.datetimes()))
def test_an_item_stands_within_its_stretch(properties: dict[str, Any]) -> None:
    at, first, last = item_times(
        {"properties": {name: f"{each.isoformat()}Z" for name, each in properties.items()}}
    )
    assert at is None or first <= at <= last
    assert (at is None) == (not properties.keys() & {"datetime", "start_datetime"})


@settings(deadline=None)
@given(json, json)
def test_whatever_stands_in_its_place_a_geometry_is_read_or_none(geometry: Any, bbox: Any) -> None:
    for written in (
        geometry,
        {"type": "Polygon", "coordinates": geometry},
        {"type": geometry, "coordinates": [1, 2]},
    ):
        read = item_geometry({"geometry": written, "bbox": bbox})
        assert read is None or read.is_valid


def test_an_items_geometry_is_cut_where_its_box_crosses() -> None:
    ring = [[170, 0], [-170, 0], [-170, 10], [170, 10], [170, 0]]
    item = {"geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [170, 0, -170, 10]}
    read = item_geometry(item)
    assert read is not None
    assert not shapely.intersects(read, shapely.Point(0, 5))
    assert shapely.intersects(read, shapely.Point(-175, 5))
