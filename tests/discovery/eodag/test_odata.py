"""EODAG's own CREODIAS provider over an archive that evaluates what it is asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.discovery.odata.csc import Record as Told
from cscale.discovery.odata.csc import product_of
from cscale.discovery.odata.products import item_of
from cscale.discovery.source import SourcePage
from cscale.stac.evaluation import matcher
from cscale.stac.search import NEWEST_FIRST, SearchRequest, SortField
from tests.discovery.eodag.providers import at_creodias, source
from tests.discovery.odata.archive import Archive, served
from tests.discovery.odata.drawn import records, requests
from tests.discovery.odata.language import Record
from tests.discovery.odata.walking import items_of, walked

NATIVE = {"S2_MSI_L1C": "SENTINEL-2/S2MSI1C", "S2_MSI_L2A": "SENTINEL-2/S2MSI2A"}


class Creodias(Archive):
    """The archive, whose links to the next page are quoted as the real one's are."""

    def _found(self, request: web.Request) -> dict[str, Any]:
        answer = super()._found(request)
        if "@odata.nextLink" in answer:
            answer["@odata.nextLink"] = answer["@odata.nextLink"].replace("$", "%24")
        return answer


async def pages_of(archive: Archive, folder: Path, request: SearchRequest) -> list[SourcePage]:
    async with served(archive):
        with source(folder, "creodias", at_creodias(archive.url)) as eodag:
            return await walked(eodag, request)


def truth(held: Sequence[Record], request: SearchRequest) -> set[str]:
    """The names of what matches, by the meaning of the request and our own reading of the records."""
    native = [NATIVE[each] for each in request.collections or ()]
    test = matcher(replace(request, collections=tuple(native)))
    items = [msgspec.convert(record, Told) for record in held]
    read = [item_of(product_of(each, "https://a.test/odata/v1", native)) for each in items]
    return {item["id"] for item in read if test(item)}


@settings(max_examples=15)
@given(
    held=records(endings=(".SAFE",)),
    drawn=requests(),
    collections=st.sampled_from((("S2_MSI_L1C",), ("S2_MSI_L1C", "S2_MSI_L2A"))),
    limit=st.sampled_from((1, 2, 7)),
    most=st.sampled_from((1, 3, 1000)),
    sortby=st.sampled_from((NEWEST_FIRST, (SortField("datetime"),), (SortField("eo:cloud_cover"),))),
)
def test_all_that_matches_comes(
    tmp_path_factory: pytest.TempPathFactory,
    held: Sequence[Record],
    drawn: SearchRequest,
    collections: tuple[str, ...],
    limit: int,
    most: int,
    sortby: tuple[SortField, ...],
) -> None:
    # The provider compares both ends of a product's time: one without an end, or that ends before it
    # starts, is not in its answer.
    held = [each for each in held if (each["ContentDate"]["End"] or "") >= each["ContentDate"]["Start"]]
    request = replace(drawn, collections=collections, limit=limit, sortby=sortby)
    folder = tmp_path_factory.mktemp("eodag")
    pages = asyncio.run(pages_of(Creodias(held, most=most), folder, request))
    found = items_of(pages)
    names = [item["id"].removesuffix(".SAFE") for item in found]
    wanted = truth(held, request)
    assert wanted <= set(names)
    in_order = len(collections) == 1 and sortby != (SortField("eo:cloud_cover"),)
    given_parts = {"ids", "bbox", "intersects", "datetime", "filter", "q"}
    for page in pages:
        assert page.left == (given_parts if in_order else given_parts | {"sortby"})
        assert len(page.features) <= limit
    if in_order:
        times = [item["properties"]["datetime"] for item in found]
        assert times == sorted(times, reverse=sortby == NEWEST_FIRST)


async def test_a_product_becomes_an_item(tmp_path: Path) -> None:
    pages = await pages_of(Creodias([real()]), tmp_path, SearchRequest(collections=("S2_MSI_L2A",)))
    [item] = items_of(pages)
    assert sum(page.rejected for page in pages) == 0
    assert (item["id"], item["collection"]) == (NAME, "S2_MSI_L2A")
    told = item["properties"]
    assert told["datetime"].startswith("2020-08-08T01:03:11.024")
    assert told["eo:cloud_cover"] == 12.5
    assert told["order:status"] == "succeeded"
    assert not [name for name in told if name in ("federation:backends", "eodag:search_intersection")]
    assert item["geometry"]["type"] == "Polygon"
    assert item["bbox"] == [10.0, 50.0, 11.0, 51.0]
    [asset] = [each for each in item["assets"].values() if "data" in each["roles"]]
    assert asset["href"].startswith("https://")
    assert all("://" in link["href"] for link in item["links"])


async def test_what_is_asked_reaches_the_archive(tmp_path: Path) -> None:
    archive = Creodias([real()])
    request = SearchRequest(
        collections=("S2_MSI_L2A",),
        filter={
            "op": "and",
            "args": [
                {"op": "<", "args": [{"property": "eo:cloud_cover"}, 40]},
                {"op": ">=", "args": [30, {"property": "eo:cloud_cover"}]},
            ],
        },
        intersects={"type": "Point", "coordinates": [10.5, 50.5]},
        datetime=interval("2020-08-08T00:00:00Z/2020-08-09T00:00:00Z"),
    )
    [item] = items_of(await pages_of(archive, tmp_path, request))
    assert item["id"] == NAME
    asked = archive.asked[0]
    assert "cloudCover" in asked
    assert "le%2030" in asked
    assert "OData.CSC.Intersects" in asked
    assert "2020-08-07T00:00:00" in asked
    assert "2020-08-10T00:00:00" in asked
    assert "ContentDate/Start%20desc" in asked


def interval(text: str) -> Any:
    from cscale.stac.times import Interval

    return Interval.parse(text)


NAME = "S2B_MSIL2A_20200808T010311_N0214_R045_T54PXA_20200808T030000"


def real() -> Record:
    ring = [[10.0, 50.0], [11.0, 50.0], [11.0, 51.0], [10.0, 51.0], [10.0, 50.0]]
    text = "#OData.CSC.StringAttribute"
    return {
        "Id": "00000000-0000-4000-8000-000000000001",
        "Name": f"{NAME}.SAFE",
        "Collection": {"Name": "SENTINEL-2"},
        "ContentLength": 5,
        "Online": True,
        "PublicationDate": "2020-08-08T05:00:00.000000Z",
        "ModificationDate": "2020-08-08T05:00:00.000000Z",
        "ContentDate": {"Start": "2020-08-08T01:03:11.024000Z", "End": "2020-08-08T01:03:11.025000Z"},
        "GeoFootprint": {"type": "Polygon", "coordinates": [ring]},
        "Footprint": "geography'SRID=4326;POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50))'",
        "Attributes": [
            {"@odata.type": text, "Name": "productType", "Value": "S2MSI2A"},
            {"@odata.type": "#OData.CSC.DoubleAttribute", "Name": "cloudCover", "Value": 12.5},
        ],
        "Assets": [],
        "S3Path": "/eodata/Sentinel-2/MSI/L2A/2020/08/08/" + NAME,
    }
