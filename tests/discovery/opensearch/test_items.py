"""Real answers of OpenSearch archives, and the STAC items that become of them."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from shapely.geometry import shape

from cscale.discovery.odata.products import item_of
from cscale.discovery.opensearch.forms import read_answer
from cscale.discovery.opensearch.onda import Onda
from cscale.discovery.opensearch.records import product_of
from cscale.discovery.opensearch.solr import Solr
from cscale.stac.items import Item

ANSWERS = Path(__file__).parents[3] / "../shared/data/discovery"
pytestmark = pytest.mark.skipif(
    not ANSWERS.is_dir(),
    reason="../shared/data/discovery is absent: the archives' real answers are not part of this repository",
)


class Wanted(NamedTuple):
    """What an answer's first item must hold; None where it must hold nothing."""

    items: int
    matched: int | None
    id: str
    collection: str
    datetime: str
    end: str
    box: tuple[float, ...] | None
    cloud: float | None
    orbit: int | None
    state: str | None
    checksum: str | None
    status: str | None


SRAL = "S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______PS1_O_NR_004"
TABLE = {
    "eodag/sara_search.json": Wanted(
        2, 47, "S2A_MSIL1C_20200815T005251_N0209_R002_T55PDR_20200815T023440", "SENTINEL-2/S2MSI1C",
        "2020-08-15T00:52:51.024000Z", "2020-08-15T00:52:51.024000Z", (146.07, 13.48, 147.09, 14.47), 20.5218,
        2, "descending", "d5011064ffca4b9cd13d094ed05554e010db5a", "succeeded",
    ),
    "eodag/eumetsat_ds_search.json": Wanted(  # of all the world, without a footprint
        1, None, "PREmm20201201000000120IMPGS01GL", "EO:EUM:DAT:0921", "2020-12-01T00:00:00.000000Z",
        "2021-01-01T00:00:00.000000Z", None, None, None, None, "d50110ef3ad778470d8206e98b649d9ed4bc4f", None,
    ),
    "eodag/onda_search.json": Wanted(
        2, None, "S2B_MSIL1C_20200813T010309_N0209_R045_T55PBR_20200813T021947", "SENTINEL-2/S2MSI1C",
        "2020-08-13T01:03:09.024000Z", "2020-08-13T01:03:09.024000Z", (144.22, 13.46, 145.18, 13.92), None,
        None, None, None, "orderable",
    ),
    "eodag/mundi_search.xml": Wanted(
        2, 47, "S2A_MSIL1C_20200815T005251_N0209_R002_T55PBQ_20200815T023440", "SENTINEL-2/S2MSI1C",
        "2020-08-15T00:52:51.000000Z", "2020-08-15T00:52:51.000000Z", (144.78, 13.01, 145.25, 13.56), 34.3433,
        2, "descending", None, "orderable",
    ),
    "dhus/responses/products_fixture_1.json": Wanted(
        100, 100, "S2A_MSIL1C_20151223T142942_N0201_R053_T20MNC_20151223T143132", "SENTINEL-2/S2MSI1C",
        "2015-12-23T14:29:42.030000Z", "2015-12-23T14:29:42.030000Z", (-63.0, -2.8, -62.01, -1.81), 34, 53,
        "descending", None, None,
    ),
    "dhus/responses/smallest_online_products_1.json": Wanted(
        15, 75, SRAL, "SENTINEL-3/SR_1_SRA___", "2023-03-09T20:45:58.338000Z", "2023-03-09T20:46:23.310000Z",
        (-0.19, 63.14, 1.22, 64.7), None, 214, "ascending", None, None,
    ),
    "dhus/responses/test_footprints_s1_1.json": Wanted(
        19, 19, "S1A_S2_GRDH_1SDH_20141220T100437_20141220T100501_003801_0048A7_0135",
        "SENTINEL-1/S2_GRDH_1S", "2014-12-20T10:04:37.543000Z", "2014-12-20T10:05:01.573000Z",
        (-65.47, -8.15, -64.44, -6.54), None, 54, "descending", None, None,
    ),
    "dhus/responses/test_query_by_names_1.json": Wanted(
        1, 1, SRAL, "SENTINEL-3/SR_1_SRA___", "2023-03-09T20:45:58.338000Z", "2023-03-09T20:46:23.310000Z",
        (-0.19, 63.14, 1.22, 64.7), None, 214, "ascending", None, None,
    ),
    "dhus/responses/test_query_by_names_2.json": Wanted(
        1, 1,
        "S3B_SR_1_SRA____20230309T200705_20230309T200726_20230309T220807_0020_077_071______PS2_O_NR_004",
        "SENTINEL-3/SR_1_SRA___", "2023-03-09T20:07:05.488000Z", "2023-03-09T20:07:26.402000Z",
        (9.03, 63.85, 10.44, 65.35), None, 71, "ascending", None, None,
    ),
    "dhus/responses/test_query_by_names_3.json": Wanted(
        1, 1,
        "S3B_SR_1_SRA____20230308T203304_20230308T203328_20230308T223420_0023_077_057______PS2_O_NR_004",
        "SENTINEL-3/SR_1_SRA___", "2023-03-08T20:33:04.327000Z", "2023-03-08T20:33:28.292000Z",
        (2.96, 63.19, 4.47, 64.86), None, 57, "ascending", None, None,
    ),
    "dhus/responses/test_s2_cloudcover_1.json": Wanted(
        5, 5, "S2B_MSIL1C_20181219T142029_N0207_R010_T20MPS_20181219T160056", "SENTINEL-2/S2MSI1C",
        "2018-12-19T14:20:29.024000Z", "2018-12-19T14:20:29.024000Z",
        (-61.33, -8.23, -61.1, -7.23), 3.6476, 10,
        "descending", None, None,
    ),
    "dhus/responses/test_sentinel3_flag_1.json": Wanted(
        5, 20,
        "S3A_SR_1_SRA_BS_20161201T131246_20161201T140315_20180124T073528_3029_011_295______LR1_R_NT_003",
        "SENTINEL-3/SR_1_SRA_BS", "2016-12-01T13:12:45.510000Z", "2016-12-01T14:03:15.491000Z",
        (-152.0, -81.42, 43.17, 81.42), None, 295, "ascending", None, None,
    ),
}  # fmt: skip


def read(name: str) -> tuple[list[Item], int | None]:
    """The items of an answer, and how many match in all."""
    body = (ANSWERS / name).read_bytes()
    form = Solr() if name.startswith("dhus") else Onda() if "onda" in name else None
    if form is not None:
        batch = form.batch(msgspec.Raw(body), 100, 0)
        entries: list[Any] = [form.record(raw) for raw in batch.records]
        return [item_of(form.product(each, "https://hub.test", ())) for each in entries], batch.matched
    answer = read_answer(body, "home")
    return [item_of(product_of(each)) for each in answer.records if each is not None], answer.matched


@pytest.mark.parametrize("name", TABLE)
def test_a_real_record_becomes_an_item(name: str) -> None:
    items, matched = read(name)
    item, properties = items[0], items[0]["properties"]
    assert (
        Wanted(
            len(items),
            matched,
            item["id"],
            item["collection"],
            properties["datetime"],
            properties["end_datetime"],
            tuple(round(number, 2) for number in item["bbox"]) if "bbox" in item else None,
            properties.get("eo:cloud_cover"),
            properties.get("sat:relative_orbit"),
            properties.get("sat:orbit_state"),
            item["assets"].get("product", {}).get("file:checksum"),
            properties.get("order:status"),
        )
        == TABLE[name]
    )
    assert len({each["id"] for each in items}) == len(items)
    for each in items:
        assert each["geometry"] is None or shape(each["geometry"]).is_valid
        for asset in each["assets"].values():
            assert asset["href"].startswith("https://")


def test_footprints_are_those_that_the_archive_was_asked_for() -> None:
    asked = shape(
        {
            "type": "Polygon",
            "coordinates": [
                [
                    [-66.2695, -8.0592],
                    [-66.2695, 0.7031],
                    [-57.3047, 0.7031],
                    [-57.3047, -8.0592],
                    [-66.2695, -8.0592],
                ]
            ],
        }
    )
    for name in (
        "products_fixture_1",
        "test_footprints_s1_1",
        "test_s2_cloudcover_1",
    ):
        for item in read(f"dhus/responses/{name}.json")[0]:
            assert shape(item["geometry"]).distance(asked) < 0.5, item["id"]


def test_what_a_resto_archive_tells_of_assets_is_kept() -> None:
    item = read("eodag/sara_search.json")[0][0]
    product = item["assets"]["product"]
    assert product["href"].endswith("/01f888ef-3368-59ff-a639-52242d159d7c/download")
    assert (product["type"], product["file:size"]) == ("application/zip", 781865648)
    assert item["assets"]["quicklook"]["href"].endswith("_quicklook.jpg")
    assert item["properties"]["grid:code"] == "MGRS-55PDR"
