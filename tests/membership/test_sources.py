"""A check of an archive of another dialect, through its adapter."""

import uuid

import pytest

from cscale.discovery.opensearch import OpenSearch
from cscale.discovery.stac_api import StacApi
from cscale.errors import BadInput, SiteError
from cscale.federation import Endpoint
from cscale.membership import Report, check
from cscale.net.http import HttpPool
from tests.discovery.odata.language import Record
from tests.discovery.opensearch.archive import Archive, served
from tests.membership.archive import Archive as Stac
from tests.scripted import answer, scripted


def record(number: int) -> Record:
    west = 10 + number % 2 * 20
    ring = [[west, 45], [west + 1, 45], [west + 1, 46], [west, 46], [west, 45]]
    start = f"2020-01-{number + 1:02}T00:00:00.000Z"
    return {
        "Id": str(uuid.UUID(int=number)),
        "Name": f"S2A_MSIL1C_{number:05}",
        "ContentLength": 5,
        "Online": True,
        "PublicationDate": "2022-01-01T00:00:00.000Z",
        "ModificationDate": "2022-01-01T00:00:00.000Z",
        "ContentDate": {"Start": start, "End": start},
        "S3Path": "/eodata/Sentinel-2/x",
        "Collection": {"Name": "SENTINEL-2"},
        "GeoFootprint": {"type": "Polygon", "coordinates": [ring]},
        "Attributes": [],
        "Assets": [],
    }


async def opensearch(archive: Archive) -> Report:
    http = HttpPool()
    async with served(archive):
        endpoint = Endpoint(kind="opensearch", url=archive.url)
        try:
            return await check(endpoint, OpenSearch(endpoint, http))
        finally:
            await http.close()


async def test_an_opensearch_archive_is_tried_through_its_adapter() -> None:
    report = await opensearch(Archive([record(n) for n in range(28)]))
    outcomes = {each.name: each.outcome for each in report.profile.tries}
    assert outcomes["search"] == outcomes["paging"] == "done"
    faults = {name for name, outcome in outcomes.items() if outcome in ("wrong", "refused")}
    assert faults == {"tls", "ranges"}  # plain http, and its products lie where nobody is
    assert report.requests <= 40
    assert next(line for line in report.join if line.name == "STAC API").state == "not met"
    assert not report.met


async def test_what_the_dialect_has_no_words_for_is_left() -> None:
    report = await opensearch(Archive([record(n) for n in range(28)], sorts=False))
    assert "sortby" in report.profile.leaves
    assert "filter" in report.profile.leaves


@pytest.mark.parametrize("part", ["datetime", "ids", "bbox"])
async def test_what_a_site_ignores_is_seen_through_an_adapter(part: str) -> None:
    http = HttpPool()
    async with scripted(Stac(ignores=frozenset({part})).respond) as server:
        endpoint = Endpoint(kind="another", url=server.url)
        try:
            report = await check(endpoint, StacApi(endpoint, http))
        finally:
            await http.close()
    assert part in report.profile.leaves


async def test_a_source_that_does_not_answer_is_not_reached() -> None:
    http = HttpPool()
    async with scripted(lambda _: answer(b"<html>", 503)) as server:
        endpoint = Endpoint(kind="opensearch", url=server.url)
        try:
            with pytest.raises(SiteError):
                await check(endpoint, OpenSearch(endpoint, http))
        finally:
            await http.close()


async def test_without_an_adapter_another_dialect_cannot_be_tried() -> None:
    with pytest.raises(BadInput, match="needs its adapter"):
        await check(Endpoint(kind="smoke", url="http://127.0.0.1:9"))
