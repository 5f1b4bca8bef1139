"""Walks through an archive that sorts by one property, skips little, and has many products of one instant."""

import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cscale.discovery.odata import OData
from cscale.errors import BadCursor, SiteError
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest, SortField, from_json
from tests.discovery.odata.archive import Archive, served
from tests.discovery.odata.language import Record
from tests.discovery.odata.walking import key, of_hub, walked


def record(number: int, start: str, published: str | None = None) -> Record:
    return {
        "Id": str(uuid.UUID(int=number)),
        "Name": f"S2A_MSIL1C_{number:05}",
        "ContentLength": 5,
        "Online": True,
        "PublicationDate": published or f"2022-01-01T00:{number // 60 % 60:02}:{number % 60:02}.{number:06}Z",
        "ModificationDate": "2022-01-01T00:00:00Z",
        "ContentDate": {"Start": start, "End": start},
        "S3Path": "/eodata/Sentinel-2/x",
        "Collection": {"Name": "SENTINEL-2"},
        "GeoFootprint": None,
        "Attributes": [],
        "Assets": [],
    }


def instants(*numbers: int) -> list[Record]:
    """As many records of each of some instants as is said."""
    starts = [f"2020-01-01T00:{minute:02}:00Z" for minute, many in enumerate(numbers) for _ in range(many)]
    return [record(number, start) for number, start in enumerate(starts)]


async def through(archive: Archive, request: SearchRequest) -> tuple[list[str], Archive]:
    http = HttpPool()
    async with served(archive):
        try:
            pages = await walked(OData(Endpoint(kind="odata", url=archive.url), http), request)
        finally:
            await http.close()
    items = of_hub(pages, request)
    places = [key(item, request) for item in items]
    assert places == sorted(places)
    return [item["id"] for item in items], archive


@pytest.mark.parametrize("numbers", [(700,), (1, 300, 1), (40, 1, 40), (1,) * 50, (17, 17, 17), (11, 12, 13)])
@pytest.mark.parametrize("most", [7, 100])
@pytest.mark.parametrize("descending", [True, False])
async def test_a_walk_meets_each_product_once(numbers: tuple[int, ...], most: int, descending: bool) -> None:
    held = instants(*numbers)
    request = SearchRequest(sortby=(SortField("datetime", descending),), limit=10)
    found, _ = await through(Archive(held, most=most), request)
    assert sorted(found) == sorted(each["Name"] for each in held)


@pytest.mark.parametrize("version", [4, 2])
async def test_a_walk_goes_on_where_the_site_skips_no_further(version: int) -> None:
    held = instants(*[9] * 40)
    archive = Archive(held, version=version, most=30, deepest=40)
    found, archive = await through(archive, SearchRequest(limit=15))
    assert sorted(found) == sorted(each["Name"] for each in held)
    assert not any("skip" in address for address in archive.asked), "it skips where it need not"


async def test_many_products_of_one_instant_stand_in_the_order_asked_for() -> None:
    held = instants(2, 60, 3)
    order = (SortField("datetime", descending=True), SortField("id", descending=True))
    found, _ = await through(Archive(held, most=25), SearchRequest(sortby=order, limit=5))
    wanted = sorted(held, key=lambda each: (each["ContentDate"]["Start"], each["Name"]), reverse=True)
    assert found == [each["Name"] for each in wanted]


@pytest.mark.parametrize("name", ["published", "updated"])
async def test_it_sorts_by_what_the_site_sorts_by(name: str) -> None:
    held = instants(20, 20)
    found, _ = await through(Archive(held, most=9), SearchRequest(sortby=(SortField(name),), limit=5))
    assert len(found) == len(set(found)) == 40


async def test_more_products_of_one_instant_than_the_site_skips_are_an_error_not_a_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cscale.discovery.odata.paging.MAX_SKIP", 50)
    with pytest.raises(SiteError, match="more than 50 products share one instant"):
        await through(Archive(instants(90), most=20, deepest=50), SearchRequest(limit=10))


async def test_what_a_search_asks_for_is_written_as_the_archive_documents_it() -> None:
    asked = {
        "collections": ["SENTINEL-2/S2MSI2A"],
        "bbox": [10, 45, 11, 46],
        "datetime": "2020-01-01T00:00:00Z/2020-02-01T00:00:00Z",
        "filter": "eo:cloud_cover <= 10 AND NOT sat:orbit_state = 'ascending' AND title = 'x'",
        "filter-lang": "cql2-text",
    }
    http = HttpPool()
    async with served(Archive([])) as archive:
        try:
            source = OData(Endpoint(kind="odata", url=archive.url + "/"), http)
            page = await source.search(ANONYMOUS, from_json(asked), None)
        finally:
            await http.close()
    (address,) = archive.asked
    told = parse_qs(urlsplit(address).query)
    assert told["$orderby"] == ["ContentDate/Start desc"]
    assert told["$expand"] == ["Attributes", "Assets"]
    condition = told["$filter"][0]
    for part in (
        "(Collection/Name eq 'SENTINEL-2')",
        "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'productType'"
        " and att/OData.CSC.StringAttribute/Value eq 'S2MSI2A')",
        "(ContentDate/Start le 2020-02-01T00:00:00.000000Z)",
        "((ContentDate/End ge 2020-01-01T00:00:00.000000Z)"
        " or (ContentDate/Start ge 2020-01-01T00:00:00.000000Z))",
        "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON ((",
        "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover'"
        " and att/OData.CSC.DoubleAttribute/Value ge 0 and att/OData.CSC.DoubleAttribute/Value le 10.0)",
        "att/OData.CSC.StringAttribute/Value eq 'DESCENDING'",
    ):
        assert part in condition
    assert " not " not in condition
    assert page.left == {"bbox", "filter"}, "the title is left to the hub, and the exact place"


@pytest.mark.parametrize("evil", ["x' or Name ne 'y", "'", "''", "%27", "x'&$top=9999", "\\'", "x)"])
async def test_nothing_in_a_value_is_more_than_a_value(evil: str) -> None:
    held = instants(3)
    for filtered in (
        {"op": "=", "args": [{"property": "product:type"}, evil]},
        {"op": "like", "args": [{"property": "id"}, f"{evil}%"]},
    ):
        found, _ = await through(Archive(held), SearchRequest(filter=filtered))
        assert found == []
    assert (await through(Archive(held), SearchRequest(ids=(evil,))))[0] == []
    assert (await through(Archive(held), SearchRequest(collections=(f"{evil}/{evil}",))))[0] == []


@pytest.mark.parametrize("token", ["", "x", "[]x", "[1,false,true,-1]", "[null,true]", '["a"]', "{}"])
async def test_a_token_of_someone_else_is_refused(token: str) -> None:
    source: Any = OData(Endpoint(kind="odata", url="http://127.0.0.1:9/odata/v1"), HttpPool())
    with pytest.raises(BadCursor):
        await source.search(ANONYMOUS, SearchRequest(), token)
