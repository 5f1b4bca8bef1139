"""What is added up, and what cannot be; the answers of sites that speak the aggregation extension."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.counting import SITES, Tally, Unfit, body_of, read_answer
from cscale.discovery.counting.tally import asked_of_a_site, cell_named
from cscale.stac.aggregation import AggregateRequest
from cscale.stac.aggregation.counting import cell_name, cells
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.aggregation.parameters import from_json
from cscale.stac.aggregation.words import (
    GEOHASH,
    GEOTILE,
    KINDS,
    MAX_BUCKETS,
    PRECISIONS,
    Aggregation,
    Bucket,
)
from cscale.stac.search import NEWEST_FIRST, SearchRequest
from cscale.stac.search import from_json as search_from_json
from cscale.testing import archives
from cscale.testing.aggregates import aggregate_requests

REQUEST = AggregateRequest(SearchRequest(), tuple(KINDS), None, {GEOHASH: 3, GEOTILE: 4})
HELD = [
    archives.plain_item(
        id=name,
        geometry={"type": "Point", "coordinates": [10, 50]},
        properties={"datetime": moment, "platform": name, "eo:cloud_cover": 15},
    )
    for name, moment in (("a", "2020-01-31T10:00:00Z"), ("b", "2020-02-01T10:00:00Z"))
]


def same(name: str) -> str:
    return name


def told(request: AggregateRequest = REQUEST) -> list[Aggregation]:
    return list(aggregate(HELD, replace(request, names=asked_of_a_site(request))).aggregations)


def encoded(body: Any) -> bytes:
    return msgspec.json.encode({"type": "AggregationCollection", "aggregations": body, "links": []})


@given(aggregate_requests())
def test_what_a_site_is_asked_is_read_back_as_it_was_meant(request: AggregateRequest) -> None:
    read = from_json(body_of(request))
    kept = {name: request.precision_of(name) for name in PRECISIONS if name in request.names}
    assert set(read.names) == set(asked_of_a_site(request)) >= set(request.names)
    assert (read.step, read.precision) == (request.step, kept)
    meant = search_from_json(replace(request.search, sortby=NEWEST_FIRST).body())
    assert read.search.digest() == meant.digest()


@given(st.sampled_from([GEOHASH, GEOTILE]), st.integers(1, 12), st.data())
def test_cells_are_read_back_from_their_names(name: str, precision: int, data: st.DataObject) -> None:
    columns, rows = cells(name, precision)
    cell = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    assert cell_named(name, cell_name(name, cell, precision), precision) == cell


@pytest.mark.parametrize("key", ["", "ez", "ezsa", "ezz ", "EZS", "ezs4", "é23", "3/1/1"])
def test_what_is_no_cell_is_none(key: str) -> None:
    assert cell_named(GEOHASH, key, 3) is None


@pytest.mark.parametrize(
    "key", ["", "3/1", "4/1/1", "3/8/0", "3/0/8", "3/-1/0", "3/1/1/1", "3/٣/1", "3/" + "1" * 99 + "/1"]
)
def test_what_is_no_tile_is_none(key: str) -> None:
    assert cell_named(GEOTILE, key, 3) is None


def changed(name: str, **members: Any) -> Callable[[list[Any]], list[Any]]:
    return lambda body: [each | members if each["name"] == name else each for each in body]


def bucket(key: Any, frequency: Any = 1, **members: Any) -> list[Any]:
    return [{"key": key, "frequency": frequency, **members}]


SPOILT: list[Callable[[list[Any]], Any]] = [
    lambda _: [],
    lambda body: body[1:],
    lambda _: None,
    lambda _: [1],
    lambda body: [*body, {"name": "platform_frequency", "buckets": 5}],
    changed("total_count", value=None),
    changed("total_count", value=-1),
    changed("total_count", value=True),
    changed("total_count", value=2**60),
    changed("total_count", value="5"),
    changed("datetime_min", value="soon"),
    changed("datetime_max", value=5),
    changed("datetime_frequency", interval="week"),
    changed("datetime_frequency", interval=None),
    changed("datetime_frequency", buckets=bucket("2020-01-31T10:30:00Z")),
    changed("datetime_frequency", buckets=bucket("2020")),
    changed("platform_frequency", buckets=None),
    changed("platform_frequency", buckets=bucket("a", -1)),
    changed("platform_frequency", buckets=bucket("a", 1.5)),
    changed("platform_frequency", buckets=bucket("a" * 2000)),
    changed("platform_frequency", buckets=bucket("a") * (MAX_BUCKETS + 1)),
    changed("platform_frequency", overflow=-1),
    changed("collection_frequency", buckets=bucket("elsewhere")),
    changed("cloud_cover_frequency", buckets=bucket("0-20", **{"from": 0, "to": 20})),
    changed("cloud_cover_frequency", buckets=bucket("0-10")),
    changed(GEOHASH, buckets=bucket("ez")),
    changed(GEOTILE, buckets=bucket("3/1/1")),
]


@pytest.mark.parametrize("spoil", SPOILT, ids=range(len(SPOILT)))
def test_an_answer_that_counts_otherwise_adds_nothing(spoil: Callable[[list[Any]], Any]) -> None:
    body = [each.body() for each in told()]
    good, tally = encoded(body), Tally(REQUEST)
    shown = {"one": "one"}.get
    tally.add("alpha", read_answer(good, REQUEST).aggregations, shown)
    before = [each.body() for each in tally.answer().aggregations]
    with pytest.raises(Unfit):
        tally.add("beta", read_answer(encoded(spoil(body)), REQUEST).aggregations, shown)
    assert [each.body() for each in tally.answer().aggregations] == before
    assert tally.total == len(HELD)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"<html>", b'{"aggregations":{}}', b"[" * 5000, b'{"aggregations":["\xff"]}']
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(Unfit):
        read_answer(body, REQUEST)


def test_the_words_of_other_servers_are_read() -> None:
    request = AggregateRequest(
        SearchRequest(), ("total_count", "datetime_frequency", "platform_frequency"), "month"
    )
    body = [
        {"name": "total_count", "data_type": "integer", "value": 5, "links": []},
        {"name": "datetime_min", "data_type": "datetime", "value": "2020-01-05T00:00:00.000Z"},
        {"name": "datetime_max", "data_type": "datetime", "value": "2020-02-05T00:00:00.000Z"},
        {"name": "datetime_frequency", "data_type": "frequency_distribution", "overflow": 0,
         "buckets": [{"key": "2020-01-01T00:00:00.000Z", "data_type": "datetime", "frequency": 5}]},
        {"name": "platform_frequency", "overflow": None, "buckets": [{"key": 7, "frequency": 5}]},
        {"name": "unheard_of", "value": []},
    ]  # fmt: skip
    tally = Tally(request)
    tally.add("alpha", read_answer(encoded(body), request).aggregations, same)
    found = {each.name: each.body() for each in tally.answer().aggregations}
    assert found["total_count"]["value"] == 5
    assert found["datetime_frequency"]["buckets"] == [
        {"key": "2020-01-01T00:00:00Z", "data_type": "datetime", "frequency": 5}
    ]
    assert found["platform_frequency"]["buckets"][0]["key"] == "7"


def test_a_site_that_counts_by_longer_steps_makes_the_steps_of_all() -> None:
    request = AggregateRequest(SearchRequest(), ("datetime_frequency",))
    tally = Tally(request)
    tally.add("alpha", told(request), same)
    assert tally.answer().aggregations[0].step == "hour"
    by_year = aggregate(HELD, AggregateRequest(SearchRequest(), asked_of_a_site(request), "year"))
    tally.add("beta", by_year.aggregations, same)
    found = tally.answer().aggregations[0]
    assert (found.step, found.buckets) == ("year", [Bucket("2020-01-01T00:00:00Z", 4)])


def test_values_of_which_a_site_tells_only_the_most_frequent_are_told_to_be_cut() -> None:
    request = AggregateRequest(SearchRequest(), ("platform_frequency",))
    some = [Bucket(str(number), 1) for number in range(MAX_BUCKETS)]
    for overflow, cut in ((0, set()), (5, {"platform_frequency"})):
        tally = Tally(request)
        answers = [Aggregation("total_count", 7), Aggregation("platform_frequency", None, some, overflow)]
        tally.add("alpha", answers, same)
        assert tally.cut == cut


def test_the_sites_of_a_hub_whose_counts_do_not_add_up_are_not_named() -> None:
    request = AggregateRequest(SearchRequest())
    for frequency, key in ((2, "inner/beta"), (3, "inner")):
        tally = Tally(request)
        body = [{"name": "total_count", "value": 2}, {"name": SITES, "buckets": bucket("beta", frequency)}]
        tally.add("inner", read_answer(encoded(body), request).aggregations, same)
        assert tally.sites == {key: 2}
