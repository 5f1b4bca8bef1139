"""A member that speaks STAC API, as it should and as it should not."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cscale.discovery.source import SourcePage
from cscale.discovery.stac_api import StacApi
from cscale.errors import SiteError
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import MAX_ANSWER, HttpPool
from cscale.stac.search import SearchRequest, from_json
from tests.scripted import Request, Scripted, answer, scripted

SEARCH = SearchRequest(collections=("c",), limit=3)
EMPTY: dict[str, Any] = {"type": "FeatureCollection", "features": []}


@asynccontextmanager
async def member(respond: Callable[[Request], bytes | None]) -> AsyncIterator[tuple[StacApi, Scripted]]:
    http = HttpPool()
    async with scripted(respond) as server:
        try:
            yield StacApi(Endpoint(kind="stac-api", url=f"{server.url}/stac/"), http), server
        finally:
            await http.close()


async def searched(body: object, token: str | None = None, **headers: str) -> SourcePage:
    async with member(lambda _: answer(body, 200, **headers)) as (site, _):
        return await site.search(ANONYMOUS, SEARCH, token)


async def followed(link: dict[str, Any]) -> tuple[Request, str]:
    """What is asked for the page that a `next` link of the first one leads to, and the server's address."""
    links = [{"rel": "self", "href": "https://elsewhere.test"}, {"rel": "next", **link}]
    async with member(lambda _: answer({**EMPTY, "links": links})) as (site, server):
        page = await site.search(ANONYMOUS, SEARCH, None)
        assert page.token is not None
        await site.search(ANONYMOUS, SEARCH, page.token)
        return server.asked[-1], server.url


async def test_a_search_is_sent_whole_as_a_body() -> None:
    asked = {
        "collections": ["c"],
        "ids": ["a"],
        "bbox": [0, 0, 1, 1],
        "datetime": "2020-01-01T00:00:00Z/..",
        "filter": {"op": "isNull", "args": [{"property": "gsd"}]},
        "filter-lang": "cql2-json",
        "sortby": [{"field": "id", "direction": "desc"}],
        "limit": 7,
    }
    async with member(lambda _: answer(EMPTY)) as (site, server):
        await site.search(ANONYMOUS, from_json(asked), None)
    (request,) = server.asked
    assert (request.method, request.path) == ("POST", "/stac/search")
    assert request.json == asked


async def test_features_stay_the_bytes_that_came() -> None:
    feature = b'{"a":1.50,  "b":"\\u00e9","c":[1e3]}'
    page = await searched(b'{"features":[' + feature + b',7],"numberMatched":12,"links":[]}')
    assert [bytes(each) for each in page.features] == [feature, b"7"]
    assert (page.token, page.matched) == (None, 12)


async def test_a_next_link_for_post_is_followed_by_its_token() -> None:
    link = {"href": "https://elsewhere.test/search", "method": "POST", "body": {"token": "t 1", "limit": 99}}
    request, _ = await followed(link)
    assert (request.method, request.path) == ("POST", "/stac/search"), "it went where the link said"
    assert request.json == SEARCH.body() | {"token": "t 1"}


async def test_a_next_link_with_a_token_in_its_address_is_followed_by_it() -> None:
    request, _ = await followed({"href": "/stac/search?token=t%201&limit=9"})
    assert request.json == SEARCH.body() | {"token": "t 1"}


@pytest.mark.parametrize("href", ["/stac/search?page=2&x=a%2Fb", "?page=2&x=a%2Fb", "search?page=2&x=a%2Fb"])
async def test_any_other_next_link_at_the_site_is_followed(href: str) -> None:
    request, _ = await followed({"href": href})
    assert (request.method, request.path) == ("GET", "/stac/search?page=2&x=a%2Fb")


@pytest.mark.parametrize(
    "href",
    [
        "https://elsewhere.test/stac/search?page=2",
        "https://elsewhere.test/stac/search?token=2",
        "//elsewhere.test/search",
        "http://127.0.0.1/stac/search?page=2",
        "http://127.0.0.1@elsewhere.test/",
        "file:///etc/passwd",
        "http://[",
        "http://a\n\x1b[2Jb/",
        None,
        5,
        ["/stac/search"],
    ],
)
async def test_a_next_link_that_leads_away_is_refused(href: Any) -> None:
    with pytest.raises(SiteError, match="leads away from it") as refused:
        await searched({**EMPTY, "links": [{"rel": "next", "href": href}]})
    assert str(refused.value).isprintable()


async def test_an_address_as_token_is_checked_again_when_it_is_used() -> None:
    with pytest.raises(SiteError, match="leads away"):
        await searched(EMPTY, "l:https://elsewhere.test/search")


@pytest.mark.parametrize("body", [None, "x", {}, {"token": 5}, {"page": 2}])
async def test_a_next_link_for_post_without_a_token_is_refused(body: Any) -> None:
    with pytest.raises(SiteError, match="no token"):
        await searched({**EMPTY, "links": [{"rel": "next", "method": "POST", "body": body}]})


@pytest.mark.parametrize("links", [None, "x", {"next": "y"}, [5, None, {"rel": ["next"]}, {}]])
async def test_links_of_any_other_shape_lead_nowhere(links: Any) -> None:
    assert (await searched({**EMPTY, "links": links})).token is None


@pytest.mark.parametrize("matched", [None, "5", -1, True, 1.5, [5]])
async def test_a_number_matched_that_is_none_is_passed_over(matched: Any) -> None:
    assert (await searched({**EMPTY, "numberMatched": matched})).matched is None


async def test_the_missing_members_of_a_hub_are_told() -> None:
    assert (await searched({**EMPTY, "federation:missing": ["beta", 5, None]})).missing == ["beta"]
    assert not (await searched({**EMPTY, "federation:missing": {"beta": 1}})).missing


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>\x00\x1b[31mHello</body></html>",
        b"\xff\xfe",
        b"[]",
        b'"x"',
        b"{}",
        b'{"features":{}}',
        b'{"features":null}',
        b'{"features":[1,]}',
        b'{"features":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    ],
)
async def test_an_answer_that_is_none_is_refused_and_shown_as_a_printable_line(body: bytes) -> None:
    with pytest.raises(SiteError, match="not what STAC API says") as refused:
        await searched(body)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("status", [201, 204, 307, 400, 404, 500, 503])
async def test_an_answer_of_another_status_is_refused_and_its_text_shown(status: int) -> None:
    body = b"" if status == 204 else {"description": "filter: no such thing"}
    async with member(lambda _: answer(body, status, location="http://elsewhere.test/")) as (site, server):
        with pytest.raises(SiteError, match=f"it answered {status}: .*{'no such thing' if body else ''}"):
            await site.search(ANONYMOUS, SEARCH, None)
    assert len(server.asked) == 1, "a redirect was followed"


async def test_an_answer_that_would_fill_the_memory_is_given_up() -> None:
    bomb = gzip.compress(b'{"features":[' + b" " * MAX_ANSWER + b"]}")
    with pytest.raises(SiteError, match="longer than 64 MiB"):
        await searched(bomb, content_encoding="gzip")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_an_answer_whose_coding_is_broken_is_refused(coding: str) -> None:
    with pytest.raises(SiteError):
        await searched(b"not compressed at all", content_encoding=coding)


async def test_collections_are_read_page_by_page() -> None:
    def respond(request: Request) -> bytes:
        if request.path == "/stac/collections":
            return answer(
                {
                    "collections": [{"id": "a"}, {"id": ""}, {"id": 5}, {}],
                    "links": [{"rel": "next", "href": "collections?page=2"}],
                }
            )
        assert request.path == "/stac/collections?page=2"
        return answer({"collections": [{"id": "b"}], "federation:missing": ["beta"]})

    async with member(respond) as (site, _):
        found, missing = await site.collections(ANONYMOUS)
    assert ([each["id"] for each in found], missing) == (["a", "b"], ["beta"])


async def test_a_list_of_collections_without_end_is_given_up() -> None:
    endless = answer({"collections": [], "links": [{"rel": "next", "href": "/stac/collections"}]})
    async with member(lambda _: endless) as (site, server):
        with pytest.raises(SiteError, match="more than 100 pages"):
            await site.collections(ANONYMOUS)
    assert len(server.asked) == 100


async def test_queryables_are_those_of_the_schema_or_none() -> None:
    def respond(request: Request) -> bytes:
        by_path = {
            "/stac/queryables": answer({"properties": {"gsd": {"type": "number"}}}),
            "/stac/collections/a%2Fb/queryables": answer({"properties": [1]}),
        }
        return by_path.get(request.path, answer({}, 404))

    async with member(respond) as (site, _):
        assert await site.queryables(ANONYMOUS, None) == {"gsd": {"type": "number"}}
        assert await site.queryables(ANONYMOUS, "a/b") == {}
        assert await site.queryables(ANONYMOUS, "nowhere") == {}


def test_addresses_quote_ids() -> None:
    site = StacApi(Endpoint(kind="stac-api", url="http://a.test/stac"), HttpPool())
    assert site.item_url("a b", "50%/é?") == "http://a.test/stac/collections/a%20b/items/50%25%2F%C3%A9%3F"
