"""The ids under which a product may be held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.products import forms_of, identify, identify_name, matches
from cscale.discovery.products.names import MOST
from tests.discovery.products.making import PRODUCTS, UUID, Made, needs_data, real_items

S2 = "S2A_MSIL2A_20230602T100601_N0509_R022_T32TPS_20230602T162001"
S3 = "S3A_OL_2_WFR____20210604T001016_20210604T001316_20210604T021918_0179_072_273_1440_MAR_O_NR_003"


@given(PRODUCTS)
def test_all_forms_are_of_the_product_or_may_be(made: Made) -> None:
    asked = identify_name(made.name)
    assert asked is not None
    found = forms_of(made.name)
    assert found[0] == made.name
    assert len(set(found)) == len(found) <= MOST
    for form in found:
        read = identify_name(form)
        assert read is not None, form
        assert matches(read, asked), form


@given(PRODUCTS, st.data())
def test_ids_that_a_name_tells_are_among_the_forms(made: Made, data: st.DataObject) -> None:
    ways = [made.name, made.name.lower(), f"/data/{made.name}.zip"]
    typed = data.draw(st.sampled_from([each for each in ways if identify_name(each) is not None]))
    found = set(forms_of(typed))
    for each in made.items:
        own_id = each["id"]
        if "CGS_X" in own_id or UUID in own_id:
            continue  # of no catalogue, or no name at all
        if own_id.startswith("S2") and own_id[4:5] == "T":
            continue  # bears when its datastrip began, which the product's name does not tell
        if own_id.startswith(("S2A_", "S2B_")) and "_MSI" not in own_id:
            assert own_id in found or any(form[:15] == own_id[:15] for form in found)  # up to a day later
        else:
            assert own_id in found, own_id


@needs_data
def test_real_ids_are_found_by_the_official_name() -> None:
    checked = set()
    for _, item in real_items():
        one, own_id = identify(item), str(item["id"])
        if one.name is None or identify_name(own_id) is None or own_id[3:5] == "_T":
            continue
        if own_id.endswith((".zip", ".SAFE.zip", ".nc", "manifest.safe")) or "urn:" in own_id:
            continue
        assert own_id in forms_of(one.name), (own_id, forms_of(one.name))
        checked.add(own_id)
    assert len(checked) > 60


@pytest.mark.parametrize(
    ("name", "form"),
    [
        (S2, f"{S2}.SAFE"),
        (S2, "S2A_MSIL2A_20230602T100601_R022_T32TPS_20230602T162001"),
        (S2, "S2A_32TPS_20230602_0_L2A"),
        (S2.replace("32TPS", "09VXK"), "S2A_9VXK_20230602_0"),
        (S2.replace("20230602T1006", "20230602T2350"), "S2A_32TPS_20230603_0_L2A"),
        (S2.replace("L2A", "L1C"), f"urn:eop:VITO:CGS_S2_L1C:{S2.replace('L2A', 'L1C')}"),
        (f"{S3}.SEN3", S3),
        (S3, "S3A_OL_2_WFR_20210604T001016_20210604T001316_0179_072_273_1440"),
        ("s2a_32tps_20230602_0_l2a", "S2A_32TPS_20230602_0_L2A"),
        ("S2A_OPER_MSI_L2A_TL_2APS_20240109T203651_A044654_T60CWS_N05.10",
         "S2A_OPER_MSI_L2A_TL_2APS_20240109T203651_A044654_T60CWS"),
    ],
)  # fmt: skip
def test_forms_of_known_names(name: str, form: str) -> None:
    assert form in forms_of(name)


def test_what_is_no_name_is_asked_for_as_it_is() -> None:
    assert forms_of(f" {UUID} ") == (UUID,)
    assert forms_of("") == forms_of("  ") == forms_of("x" * 100_000) == ()
    assert forms_of("x" * 1000) == ("x" * 1000,)
