"""A member that speaks STAC API, as it should and as it should not."""

import gzip
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cscale.discovery.stac_api import StacApi
from cscale.errors import SiteError
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS, Caller
from cscale.net.http import MAX_ANSWER, HttpPool
from cscale.stac.search import from_json
from tests.discovery.stac_api.members import ALL, EMPTY, SEARCH, item, member, searched, searches, site
from tests.scripted import answer


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
    async with member(site(ALL, lambda _: answer(EMPTY))) as (source, server):
        await source.search(ANONYMOUS, from_json(asked), None)
    landing, request = server.asked
    assert landing.path == "/stac/"
    assert (request.method, request.path) == ("POST", "/stac/search")
    assert request.json == asked


async def test_a_search_by_get_says_the_same() -> None:
    asked = {
        "collections": ["c", "d"],
        "ids": ["a&b=1"],
        "bbox": [-0.1, 1e-07, 1, 1.0000000000000002],
        "datetime": "2020-01-01T00:00:00.5Z/..",
        "filter": {"op": "like", "args": [{"property": "eo:x y"}, "50%/é'+"]},
        "sortby": [{"field": "id", "direction": "desc"}, {"field": "gsd", "direction": "asc"}],
        "q": ["snow & ice"],
        "limit": 7,
    }

    def respond(request: Any) -> bytes:
        return answer(EMPTY) if request.method == "GET" else answer({}, 405)

    async with member(site(ALL, respond)) as (source, server):
        page = await source.search(ANONYMOUS, from_json(asked), None)
        await source.search(ANONYMOUS, from_json(asked), None)
    assert not page.left
    assert [each.method for each in searches(server)] == ["POST", "GET", "GET"], "it is learnt once"
    query = urlsplit(server.asked[-1].path).query
    assert parse_qs(query, strict_parsing=True) == {
        "collections": ["c,d"],
        "ids": ["a&b=1"],
        "bbox": ["-0.1,0.0000001,1,1.0000000000000002"],
        "datetime": ["2020-01-01T00:00:00.500000Z/.."],
        "filter": ["\"eo:x y\" LIKE '50%/é''+'"],
        "filter-lang": ["cql2-text"],
        "sortby": ["-id,gsd"],
        "q": ["snow ice"],
        "limit": ["7"],
    }
    assert query.isascii()


async def test_the_callers_token_is_handed_over_with_every_request() -> None:
    class Noting(HttpPool):
        def __init__(self) -> None:
            super().__init__()
            self.bearers: list[str | None] = []

        async def request(self, *args: Any, bearer: str | None = None, **more: Any) -> Any:
            self.bearers.append(bearer)
            return await super().request(*args, bearer=bearer, **more)

    http, caller = Noting(), Caller(token="secret")
    links = [{"rel": "next", "href": "?page=2"}]
    async with member(lambda _: answer({"features": [item()], "links": links, "collections": []})) as (
        _,
        server,
    ):
        source = StacApi(Endpoint(kind="stac-api", url=server.url), http)
        page = await source.search(caller, from_json({"q": "x"}), None)
        await source.collections(caller)
        await source.queryables(caller, "c")
        with pytest.raises(SiteError):
            await source.search(caller, from_json({"q": "x"}), page.token)
        await http.close()
    assert len(http.bearers) == len(server.asked) > 5
    assert set(http.bearers) == {"secret"}


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


@pytest.mark.parametrize("status", [201, 401, 403, 429, 500, 503])
async def test_an_answer_of_another_status_is_refused_and_its_text_shown(status: int) -> None:
    body = {"description": "come back later"}
    async with member(lambda _: answer(body, status)) as (source, server):
        with pytest.raises(SiteError, match=f"it answered {status}: .*come back later"):
            await source.search(ANONYMOUS, SEARCH, None)
    assert len(server.asked) == (2 if status == 403 else 1), "it was asked again without need"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_that_leads_away_is_not_followed(status: int) -> None:
    async with member(lambda _: answer({}, status, location="http://elsewhere.test/")) as (source, server):
        with pytest.raises(SiteError, match=f"it answered {status}"):
            await source.search(ANONYMOUS, SEARCH, None)
    assert {each.path for each in server.asked} == {"/stac/search", "/stac/search/"}


async def test_a_redirect_to_the_address_with_a_slash_is_followed() -> None:
    def respond(request: Any) -> bytes:
        if request.path.endswith("/"):
            return answer({"features": [item()], "collections": [item()]})
        return answer(b"", 307, location=f"http://internal{request.path}/")

    async with member(respond) as (source, server):
        assert len((await source.search(ANONYMOUS, SEARCH, None)).features) == 1
        assert len((await source.collections(ANONYMOUS))[0]) == 1
    assert server.asked[1].json == SEARCH.body()


async def test_an_answer_that_would_fill_the_memory_is_given_up() -> None:
    bomb = gzip.compress(b'{"features":[' + b" " * MAX_ANSWER + b"]}")
    with pytest.raises(SiteError, match="longer than 64 MiB"):
        await searched(bomb, content_encoding="gzip")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_an_answer_whose_coding_is_broken_is_refused(coding: str) -> None:
    with pytest.raises(SiteError):
        await searched(b"not compressed at all", content_encoding=coding)


async def test_queryables_are_those_of_the_schema_or_none() -> None:
    def respond(request: Any) -> bytes:
        by_path = {
            "/stac/queryables": answer({"properties": {"gsd": {"type": "number"}}}),
            "/stac/collections/a%2Fb/queryables": answer({"properties": [1]}),
            "/stac/collections/people/queryables": answer(b"<html>", content_type="text/html"),
            "/stac/collections/down/queryables": answer({}, 503),
        }
        return by_path.get(request.path, answer({}, 404))

    async with member(respond) as (source, _):
        assert await source.queryables(ANONYMOUS, None) == {"gsd": {"type": "number"}}
        assert await source.queryables(ANONYMOUS, "a/b") == {}
        assert await source.queryables(ANONYMOUS, "nowhere") == {}
        assert await source.queryables(ANONYMOUS, "people") == {}
        with pytest.raises(SiteError, match="503"):
            await source.queryables(ANONYMOUS, "down")


def test_addresses_quote_ids() -> None:
    site = StacApi(Endpoint(kind="stac-api", url="http://a.test/stac"), HttpPool())
    assert site.item_url("a b", "50%/é?") == "http://a.test/stac/collections/a%20b/items/50%25%2F%C3%A9%3F"
