"""The demonstration's own check: an answer that is wrong in any way does not pass."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.client import Found
from cscale.demo.archives import Expected
from cscale.demo.walk import check, choose
from cscale.errors import BadInput

Truth = dict[tuple[str, str], Expected]
_SITES = ("alpha", "beta", "gamma")


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    days = draw(st.lists(st.integers(0, 300), min_size=2, max_size=12))
    holders = st.lists(st.sampled_from(_SITES), min_size=1, unique=True).map(lambda held: tuple(sorted(held)))
    return {
        ("c", f"item-{number}"): Expected(day * 86_400_000_000, draw(holders))
        for number, day in enumerate(days)
    }


def item(key: tuple[str, str], expected: Expected) -> dict[str, Any]:
    moment = datetime.fromtimestamp(expected.moment / 1e6, UTC)
    return {
        "collection": key[0],
        "id": key[1],
        "properties": {"datetime": moment.isoformat()},
        "federation:sites": [{"site": site} for site in expected.sites],
    }


def right(truth: Truth) -> list[dict[str, Any]]:
    ordered = sorted(truth.items(), key=lambda each: -each[1].moment)
    return [item(key, expected) for key, expected in ordered]


@given(truths())
def test_the_right_answer_passes(truth: Truth) -> None:
    assert check(Found(items=right(truth)), truth) == []


@given(truths(), st.data())
def test_a_product_left_out_is_noticed(truth: Truth, data: st.DataObject) -> None:
    items = right(truth)
    gone = items.pop(data.draw(st.integers(0, len(items) - 1)))
    assert check(Found(items=items), truth) == [f"{gone['id']} of c is missing"]


@given(truths(), st.data())
def test_a_product_that_comes_twice_is_noticed(truth: Truth, data: st.DataObject) -> None:
    items = right(truth)
    place = data.draw(st.integers(0, len(items) - 1))
    items.insert(place, items[place])
    assert check(Found(items=items), truth) == [f"{items[place]['id']} of c comes 2 times"]


@given(truths(), st.data())
def test_a_product_out_of_order_is_noticed(truth: Truth, data: st.DataObject) -> None:
    items = right(truth)
    place = data.draw(st.integers(1, len(items) - 1))
    moments = [truth["c", each["id"]].moment for each in items]
    items[place - 1], items[place] = items[place], items[place - 1]
    assert bool(check(Found(items=items), truth)) == (moments[place - 1] != moments[place])


@given(truths(), st.data())
def test_a_wrong_holder_is_noticed(truth: Truth, data: st.DataObject) -> None:
    items = right(truth)
    changed = data.draw(st.sampled_from(items))
    changed["federation:sites"].append({"site": "nowhere"})
    assert [changed["id"] in complaint for complaint in check(Found(items=items), truth)] == [True]


@given(truths())
def test_a_stranger_and_a_silent_site_are_noticed(truth: Truth) -> None:
    stranger = item(("c", "stranger"), Expected(0, ("alpha",)))
    wrong = check(Found(items=[*right(truth), stranger], missing=["beta"]), truth)
    assert wrong == ["beta is missing from the answer", "stranger of c is not in the source"]


def scene(
    name: str, day: str, cloud: float, sites: int = 1, keys: str = "red green blue nir"
) -> dict[str, Any]:
    assets = {
        key: {"href": f"http://here/{key}.tif", "bands": [{"eo:common_name": key}]} for key in keys.split()
    }
    return {
        "id": name,
        "properties": {"datetime": f"{day}T00:00:00Z", "eo:cloud_cover": cloud},
        "federation:sites": [{"site": site} for site in _SITES[:sites]],
        "assets": assets,
    }


@pytest.mark.parametrize(
    ("chosen", "other"),
    [
        (scene("colours", "2020-01-01", 90), scene("grey", "2020-07-01", 0, keys="red")),
        (scene("clear", "2020-01-01", 0), scene("cloudy", "2020-07-01", 30)),
        (scene("summer", "2019-07-01", 0), scene("winter", "2020-01-01", 0)),
        (scene("copies", "2019-07-01", 0, sites=2), scene("single", "2020-07-01", 0)),
        (scene("newest", "2020-07-02", 0), scene("older", "2020-07-01", 0)),
    ],
)
def test_the_product_that_shows_best_is_chosen(chosen: dict[str, Any], other: dict[str, Any]) -> None:
    for items in ([chosen, other], [other, chosen]):
        assert choose(items, ["http://here"]).item["id"] == chosen["id"]


def test_a_product_that_lies_elsewhere_is_not_chosen() -> None:
    with pytest.raises(BadInput, match="nothing to download"):
        choose([scene("far", "2020-07-01", 0)], ["http://elsewhere"])
