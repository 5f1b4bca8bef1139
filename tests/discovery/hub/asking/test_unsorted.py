"""What sites leave of a search: the hub does it, or says how far it came."""

import pytest

from cscale.discovery.hub.asking import asked as under_test
from cscale.identity import ANONYMOUS
from cscale.stac.search import SearchRequest
from tests.discovery.federations import MORNING, Archive, feature, hub_over, member

MINUTE = 60_000_000
SCENES = [
    feature(f"scene-{(7 * n) % 30:02}", "c", MORNING + (7 * n) % 30 * MINUTE, {"title": f"scene {n}"})
    for n in range(30)
]


async def test_a_site_that_does_not_sort_is_put_in_order() -> None:
    archive = Archive(member("alpha"), SCENES, page=4, leaves=frozenset({"sortby"}))
    async with hub_over([archive]) as hub:
        page = await hub.search(ANONYMOUS, SearchRequest(limit=10))
    assert [item.id for item in page.items] == [f"scene-{n:02}" for n in range(29, 19, -1)]
    assert page.extra["federation:missing"] == []


async def test_beyond_what_is_bearable_it_is_partial_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MOST", 10)
    archive = Archive(member("alpha"), SCENES, page=4, leaves=frozenset({"sortby"}))
    async with hub_over([archive]) as hub:
        page = await hub.search(ANONYMOUS, SearchRequest(limit=10))
    [site] = page.extra["federation"]["sites"]
    assert page.extra["federation:missing"] == ["alpha"]
    assert (site["state"], site["reason"]) == (
        "partial",
        "it does not sort; only 12 of its items were put in order",
    )
