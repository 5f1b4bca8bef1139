"""What a site refuses: found out in a handful of requests, left to the hub, and remembered."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cscale.errors import SiteError
from cscale.federation.profiles import Profile
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.search import from_json
from tests.discovery.stac_api.members import (
    ALL,
    CORE,
    CQL2,
    EMPTY,
    FILTER,
    QUERY,
    SEARCH,
    SORT,
    item,
    member,
    searches,
    site,
)
from tests.scripted import Request, answer

CLOUD: dict[str, Any] = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 5]}
ASKED = from_json(
    {
        "collections": ["c"],
        "datetime": "2020-01-01T00:00:00Z/..",
        "filter": CLOUD,
        "sortby": [{"field": "eo:cloud_cover", "direction": "asc"}],
        "limit": 500,
    }
)
FOUND = answer({"features": [item()]})


def refusing(told: str, refused: Callable[[dict[str, Any]], bool], status: int = 400) -> Callable[..., bytes]:
    """A site searched by POST that refuses what a function says."""

    def search(request: Request) -> bytes:
        if request.path == "/stac/collections":
            return answer({"collections": [{"id": "c"}]})
        if request.method == "GET":
            return answer({}, 405)
        return answer({"description": told}, status) if refused(request.json) else FOUND

    return site(ALL, search)


@pytest.mark.parametrize("told", ["{}: no", "bad request"])
@pytest.mark.parametrize("part", ["filter", "sortby"])
@pytest.mark.parametrize("status", [400, 415, 422, 501])
async def test_a_part_that_is_refused_is_left(part: str, told: str, status: int) -> None:
    respond = refusing(told.format(part), lambda body: part in body, status)
    async with member(respond) as (source, server):
        page = await source.search(ANONYMOUS, ASKED, None)
        learning = len(server.asked)
        again = await source.search(ANONYMOUS, ASKED, None)
    assert page.left == again.left == {part}
    assert learning <= 10
    assert len(server.asked) == learning + 1, "it is remembered"
    others = {"collections", "datetime", "filter", "sortby", "limit"} - {part}
    assert others <= server.asked[-1].json.keys()
    assert server.asked[-1].json["limit"] == 500


@pytest.mark.parametrize(
    ("told", "taken"), [("limit must be <= 250", 250), ("limit: too large", 100), ("Bad Request", 100)]
)
async def test_a_page_that_is_too_long_is_asked_for_shorter(told: str, taken: int) -> None:
    async with member(refusing(told, lambda body: body["limit"] > 250)) as (source, server):
        page = await source.search(ANONYMOUS, ASKED, None)
        await source.search(ANONYMOUS, SEARCH, None)
        await source.search(ANONYMOUS, ASKED, None)
    assert not page.left
    assert [each.json["limit"] for each in searches(server)[-2:]] == [3, taken]


async def test_two_parts_that_are_refused_one_after_the_other_are_left() -> None:
    def search(request: Request) -> bytes:
        body = request.json if request.method == "POST" else {}
        if "sortby" in body:
            return answer({"detail": "sortby is unknown"}, 400)
        if body.get("limit", 1000) > 100:
            return answer({"detail": "limit: at most 100"}, 400)
        return FOUND

    async with member(site(ALL, search)) as (source, _):
        assert (await source.search(ANONYMOUS, ASKED, None)).left <= {"sortby"}


async def test_a_refusal_of_all_is_told_in_the_sites_own_words() -> None:
    async with member(refusing("the moon is full", lambda _: True)) as (source, server):
        with pytest.raises(SiteError, match=r"it answered 400: .*the moon is full"):
            await source.search(ANONYMOUS, ASKED, None)
    assert len(server.asked) <= 12


async def test_another_filter_is_tried_where_one_was_refused() -> None:
    respond = refusing("filter: unknown property", lambda body: "moon" in str(body.get("filter")))
    moon = from_json({"filter": {"op": "=", "args": [{"property": "moon"}, 1]}})
    async with member(respond) as (source, _):
        assert (await source.search(ANONYMOUS, moon, None)).left == {"filter"}
        assert not (await source.search(ANONYMOUS, from_json({"filter": CLOUD}), None)).left


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_collections_that_a_site_does_not_hold_count_as_empty(status: int) -> None:
    respond = refusing("no such thing", lambda body: body.get("collections") != ["c"], status)
    both, foreign = (from_json({"collections": names}) for names in (["c", "x"], ["x"]))
    async with member(respond) as (source, server):
        page = await source.search(ANONYMOUS, both, None)
        assert len(page.features) == 1
        assert not page.left
        nothing = await source.search(ANONYMOUS, foreign, None)
        assert (nothing.features, nothing.matched, nothing.token) == ([], 0, None)
        learning = len(server.asked)
        await source.search(ANONYMOUS, both, None)
        assert (len(server.asked), server.asked[-1].json["collections"]) == (learning + 1, ["c"])
        await source.search(Caller(token="another's"), both, None)
        assert len(server.asked) > learning + 2, "others may see more"


@pytest.mark.parametrize("status", [204, 404])
async def test_no_match_may_be_told_by_a_status(status: int) -> None:
    nothing = answer(b"", status)
    async with member(site(CORE, lambda _: nothing)) as (source, _):
        page = await source.search(ANONYMOUS, SEARCH, None)
        assert (page.features, page.token) == ([], None)


@pytest.mark.parametrize("refusal", [400, 404, 405, 501])
async def test_an_empty_site_that_is_searched_by_get_is_empty(refusal: int) -> None:
    respond = site(CORE, lambda request: answer({}, 404 if request.method == "GET" else refusal))
    async with member(respond) as (source, _):
        assert not (await source.search(ANONYMOUS, SEARCH, None)).features


async def test_a_site_that_is_nowhere_is_not_empty() -> None:
    async with member(lambda _: answer({"detail": "Not Found"}, 404)) as (source, _):
        with pytest.raises(SiteError, match=r"404: .*Not Found"):
            await source.search(ANONYMOUS, SEARCH, None)


async def test_no_answer_to_a_later_page_is_not_its_end() -> None:
    links = [{"rel": "next", "href": "?page=2"}]
    first = answer({"features": [item()], "links": links})
    respond = site(ALL, lambda request: answer({}, 404) if "page=2" in request.path else first)
    async with member(respond) as (source, _):
        page = await source.search(ANONYMOUS, SEARCH, None)
        with pytest.raises(SiteError, match="404"):
            await source.search(ANONYMOUS, SEARCH, page.token)


async def test_a_page_for_people_is_no_answer_by_the_method_that_brought_it() -> None:
    def search(request: Request) -> bytes:
        return FOUND if request.method == "GET" else answer(b"<html>Welcome</html>", content_type="text/html")

    async with member(site(ALL, search)) as (source, server):
        assert len((await source.search(ANONYMOUS, SEARCH, None)).features) == 1
        await source.search(ANONYMOUS, SEARCH, None)
    assert [each.method for each in searches(server)] == ["POST", "GET", "GET"]


async def test_what_a_profile_says_is_not_tried_again() -> None:
    profile = Profile(frozenset({"sortby", "datetime"}), frozenset({"POST"}), 50)
    async with member(site(ALL, lambda _: FOUND), profile) as (source, server):
        page = await source.search(ANONYMOUS, ASKED, None)
    (request,) = searches(server)
    assert page.left == {"sortby", "datetime"}
    assert request.method == "GET"
    assert "limit=50&" in request.path
    assert "sortby" not in request.path
    assert "datetime" not in request.path


async def test_a_site_that_was_tried_is_asked_whatever_it_claims() -> None:
    profile = Profile(checked_at="2026-01-01T00:00:00Z", claims=tuple(CORE))
    async with member(lambda _: FOUND, profile) as (source, server):
        page = await source.search(ANONYMOUS, ASKED, None)
    assert [each.path for each in server.asked] == ["/stac/search"]
    assert not page.left
    assert server.asked[0].json == ASKED.body()


async def test_what_is_not_claimed_is_not_sent() -> None:
    async with member(site(CORE, lambda _: FOUND)) as (source, server):
        page = await source.search(ANONYMOUS, ASKED, None)
    assert page.left == {"filter", "sortby"}
    assert searches(server)[0].json.keys() == {"collections", "datetime", "limit"}


async def test_query_stands_in_for_a_filter() -> None:
    condition = {"op": "and", "args": [CLOUD, {"op": "isNull", "args": [{"property": "gsd"}]}]}
    async with member(site([*CORE, *SORT, *QUERY], lambda _: FOUND)) as (source, server):
        whole = await source.search(ANONYMOUS, from_json({"filter": CLOUD}), None)
        partly = await source.search(ANONYMOUS, from_json({"filter": condition}), None)
    assert not whole.left
    assert partly.left == {"filter"}
    for request in searches(server):
        assert request.json["query"] == {"eo:cloud_cover": {"lt": 5}}
        assert not {"filter", "filter-lang"} & request.json.keys()


async def test_of_cql2_what_is_claimed_is_sent() -> None:
    claims = [*CORE, *SORT, *FILTER, *(name for name in CQL2 if "basic-cql2" in name or "json" in name)]
    condition = {"op": "and", "args": [CLOUD, {"op": "like", "args": [{"property": "platform"}, "s%"]}]}
    async with member(site(claims, lambda _: FOUND)) as (source, server):
        page = await source.search(ANONYMOUS, from_json({"filter": condition}), None)
    assert page.left == {"filter"}
    assert searches(server)[0].json["filter"] == CLOUD


async def test_what_is_too_long_for_an_address_is_left() -> None:
    ring = [[x / 7, (x % 9) / 3] for x in range(900)]
    area = {"type": "MultiPoint", "coordinates": ring}
    request = from_json({"intersects": area, "collections": ["c"]})
    async with member(site(ALL, lambda _: FOUND), Profile(refuses=frozenset({"POST"}))) as (source, server):
        page = await source.search(ANONYMOUS, request, None)
    assert page.left == {"intersects"}
    assert "bbox=0%2C0%2C128" in searches(server)[0].path
    assert len(searches(server)[0].path) < 1000


async def test_an_id_that_a_list_with_commas_cannot_hold_is_left() -> None:
    request = from_json({"ids": ["a,b", "c"], "collections": ["c"]})
    async with member(site(ALL, lambda _: FOUND), Profile(refuses=frozenset({"POST"}))) as (source, server):
        page = await source.search(ANONYMOUS, request, None)
    assert page.left == {"ids"}
    assert "ids" not in searches(server)[0].path


async def test_the_landing_page_is_read_once_however_many_ask_first() -> None:
    async with member(site(ALL, lambda _: answer(EMPTY))) as (source, server):
        await asyncio.gather(*(source.search(ANONYMOUS, ASKED, None) for _ in range(9)))
    assert [each.path for each in server.asked].count("/stac/") == 1


async def test_claims_may_stand_on_a_page_of_their_own() -> None:
    def respond(request: Request) -> bytes:
        told = {"/stac/": {"id": "old", "links": []}, "/stac/conformance": {"conformsTo": ALL}}
        return answer(told[request.path]) if request.path in told else FOUND

    async with member(respond) as (source, server):
        assert not (await source.search(ANONYMOUS, ASKED, None)).left
    assert server.asked[-1].json == ASKED.body()
