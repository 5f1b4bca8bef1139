"""What sites leave of a search: the hub does it, or says how far it came."""

import pytest

from cscale.discovery.hub.asking import asked as under_test
from cscale.discovery.hub.remainder import remainder
from cscale.identity import ANONYMOUS
from cscale.stac.search import SearchRequest, from_json
from tests.discovery.federations import MORNING, Archive, feature, hub_over, member

MINUTE = 60_000_000
SCENES = [
    feature(f"scene-{(7 * n) % 30:02}", "c", MORNING + (7 * n) % 30 * MINUTE, {"title": f"scene {n}"})
    for n in range(30)
]


@pytest.mark.parametrize(
    ("asked", "left", "accepted"),
    [
        ({"ids": ["scene-07"]}, {"ids"}, ["scene-07"]),
        ({"ids": ["scene-07"], "q": ["scene 2"]}, {"q"}, ["scene-14"]),
        ({"filter": {"op": "=", "args": [{"property": "id"}, "scene-01"]}}, {"filter", "bbox"}, ["scene-01"]),
        ({"collections": ["d"]}, {"collections"}, []),
    ],
)
def test_what_is_left_selects(asked: dict[str, object], left: set[str], accepted: list[str]) -> None:
    accepts = remainder(from_json(asked), frozenset(left))
    assert accepts is not None
    assert [each["id"] for each in SCENES if accepts(each)] == accepted


@pytest.mark.parametrize("left", [frozenset[str](), frozenset({"sortby"}), frozenset({"bbox", "q"})])
def test_where_nothing_that_selects_is_left_nothing_is_tested(left: frozenset[str]) -> None:
    assert remainder(from_json({"ids": ["a"]}), left) is None


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
