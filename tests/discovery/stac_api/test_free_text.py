"""Free text asked of members that claim to know it, and of those that do not."""

import pytest

from cscale.discovery.source import SourcePage
from cscale.identity import ANONYMOUS
from cscale.stac.search import from_json
from tests.discovery.stac_api.members import EMPTY, item, member
from tests.scripted import Request, Scripted, answer

ASKED = from_json({"q": ["Cluj"], "limit": 3})
CLAIM = "https://api.stacspec.org/v1.0.0-rc.1/item-search#free-text"
FEATURES = [item("a"), item("b")]


async def asked(landing: object, times: int = 1) -> tuple[SourcePage, Scripted]:
    def respond(request: Request) -> bytes:
        body = {"features": FEATURES, "numberMatched": 12, "links": []}
        return answer(landing if request.path == "/stac/" else body)

    async with member(respond) as (site, server):
        for _ in range(times):
            page = await site.search(ANONYMOUS, ASKED, None)
        return page, server


async def test_a_member_that_claims_it_is_asked() -> None:
    page, server = await asked({"conformsTo": [5, CLAIM]}, times=2)
    assert (len(page.features), page.matched) == (2, 12)
    assert not page.left
    landing, *searches = server.asked
    assert landing.path == "/stac/"
    assert [each.json["q"] for each in searches] == [["cluj"], ["cluj"]], "the claim is asked for once"


@pytest.mark.parametrize(
    "landing",
    [{"conformsTo": []}, {}, {"conformsTo": CLAIM}, {"conformsTo": {CLAIM: 1}}, b"<html>", b"[" * 9999],
)
async def test_by_another_or_one_that_tells_nothing_it_is_left_to_the_hub(landing: object) -> None:
    page, server = await asked(landing)
    assert (len(page.features), page.left) == (2, frozenset({"q"}))
    assert "q" not in server.asked[-1].json


async def test_nothing_more_is_asked_where_there_is_no_free_text() -> None:
    async with member(lambda _: answer(EMPTY)) as (site, server):
        await site.search(ANONYMOUS, from_json({}), None)
    assert [each.path for each in server.asked] == ["/stac/search"]
