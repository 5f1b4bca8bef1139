"""Where products lie by their names, against PROJ and against the footprints of real items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import transform

from cscale.discovery.products import identify, identify_name, place_of
from cscale.discovery.products.grids import SQUARE, TILE, from_europe, from_utm, tile_place
from cscale.stac.items import item_geometry
from tests.discovery.products.making import needs_data, real_items

NEAR = 1e-7  # degrees, about a centimetre
S2 = "S2A_MSIL2A_20230602T100601_N0509_R022_T{}_20230602T162001"


def by_proj(epsg: int, x: float, y: float, to: int = 4326) -> tuple[float, float]:
    (longitude,), (latitude,) = transform(f"EPSG:{epsg}", f"EPSG:{to}", [x], [y])
    return longitude, latitude


@given(st.integers(1, 60), st.floats(1e5, 9e5), st.floats(0, 9.3e6))
def test_utm_is_turned_back_as_proj_does(zone: int, easting: float, northing: float) -> None:
    for south, y, epsg in ((False, northing, 32600), (True, 1e7 - northing, 32700)):
        longitude, latitude = from_utm(zone, south=south)(easting, y)
        expected = by_proj(epsg + zone, easting, y)
        assert abs((longitude - expected[0] + 180) % 360 - 180) < NEAR
        assert abs(latitude - expected[1]) < NEAR


@given(st.floats(9e5, 7.5e6), st.floats(9e5, 5.5e6))
def test_the_map_of_europe_is_turned_back_as_proj_does(easting: float, northing: float) -> None:
    assert from_europe(easting, northing) == pytest.approx(by_proj(3035, easting, northing, 4258), abs=NEAR)


def test_the_middle_of_the_map_of_europe() -> None:
    assert from_europe(4_321_000, 3_210_000) == (10, 52)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 92), st.floats(0, 1), st.floats(0, 1))
def test_what_lies_in_a_tile_lies_in_its_box(
    zone: int, column: int, row: int, right: float, down: float
) -> None:
    """A tile is built from its place on the map, and its name from that by the letters' rule."""
    west, top = column * SQUARE, (row + 1) * SQUARE
    _, latitude = by_proj(32600 + zone, west + SQUARE / 2, top - SQUARE / 2)
    if latitude >= 84:
        return
    letters = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    rows = "ABCDEFGHJKLMNPQRSTUV" if zone % 2 else "FGHJKLMNPQRSTUVABCDE"
    band = "NPQRSTUVWX"[min(int(latitude // 8), 9)]
    box = tile_place(f"{zone:02}{band}{letters[column - 1]}{rows[row % 20]}")
    longitude, latitude = by_proj(32600 + zone, west + right * TILE, top - down * TILE)
    if box is None:
        assert abs(longitude) > 150, "it reaches over the antimeridian"
        return
    assert box[0] < longitude < box[2]
    assert box[1] < latitude < box[3]
    assert box[3] - box[1] < 3.2


@pytest.mark.parametrize(
    ("tile", "inside"),
    [
        ("32TPS", (11.0, 46.5)),  # Bolzano
        ("33UVP", (14.3, 48.3)),  # Linz
        ("56HLH", (151.2, -33.9)),  # Sydney
        ("18MZE", (-71.9, -0.4)),  # by the equator
        ("32VNM", (10.75, 59.9)),  # Oslo, in a zone that is wider than others
        ("33XVH", (13.0, 79.0)),
    ],
)
def test_known_tiles_lie_where_they_should(tile: str, inside: tuple[float, float]) -> None:
    box = place_of(S2.format(tile))
    assert box is not None
    assert box[0] < inside[0] < box[2]
    assert box[1] < inside[1] < box[3]


@pytest.mark.parametrize(
    "name",
    [
        S2.format("01WCP"),  # over the antimeridian
        S2.format("60CWS"),
        S2.format("00TPS"),
        S2.format("61TPS"),
        S2.format("32APS"),  # a pole
        S2.format("32IPS"),
        S2.format("32TAS"),  # column of another zone
        S2.format("32TPW"),
        S2.format("32TPA"),  # row of another band
        "S1A_IW_GRDH_1SDV_20230110T052010_20230110T052035_046718_0599A8_DB57",
        "LC08_L2SP_028030_20200114_20200824_02_T1",
        "S2A_OPER_PRD_MSIL1C_PDMC_20160421T003531_R051_V20150706T104631_20150706T104631",
        "c_gls_NDVI300_202109110000_GLOBE_OLCI_V2.0.1",
        "ST_20170401T000000_S2_E09N27-32620-010m_V101_PPI",
        "c_gls_NDVI300_202109110000_X36Y02_OLCI_V2.0.1",
        "no name",
    ],
)
def test_where_it_is_not_told_or_doubtful_there_is_none(name: str) -> None:
    assert place_of(name) is None


def test_all_forms_of_a_tile_have_its_place() -> None:
    box = place_of(S2.format("32TPS"))
    assert box is not None
    forms = (
        "S2A_32TPS_20230602_0_L2A",
        "S2B_T32TPS_20250731T131905_L2A",
        "S2A_OPER_MSI_L2A_TL_2APS_20240109T203651_A044654_T32TPS_N05.10",
        "VI_20161001T092022_S2A_T32TPS-010m_V101_QFLAG2",
        "VPP_2021_S2_T32TPS-010m_V105_s1_TPROD",
    )
    for form in forms:
        assert place_of(form) == box
        one = identify_name(form)
        assert one is not None
        assert place_of(one) == box
    assert place_of("S2A_9VXK_20230602_0_L2A") == place_of(S2.format("09VXK"))


@given(st.integers(9, 74), st.integers(9, 54), st.floats(0, 1), st.floats(0, 1))
def test_tiles_of_europe_lie_where_proj_says(column: int, row: int, right: float, up: float) -> None:
    box = place_of(f"ST_20170401T000000_S2_E{column:02}N{row:02}-03035-010m_V101_PPI")
    longitude, latitude = by_proj(3035, (column + right) * SQUARE, (row + up) * SQUARE, 4258)
    if box is None:
        assert abs(longitude) > 170
        return
    assert box[0] < longitude < box[2]
    assert box[1] < latitude < box[3]


def test_tiles_of_ten_degrees() -> None:
    assert place_of("c_gls_NDVI300_202109110000_X18Y02_OLCI_V2.0.1") == pytest.approx(
        (-0.1, 44.9, 10.1, 55.1)
    )
    assert place_of("c_gls_NDVI300_202109110000_X00Y13_OLCI_V2.0.1") == pytest.approx(
        (-180, -65.1, -169.9, -54.9)
    )


@needs_data
def test_real_footprints_lie_in_the_box() -> None:
    checked = 0
    for _, item in real_items():
        box, drawn = place_of(identify(item)), item_geometry(item)
        if box is None or drawn is None:
            continue
        west, south, east, north = drawn.bounds
        assert box[0] < west, item["id"]
        assert box[1] < south, item["id"]
        assert box[2] > east, item["id"]
        assert box[3] > north, item["id"]
        checked += 1
    assert checked >= 37
