"""Where products stand: copies at one place, versions side by side with the newest first."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.products import Identity, identify, identify_name, place
from tests.discovery.products.making import PRODUCTS, Item, Made, item, needs_data, real_items

KEYS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["S2A_32TPS_20230602_0_L2A", "c/S2A_32TPS_20230602_0_L2A", "c/S2A_32TPS_20230602_0_L2A?x", "~", "~~"]
)


def all_items(many: list[Made]) -> list[Item]:
    return [each for made in many for each in (*made.items, *made.partial)]


@given(st.lists(PRODUCTS, max_size=6))
def test_products_have_one_place_each(many: list[Made]) -> None:
    found = [identify(each) for each in all_items(many)]
    assert len({each.product for each in found}) == len({place(each) for each in found})
    assert len({(each.product, place(each)) for each in found}) == len({each.product for each in found})


@given(st.lists(KEYS, max_size=6), st.lists(PRODUCTS, max_size=2))
def test_no_two_keys_share_a_place_whatever_they_are(keys: list[str], many: list[Made]) -> None:
    every = {*keys, *(identify(each).product for each in all_items(many))}
    assert len({place(Identity(each)) for each in every}) == len(every)


@given(PRODUCTS, st.text(max_size=3), st.text(max_size=3))
def test_a_place_is_of_the_key_alone(made: Made, told: str, more: str) -> None:
    one = identify(made.items[0])
    assert place(one) == place(Identity(one.product, told, more, (told, more), None))


@given(st.lists(PRODUCTS, max_size=8))
def test_versions_are_neighbours_and_the_newest_is_first(many: list[Made]) -> None:
    shown = {}
    for made in many:
        shown[identify(made.items[0]).product] = made
    ordered = sorted(shown.values(), key=lambda made: place(identify(made.items[0])))
    groups = [(key, list(group)) for key, group in groupby(ordered, key=lambda made: made.acquisition)]
    assert len({key for key, _ in groups}) == len(groups), "each acquisition stands in one piece"
    for _, group in groups:
        times = [made.order[0] for made in group if made.order is not None]
        assert times == sorted(times, reverse=True)


def test_versions_without_a_time_are_ordered_by_version() -> None:
    names = [
        f"c_gls_LAI300-RT{stage}_202201100000_GLOBE_OLCI_V1.{minor}.1"
        for minor in (9, 10)
        for stage in (0, 6)
    ]
    found = [each for name in names if (each := identify_name(name))]
    assert [each.name for each in sorted(found, key=place)] == names[::-1]


def test_what_does_not_tell_its_processing_stands_behind_those_of_its_acquisition() -> None:
    whole = "S3A_SL_2_LST____20210510T002955_20210510T003255_20210511T101010_0179_071_301_5760_LN2_O_NT_004"
    less = identify(item("S3A_SL_2_LST_20210510T002955_20210510T003255_0179_071_301_5760", "zzz"))
    assert less.partial is not None
    known = identify(item(whole))
    assert place(known).startswith(f"{known.acquisition} ")
    assert place(less).startswith(f"{known.acquisition} ")
    assert place(known) < place(less)


@needs_data
def test_real_items_have_a_place_for_each_product() -> None:
    found = [identify(each) for _, each in real_items()]
    assert len({place(each) for each in found}) == len({each.product for each in found}) > 100
    for each in found:
        if each.partial is None and each.acquisition is not None:
            assert place(each).startswith(f"{each.acquisition} ")
