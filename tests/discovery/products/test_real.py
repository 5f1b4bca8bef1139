"""Real items and names of many providers: which are copies, which are versions, which are neither."""

import json
import re
from itertools import combinations

import pytest

from cscale.discovery.products import Identity, identify, identify_name, resolve, same_product, span_of
from cscale.stac.times import instant
from tests.discovery.products.making import DATA, Item, needs_data, odata, real_items, truth

WCP = [f"S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T0221{second}" for second in (57, 58)]
COPIES = {
    "S2B_T20EPT_20250731T131905_L2A":
        "S2B_MSIL2A_20250731T131909_R095_T20EPT_20250731T143919",
    "S2B_20EPT_20250731_0_L2A":
        "S2B_MSIL2A_20250731T131909_R095_T20EPT_20250731T143919",
    "S2B_20EPT_20250731_0_L1C":
        "S2B_MSIL1C_20250731T131909_R095_T20EPT_20250731T143530",
    "S2A_32TPS_20230602_0_L2A":
        "S2A_MSIL2A_20230602T100601_R022_T32TPS_20230602T162001",
    "S2B_9VXK_20171013_0":
        "S2B_MSIL1C_20171013T200349_R128_T09VXK_20171013T200346",
    "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531":
        "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531",
    "URN:FEATURE:DATA:gdh:25416e3f-1a7f-379a-9b65-a6539b1fd95b:V1":
        "S2A_MSIL1C_20250402T175741_R141_T14ULD_20250403T022035",
    "01f888ef-3368-59ff-a639-52242d159d7c":
        "S2A_MSIL1C_20200815T005251_R002_T55PDR_20200815T023440",
    "05edf2bb-d103-49f1-a677-9e474138d84f":
        "S2A_MSIL1C_20200808T010311_R045_T54PXA_20230413T212505",
    "S1A_IW_GRDH_1SDV_20240309T125931_20240309T125956_052905_06674B":
        "S1A_IW_GRDH_1SDV_20240309T125931_20240309T125956_052905_06674B_1394",
    "78d5c597-78e9-56e8-b4ea-3c2aa92a5d4e":
        "S1A_IW_GRDH_1SSV_20141004T005844_20141004T005913_002673_002FAB_4FCD",
    "578f1768-e66e-5b86-9363-b19f8931cc7b":
        "S1A_WV_OCN__2SSV_20180215T235323_20180216T001213_020624_023501_0FD3",
    "S3A_SL_2_LST_20210510T002955_20210510T003255_0179_071_301_5760":
        "S3A_SL_2_LST____20210510T002955_20210510T003255_20210511T101010_0179_071_301_5760_LN2_O_NT",
    "S3A_SY_2_V10_20210911T000000_20210920T235959_EUROPE":
        "S3A_SY_2_V10____20210911T000000_20210920T235959_20210928T121452_EUROPE____________LN2_O_NT",
    "S5P_NRTI_L2__NO2____20210827T012135_20210827T012635_20056_02_020200_20210827T021525":
        "S5P_NRTI_L2__NO2____20210827T012135_20210827T012635_20056_20210827T021525",
    "LC08_L2SP_028030_20200114_20200824_02_T1_SR":
        "LC08_L2SP_028030_20200114_20200824_02_T1",
    "2aa69fcf-aa55-4747-9d95-3652f9fe79b0":
        "/2aa69fcf-aa55-4747-9d95-3652f9fe79b0",
    "S1B_20161121_12SYJ_ASC":
        "sentinel1-rtc-aws/S1B_20161121_12SYJ_ASC",
    "G1994512890-LPCLOUD":
        "HLSL30.v1.5/G1994512890-LPCLOUD",
}  # fmt: skip
"""Ids of real items, and the keys of the products they are of."""


@pytest.fixture(scope="module")
def real() -> list[tuple[Item, Identity]]:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} (real provider answers) is not here")
    return [(item, identify(item)) for _, item in real_items()]


def test_precision_and_recall_over_all_pairs_of_real_items_are_one(real: list[tuple[Item, Identity]]) -> None:
    known = [(truth(item), found) for item, found in real]
    copies = told = right = 0
    for (one, first), (other, second) in combinations(known, 2):
        copies += one == other
        told += same_product(first, second)
        right += one == other and same_product(first, second)
    assert (len(known), copies) == (
        176,
        17,
    )  # at Earth Search twice, as items and folders, in answers of OData
    assert (right / told, right / copies) == (1.0, 1.0)


@pytest.mark.parametrize("own_id", COPIES)
def test_real_items_have_the_keys_that_they_should(real: list[tuple[Item, Identity]], own_id: str) -> None:
    assert {each.product for item, each in real if item["id"] == own_id} == {COPIES[own_id]}


@needs_data
def test_two_products_made_a_second_apart_are_two_versions_of_one_acquisition() -> None:
    made = [item for place, item in real_items() if "T01WCP" in place and place.endswith(".json")]
    one, other = sorted(map(identify, made), key=lambda each: each.version)
    # both items have one id, one datetime and one s2:generation_time
    assert len({item["id"] for item in made}) == len({item["properties"]["datetime"] for item in made}) == 1
    assert len({item["properties"]["s2:generation_time"] for item in made}) == 1
    assert [one.name, other.name] == WCP
    assert one.product != other.product
    assert one.acquisition == other.acquisition
    bare = [identify({**item, "properties": {**item["properties"], "s2:product_uri": None}}) for item in made]
    assert len({each.product for each in bare}) == 2  # by their granules alone
    assert all(each.partial for each in bare)


@needs_data
def test_items_of_the_old_service_are_read_from_its_pages() -> None:
    cells = json.loads((DATA / "cscale_mqs" / "tutorial1_outputs.json").read_text())
    pages = [cell["html_text"] for cell in cells if cell["html_text"].startswith("Item:")]
    found = {}
    for page in pages:
        own_id = page.split()[1]
        told = dict(re.findall(r"^(\S+):\n (\S+) $", page, re.MULTILINE))
        found[own_id] = identify({"id": own_id, "properties": told}).name
    eodc = "S2A_MSIL1C_20220101T052231_R062_T44RKR_20220101T072023"
    vito = "S2A_MSIL1C_20161004T110912_N0204_R137_T30SVH_20161004T110942"
    assert found == {
        eodc: "S2A_MSIL1C_20220101T052231_N0301_R062_T44RKR_20220101T072023",
        f"urn:eop:VITO:CGS_S2_L1C:{vito}": vito,
    }


def test_an_acquisition_at_two_levels_is_two(real: list[tuple[Item, Identity]]) -> None:
    found = {item["id"]: each for item, each in real}
    ids = [f"S2B_24MVV_20250731_0_{level}" for level in ("L1C", "L2A")]
    assert len({found[each].product for each in ids}) == len({found[each].acquisition for each in ids}) == 2


def test_canonical_names_read_back_as_the_product(real: list[tuple[Item, Identity]]) -> None:
    named = [each for _, each in real if each.name is not None]
    assert len(named) > 100
    for each in named:
        read = identify_name(each.name or "")
        assert read is not None
        assert (read.product, read.acquisition, read.name) == (each.product, each.acquisition, each.name)


def test_real_datetimes_lie_in_the_span_of_the_name(real: list[tuple[Item, Identity]]) -> None:
    checked = 0
    for item, each in real:
        told = item["properties"].get("datetime")
        if each.name is None or not isinstance(told, str) or item.get("collection") == "PEPS_S2_L1C":
            continue  # the latter writes when the product was published
        span = span_of(each.name)
        assert span is not None
        assert span[0] <= instant(told) <= span[1], item["id"]
        checked += 1
    assert checked > 60


@needs_data
def test_sensing_times_of_reprocessed_products_of_no_duration_lie_in_the_span() -> None:
    place = DATA / "dhus" / "responses"
    texts = [path.read_text() for path in sorted(place.glob("test_get_product_odata_full_*.json"))]
    assert len(texts) == 3
    for text in texts:
        (name,) = {name for _, name in odata(json.loads(text))}
        span = span_of(name)
        assert span is not None
        times = re.findall(r"(?:Start|End)\W+/Date\((\d+)\)", text)
        assert len(times) >= 2
        assert all(span[0] <= int(each) * 1000 <= span[1] for each in times), name


def test_what_is_stripped_of_its_name_joins_the_one_product_that_agrees(
    real: list[tuple[Item, Identity]],
) -> None:
    whole = [each for _, each in real if each.partial is None]
    stripped: list[tuple[Identity, str]] = []
    for item, each in real:
        if each.partial is None and each.name and "collection" in item:
            spoilt = {key: value for key, value in item["properties"].items() if key not in _NAMED}
            found = identify({"id": item["id"], "collection": item["collection"], "properties": spoilt})
            if found.partial is not None:
                stripped.append((found, each.product))
    assert len(stripped) > 30
    for found, product in stripped:
        assert found.product != product
        assert resolve([*whole, found])[-1].product == product


_NAMED = ("s2:product_uri", "s1:product_identifier", "sentinel:product_id", "title", "identifier")
