"""Free text asked of members that claim to know it, and of those that do not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cscale.discovery.stac_api import StacApi
from cscale.errors import SiteError
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import from_json
from tests.scripted import Request, Scripted, answer, scripted

ASKED = from_json({"q": ["Cluj"], "limit": 3})
CLAIM = "https://api.stacspec.org/v1.0.0-rc.1/item-search#free-text"
FEATURES: list[Any] = [
    {"id": "a", "properties": {"title": "Over Cluj"}},
    {"id": "b", "properties": {"title": "elsewhere"}},
    {"id": "c", "properties": None},
    7,
]


@asynccontextmanager
async def member(landing: object) -> AsyncIterator[tuple[StacApi, Scripted]]:
    def respond(request: Request) -> bytes:
        body = {"features": FEATURES, "numberMatched": 12, "links": []}
        return answer(landing if request.path == "/stac/" else body)

    http = HttpPool()
    async with scripted(respond) as server:
        try:
            yield StacApi(Endpoint(kind="stac-api", url=f"{server.url}/stac"), http), server
        finally:
            await http.close()


async def test_a_member_that_claims_it_is_asked() -> None:
    async with member({"conformsTo": [5, CLAIM]}) as (site, server):
        page = await site.search(ANONYMOUS, ASKED, None)
        await site.search(ANONYMOUS, ASKED, None)
    assert (len(page.features), page.matched) == (len(FEATURES), 12)
    landing, *searches = server.asked
    assert landing.path == "/stac/"
    assert [each.json["q"] for each in searches] == [["cluj"], ["cluj"]], "the claim is asked for once"


@pytest.mark.parametrize(
    "landing", [{"conformsTo": []}, {}, {"conformsTo": CLAIM}, {"conformsTo": {CLAIM: 1}}]
)
async def test_by_another_it_is_left_to_the_hub(landing: object) -> None:
    async with member(landing) as (site, server):
        page = await site.search(ANONYMOUS, ASKED, None)
    assert (len(page.features), page.left) == (len(FEATURES), frozenset({"q"}))
    assert "q" not in server.asked[-1].json


async def test_a_member_without_a_landing_page_has_not_answered() -> None:
    async with member(b"<html>") as (site, _):
        with pytest.raises(SiteError):
            await site.search(ANONYMOUS, ASKED, None)


async def test_nothing_more_is_asked_where_there_is_no_free_text() -> None:
    respond: Callable[[Request], bytes] = lambda _: answer({"features": [], "links": []})  # noqa: E731
    http = HttpPool()
    async with scripted(respond) as server:
        await StacApi(Endpoint(kind="stac-api", url=server.url), http).search(ANONYMOUS, from_json({}), None)
        await http.close()
    assert [each.path for each in server.asked] == ["/search"]
