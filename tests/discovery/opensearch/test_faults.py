"""OpenSearch archives that answer what they should not, and descriptions that lead astray."""

from typing import Any

import pytest

from cscale.discovery.opensearch import OpenSearch
from cscale.discovery.source import SourcePage
from cscale.errors import BadCursor, SiteError
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest
from tests.discovery.odata.test_paging import record
from tests.discovery.opensearch.archive import Archive, atom, entry, feature
from tests.scripted import Request, answer, scripted

GOOD = record(1, "2020-01-01T00:00:00Z")
SEARCH = SearchRequest(limit=3)
DESCRIPTION = Archive([], paging=("startIndex",), sorts=True).description.encode()


async def searched(
    body: object,
    *,
    path: str = "/description.xml",
    pages: int = 1,
    description: bytes = DESCRIPTION,
    **told: Any,
) -> list[SourcePage]:
    """What is made of an answer that is the same for every search."""

    def respond(request: Request) -> bytes:
        if request.path == "/description.xml":
            return answer(description)
        return answer(body, told.get("status", 200))

    http, found, token = HttpPool(), [], None
    async with scripted(respond) as server:
        try:
            source = OpenSearch(Endpoint(kind="opensearch", url=server.url + path), http)
            for _ in range(pages):
                found.append(await source.search(ANONYMOUS, SEARCH, token))
                token = found[-1].token
        finally:
            await http.close()
    return found


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>\x1b[31mLog in",
        b"<html/>",
        b'{"features":[',
        b"[]",
        b'{"features":null}',
        b'<!DOCTYPE feed [<!ENTITY a "b">]><feed xmlns="http://www.w3.org/2005/Atom">&a;</feed>',
        b'<!DOCTYPE feed SYSTEM "file:///etc/passwd"><feed/>',
        b"<feed>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</feed>",
        b'{"features":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b"\xff\xfe<feed/>",
    ],
)
@pytest.mark.parametrize("path", ["/description.xml", "/dhus/search"])
async def test_an_answer_that_is_none_is_refused_in_a_printable_line(body: bytes, path: str) -> None:
    with pytest.raises(SiteError, match="its answer is") as refused:
        await searched(body, path=path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("status", [302, 400, 404, 500])
async def test_an_answer_of_another_status_is_refused_with_what_it_says(status: int) -> None:
    with pytest.raises(SiteError, match=f"{status}: .*no such thing"):
        await searched({"error": "no such thing"}, status=status)


def _described(old: str, new: str) -> bytes:
    assert old.encode() in DESCRIPTION
    return DESCRIPTION.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (b"", "not XML"),
        (b"<html/>", "no OpenSearch description"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><OpenSearchDescription/>', "document type"),
        (b"<OpenSearchDescription/>", "neither GeoJSON nor Atom"),
        (b" " * (1 << 20) + b"<OpenSearchDescription/>", "longer than 1 MiB"),
        (_described('template="/search', 'template="http://elsewhere.test/search'), "leads away"),
        (_described('template="/search', 'template="//elsewhere.test/search'), "leads away"),
        (_described('template="/search', 'template="file:///etc/passwd'), "leads away"),
        (_described('template="/search', 'template="http://[/search'), "leads away"),
        (_described('template="/search', 'template="/{searchTerms}/search'), "leads away"),
        (b"<OpenSearchDescription>" + b"<a>" * 300 + b"</a>" * 300 + b"</OpenSearchDescription>", "deeper"),
    ],
)
async def test_a_description_that_cannot_be_used_is_refused(description: bytes, reason: str) -> None:
    with pytest.raises(SiteError, match=reason) as refused:
        await searched({"features": []}, description=description)
    assert str(refused.value).isprintable()


WRONG: list[Any] = [None, True, 5, -1, "x", "", "\x00", "x" * 5000, [], [[]], [None], {}, {"mode": []}]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("name", sorted(feature(GOOD)["properties"]))
async def test_a_wrong_value_costs_no_more_than_itself(name: str, value: Any) -> None:
    bad = feature(GOOD)
    bad["properties"][name] = value
    (page,) = await searched({"features": [bad, feature(GOOD)]})
    assert 1 <= len(page.features) == 2 - page.rejected
    if name == "startDate":
        assert page.rejected == 1


@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("name", ["title", "link", "date", "str", "int", "double"])
async def test_a_wrong_value_of_the_data_hub_costs_no_more_than_itself(name: str, value: Any) -> None:
    entries = [entry(GOOD) | {name: value}, entry(GOOD)]
    (page,) = await searched({"feed": {"entry": entries}}, path="/dhus/search")
    assert 1 <= len(page.features) == 2 - page.rejected


@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize(
    "name", ["acquisitionInformation", "productInformation", "links", "date", "extraInformation"]
)
async def test_a_wrong_value_of_an_eo_feature_costs_no_more_than_itself(name: str, value: Any) -> None:
    properties = {
        "identifier": "a",
        "date": "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z",
        "productInformation": {},
    }
    (page,) = await searched({"features": [{"properties": properties | {name: value}}]})
    assert len(page.features) + page.rejected == 1


@pytest.mark.parametrize(
    "raw", [None, 5, "x", [], {}, {"properties": None}, {"properties": {"title": "x" * (1 << 21)}}]
)
async def test_a_record_that_is_none_is_counted(raw: Any) -> None:
    (page,) = await searched({"features": [raw, feature(GOOD)]})
    assert (len(page.features), page.rejected) == (1, 1)


async def test_an_entry_without_name_or_time_is_counted() -> None:
    spaces = 'xmlns:dc="d" xmlns:eo="e" xmlns:georss="g"'
    body = f"<feed {spaces}><entry/><entry><title>a</title></entry>{atom(GOOD)}</feed>"
    (page,) = await searched(body.encode())
    assert (len(page.features), page.rejected) == (1, 2)


async def test_the_same_page_for_ever_is_given_up() -> None:
    with pytest.raises(SiteError, match="same page again"):
        await searched({"features": [feature(GOOD)] * 3}, pages=3)


@pytest.mark.parametrize("link", ["http://elsewhere.test/next", "/description.xml", 5])
async def test_a_link_to_the_next_page_is_not_followed(link: Any) -> None:
    days = [feature(record(day, f"2020-01-{day:02}T00:00:00Z")) for day in (3, 2)]
    asked: list[str] = []

    def respond(request: Request) -> bytes:
        asked.append(request.path)
        links = {"links": [{"rel": "next", "href": link}]}
        return answer(DESCRIPTION if len(asked) == 1 else {"features": days, "properties": links})

    http = HttpPool()
    async with scripted(respond) as server:
        try:
            source = OpenSearch(Endpoint(kind="opensearch", url=f"{server.url}/description.xml"), http)
            page = await source.search(ANONYMOUS, SEARCH, None)
            with pytest.raises(SiteError, match="not in the order"):
                await source.search(ANONYMOUS, SEARCH, page.token)
        finally:
            await http.close()
    assert [path.partition("?")[0] for path in asked] == ["/description.xml", "/search", "/search"]


async def test_an_answer_that_is_not_in_the_order_asked_for_is_refused() -> None:
    days = [feature(record(day, f"2020-01-{day:02}T00:00:00Z")) for day in (2, 3)]
    with pytest.raises(SiteError, match="not in the order"):
        await searched({"features": days})


async def test_more_than_a_site_without_paging_gives_is_an_error_not_a_gap() -> None:
    description = Archive([], paging=()).description.encode()
    with pytest.raises(SiteError, match="no way beyond its first 1"):
        await searched(
            {"features": [feature(GOOD)], "properties": {"totalResults": 9}}, description=description
        )


@pytest.mark.parametrize("token", ["", "x", "[]", '[0,1,1,"a",null]', '[1,1,0,"a",null]', "{}"])
async def test_a_token_of_someone_else_is_refused(token: str) -> None:
    source = OpenSearch(Endpoint(kind="opensearch", url="http://127.0.0.1:9/"), HttpPool())
    with pytest.raises(BadCursor):
        await source.search(ANONYMOUS, SEARCH, token)
