"""Real answers of archives that speak OData, and the STAC items that become of them."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from shapely.geometry import shape

from cscale.discovery.odata.csc import Csc
from cscale.discovery.odata.dhus import Dhus
from cscale.discovery.odata.products import item_of
from cscale.stac.items import Item

ANSWERS = Path(__file__).parents[3] / "../shared/data/discovery"
pytestmark = pytest.mark.skipif(
    not ANSWERS.is_dir(),
    reason="../shared/data/discovery is absent: the archives' real answers are not part of this repository",
)
CDSE = "https://catalogue.dataspace.copernicus.eu/odata/v1"
HUB = "https://apihub.copernicus.eu/apihub/odata/v1"


class Wanted(NamedTuple):
    """What the first item of an answer must hold; None where it must hold nothing."""

    id: str
    collection: str
    datetime: str
    end: str
    box: tuple[float, float, float, float]
    cloud: float | None
    orbit: int | None
    size: int | None
    checksum: str | None
    status: str


S2 = "S2A_MSIL1C_20200808T010311_N0500_R045_T54PXA_20230413T212505"
S1 = "S1A_IW_GRDH_1SSV_20141004T005844_20141004T005913_002673_002FAB_4FCD"
TABLE = {
    "eodag/cop_dataspace_search.json": Wanted(
        S2, "SENTINEL-2/S2MSI1C", "2020-08-08T01:03:11.024000Z", "2020-08-08T01:03:11.024000Z",
        (142.35, 13.47, 142.94, 14.22), 95.136736479015, 45, 224105657,
        "d50110923ac4992d90b57d41e7ace4d9d90757", "succeeded",
    ),
    "eodag/eodag_search_result_creodias.json": Wanted(
        S1, "SENTINEL-1/IW_GRDH_1S", "2014-10-04T00:58:44.620000Z", "2014-10-04T00:59:13.611000Z",
        (-105.36, 27.23, -102.41, 29.39), None, 153, None, None, "succeeded",
    ),
    "dhus/responses/quicklook_products_1.json": Wanted(
        "S2A_MSIL2A_20201007T022601_N0214_R046_T49MFN_20201007T064142", "SENTINEL-2/S2MSI2A",
        "2020-10-07T02:26:01.024000Z", "2020-10-07T02:26:01.024000Z", (112.58, -7.32, 112.90, -6.33), None,
        None, 245367924, "d50110521d457c02cebd24dbe45a5aec4bab27", "orderable",
    ),
    "dhus/responses/quicklook_products_2.json": Wanted(
        "S2B_MSIL2A_20201007T121649_N0214_R123_T23FQB_20201007T160401", "SENTINEL-2/S2MSI2A",
        "2020-10-07T12:16:49.024000Z", "2020-10-07T12:16:49.024000Z", (-40.61, -53.25, -40.36, -52.87), None,
        None, 30489399, "d501104b52d76c5e3171bf034d7737bdebd928", "orderable",
    ),
    "dhus/responses/quicklook_products_3.json": Wanted(
        "S2B_MSIL2A_20201007T131939_N0214_R124_T28XEK_20201007T160755", "SENTINEL-2/S2MSI2A",
        "2020-10-07T13:19:39.024000Z", "2020-10-07T13:19:39.024000Z", (-13.43, 75.56, -10.77, 76.55), None,
        None, 317624564, "d50110c11cbca2ea2e64ab954fdac2ee75e6b9", "orderable",
    ),
    "dhus/responses/smallest_online_products_2.json": Wanted(
        "S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______PS1_O_NR_004",
        "SENTINEL-3/SR_1_SRA___", "2023-03-09T20:45:58.338000Z", "2023-03-09T20:46:23.310000Z",
        (-0.19, 63.14, 1.22, 64.70), None, None, 599540, "d501101495b98f859949929b14c1b7cd62dffc",
        "succeeded",
    ),
    "dhus/responses/smallest_online_products_3.json": Wanted(
        "S3B_SR_1_SRA____20230309T200705_20230309T200726_20230309T220807_0020_077_071______PS2_O_NR_004",
        "SENTINEL-3/SR_1_SRA___", "2023-03-09T20:07:05.488000Z", "2023-03-09T20:07:26.402000Z",
        (9.03, 63.85, 10.44, 65.35), None, None, 498071, "d501108fb1f65d48e110edfb69a104779a6b11",
        "succeeded",
    ),
    "dhus/responses/test_download_all_lta_1.json": Wanted(  # it ends before it starts
        "S3A_OL_2_LFR____20161127T173119_20161127T173119_20180320T024235_0000_011_240_4680_LR2_R_NT_002",
        "SENTINEL-3/OL_2_LFR___", "2016-11-27T17:44:37.708000Z", "2016-11-27T17:44:37.708000Z",
        (100.86, -80.14, 131.39, -70.79), None, None, 960673, "d501108d3df90030380929aff1735b2f6246c6",
        "orderable",
    ),
    "dhus/responses/test_download_all_lta_3.json": Wanted(
        "S3B_SR_1_SRA____20210720T194442_20210720T194500_20210720T214156_0017_055_028______LN3_O_NR_004",
        "SENTINEL-3/SR_1_SRA___", "2021-07-20T19:44:42.480000Z", "2021-07-20T19:45:00.259000Z",
        (14.11, 64.54, 15.41, 65.86), None, None, 447106, "d50110a0377743199276ccab05e691822ad603",
        "succeeded",
    ),
    "dhus/responses/test_get_product_odata_full_1.json": Wanted(  # over the antimeridian
        "S3A_OL_2_LFR____20160922T014239_20160922T014239_20180309T131012_0000_009_060_1440_LR2_R_NT_002",
        "SENTINEL-3/OL_2_LFR___", "2016-09-22T01:55:00.563000Z", "2016-09-22T01:58:40.769000Z",
        (122.37, 76.85, -173.95, 83.97), 61, 60, 700011, "d50110098645497fa5ab932ed2df98426e5b58",
        "orderable",
    ),
    "dhus/responses/test_get_product_odata_full_2.json": Wanted(
        "S3A_OL_2_LFR____20160928T031232_20160928T031232_20180310T063545_0000_009_146_4320_LR2_R_NT_002",
        "SENTINEL-3/OL_2_LFR___", "2016-09-28T03:28:27.817000Z", "2016-09-28T03:28:27.817000Z",
        (49.81, -75.73, 79.72, -68.11), 42, 146, 865429, "d50110ef50fe85dd9407001ae06583d0ef4a3e",
        "orderable",
    ),
    "dhus/responses/test_get_product_odata_full_3.json": Wanted(
        "S3A_OL_2_LFR____20161016T145106_20161016T145106_20180313T163018_0000_010_025_1620_LR2_R_NT_002",
        "SENTINEL-3/OL_2_LFR___", "2016-10-16T15:03:37.551000Z", "2016-10-16T15:03:37.551000Z",
        (-74.61, 69.53, -38.92, 73.55), 70, 25, 885659, "d50110cad4f770e7fa63714766017bb3fe179a",
        "orderable",
    ),
}  # fmt: skip


def read(name: str) -> list[Item]:
    """The items of an answer."""
    body = msgspec.Raw((ANSWERS / name).read_bytes())
    if name.startswith("dhus"):
        one = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["d"]
        record = Dhus.record(one)
        assert record is not None
        return [item_of(Dhus.product(record, HUB, ()))]
    records = [Csc.record(raw) for raw in Csc.batch(body, 1000, 0).records]
    return [item_of(Csc.product(record, CDSE, ())) for record in records if record is not None]


@pytest.mark.parametrize("name", TABLE)
def test_a_real_record_becomes_an_item(name: str) -> None:
    items, wanted = read(name), TABLE[name]
    item, properties = items[0], items[0]["properties"]
    product = item["assets"]["product"]
    assert (
        Wanted(
            item["id"],
            item["collection"],
            properties["datetime"],
            properties["end_datetime"],
            tuple(round(number, 2) for number in item["bbox"]),
            properties.get("eo:cloud_cover"),
            properties.get("sat:relative_orbit"),
            product.get("file:size"),
            product.get("file:checksum"),
            properties["order:status"],
        )
        == wanted
    )
    for each in items:
        assert shape(each["geometry"]).is_valid
        assert each["properties"]["platform"][:10] == f"sentinel-{each['id'][1]}"
        assert product["href"].endswith("/$value")


def test_an_answer_of_several_products_is_read_whole() -> None:
    assert len(read("eodag/cop_dataspace_search.json")) == 2
    assert len({item["id"] for item in read("eodag/eodag_search_result_creodias.json")}) == 10


def test_what_copernicus_data_space_tells_of_assets_is_kept() -> None:
    item: Any = read("eodag/cop_dataspace_search.json")[0]
    product, quicklook = item["assets"]["product"], item["assets"]["quicklook"]
    path = f"Sentinel-2/MSI/L1C_N0500/2020/08/08/{S2}.SAFE"
    assert product["alternate"]["s3"]["href"] == f"s3://eodata/{path}"
    assert product["href"] == f"{CDSE}/Products(05edf2bb-d103-49f1-a677-9e474138d84f)/$value"
    assert product["auth:refs"] == ["site"]
    assert item["properties"]["auth:schemes"]["site"]["type"] == "openIdConnect"
    assert quicklook["href"] == f"{CDSE}/Assets(385d0a62-ec57-413b-a8b8-12c0e79848f6)/$value"
    assert item["properties"]["instruments"] == ["msi"]
    assert item["properties"]["grid:code"] == "MGRS-54PXA"
    assert item["properties"]["processing:level"] == "L1C"
    timely = read("dhus/responses/test_get_product_odata_full_1.json")[0]["properties"]
    assert timely["product:timeliness_category"] == "Non Time Critical"
    assert timely["product:timeliness"] == "P1M"
