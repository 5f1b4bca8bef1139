"""Names of products: whatever they are put together from is what is read of them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.catalogue.products.names import (
    ProductName,
    Sentinel1Name,
    Sentinel2Name,
    Sentinel3Name,
    Sentinel5PName,
    bare,
    parse_name,
)

REAL = [
    "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15",
    "S1A_IW_GRDH_1SDV_20230110T052010_20230110T052035_046718_0599A8_DB57_COG",
    "S1A_IW_SL1__1_SH_20141031T095929_20141031T100002_003072_003842_91FC",
    "S1A_S3_SLC__1SDV_20210401T152855_20210401T152914_037258_04638E_6001",
    "S1C_S4_GRDH_1SDH_20250118T171404_20250118T171421_000638_000538_4B8B",
    "S1A_IW_RAW__0SDV_20150222T170748_20150222T170820_004739_005DD8_4F1B",
    "S2A_MSIL1C_20180101T105441_N0206_R051_T31TDH_20180101T124911",
    "S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157",
    "S2A_OPER_PRD_MSIL1C_PDMC_20160421T003531_R051_V20150706T104631_20150706T104631",
    "S3A_OL_2_WFR____20210604T001016_20210604T001316_20210604T021918_0179_072_273_1440_MAR_O_NR_003",
    "S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______PS1_O_NR_004",
    "S3A_SY_2_V10____20210911T000000_20210920T235959_20210925T203456_EUROPE____________LN2_O_ST_002",
    "S5P_NRTI_L2__NO2____20210827T012135_20210827T012635_20056_02_020200_20210827T021525",
    "S5P_OFFL_L1B_RA_BD4_20200303T013547_20200303T031717_12367_01_010000_20200303T050000",
]

UNITS = st.sampled_from("ABCD")
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
BASELINES = st.tuples(st.integers(0, 99), st.integers(0, 99)).map(
    lambda parts: f"{parts[0]:02}.{parts[1]:02}"
)


def letters(size: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=size, max_size=size)


SENTINEL1 = st.builds(
    Sentinel1Name,
    unit=UNITS,
    mode=st.sampled_from(("IW", "EW", "WV", "S1", "S6", "N1", "EN")),
    type=st.sampled_from(("RAW", "SLC", "GRD", "OCN", "SL1", "ETA")),
    resolution=st.sampled_from("FHM_"),
    level=st.integers(0, 2),
    grade=st.sampled_from("SANC"),
    polarisation=st.sampled_from(("SH", "SV", "DH", "DV", "HH", "VV")),
    start=MOMENTS,
    stop=MOMENTS,
    absolute_orbit=st.integers(0, 999_999),
    datatake=st.integers(0, 16**6 - 1),
    unique=st.tuples(letters(4, "0123456789ABCDEF"), st.sampled_from(("", "_COG"))).map("".join),
)
TILES = st.from_regex(r"(0[1-9]|[1-5][0-9]|60)[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]", fullmatch=True)
SENTINEL2 = st.builds(
    Sentinel2Name,
    unit=UNITS,
    level=st.sampled_from(("0", "1A", "1B", "1C", "2A")),
    start=MOMENTS,
    baseline=BASELINES,
    relative_orbit=st.integers(1, 143),
    tile=TILES,
    generated=MOMENTS,
) | st.builds(
    Sentinel2Name,
    unit=UNITS,
    level=st.sampled_from(("1C", "2A")),
    start=MOMENTS,
    baseline=st.none(),
    relative_orbit=st.integers(1, 143),
    tile=st.none(),
    generated=MOMENTS,
    site=letters(4),
    stop=MOMENTS,
)
FILLED = st.from_regex(r"[A-Z0-9]([A-Z0-9_]{0,4}[A-Z0-9])?", fullmatch=True)
PLACES = st.builds(
    lambda duration, cycle, orbit, frame: (duration, cycle, orbit, frame, None),
    st.integers(0, 9999),
    st.integers(0, 999),
    st.integers(1, 385),
    st.none() | st.integers(0, 9999),
) | st.from_regex(r"[A-Z][A-Z0-9_]{0,15}[A-Z]", fullmatch=True).map(
    lambda area: (None, None, None, None, area)
)
SENTINEL3 = st.builds(
    lambda unit, source, level, kind, times, place, ends: Sentinel3Name(
        unit, source, level, kind, *times, *place, *ends
    ),
    UNITS,
    st.sampled_from(("OL", "SL", "SR", "SY", "MW", "DO")),
    st.sampled_from("012_"),
    FILLED,
    st.tuples(MOMENTS, MOMENTS, MOMENTS),
    PLACES,
    st.tuples(letters(3), st.sampled_from("OFDR"), st.sampled_from(("NR", "ST", "NT")), letters(3)),
)
SENTINEL5P = st.builds(
    Sentinel5PName,
    stream=st.sampled_from(("NRTI", "OFFL", "RPRO", "TEST")),
    type=st.sampled_from(
        ("L2__NO2___", "L2__CH4___", "L2__O3__PR", "L2__CLOUD_", "L1B_RA_BD4", "L2__AER_AI")
    ),
    start=MOMENTS,
    stop=MOMENTS,
    absolute_orbit=st.integers(0, 99_999),
    collection=letters(2, "0123456789"),
    processor=st.lists(letters(2, "0123456789"), min_size=3, max_size=3).map(".".join),
    generated=MOMENTS,
)
NAMES = SENTINEL1 | SENTINEL2 | SENTINEL3 | SENTINEL5P


@given(NAMES)
def test_a_name_that_is_put_together_is_read_as_what_it_is_of(name: ProductName) -> None:
    assert parse_name(str(name)) == name


@given(NAMES, st.sampled_from((".SAFE", ".SEN3", ".zip", ".nc", ".SAFE.zip", ".safe", "")))
def test_extensions_are_no_part_of_a_name(name: ProductName, end: str) -> None:
    assert bare(f"{name}{end}") == str(name)
    assert parse_name(f"{name}{end}") == name


@given(NAMES, st.data())
def test_a_name_one_character_off_is_another_name_or_none(name: ProductName, data: st.DataObject) -> None:
    text = str(name)
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(codec="ascii").filter(lambda sign: sign != text[at]))
    spoilt = text[:at] + put + text[at + 1 :]
    read = parse_name(spoilt)
    assert read is None or str(read) == bare(spoilt)


@pytest.mark.parametrize("text", REAL)
def test_real_names_are_read_and_written_back(text: str) -> None:
    assert str(parse_name(text)) == text


def test_what_a_name_tells() -> None:
    radar, optical, colour, air = (parse_name(REAL[at]) for at in (0, 7, 9, 12))
    assert isinstance(radar, Sentinel1Name)
    assert (radar.unit, radar.mode, radar.type, radar.resolution) == ("A", "EW", "GRD", "M")
    assert (radar.absolute_orbit, radar.datatake, radar.unique) == (46117, 0x58549, "BB15")
    assert isinstance(optical, Sentinel2Name)
    assert (optical.level, optical.baseline, optical.relative_orbit, optical.tile) == (
        "2A",
        "05.09",
        73,
        "01WCP",
    )
    assert optical.start == datetime(2023, 6, 25, 23, 46, 21, tzinfo=UTC)
    assert optical.generated == datetime(2023, 6, 26, 2, 21, 57, tzinfo=UTC)
    assert isinstance(colour, Sentinel3Name)
    assert (colour.source, colour.level, colour.type, colour.timeliness) == ("OL", "2", "WFR", "NR")
    assert (colour.duration, colour.cycle, colour.relative_orbit, colour.frame) == (179, 72, 273, 1440)
    assert isinstance(air, Sentinel5PName)
    assert (air.stream, air.type, air.level, air.absolute_orbit) == ("NRTI", "L2__NO2___", "2", 20056)
    assert air.processor == "02.02.00"


def test_two_products_made_one_second_apart_have_two_names() -> None:
    one, other = (parse_name(f"S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_2023062{end}") for end in
                  ("6T022157", "6T022158"))  # fmt: skip
    assert one is not None
    assert one != other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "S2A_T60CWS_20240109T203651_L2A",
        "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13",
        "S2A_MSIL1C_20180101T105441_N0206_R051_T31TDH_20180101T124911_copy",
        "S2A_MSIL1C_20181301T105441_N0206_R051_T31TDH_20180101T124911",  # a thirteenth month
        "S2A_MSIL1C_20180101T256060_N0206_R051_T31TDH_20180101T124911",
        "S2A_MSIL1C_2\u0660180101T105441_N0206_R051_T31TDH_20180101T124911",  # a digit, but an Arabic one
        "S3A_OL_2_WFR____20210604T001016",
    ],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert parse_name(text) is None
