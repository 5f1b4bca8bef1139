"""Every form of one product gives one key; of different products, different ones."""

import re
from collections import defaultdict
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.products import Identity, identify, identify_name, same_product, span_of
from cscale.discovery.products.missions.forms import Form
from cscale.discovery.products.reading import FORMS
from cscale.stac.times import instant
from tests.discovery.products.making import PRODUCTS, UUID, Made, item

S2 = "S2A_MSIL2A_20230602T100601_N0509_R022_T32TPS_20230602T162001"
S1 = "S1A_IW_GRDH_1SDV_20230110T052010_20230110T052035_046718_0599A8_DB57"


@given(PRODUCTS)
def test_all_forms_of_a_product_agree(made: Made) -> None:
    found = [identify(each) for each in made.items]
    assert {each.product for each in found} == {found[0].product}
    assert {each.acquisition for each in found} == {found[0].acquisition}
    assert all(each.partial is None for each in found)
    assert {each.name for each in found} - {None} == {made.name}


@given(st.lists(PRODUCTS, max_size=8))
def test_keys_part_items_as_products_are_parted(many: list[Made]) -> None:
    """Reflexive, symmetric and transitive, and no two products collide: the classes are the products."""
    classes: dict[str, set[object]] = defaultdict(set)
    acquisitions: dict[str | None, set[object]] = defaultdict(set)
    for made in many:
        for each in made.items:
            found = identify(each)
            classes[found.product].add(made.product)
            acquisitions[found.acquisition].add(made.acquisition)
    assert all(len(each) == 1 for each in classes.values())
    assert len(classes) == len({made.product for made in many})
    assert len(acquisitions) == len({made.acquisition for made in many})


@given(PRODUCTS, PRODUCTS, PRODUCTS)
def test_being_of_one_product_is_an_equivalence(one: Made, other: Made, third: Made) -> None:
    items = [each for made in (one, other, third) for each in (made.items[0], made.items[-1], *made.partial)]
    every = [identify(each) for each in items]
    for a in every:
        assert same_product(a, a)
    for a, b in combinations(every, 2):
        assert same_product(a, b) == same_product(b, a)
        for c in every:
            assert not (same_product(a, b) and same_product(b, c)) or same_product(a, c)


@given(PRODUCTS)
def test_items_lie_in_the_span_of_their_name(made: Made) -> None:
    span = span_of(made.name)
    assert span is not None
    for each in (*made.items, *made.partial):
        told = each["properties"].get("datetime")
        if told and not told.startswith("2035"):  # that one writes when it was published
            assert span[0] <= instant(told) <= span[1]


@given(PRODUCTS, PRODUCTS)
def test_versions_of_an_acquisition_are_ordered_by_when_they_were_made(one: Made, other: Made) -> None:
    for made in (one, other):
        versions = {identify(each).version for each in made.items if identify(each).name}
        assert len(versions) == 1
    if one.acquisition == other.acquisition and one.order is not None and other.order is not None:
        first, second = (identify(each.items[0]).version for each in (one, other))
        assert (first < second, first == second) == (one.order < other.order, one.order == other.order)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.title)
def test_every_form_reads_its_example_and_no_other_form_does(form: Form) -> None:
    bare = re.sub(r"\.(SAFE|SEN3|nc|tif)$", "", form.example)
    assert [each.title for each in FORMS if each.pattern.fullmatch(bare)] == [form.title]
    assert identify_name(form.example) is not None


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (f"  {S2}.SAFE ", S2),
        (S2.lower(), S2),
        (f"{S2.lower()}.safe.zip", S2),
        (f"/eodata/Sentinel-2/MSI/L2A/2023/06/02/{S2}.SAFE/", S2),
        (f"https://example.org/data/{S2}.zip", S2),
        (f"urn:eop:VITO:CGS_S2_L2A:{S2}", S2),
        (f"{S1}_COG.SAFE", S1),
        (f"{S1}.SAFE", S1),
        ("lc08_l2sp_028030_20200114_20200824_02_t1_st", "LC08_L2SP_028030_20200114_20200824_02_T1"),
        ("LC08_L2SP_028030_20200114_20200824_02_T1.tar.gz", "LC08_L2SP_028030_20200114_20200824_02_T1"),
        ("NDVI300_202109110000_GLOBE_OLCI_V2.0.1", "c_gls_NDVI300_202109110000_GLOBE_OLCI_V2.0.1"),
        ("S2A_MSIL2A_20230602T100601_R022_T32TPS_20230602T162001", None),
    ],
)
def test_names_are_read_as_users_type_them(typed: str, name: str | None) -> None:
    found = identify_name(typed)
    assert found is not None
    assert (found.name, found.partial) == (name, None)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "S2A",
        UUID,
        f"{S2}_B04",
        f"{S2}/GRANULE",
        f"{S1}_rtc",
        f"{S1[:-5]}_rtc",
        "S2A_20150704T101006_32TML_NDVI_10M_V200",  # derived from a product, and no copy of it
        "GS2A_20230602T100601_041489_N05.09",
        "mt_m_4911664_se_11_060_20231117_20240103",
        "x" * 100_000,
        "S2A_MSIL2A" + ".SAFE" * 100_000,
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_name_of_a_product_is_none(typed: str) -> None:
    assert identify_name(typed) is None


def test_a_day_that_does_not_exist_has_no_span() -> None:
    assert span_of(S2.replace("20230602T1006", "20230631T1006")) is None
    assert span_of("LC08_L2SP_028030_20201301_20200824_02_T1") is None
    assert span_of("no name") is None


def test_the_baseline_is_not_in_the_key_and_orders() -> None:
    low, high = identify_name(S2), identify_name(S2.replace("N0509", "N0510"))
    assert low is not None
    assert high is not None
    assert low.product == high.product
    assert low.version < high.version


def test_a_cloud_optimized_processing_of_another_checksum_is_a_version() -> None:
    one, other = identify_name(S1), identify_name(f"{S1[:-4]}1234_COG")
    assert one is not None
    assert other is not None
    assert one.product != other.product
    assert one.acquisition == other.acquisition


def test_consolidated_products_of_the_land_service_come_after_first_ones() -> None:
    stages = [(stage, minor) for minor in (9, 10) for stage in ("-RT0", "-RT6")]
    names = [f"c_gls_LAI300{stage}_202201100000_GLOBE_OLCI_V1.{minor}.1" for stage, minor in stages]
    found = [each for name in names if (each := identify_name(name))]
    assert [each.version for each in found] == sorted(each.version for each in found)
    assert len({each.acquisition for each in found}) == 1
    assert len({each.product for each in found}) == 4


def test_sentinel1_learns_from_its_properties_when_it_was_made() -> None:
    early = identify(item(S1, s1__processing_datetime="2023-01-10T07:19:57.000000Z"))
    late = identify(item(f"{S1[:-4]}0000", processing__datetime="2023-01-10T07:19:58Z"))
    assert early.acquisition == late.acquisition
    assert ("", "") < early.version < late.version


def test_the_property_that_a_site_names_goes_before_the_id() -> None:
    told = item("S2B_MSIL1C_20240206T131259_N0510_R081_T27VWK_20240206T133903", custom=f"{S2}.SAFE")
    assert identify(told, product_property="custom").name == S2
    assert identify(told).name != S2
    assert identify(told, product_property="absent") == identify(told)
    unknown = [item(own, "c", custom="scene 7") for own in ("a", "b")]
    assert identify(unknown[0], product_property="custom") == identify(unknown[1], product_property="custom")
    assert identify(unknown[0]) != identify(unknown[1])


def test_ids_that_are_no_names_count_in_their_collection() -> None:
    assert identify(item("x", "naip")).product != identify(item("x", "other")).product
    assert identify(item("x", "sentinel-2-c1-l2a")) == identify(item("x", "S2_MSI_L2A"))
    assert identify(item("x", "a"), collection="b") == identify(item("x", "b"))
    assert identify(item("b/c", "a")).product != identify(item("c", "a/b")).product
    assert (
        identify(item("S2A_32TPS_20230602_0", "a")).product
        != identify(item("S2A_32TPS_20230602_0", "b")).product
    )


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_keys_of_unknown_items_are_equal_only_for_one_id_in_one_collection(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    keys = [identify({"id": own_id, "collection": collection}).product for own_id, collection in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_what_is_made_from_a_product_is_no_copy_of_it() -> None:
    source = identify(item(S2))
    for derived in (
        item(f"{S2}_NDVI", "x", s2__product_uri=f"{S2}.SAFE"),
        item(f"{S1[:-5]}_rtc", "x", s1__product_identifier=S1),
        item("S1B_20161121_12SYJ_ASC", "x", sentinel__product_ids=[S1]),
        item("ga_ls8c", "x", landsat__landsat_product_id="LC08_L1TP_088080_20200525_20200608_01_T1"),
    ):
        found = identify(derived)
        assert found.product == f"x/{derived['id']}"
        assert found != source


def test_a_property_that_contradicts_the_id_is_not_believed() -> None:
    other_tile = S2.replace("32TPS", "33TPS")
    found = identify(item("S2A_32TPS_20230602_0_L2A", s2__product_uri=other_tile))
    assert isinstance(found, Identity)
    assert found.partial is not None
    assert found.product != identify(item(other_tile)).product
    bare = item(S2.replace("_N0509", ""), s2__product_uri=other_tile)
    assert identify(bare).name is None
    assert identify(bare).product == identify(item(S2)).product
    assert identify(item(S2, s2__product_uri=other_tile)).name == S2
