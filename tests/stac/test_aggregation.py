"""What is counted, and how: the plain meaning, its cells and steps, and what cannot be asked."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import BadRequest
from cscale.stac.aggregation.counting import (
    DAY,
    HOUR,
    Counts,
    answer,
    cell_name,
    cell_of,
    cells,
    range_of,
    start_of,
    step_for,
    term_keys,
)
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.aggregation.parameters import from_json, from_query
from cscale.stac.aggregation.words import (
    GEOHASH,
    GEOTILE,
    KINDS,
    MAX_BUCKETS,
    AggregateRequest,
    described,
)
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT, text_of
from cscale.testing.archives import plain_item

POINT = {"type": "Point", "coordinates": [-5.6, 42.6]}


def scene(moment: str, **properties: Any) -> Item:
    return plain_item(geometry=POINT, properties={"datetime": moment, **properties})


HELD = [
    scene("2020-01-31T10:00:00Z", platform="a", **{"eo:cloud_cover": 0, "instruments": ["msi", "x", "msi"]}),
    scene("2020-02-01T10:00:00Z", platform="b", **{"eo:cloud_cover": 9.99, "instruments": ["msi"]}),
    scene("2020-02-29T23:59:59Z", platform="a", **{"eo:cloud_cover": 100}),
    plain_item(properties={"datetime": "2021-07-01T00:00:00Z", "platform": 5, "eo:cloud_cover": -1}),
]


def asked(*names: str, **told: Any) -> dict[str, Any]:
    found = aggregate(HELD, AggregateRequest(SearchRequest(), names, **told)).aggregations
    return {each.name: each.body() for each in found}


def buckets(body: dict[str, Any]) -> dict[str, int]:
    return {each["key"]: each["frequency"] for each in body["buckets"]}


def test_each_name_counts_what_it_says() -> None:
    found = asked(*KINDS, precision={GEOHASH: 5, GEOTILE: 2})
    assert found.keys() == KINDS.keys()
    assert found["total_count"] == {"name": "total_count", "data_type": "integer", "value": 4}
    assert found["datetime_min"]["value"] == "2020-01-31T10:00:00Z"
    assert found["datetime_max"]["value"] == "2021-07-01T00:00:00Z"
    assert buckets(found["platform_frequency"]) == {"a": 2, "b": 1, "5": 1}
    assert list(buckets(found["platform_frequency"])) == ["a", "5", "b"], "most first, then by key"
    assert buckets(found["instruments_frequency"]) == {"msi": 2, "x": 1}
    assert found["instruments_frequency"]["overflow"] == 2
    assert buckets(found["collection_frequency"]) == {"one": 4}
    assert buckets(found[GEOHASH]) == {"ezs42": 3}
    assert buckets(found[GEOTILE]) == {"2/1/1": 3}
    cloud = found["cloud_cover_frequency"]
    assert cloud["buckets"][0] == {"key": "0-10", "data_type": "numeric", "frequency": 2, "from": 0, "to": 10}
    assert [each["frequency"] for each in cloud["buckets"]] == [2, *[0] * 8, 1]
    assert cloud["overflow"] == found[GEOHASH]["overflow"] == 1
    months = found["datetime_frequency"]
    assert months["interval"] == "month"
    assert buckets(months) == {
        "2020-01-01T00:00:00Z": 1,
        "2020-02-01T00:00:00Z": 2,
        "2021-07-01T00:00:00Z": 1,
    }


def test_where_nothing_matches_there_is_nothing() -> None:
    request = AggregateRequest(SearchRequest(ids=("nowhere",)), tuple(KINDS))
    for each in aggregate(HELD, request).aggregations:
        body = each.body()
        assert not sum(bucket["frequency"] for bucket in body.get("buckets", ()))
        assert not body.get("value")
        assert described(each.name).items() <= body.items()


@pytest.mark.parametrize(("step", "expected"), [("year", 2), ("month", 3), ("day", 4), ("hour", 4)])
def test_the_step_is_as_asked(step: Any, expected: int) -> None:
    body = asked("datetime_frequency", step=step)["datetime_frequency"]
    assert (len(body["buckets"]), body["interval"]) == (expected, step)


@given(st.integers(MIN_INSTANT, MAX_INSTANT), st.sampled_from(["year", "month", "day", "hour"]))
def test_a_step_starts_where_its_calendar_says(moment: int, step: Any) -> None:
    shown = datetime.fromisoformat(text_of(moment // 1_000_000 * 1_000_000)).astimezone(UTC)
    kept = {"hour": 3, "day": 2, "month": 1, "year": 0}[step]
    firsts = {"hour": (3, 0), "day": (2, 1), "month": (1, 1)}
    changes = {name: first for name, (finer, first) in firsts.items() if finer > kept}
    changes |= {"minute": 0, "second": 0, "microsecond": 0}
    expected = shown.replace(**changes)  # type: ignore[arg-type]  # names of its members
    assert text_of(start_of(moment, step)) == expected.replace(tzinfo=None).isoformat() + "Z"


def test_the_step_is_chosen_by_the_time_spanned() -> None:
    spans = {0: "hour", 3: "hour", 4: "day", 120: "day", 121: "month", 7320: "month", 7321: "year"}
    assert {days: step_for(0, days * DAY) for days in spans} == spans
    assert step_for(None, None) == "month"


@pytest.mark.parametrize(
    ("place", "precision", "name"),
    [((-5.6, 42.6), 5, "ezs42"), ((10.40744, 57.64911), 11, "u4pruydqqvj"), ((180.0, 90.0), 1, "z"),
     ((-180.0, -90.0), 3, "000"), ((0.0, 0.0), 1, "s")],
)  # fmt: skip
def test_geohashes_are_the_known_ones(place: tuple[float, float], precision: int, name: str) -> None:
    assert cell_name(GEOHASH, cell_of(GEOHASH, *place, precision), precision) == name


@pytest.mark.parametrize(
    ("place", "zoom", "name"),
    [((0.0, 0.0), 1, "1/1/1"), ((-0.1, 0.1), 1, "1/0/0"), ((13.377, 52.5185), 10, "10/550/335"),
     ((180.0, -90.0), 2, "2/3/3"), ((-180.0, 90.0), 24, "24/0/0")],
)  # fmt: skip
def test_tiles_are_the_known_ones(place: tuple[float, float], zoom: int, name: str) -> None:
    assert cell_name(GEOTILE, cell_of(GEOTILE, *place, zoom), zoom) == name


@given(st.sampled_from([GEOHASH, GEOTILE]), st.floats(-180, 180), st.floats(-90, 90), st.integers(1, 12))
def test_every_place_lies_in_a_cell_and_in_the_one_around_it(
    name: str, longitude: float, latitude: float, precision: int
) -> None:
    columns, rows = cells(name, precision)
    column, row = cell_of(name, longitude, latitude, precision)
    assert 0 <= column < columns
    assert 0 <= row < rows
    finer = cell_of(name, longitude, latitude, precision + 1)
    wide, high = (
        fine // coarse for fine, coarse in zip(cells(name, precision + 1), (columns, rows), strict=True)
    )
    assert (finer[0] // wide, finer[1] // high) == (column, row)
    if name == GEOHASH:
        assert cell_name(name, finer, precision + 1).startswith(cell_name(name, (column, row), precision))


def test_values_count_under_one_key() -> None:
    assert term_keys(7) == term_keys(7.0) == ["7"]
    assert term_keys(["a", "a", 5, None, ["b"], {}, True]) == ["a", "5"]
    assert term_keys(1e300) == ["1e+300"]
    empty: list[Any] = [None, True, {}, [], [[]]]
    assert [term_keys(each) for each in empty] == [[]] * len(empty)
    ranges = {0: 0, 10: 1, 99.9: 9, 100: 9, 100.1: None, "5": None, None: None}
    assert {value: range_of("cloud_cover_frequency", value) for value in ranges} == ranges
    assert range_of("cloud_cover_frequency", True) is None  # a value


def test_there_are_only_so_many_buckets() -> None:
    many = MAX_BUCKETS + 5
    counts = Counts(total=many, first=0, last=many * HOUR)
    counts.hours = Counter({number * HOUR: 1 for number in range(many)})
    counts.keys["platform_frequency"] = Counter({str(number): 1 + (number == 7) for number in range(many)})
    request = AggregateRequest(SearchRequest(), step="hour")
    over_time = answer("datetime_frequency", counts, request)
    assert (len(over_time.buckets), over_time.overflow) == (MAX_BUCKETS, 5)
    assert over_time.buckets[-1].key == text_of((many - 1) * HOUR), "the newest stay"
    terms = answer("platform_frequency", counts, request)
    assert (len(terms.buckets), terms.overflow, terms.buckets[0].key) == (MAX_BUCKETS, 5, "7")


# What is asked


def test_a_url_and_a_body_say_the_same() -> None:
    by_url = from_query(
        [("aggregations", "total_count, datetime_frequency"), ("datetime_frequency_interval", "day"),
         (f"{GEOHASH}_precision", "5"), ("collections", "a,b"), ("query", '{"gsd":{"lt":20}}'), ("q", "eo")]
    )  # fmt: skip
    by_body = from_json(
        {"aggregations": ["total_count", "datetime_frequency"], "datetime_frequency_interval": "day",
         f"{GEOHASH}_precision": 5, "collections": ["a", "b"], "query": {"gsd": {"lt": 20}}, "q": ["eo"]}
    )  # fmt: skip
    assert by_url == by_body
    assert from_json({}).names == from_query([]).names == ("total_count",)


REFUSED: dict[str, list[Any]] = {
    "aggregations": ["total_count", 5, ["nowhere"], [5], [["a"]], {}],
    "datetime_frequency_interval": ["week", 5, [], "Day", True],
    f"{GEOHASH}_precision": [0, 13, "5", 1.5, True],
    f"{GEOTILE}_precision": [-1, 25, [], {}],
    "limit": [1],
    "sortby": [[]],
    "token": ["a"],
    "fields": [{}],
    "bbox": [[1]],
    "nowhere": [1],
}


@pytest.mark.parametrize(("name", "value"), [(name, each) for name, many in REFUSED.items() for each in many])
def test_what_cannot_be_asked_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(BadRequest, match=name):
        from_json({name: value})


@pytest.mark.parametrize("text", ["", "5.0", "-1", "99999", "٣", "1_0", "13"])
def test_no_precision_in_a_url_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=GEOHASH):
        from_query([(f"{GEOHASH}_precision", text)])


def test_what_is_given_twice_is_refused() -> None:
    for name in ("aggregations", "bbox"):
        with pytest.raises(BadRequest, match=f"^{name}: given twice"):
            from_query([(name, "0,0,1,1")] * 2)
