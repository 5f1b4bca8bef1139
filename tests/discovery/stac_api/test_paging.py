"""The way to the next page, by whatever link."""

from typing import Any

import pytest

from cscale.errors import SiteError
from cscale.identity import ANONYMOUS
from tests.discovery.stac_api.members import ALL, EMPTY, SEARCH, item, member, searched, searches, site
from tests.scripted import Request, answer


async def followed(link: dict[str, Any]) -> Request:
    """What is asked for the page that a `next` link of the first one leads to."""
    links = [{"rel": "self", "href": "https://elsewhere.test"}, {"rel": "next", **link}]

    def respond(request: Request) -> bytes:
        first = request is server.asked[0]
        return answer({**EMPTY, "features": [item()], "links": links if first else []})

    async with member(site(ALL, lambda request: respond(request))) as (source, server):
        page = await source.search(ANONYMOUS, SEARCH, None)
        assert page.token is not None
        await source.search(ANONYMOUS, SEARCH, page.token)
        return server.asked[-1]


async def test_a_link_for_post_is_followed_by_its_token() -> None:
    link = {"href": "https://elsewhere.test/search", "method": "POST", "body": {"token": "t 1", "limit": 99}}
    request = await followed(link)
    assert (request.method, request.path) == ("POST", "/stac/search"), "it went where the link said"
    assert request.json == SEARCH.body() | {"token": "t 1"}


async def test_a_link_with_a_token_in_its_address_is_followed_by_it() -> None:
    request = await followed({"href": "/stac/search?token=t%201&limit=9"})
    assert request.json == SEARCH.body() | {"token": "t 1"}


@pytest.mark.parametrize("href", ["/stac/search?page=2&x=a%2Fb", "?page=2&x=a%2Fb", "search?page=2&x=a%2Fb"])
async def test_any_other_link_at_the_site_is_followed(href: str) -> None:
    request = await followed({"href": href})
    assert (request.method, request.path) == ("GET", "/stac/search?page=2&x=a%2Fb")


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "https://127.0.0.1", "https://127.0.0.1:8443"])
async def test_behind_a_proxy_another_scheme_or_port_leads_to_the_site_as_it_is_known(origin: str) -> None:
    request = await followed({"href": f"{origin}/stac/search?page=2"})
    assert (request.method, request.path) == ("GET", "/stac/search?page=2")


async def test_the_way_to_the_next_page_may_be_another_address_of_the_site() -> None:
    request = await followed({"href": "/stac/collections/c/items?token=x"})
    assert (request.method, request.path) == ("GET", "/stac/collections/c/items?token=x")


@pytest.mark.parametrize(
    ("link", "body"),
    [
        ({"body": {"page": 2}, "merge": True}, SEARCH.body() | {"page": 2}),
        ({"body": {"page": 2, "limit": 1}, "merge": True}, SEARCH.body() | {"page": 2, "limit": 1}),
        ({"body": {"next": "x,y"}, "merge": False}, {"next": "x,y"}),
        ({"body": SEARCH.body() | {"offset": 3}}, SEARCH.body() | {"offset": 3}),
        ({"body": {"token": "a", "shard": 1}}, {"token": "a", "shard": 1}),
        ({"body": {"page": 2, "long": "x" * 1000}}, {"page": 2, "long": "x" * 1000}),
        ({}, SEARCH.body()),
    ],
)
async def test_a_link_for_post_is_followed_by_its_body(link: dict[str, Any], body: dict[str, Any]) -> None:
    request = await followed({"method": "POST", "href": "/stac/search/more?part=2", **link})
    assert (request.method, request.path) == ("POST", "/stac/search/more?part=2")
    assert request.json == body


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_only_harmless_headers_of_a_link_are_sent(method: str) -> None:
    headers = {
        "CMR-Search-After": "[1]",
        "Authorization": "Bearer stolen",
        "Cookie": "a=b",
        "Host": "elsewhere.test",
        "Prefer": "x\r\ny: z",
        "Accept": 5,
    }
    request = await followed({"href": "?page=2", "method": method, "headers": headers})
    assert request.headers["cmr-search-after"] == "[1]"
    assert not {"authorization", "cookie", "prefer", "y"} & set(request.headers)
    assert request.headers["host"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    "href",
    [
        "https://elsewhere.test/stac/search?page=2",
        "https://elsewhere.test/stac/search?token=2",
        "//elsewhere.test/search",
        "http://127.0.0.1@elsewhere.test/",
        "http://elsewhere.test@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "http://[",
        "http://a\n\x1b[2Jb/",
        "/" + "x" * 200_000,
        None,
        5,
        ["/stac/search"],
    ],
)
async def test_a_link_that_leads_away_is_refused(href: Any) -> None:
    with pytest.raises(SiteError, match="leads away from it") as refused:
        await searched({**EMPTY, "links": [{"rel": "next", "href": href}]})
    assert str(refused.value).isprintable()


async def test_a_link_for_post_that_leads_away_is_refused() -> None:
    link = {"rel": "next", "method": "POST", "href": "http://elsewhere.test/search", "body": {"page": 2}}
    with pytest.raises(SiteError, match="leads away from it"):
        await searched({**EMPTY, "links": [link]})


@pytest.mark.parametrize(
    "token",
    ["l:https://elsewhere.test/search", 'j:{"p":"//elsewhere.test/"}', "", "x", "t", "z:a", "L:!!", "L:eA==",
     "j:[]", 'j:{"m":"DELETE","p":"/stac/search"}', "j:" + "[" * 9999],
)  # fmt: skip
async def test_a_token_is_checked_again_when_it_is_used(token: str) -> None:
    with pytest.raises(SiteError, match=r"leads away|a token that is none"):
        await searched(EMPTY, token)


async def test_a_body_that_is_no_object_is_refused() -> None:
    link = {"rel": "next", "method": "POST", "href": "/stac/search", "body": "x"}
    with pytest.raises(SiteError, match="a body that is no object"):
        await searched({**EMPTY, "links": [link]})


async def test_a_link_too_long_for_a_token_is_refused() -> None:
    noise = "".join(chr(33 + i * i * i % 89) + str(i * 7919 % 104_729) for i in range(10_000))
    link = {"rel": "next", "method": "POST", "href": "/stac/search", "body": {"next": noise}}
    with pytest.raises(SiteError, match="too long"):
        await searched({**EMPTY, "features": [item()], "links": [link]})


@pytest.mark.parametrize("features", [[], [item()]])
@pytest.mark.parametrize("link", [{"href": "?token=again"}, {"href": "?page=x"},
                                  {"method": "POST", "body": {"n": 1}, "merge": True}])  # fmt: skip
async def test_a_page_that_leads_to_itself_ends_the_walk(link: dict[str, Any], features: list[Any]) -> None:
    body = answer({"features": features, "links": [{"rel": "next", **link}]})
    async with member(lambda _: body) as (source, server):

        async def walk() -> None:
            token = None
            for _ in range(9):
                token = (await source.search(ANONYMOUS, SEARCH, token)).token

        with pytest.raises(SiteError, match="came before"):
            await walk()
    assert len(searches(server)) == 2


async def test_the_same_walk_by_many_is_no_circle() -> None:
    def respond(request: Request) -> bytes:
        number = int(request.path.partition("page=")[2] or 1)
        return answer({"features": [item()], "links": [{"rel": "next", "href": f"?page={number + 1}"}]})

    async with member(respond) as (source, _):
        for _ in range(3):
            token = None
            for _ in range(20):
                token = (await source.search(ANONYMOUS, SEARCH, token)).token
            assert token == "l:/stac/search?page=21"


async def test_empty_pages_by_opaque_tokens_are_passed_over() -> None:
    def respond(request: Request) -> bytes:
        number = int(request.json.get("token", "p0")[1:])
        links = [{"rel": "next", "href": f"?token=p{number + 1}"}]
        return answer({"features": [item()] if number == 6 else [], "links": links if number < 6 else []})

    async with member(site(ALL, respond)) as (source, server):
        page = await source.search(ANONYMOUS, SEARCH, None)
    assert (len(page.features), page.token) == (1, None)
    assert len(searches(server)) == 7


async def test_without_sort_claimed_pages_are_left_to_be_put_in_order_to_the_last() -> None:
    def respond(request: Request) -> bytes:
        links = [] if request.json.get("token") else [{"rel": "next", "href": "?token=x"}]
        return answer({"features": [item()], "links": links})

    claims = [claim for claim in ALL if not claim.endswith("#sort")]
    async with member(site(claims, respond)) as (source, server):
        first = await source.search(ANONYMOUS, SEARCH, None)
        assert first.token == "tS:x"
        second = await source.search(ANONYMOUS, SEARCH, first.token)
    assert first.left == second.left == {"sortby"}
    assert searches(server)[1].json == SEARCH.body() | {"token": "x"}, "the search changed under way"
