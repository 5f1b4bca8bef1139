"""Archives that answer what they should not: refused with a reason, or left out and counted."""

from typing import Any

import pytest

from cscale.discovery.odata import OData
from cscale.discovery.source import SourcePage
from cscale.errors import SiteError
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest
from tests.discovery.odata.test_paging import record
from tests.discovery.odata.walking import items_of
from tests.scripted import answer, scripted

GOOD = record(1, "2020-01-01T00:00:00Z")
SEARCH = SearchRequest(collections=("SENTINEL-2",), limit=3)


async def searched(body: object, status: int = 200, path: str = "/odata/v1", **headers: str) -> SourcePage:
    http = HttpPool()
    async with scripted(lambda _: answer(body, status, **headers)) as server:
        try:
            source = OData(Endpoint(kind="odata", url=server.url + path), http)
            return await source.search(ANONYMOUS, SEARCH, None)
        finally:
            await http.close()


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>\x00\x1b[31mLog in</body></html>",
        b'{"value":[{"Id":',
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"value":null}',
        b'{"value":{}}',
        b'{"value":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"d":{"results":7}}',
    ],
)
@pytest.mark.parametrize("path", ["/odata/v1", "/dhus/odata/v1"])
async def test_an_answer_that_is_none_is_refused_in_a_printable_line(body: bytes, path: str) -> None:
    with pytest.raises(SiteError, match="not what OData says") as refused:
        await searched(body, path=path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("status", [301, 400, 401, 422, 500, 503])
async def test_an_answer_of_another_status_is_refused_with_what_it_says(status: int) -> None:
    with pytest.raises(SiteError, match=f"{status}: .*no such property"):
        await searched({"detail": "no such property"}, status, location="http://elsewhere.test/")


WRONG: list[Any] = [None, True, 5, -1, 1e308, "x", "", "\x00", "x" * 5000, [], [[]], [None], {}, {"Start": 5}]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("name", sorted(GOOD.keys() - {"Collection"}))
async def test_a_wrong_value_costs_no_more_than_itself(name: str, value: Any) -> None:
    page = await searched({"value": [GOOD | {"Id": GOOD["Id"][:-1] + "7", name: value}, GOOD]})
    items = items_of([page])
    assert page.rejected == 2 - len(items)
    assert [item["id"] for item in items][-1] == GOOD["Name"]
    if name in ("Id", "ContentDate") or (name == "Name" and value not in ("x",)):
        assert page.rejected == 1


@pytest.mark.parametrize("record", [None, 5, "x", [], {}, {"Id": None}, {"Name": "x" * (1 << 21)}])
async def test_a_record_that_is_none_is_counted(record: Any) -> None:
    page = await searched({"value": [record, GOOD]})
    assert (len(page.features), page.rejected) == (1, 1)


@pytest.mark.parametrize(
    "attributes",
    [
        [{"Name": "cloudCover", "Value": "5", "@odata.type": "#OData.CSC.DoubleAttribute"}],
        [{"Name": "cloudCover", "Value": 5, "@odata.type": "#OData.CSC.StringAttribute"}],
        [{"Name": "cloudCover", "Value": True, "@odata.type": "#OData.CSC.DoubleAttribute"}],
        [{"Name": "cloudCover", "Value": 100.5, "@odata.type": "#OData.CSC.DoubleAttribute"}],
        [{"Name": ["cloudCover"], "Value": 5, "@odata.type": ["#OData.CSC.DoubleAttribute"]}],
        [5, None, [], {}, {"Name": "cloudCover"}],
    ],
)
async def test_an_attribute_that_is_not_what_it_says_is_left_out(attributes: Any) -> None:
    (item,) = items_of([await searched({"value": [GOOD | {"Attributes": attributes}]})])
    assert "eo:cloud_cover" not in item["properties"]


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "file:///etc/passwd", "//a.test/x", "https://u:p@a.test/", "http://[", 5],
)
async def test_an_asset_whose_address_is_none_is_left_out(address: Any) -> None:
    assets = [{"Type": "QUICKLOOK", "DownloadLink": address}, None, 5]
    (item,) = items_of([await searched({"value": [GOOD | {"Assets": assets}]})])
    assert list(item["assets"]) == ["product"]


@pytest.mark.parametrize("link", ["https://elsewhere.test/odata/v1/Products?$skip=1", "", 5, {"x": 1}])
async def test_a_link_to_the_next_page_is_never_followed(link: Any) -> None:
    asked: list[str] = []

    def respond(request: Any) -> bytes:
        asked.append(request.path)
        days = [record(day, f"2020-01-{day:02}T00:00:00Z") for day in (9, 8, 7)]
        return answer({"value": days, "@odata.nextLink": link})

    http = HttpPool()
    async with scripted(respond) as server:
        try:
            source = OData(Endpoint(kind="odata", url=f"{server.url}/odata/v1"), http)
            page = await source.search(ANONYMOUS, SEARCH, None)
            assert page.token is not None
            with pytest.raises(SiteError, match="not in the order, or from the place"):
                await source.search(ANONYMOUS, SEARCH, page.token)  # the same page for ever: given up
        finally:
            await http.close()
    assert all(path.startswith("/odata/v1/Products?") for path in asked)


async def test_an_answer_of_more_than_was_asked_for_is_refused() -> None:
    with pytest.raises(SiteError, match="where 13 were asked for"):
        await searched({"value": [{}] * 10_001})


async def test_an_unsorted_answer_is_refused() -> None:
    days = [record(day, f"2020-01-{day:02}T00:00:00Z") for day in (7, 9)]
    with pytest.raises(SiteError, match="not in the order"):
        await searched({"value": days})


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"SENTINEL-2": []}', b"{}"])
async def test_collections_are_those_of_the_missions_that_the_site_lists(body: bytes) -> None:
    http = HttpPool()
    async with scripted(lambda _: answer(body)) as server:
        try:
            found, missing = await OData(Endpoint(kind="odata", url=server.url), http).collections(ANONYMOUS)
        finally:
            await http.close()
    ids = {each["id"] for each in found}
    assert "SENTINEL-2/S2MSI2A" in ids
    assert ("SENTINEL-1/IW_GRDH_1S" in ids) is (b"SENTINEL" not in body)
    assert not missing
