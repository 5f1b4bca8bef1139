"""One member asked through the hub: what it may send, and what its answer counts for."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from cscale.discovery import Hub, Site
from cscale.discovery.stac_api import StacApi
from cscale.errors import SitesMissing
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.items import read_body
from cscale.stac.search import SearchRequest, from_json
from cscale.stac.source import ItemPage
from cscale.stac.times import Interval
from cscale.testing.items import walk
from tests.discovery.federations import MORNING, OWN_PRODUCT, feature, member
from tests.scripted import Request, answer, scripted

GOOD = feature("good", "c", MORNING, {})


@asynccontextmanager
async def hub(respond: Callable[[Request], bytes | None], **told: Any) -> AsyncIterator[Hub]:
    http = HttpPool()
    async with scripted(respond) as server:
        source = StacApi(Endpoint(kind="stac-api", url=server.url), http)
        try:
            one = Hub([Site(0, member("alpha", **told), source)], secret=b"s")
            yield one
        finally:
            await one.close()
            await http.close()


async def searched(
    features: Sequence[Any],
    request: SearchRequest | None = None,
    links: Sequence[Any] = (),
    **told: Any,
) -> tuple[ItemPage, dict[str, Any]]:
    """The page, and the status of the one site."""
    body = {"features": features, "numberMatched": 9, "links": links}
    async with hub(lambda _: answer(body), **told) as one:
        page = await one.search(ANONYMOUS, request or SearchRequest())
    return page, page.extra["federation"]["sites"][0]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        [],
        {},
        GOOD | {"type": "Item"},
        GOOD | {"id": ""},
        GOOD | {"id": 5},
        GOOD | {"collection": None},
        GOOD | {"properties": None},
        GOOD | {"properties": {"datetime": None}},
        GOOD | {"properties": {"datetime": "yesterday"}},
        GOOD | {"properties": {"datetime": "2020-13-01T00:00:00Z"}},
        GOOD | {"assets": None},
        GOOD | {"assets": {"red": "http://files.test/red.tif"}},
        {name: value for name, value in GOOD.items() if name != "properties"},
    ],
)
async def test_an_item_that_is_not_valid_is_left_out_and_counted(bad: Any) -> None:
    page, status = await searched([GOOD, bad])
    assert [item.id for item in page.items] == ["good"]
    assert (status["state"], status["returned"], status["rejected"]) == ("ok", 1, 1)
    assert page.extra["federation:missing"] == []


HOSTILE = [b"1e400", b'[{"rel":"x","n":1e400}]', b'{"red":{"href":"a","n":1e400}}', b"[" * 900 + b"]" * 900]


@pytest.mark.parametrize("member_name", ["links", "assets", "federation:sites", "stac_extensions", "strange"])
@pytest.mark.parametrize("value", HOSTILE)
async def test_an_item_made_to_break_its_reader_harms_no_other(member_name: str, value: bytes) -> None:
    whole = json.dumps(GOOD | {"id": "bad", member_name: "HERE"}).encode().replace(b'"HERE"', value)
    body = b'{"features":[' + json.dumps(GOOD).encode() + b"," + whole + b"," + whole + b"]}"
    async with hub(lambda _: answer(body), product="platform") as one:
        for duplicates in ("join", "keep"):
            page = await one.search(ANONYMOUS, from_json({"duplicates": duplicates}))
            assert "good" in [item.id for item in page.items]
            assert all(read_body(item.body) for item in page.items if item.id == "good")


async def test_an_item_of_a_collection_that_was_not_asked_for_is_left_out() -> None:
    page, status = await searched([GOOD, GOOD | {"collection": "d"}], SearchRequest(collections=("c",)))
    assert [item.collection for item in page.items] == ["c"]
    assert status["rejected"] == 1


async def test_members_that_nobody_knows_are_passed_on_as_they_came() -> None:
    strange = {"strange": {"1e400": [1.0, 2**70, "\u2028"]}, "stac_version": "9"}
    page, _ = await searched([GOOD | strange])
    assert read_body(page.items[0].body).items() >= strange.items()


async def test_a_site_that_answers_against_the_order_is_put_in_order() -> None:
    newer = feature("newer", "c", MORNING + 1_000_000, {})
    page, status = await searched([GOOD, newer])
    assert [item.id for item in page.items] == ["newer", "good"]
    assert status["state"] == "ok"
    assert page.extra["federation:missing"] == []


async def test_items_that_do_not_match_are_left_out_and_counted() -> None:
    later = feature("later", "c", MORNING + 3_600_000_000, {})
    page, status = await searched([later, GOOD], SearchRequest(datetime=Interval(None, MORNING)))
    assert [item.id for item in page.items] == ["good"]
    assert (status["state"], status["unasked"], page.matched) == ("ok", 1, 1)


@pytest.mark.parametrize("features", [[], [GOOD]])
@pytest.mark.parametrize("sortby", ["datetime", "id"])
async def test_a_site_whose_pages_never_end_costs_its_time_and_no_more(
    features: list[Any], sortby: str
) -> None:
    body = {"sortby": [{"field": sortby, "direction": "asc"}], "limit": 5}
    numbers = count()

    def respond(_: Request) -> bytes:
        return answer(
            {"features": features, "links": [{"rel": "next", "href": f"/search?token={next(numbers)}"}]}
        )

    async with hub(respond, timeout=0.3) as one:
        if not features:
            with pytest.raises(SitesMissing, match=r"alpha: no answer within 0.3 s"):
                await one.search(ANONYMOUS, from_json(body))
            return
        page = await one.search(ANONYMOUS, from_json(body))
    status = page.extra["federation"]["sites"][0]
    assert (status["state"], status["reason"]) == ("partial", "only its first items: no answer within 0.3 s")


async def test_a_site_whose_next_page_came_before_is_named() -> None:
    links = [{"rel": "next", "href": "/search?token=again"}]
    page, status = await searched([GOOD], SearchRequest(limit=5), links=links)
    assert [item.id for item in page.items] == ["good"]
    assert status["reason"] == "only its first items: its next page is one that came before"


async def test_values_beyond_64_bits_are_sorted_and_walked_through() -> None:
    values = [-(2**70), 0, 2**64, 2**70]
    held = [feature(f"{i}", "c", MORNING, {"count": value}) for i, value in enumerate(values)]
    request = from_json({"sortby": [{"field": "count", "direction": "asc"}], "limit": 1})
    async with hub(lambda _: answer({"features": held})) as one:
        pages = await walk(one, request)
    assert [item.id for page in pages for item in page.items] == ["0", "1", "2", "3"]


async def test_a_number_that_match_is_told_only_where_it_is_exact() -> None:
    many = [feature(f"{i}", "c", MORNING, {}) for i in range(9)]
    small = SearchRequest(limit=2)
    assert (await searched(many, small))[0].matched == 9
    assert (await searched(many, SearchRequest(limit=50)))[0].matched == 9, "all of it is at hand"
    assert (await searched([*many, None], small))[0].matched is None, "it counts what is not valid"
    twice = [
        item | {"id": f"of-{item['id']}", "properties": {**item["properties"], OWN_PRODUCT: "P"}}
        for item in many
    ]
    assert (await searched([*twice, *many], small, product=OWN_PRODUCT))[0].matched is None, "copies are one"


async def test_a_site_that_hangs_is_waited_for_once_in_a_search() -> None:
    """A filter on collections has to know first which there are."""
    asked: list[str] = []

    def hang(request: Request) -> None:
        asked.append(request.path)

    by_collection = {"op": "=", "args": [{"property": "collection"}, "c"]}
    async with hub(hang, timeout=0.2) as one:
        with pytest.raises(SitesMissing):
            await one.search(ANONYMOUS, from_json({"filter": by_collection}))
        with pytest.raises(SitesMissing):
            await one.queryables(ANONYMOUS, "c")
    assert asked == ["/collections", "/collections"]


async def test_a_site_that_does_not_tell_its_collections_is_missing_from_a_filter_on_them() -> None:
    def respond(request: Request) -> bytes:
        return answer({}, 500) if request.path.endswith("/collections") else answer({"features": [GOOD]})

    whole = {"collections": [{"id": "c"}], "features": [GOOD]}
    http = HttpPool()
    async with scripted(respond) as silent, scripted(lambda _: answer(whole)) as open_:
        sources = [StacApi(Endpoint(kind="stac-api", url=each.url), http) for each in (silent, open_)]
        sites = [Site(0, member("alpha"), sources[0]), Site(1, member("beta"), sources[1])]
        by_collection = {"op": "=", "args": [{"property": "collection"}, "c"]}
        page = await Hub(sites, secret=b"s").search(ANONYMOUS, from_json({"filter": by_collection}))
    await http.close()
    assert [item.id for item in page.items] == ["good"]
    assert page.extra["federation:missing"] == ["alpha"]
