"""What the service before this one did wrong over real archives, each with its right answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cscale.stac.items import Item
from tests.discovery.federations import MORNING, Archive, feature, member
from tests.discovery.misbehaving.breaking import Delays, Dies, Hangs
from tests.discovery.misbehaving.fault import Fault
from tests.discovery.misbehaving.faults import (
    Caps,
    Ignores,
    NotFoundIfNone,
    PagesBy,
    RefusesFilter,
    RefusesForeign,
    RefusesMethod,
)
from tests.discovery.misbehaving.hubs import Stage, asked, walked
from tests.discovery.misbehaving.site import Misbehaving, served
from tests.federated import Got, federation
from tests.ports import free_port

MINUTE = 60_000_000


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage().open() as opened:
        yield opened


def item(number: int, site: str = "P", collection: str = "c") -> Item:
    """Of its minute; every twentieth of the numbers is a cloud cover."""
    cover = {"eo:cloud_cover": number % 20}
    return feature(f"{site}{number:03}", collection, MORNING + number * 30 * MINUTE, cover)


def holding(site: str, numbers: range, collection: str = "c") -> Archive:
    return Archive(member(site), [item(number, site, collection) for number in numbers])


def ids(answers: list[Got]) -> list[str]:
    """The ids of the items on good pages."""
    assert [got.status for got in answers] == [200] * len(answers), answers[-1].body
    return [each["id"] for got in answers for each in got.json["features"]]


def newest_first(*archives: Archive) -> list[str]:
    held = [each for archive in archives for each in archive.items]
    held.sort(key=lambda each: (each["properties"]["datetime"], -ord(each["id"][0])), reverse=True)
    return [each["id"] for each in held]


def site_of(got: Got, site: str) -> dict[str, Any]:
    """What an answer says of a site."""
    told: dict[str, Any] = next(each for each in got.json["federation"]["sites"] if each["id"] == site)
    return told


def next_link(got: Got) -> dict[str, Any] | None:
    return next((link for link in got.json["links"] if link["rel"] == "next"), None)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("sortby", ["-datetime", "id"])
def test_a_hundred_items_are_walked_in_tens(stage: Stage, method: str, sortby: str) -> None:
    """It gave ten, and no next."""
    sites = [holding("alpha", range(40)), holding("beta", range(40, 70)), holding("gamma", range(70, 100))]
    order = [{"field": sortby.lstrip("-"), "direction": "desc" if sortby[0] == "-" else "asc"}]
    with stage.federation(sites, [[], [Caps(7)], [PagesBy("offset")]]):
        if method == "GET":
            pages = list(walked(f"{stage.stac}/search?limit=10&sortby={sortby}"))
        else:
            pages = list(walked(f"{stage.stac}/search", {"limit": 10, "sortby": order}))
    expected = newest_first(*sites)
    assert ids(pages) == (expected if sortby[0] == "-" else sorted(expected))
    assert [len(got.json["features"]) for got in pages[:10]] == [10] * 10
    assert not any(got.json["features"] for got in pages[10:])
    assert all(got.json["federation:missing"] == [] for got in pages)


def test_one_post_finds_what_three_sites_hold_although_two_refuse_parts_of_it(stage: Stage) -> None:
    """It gave one site's items, with status 200 and no warning."""
    sites = [holding("alpha", range(5)), holding("beta", range(5, 10)), holding("gamma", range(10, 15), "d")]
    with stage.federation(sites, [[], [RefusesMethod("POST")], [RefusesForeign()]]):
        got = asked(f"{stage.stac}/search", {"collections": ["c", "d"], "limit": 50})
    assert got.json["federation:missing"] == []
    assert ids([got]) == newest_first(*sites)


@pytest.mark.parametrize("faults", [[], [RefusesMethod("POST")], [PagesBy("link")], [PagesBy("page")]])
def test_next_goes_on_from_the_second_page_too(stage: Stage, faults: list[Fault]) -> None:
    """It led back to the first page."""
    sites = [holding("alpha", range(9)), holding("beta", range(9, 18))]
    with stage.federation(sites, [faults, faults]):
        first = asked(f"{stage.stac}/search?limit=4&sortby=id")
        link = next_link(first)
        assert link is not None
        second = asked(link["href"])
        onward = next_link(second)
        assert onward is not None
        assert onward["href"] != link["href"]
        third = asked(onward["href"])
    assert ids([first, second, third]) == sorted(newest_first(*sites))[:12]


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [Caps(3)],
        [Caps(3, refuses=True)],
        [Caps(3), RefusesMethod("POST")],
        [Caps(3), RefusesMethod("GET")],
    ],
    ids=["proper", "capped", "refusing long pages", "GET only", "POST only"],
)
@pytest.mark.parametrize("style", ["token", "merged token", "offset", "page", "link", "header"])
def test_a_post_has_many_pages(stage: Stage, faults: list[Fault], style: Any) -> None:
    """It failed with status 500."""
    sites = [holding("alpha", range(20)), holding("beta", range(20, 40))]
    with stage.federation(sites, [[*faults, PagesBy(style)], []]):
        pages = list(walked(f"{stage.stac}/search", {"limit": 6}))
    assert ids(pages) == newest_first(*sites)
    assert len(pages) >= 7
    links = [next_link(got) for got in pages]
    assert all(link is None or link["method"] == "POST" for link in links)


@pytest.mark.parametrize("body", [None, {"ids": ["nothing"]}], ids=["GET", "POST"])
def test_no_match_is_an_empty_answer(stage: Stage, body: object) -> None:
    """It was status 404."""
    sites = [holding("alpha", range(5)), holding("beta", range(5))]
    with stage.federation(sites, [[], [NotFoundIfNone()]]):
        got = asked(f"{stage.stac}/search" + ("?ids=nothing" if body is None else ""), body)
    assert (got.status, got.json["features"], next_link(got)) == (200, [], None)
    assert got.json["federation:missing"] == []
    assert site_of(got, "beta")["state"] == "ok"


@pytest.mark.parametrize("fault", [RefusesFilter(), Ignores("filter")], ids=["refused", "ignored"])
def test_no_item_has_more_clouds_than_asked_for(stage: Stage, fault: Fault) -> None:
    """Where a site refuses filters, it had up to 19 where less than 5 was asked for."""
    sites = [holding("alpha", range(40)), holding("beta", range(40, 80))]
    condition = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 5]}
    with stage.federation(sites, [[], [fault, Caps(6)]]):
        pages = list(walked(f"{stage.stac}/search", {"filter": condition, "limit": 7}))
        texts = list(walked(f"{stage.stac}/search?filter=eo:cloud_cover%3C5&limit=7"))
    covers = [each["properties"]["eo:cloud_cover"] for got in pages for each in got.json["features"]]
    assert covers
    assert max(covers) < 5
    expected = [name for name in newest_first(*sites) if int(name[-3:]) % 20 < 5]
    assert ids(pages) == ids(texts) == expected
    assert all(got.json["federation:missing"] == [] for got in pages)


def test_a_window_before_the_data_is_empty_although_a_site_ignores_it(stage: Stage) -> None:
    """It showed items all the same."""
    sites = [holding("alpha", range(5)), holding("beta", range(12))]
    with stage.federation(sites, [[], [Ignores("datetime")]]):
        got = asked(f"{stage.stac}/search?datetime=2015-01-01T00:00:00Z/2016-01-01T00:00:00Z&limit=50")
    assert ids([got]) == []
    assert next_link(got) is None
    assert got.json["federation:missing"] == []
    beta = site_of(got, "beta")
    assert (beta["state"], beta["unasked"]) == ("ok", 12), "what was left out is counted"
    assert "unasked" not in site_of(got, "alpha")


@pytest.mark.parametrize("sortby", ["-datetime", "id", "eo:cloud_cover"])
def test_one_product_at_two_sites_is_shown_once(stage: Stage, sortby: str) -> None:
    """It was shown twice."""
    sites = [Archive(member("alpha"), [item(1)]), Archive(member("beta"), [item(1), item(2)])]
    with stage.federation(sites, [[], [RefusesMethod("POST")]]):
        pages = list(walked(f"{stage.stac}/search?limit=1&sortby={sortby}"))
        kept = asked(f"{stage.stac}/search?duplicates=keep")
    assert sorted(ids(pages)) == ["P001", "P002"]
    shown = {each["id"]: each["federation:sites"] for got in pages for each in got.json["features"]}
    assert [place["site"] for place in shown["P001"]] == ["alpha", "beta"]
    assert [place["site"] for place in shown["P002"]] == ["beta"]
    assert sorted(ids([kept])) == ["P001", "P001", "P002"]


def test_two_slow_sites_are_asked_at_once(stage: Stage) -> None:
    """It asked one after the other."""
    sites = [holding("alpha", range(5)), holding("beta", range(5, 10))]
    with stage.federation(sites, [[Delays(seconds=0.5)], [Delays(seconds=0.5)]]) as (alpha, beta):
        got = asked(f"{stage.stac}/search")
    assert ids([got]) == newest_first(*sites)
    assert _overlap(alpha, beta), "no search of one was under way while one of the other was"


def _overlap(one: Misbehaving, other: Misbehaving) -> bool:
    """Whether a search came to each before it had answered the other, by their own records."""
    return any(
        mine.answered is not None
        and theirs.answered is not None
        and mine.call.came < theirs.answered
        and theirs.call.came < mine.answered
        for mine in one.searches
        for theirs in other.searches
    )


@pytest.mark.parametrize("fault", [Dies(everywhere=True), Hangs(everywhere=True)], ids=["dead", "hanging"])
def test_a_dead_site_is_named_and_the_others_are_complete(stage: Stage, fault: Fault) -> None:
    """It was silent, or the whole search failed with status 500."""
    sites = [holding("alpha", range(10)), holding("beta", range(10, 20)), holding("gamma", range(20, 30))]
    with stage.federation(sites, [[], [fault], []]):
        pages = list(walked(f"{stage.stac}/search?limit=7"))
        strict = asked(f"{stage.stac}/search?strict=true")
    assert ids(pages) == newest_first(sites[0], sites[2])
    for got in pages:
        assert got.json["federation:missing"] == ["beta"]
        beta = site_of(got, "beta")
        assert beta["state"] in ("error", "timeout")
        assert beta["reason"]
    assert strict.status == 502


def test_a_port_is_kept(stage: Stage) -> None:
    """It was dropped: from the addresses of sites, and from links."""
    sites = [holding("alpha", range(10)), holding("beta", range(10, 20))]
    with stage.federation(sites, [[Caps(3), PagesBy("offset", "without port")], [Caps(3)]]) as under_way:
        pages = list(walked(f"{stage.stac}/search?limit=6&sortby=id"))
    assert ids(pages) == sorted(newest_first(*sites))
    assert all(got.json["federation:missing"] == [] for got in pages)
    for got in pages:
        links = [link["href"] for link in got.json["links"]]
        assert all(href.startswith(stage.stac) for href in links), links
    alternates = {
        link["href"].partition("/collections")[0]
        for got in pages
        for each in got.json["features"]
        for link in each["links"]
        if link["rel"] == "alternate"
    }
    assert alternates == {site.url for site in under_way}


def test_the_callers_token_reaches_a_site_that_is_to_have_it(stage: Stage) -> None:
    """It was never passed on."""
    archives = [holding("alpha", range(3)), holding("beta", range(3, 6)), holding("gamma", range(6, 9))]
    sites = [Misbehaving(archive.items) for archive in archives]
    tokens: list[dict[str, str]] = [{"token": "pass"}, {"token": "none"}, {}]
    entries = [
        {"id": archive.member.id, "endpoints": [{"kind": "stac-api", "url": site.url}], **told}
        for archive, site, told in zip(archives, sites, tokens, strict=True)
    ]
    with served(stage.sites_loop, sites), stage.hub(entries):
        for body in (None, {"limit": 10}):
            got = asked(f"{stage.stac}/search", body, headers={"authorization": "Bearer s3cret"})
            assert ids([got]) == newest_first(*archives)
        sent = [{record.call.headers.get("authorization") for record in site.searches} for site in sites]
        assert sent == [{"Bearer s3cret"}, {None}, {None}]
        assert ids([asked(f"{stage.stac}/search")]) == newest_first(*archives)
        assert sites[0].searches[-1].call.headers.get("authorization") is None, "nobody's token is kept"


def test_a_limit_of_nothing_is_refused(stage: Stage) -> None:
    """It failed with status 500."""
    with stage.federation([holding("alpha", range(3))], [[]]) as (site,):
        for got in (asked(f"{stage.stac}/search?limit=0"), asked(f"{stage.stac}/search", {"limit": 0})):
            assert got.status == 400
            assert "limit" in got.json["description"]
        assert site.searches == [], "nobody has to be asked"


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_an_order_by_a_property_that_is_absent_is_an_order(stage: Stage, direction: str) -> None:
    """It failed with status 500."""
    sites = [holding("alpha", range(6)), holding("beta", range(3, 9))]
    order = [{"field": "nobody:has_it", "direction": direction}]
    with stage.federation(sites, [[], [Caps(2)]]):
        pages = list(walked(f"{stage.stac}/search", {"sortby": order, "limit": 4}))
        at_once = asked(f"{stage.stac}/search", {"sortby": order, "limit": 50})
    assert ids(pages) == ids([at_once]) == sorted(newest_first(*sites))


def test_a_hub_starts_although_nobody_can_be_reached(tmp_path: Path) -> None:
    """It did not start, as its list of members was not to be had."""
    ports = [free_port(), free_port()]
    members = [
        {"id": site, "endpoints": [{"kind": "stac-api", "url": f"http://127.0.0.1:{port}/stac"}]}
        for site, port in zip(("alpha", "beta"), ports, strict=True)
    ]
    with federation(tmp_path) as running:
        hub = running.hub("hub", members)
        running.await_started()
        for path in ("/health", "/stac", "/stac/conformance", "/sites", "/"):
            assert asked(f"{hub.url}{path}").status == 200, path
        got = asked(f"{hub.stac}/search")
        assert got.status == 502
        assert [site["state"] for site in got.json["federation"]["sites"]] == ["error", "error"]
