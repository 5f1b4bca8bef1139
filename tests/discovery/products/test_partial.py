"""Items that do not tell their processing: never joined wrongly, joined where exactly one product agrees."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.products import (
    Identity,
    facts_of,
    hrefs_of,
    identify,
    identify_name,
    matches,
    resolve,
    span_of,
)
from cscale.stac.times import instant
from tests.discovery.products.making import PRODUCTS, Item, Made, item

EARLY, LATE = (f"S2A_MSIL2A_20230602T100601_N0509_R022_T32TPS_2023060{day}T162001" for day in (2, 3))
DATED = "S2A_32TPS_20230602_0_L2A"
NEAR = {"datetime": "2023-06-02T10:18:03.169000Z"}
L2A = "sentinel-2-l2a"


@given(PRODUCTS)
def test_a_key_that_tells_less_is_no_products_key(made: Made) -> None:
    for each in made.partial:
        found = identify(each)
        assert found.partial is not None
        assert found.product != identify(made.items[0]).product
        assert found.name is None
        assert matches(found, identify(made.items[0]))


@given(st.lists(PRODUCTS, max_size=6), st.randoms(use_true_random=False))
def test_joining_goes_by_agreement_alone_and_not_by_order(many: list[Made], chance: random.Random) -> None:
    items = [each for made in many for each in (made.items[0], *made.partial)]
    found = [identify(each) for each in items]
    joined = dict(zip(map(id, items), resolve(found), strict=True))
    order = list(range(len(items)))
    chance.shuffle(order)
    again = resolve([found[at] for at in order])
    assert [joined[id(items[at])] for at in order] == again
    whole = {each for each in found if each.partial is None}
    for before, after in zip(found, joined.values(), strict=True):
        if before.partial is None:
            assert after == before
            continue
        agreeing = {each.product for each in whole if matches(before, each)}
        assert after.product in {*agreeing, before.product}
        if len(agreeing) > 1:
            assert after == before
    assert resolve(list(joined.values())) == list(joined.values())


@given(PRODUCTS)
def test_a_partial_item_joins_the_one_product_there_is(made: Made) -> None:
    whole = identify(made.items[0])
    partial = [identify(each) for each in made.partial]
    assert resolve([*partial, whole]) == [whole] * (len(partial) + 1)
    assert resolve(partial) == partial


def test_with_two_processings_an_item_that_tells_neither_joins_none() -> None:
    less = identify(item(DATED, L2A, **NEAR))
    whole = [identify(item(EARLY)), identify(item(LATE))]
    assert resolve([less, *whole]) == [less, *whole]
    assert resolve([less, whole[0]])[0] == whole[0]


def test_a_baseline_that_is_told_picks_the_processing() -> None:
    late = LATE.replace("N0509", "N0510")
    less = identify(item(DATED, L2A, s2__datatake_id="GS2A_20230602T100601_041489_N05.10", **NEAR))
    whole = [identify(item(EARLY)), identify(item(late))]
    assert less.acquisition == whole[0].acquisition
    assert resolve([less, *whole])[0] == whole[1]


def test_timeliness_that_is_told_keeps_from_another() -> None:
    short = "S3A_SL_2_LST_20210510T002955_20210510T003255_0179_071_301_5760"
    whole = identify(
        item("S3A_SL_2_LST____20210510T002955_20210510T003255_20210511T101010_0179_071_301_5760_LN2_O_NT_004")
    )
    near, later = (identify(item(short, s3__processing_timeliness=each)) for each in ("NR", "NT"))
    assert resolve([near, later, whole]) == [near, whole, whole]


@pytest.mark.parametrize(
    "less",
    [
        item(DATED, L2A),  # by day alone: a satellite may see a place twice a day
        item("S2A_32TPS_20230602_0", None, **NEAR),  # of which level?
        item(DATED, L2A, datetime="2023-06-02T20:18:03Z"),
        item("S2A_33TPS_20230602_0_L2A", L2A, **NEAR),
        item("S2B_32TPS_20230602_0_L2A", L2A, **NEAR),
        item("S2A_32TPS_20230602_0_L1C", L2A, **NEAR),
        item("LC80280302020014LGN00"),
    ],
)
def test_too_little_or_other_is_not_joined(less: dict[str, object]) -> None:
    found = identify(less)
    assert resolve([found, identify(item(EARLY))])[0] == found


def test_one_id_with_clues_that_differ_is_two() -> None:
    granule = "S2A_OPER_MSI_L2A_TL_2APS_2023060{}T162001_A041489_T32TPS_N05.09"
    keys = [identify(item(DATED, L2A, s2__tile_id=granule.format(day))).product for day in (2, 3)]
    assert keys[0] != keys[1]
    again = identify(item(DATED, L2A, s2__granule_id=granule.format(2).replace("N05.09", "N05.10")))
    assert again.product == keys[0]  # the baseline is in no key
    assert identify(item(DATED, L2A)).product not in keys


def test_assets_of_two_products_tell_none() -> None:
    hrefs = [f"https://example.org/{name}.SAFE/B01.tif" for name in (EARLY, LATE)]
    assert identify(item(DATED, L2A, *hrefs, **NEAR)).partial is not None
    assert identify(item(DATED, L2A, hrefs[0], **NEAR)).name == EARLY


def test_asking_by_a_name_that_tells_less_means_all_that_agree() -> None:
    asked = identify_name(DATED)
    assert asked is not None
    held = [identify(item(DATED, L2A, s2__product_uri=name)) for name in (EARLY, LATE)]
    assert all(matches(asked, each) for each in held)
    assert not matches(asked, identify(item(EARLY.replace("20230602T1", "20230603T1"))))
    assert not matches(asked, identify(item("x", "naip")))
    full = identify_name(EARLY)
    assert full is not None
    assert [matches(full, each) for each in held] == [True, False]


def test_the_span_of_a_name_that_tells_less_holds_the_products_datetimes() -> None:
    sensed, datatake = instant("2023-06-02T10:18:03Z"), instant("2023-06-02T10:06:01Z")
    asked = [identify_name(DATED), identify_name("S2A_T32TPS_20230602T100832_L2A")]
    asked += [identify(item(DATED, L2A, **NEAR)), identify(item(DATED, L2A, s2__datatake_id=TAKE, **NEAR))]
    for each in asked:
        assert each is not None
        span = span_of(each)
        assert span is not None
        assert span[0] <= datatake < sensed <= span[1]


TAKE = "GS2A_20230602T100601_041489_N05.09"


@pytest.mark.parametrize("take", [TAKE.replace("2A", "2B"), TAKE.replace("T10", "T20"), "x"])
def test_a_datatake_that_does_not_agree_is_not_believed(take: str) -> None:
    assert identify(item(DATED, L2A, s2__datatake_id=take, **NEAR)).acquisition is None


def test_facts_are_told_of_known_missions_only() -> None:
    assert facts_of(identify(item("x", "naip"))) is None
    told = facts_of(identify(item(EARLY)))
    assert told is not None
    assert told[:4] == ("S2", "A", "2A", "32TPS")
    assert told.baseline == "05.09"
    assert isinstance(identify(item(EARLY)), Identity)


NAME = "S2A_MSIL2A_20230602T100601_N0509_R022_T32TPS_20230602T162001"


def test_assets_that_are_still_bytes_tell_the_product_and_are_asked_for_only_when_needed() -> None:
    less: Item = {"id": "S2A_32TPS_20230602_0_L2A", "collection": "sentinel-2-l2a", "properties": {}}
    asset = {"href": f"s3://bucket/{NAME}.SAFE/B01.jp2"}
    raw = msgspec.Raw(msgspec.json.encode(asset))
    inner = {"href": msgspec.Raw(msgspec.json.encode(asset["href"])), "title": msgspec.Raw(b"5")}
    spoilt = [msgspec.Raw(b"[1]"), msgspec.Raw(b"nonsense"), {"href": msgspec.Raw(b"5")}, 7, {"href": 7}, {}]
    for each in (asset, raw, inner):
        assets = {str(number): one for number, one in enumerate([*spoilt, each])}
        assert identify({**less, "assets": assets}).name == NAME
        assert identify(less, hrefs=lambda assets=assets: hrefs_of(assets)).name == NAME  # type: ignore[misc]
    calls: list[str] = []

    def hrefs() -> list[object]:
        calls.append("asked")
        return [asset["href"]]

    identify({**less, "id": NAME}, hrefs=hrefs)
    identify({**less, "properties": {"s2:product_uri": NAME}}, hrefs=hrefs)
    assert calls == []
    assert identify(less, hrefs=hrefs).name == NAME
    assert calls == ["asked"]
