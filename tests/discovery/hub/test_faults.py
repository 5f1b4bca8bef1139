"""Sites and hubs that die, hang and come back: what answers is complete, and who does not is named."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.discovery.federations import MORNING, feature
from tests.federated import Federation, ask, federation, member, walked

NAMES = ("alpha", "beta", "gamma")
MINUTE = 60_000_000


def _item(number: int) -> dict[str, Any]:
    """Every third one is at the same time as the two before it; ids do not stand in order of time."""
    properties = {"eo:cloud_cover": number % 4}
    return feature(f"{number * 7 % 60:02}-{number}", "c", MORNING + number // 3 * 20 * MINUTE, properties)


HELD = {
    "alpha": [_item(number) for number in range(30)],
    "beta": [_item(number) for number in range(20, 50)],
    "gamma": [_item(number) for number in range(40, 60)],
}
OTHERS = {item["id"] for name in ("alpha", "gamma") for item in HELD[name]}
ALL = OTHERS | {item["id"] for item in HELD["beta"]}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with federation(tmp_path_factory.mktemp("federation")) as started:
        sites = {name: started.site(name) for name in NAMES}
        for name, site in sites.items():
            site.ingest(HELD[name])
        started.hub("hub", [member(site, name, timeout=1) for name, site in sites.items()])
        started.await_started()
        yield started


@pytest.fixture
def services(running: Federation) -> Iterator[Federation]:
    yield running
    running.heal()


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for page in pages for item in page["features"]]


def state(page: dict[str, Any], site: str) -> tuple[str, str]:
    told = {each["id"]: each for each in page["federation"]["sites"]}[site]
    return told["state"], told.get("reason", "")


@pytest.mark.parametrize("sortby", ["-datetime", "+datetime", "eo:cloud_cover", "id"])
def test_a_walk_in_which_a_site_is_killed_ends_complete_for_the_others(
    services: Federation, sortby: str
) -> None:
    pages = []
    for page in walked(ask(f"{services['hub'].stac}/search?limit=7&sortby={sortby.replace('+', '%2B')}")):
        pages.append(page)
        if len(pages) == 2:
            services["beta"].send(signal.SIGKILL)
    found = ids(pages)
    assert set(found) >= OTHERS
    assert len(found) == len(set(found)), "a product was shown twice"
    values = [_value(item_id, sortby) for item_id in found]
    assert values == sorted(values, reverse=sortby.startswith("-"))
    assert [page["federation:missing"] for page in pages[:2]] == [[], []]
    for page in pages[2:]:
        assert page["federation:missing"] == ["beta"]
        told, reason = state(page, "beta")
        assert told == "error"
        assert "no connection: Connection refused" in reason, "also where it is not asked for a while"


def _value(item_id: str, sortby: str) -> Any:
    number = int(item_id.partition("-")[2])
    name = sortby.lstrip("+-")
    return {"datetime": number // 3, "eo:cloud_cover": number % 4, "id": item_id}[name]


@pytest.mark.parametrize(("sortby", "end"), [("-datetime", signal.SIGKILL), ("id", signal.SIGTERM)])
def test_a_walk_goes_on_after_the_hub_was_restarted(
    services: Federation, sortby: str, end: signal.Signals
) -> None:
    hub, pages = services["hub"], []
    for page in walked(ask(f"{hub.stac}/search?limit=20&sortby={sortby}")):
        pages.append(page)
        hub.send(end)
        hub.start()
        hub.await_started()
    assert len(pages) == 3
    assert sorted(ids(pages)) == sorted(ALL)


def test_a_site_that_hangs_is_named_and_the_others_are_complete(services: Federation) -> None:
    services["beta"].send(signal.SIGSTOP)
    got = ask(f"{services['hub'].stac}/search?limit=100")
    assert got.status == 200
    assert set(ids([got.json])) == OTHERS
    assert got.json["federation:missing"] == ["beta"]
    assert state(got.json, "beta") == ("timeout", "no answer within 1 s")
    assert "numberMatched" not in got.json
    services.heal()
    assert set(ids([ask(f"{services['hub'].stac}/search?limit=100").json])) == ALL


def test_a_site_that_comes_back_is_asked_again(services: Federation) -> None:
    pages = []
    services["beta"].send(signal.SIGKILL)
    for page in walked(ask(f"{services['hub'].stac}/search?limit=7&sortby=id")):
        pages.append(page)
        if len(pages) == 1:
            services.heal()
    assert [page["federation:missing"] for page in pages] == [["beta"]] + [[]] * (len(pages) - 1)
    assert set(ids(pages)) >= OTHERS | {item_id for item_id in ALL if item_id > ids(pages[:1])[-1]}


def test_an_answer_that_misses_a_site_is_refused_where_it_must_be_whole(services: Federation) -> None:
    address = f"{services['hub'].stac}/search"
    assert ask(f"{address}?strict=true").status == 200
    services["beta"].send(signal.SIGKILL)
    for got in (ask(f"{address}?strict=true"), ask(address, "POST", {"strict": True})):
        assert (got.status, got.json["code"]) == (502, "SitesMissing")
        assert "no connection" in got.json["description"].partition("beta: ")[2]
        states = {site["id"]: site["state"] for site in got.json["federation"]["sites"]}
        assert states == {"alpha": "ok", "beta": "error", "gamma": "ok"}
    assert ask(address).status == 200


def test_nothing_is_said_to_be_nowhere_while_a_site_is_silent(services: Federation) -> None:
    hub = f"{services['hub'].stac}/collections"
    theirs = next(item["id"] for item in HELD["beta"] if item["id"] not in OTHERS)
    services["beta"].send(signal.SIGKILL)
    for path in (f"c/items/{theirs}", "c/items/nothing", "nowhere", "nowhere/items", "nowhere/queryables"):
        got = ask(f"{hub}/{path}")
        assert (got.status, got.json["code"]) == (502, "SitesMissing"), path
        assert "beta" in got.json["description"]
    assert ask(f"{hub}/c/items/{HELD['alpha'][0]['id']}").status == 200
    assert ask(f"{hub}/alpha%7Cc/items/nothing").status == 404, "nobody else could hold it"
    assert ask(f"{hub}/c").json["federation:backends"] == ["alpha", "gamma"]
    assert ask(hub).json["federation:missing"] == ["beta"]


def test_the_door_is_open_while_nobody_is_in(services: Federation) -> None:
    hub = services["hub"]
    for name in NAMES:
        services[name].send(signal.SIGKILL)
    for path in ("/stac", "/stac/", "/stac/conformance", "/stac/api", "/", "/health", "/sites"):
        assert ask(f"{hub.url}{path}").status == 200, path
    for path in ("/stac/search", "/stac/collections", "/stac/queryables", "/stac/collections/c/items"):
        got = ask(f"{hub.url}{path}")
        assert (got.status, got.json["code"]) == (502, "SitesMissing"), path
        assert [site["state"] for site in got.json["federation"]["sites"]] == ["error"] * 3
    got = ask(f"{hub.stac}/search?collections=delta%7Cc")
    assert (got.status, got.json["features"]) == (200, []), "nobody had to be asked"
