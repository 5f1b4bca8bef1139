"""A hub that is a member of a hub, and hubs that are members of each other, over real sockets."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.discovery.federations import MORNING, OWN_PRODUCT, feature
from tests.federated import Federation, Service, ask, federation, member, walked
from tests.ports import free_port


def _item(item_id: str, collection: str, minutes: int, **properties: Any) -> dict[str, Any]:
    item = feature(item_id, collection, MORNING + minutes * 60_000_000, properties)
    return item | {"assets": {"red": {"href": f"http://files.test/{collection}/{item_id}"}}}


HELD = {
    "alpha": [
        _item("own", "A-C", 14, **{OWN_PRODUCT: "P", "eo:cloud_cover": 50}),
        _item("lone/1", "A-C", 5, **{"eo:cloud_cover": 7}),
    ],
    "beta": [_item("P", "c", 0, **{"eo:cloud_cover": 1}), _item("Q", "c", 9, **{"eo:cloud_cover": 5})],
    "gamma": [_item("Q", "c", 12, **{"eo:cloud_cover": 2}), _item("R", "c", 11, **{"eo:cloud_cover": 60})],
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with federation(tmp_path_factory.mktemp("federation")) as started:
        alpha, beta, gamma = (started.site(name) for name in HELD)
        for site in (alpha, beta, gamma):
            site.ingest(HELD[site.name])
        renaming = {"collections": {"c": "A-C"}, "product": OWN_PRODUCT}
        inside = [member(alpha, "alpha", **renaming), member(beta, "beta", timeout=1)]
        inner = started.hub("inner", inside)
        started.hub("outer", [member(inner, "inner"), member(gamma, "gamma")])
        started.await_started()
        yield started


@pytest.fixture
def services(running: Federation) -> Iterator[Federation]:
    yield running
    running.heal()


def places(item: dict[str, Any]) -> list[str]:
    return [place["site"] for place in item["federation:sites"]]


@pytest.mark.parametrize(
    ("sortby", "names"),
    [
        ("-datetime", ["P", "Q", "R", "lone/1"]),
        ("%2Bdatetime", ["P", "lone/1", "Q", "R"]),
        ("eo:cloud_cover", ["P", "Q", "lone/1", "R"]),
        ("-eo:cloud_cover", ["R", "P", "lone/1", "Q"]),
        ("id", ["P", "Q", "R", "lone/1"]),
    ],
)
def test_two_levels_answer_in_the_order_of_one(services: Federation, sortby: str, names: list[str]) -> None:
    for limit in (1, 2, 100):
        pages = list(walked(ask(f"{services['outer'].stac}/search?sortby={sortby}&limit={limit}")))
        items = [item for page in pages for item in page["features"]]
        assert [item["id"] for item in items] == names
        assert all(page["federation:missing"] == [] for page in pages), pages[0]["federation"]
        by_name = {item["id"]: places(item) for item in items}
        assert by_name["P"] == ["inner/alpha", "inner/beta"]
        assert by_name["Q"] == ["inner/beta", "gamma"]


def test_what_the_inner_hub_holds_is_found_by_the_way_to_it(
    services: Federation,
) -> None:
    outer = services["outer"].stac
    ids = [each["id"] for each in ask(f"{outer}/collections").json["collections"]]
    assert ids == ["c", "gamma|c", "inner|alpha|A-C", "inner|beta|c", "inner|c"]
    for address, way in (
        ("c/items/P", "inner/alpha"),
        ("inner%7Cc/items/P", "inner/alpha"),
        ("inner%7Calpha%7CA-C/items/own", "inner/alpha"),
        ("inner%7Cbeta%7Cc/items/Q", "inner/beta"),
        ("c/items/lone%2F1", "inner/alpha"),
    ):
        got = ask(f"{outer}/collections/{address}")
        assert (got.status, places(got.json)[0]) == (200, way), address
    assert ask(f"{outer}/collections/inner%7Calpha%7CA-C/items/P").status == 404
    assert ask(f"{outer}/collections/alpha%7CA-C").status == 404, "alpha is no member of the outer hub"


def test_all_copies_assets_are_reached_from_the_outer_hub(services: Federation) -> None:
    item = ask(f"{services['outer'].stac}/collections/c/items/P").json
    assert item["assets"]["red"]["href"] == "http://files.test/A-C/own"
    assert item["assets"]["red"]["alternate"]["inner/beta"]["href"] == "http://files.test/c/P"


def test_a_member_missing_inside_is_named_by_the_way_to_it(services: Federation) -> None:
    outer = services["outer"].stac
    services["beta"].send(signal.SIGSTOP)
    got = ask(f"{outer}/search").json
    assert got["federation:missing"] == ["inner/beta"]
    states = {site["id"]: (site["state"], site.get("reason")) for site in got["federation"]["sites"]}
    assert states == {"inner": ("partial", "its own members beta are missing"), "gamma": ("ok", None)}
    assert {item["id"] for item in got["features"]} == {"P", "Q", "R", "lone/1"}
    assert ask(f"{outer}/search?sortby=id").json["federation:missing"] == ["inner/beta"]
    assert ask(f"{outer}/search?strict=true").status == 502
    assert ask(f"{outer}/collections/c/items/nothing").status == 502
    assert ask(f"{outer}/collections/c/items/R").status == 200
    assert ask(f"{outer}/collections").json["federation:missing"] == ["inner/beta"]
    services["beta"].send(signal.SIGKILL)
    services["alpha"].send(signal.SIGKILL)
    assert ask(f"{outer}/search").json["federation:missing"] == ["inner"], "nobody inside answers for it"
    services["inner"].send(signal.SIGKILL)
    assert ask(f"{outer}/search").json["federation:missing"] == ["inner"]


def test_hubs_that_are_members_of_each_other_end_in_an_error_and_not_in_circles(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with federation(tmp_path_factory.mktemp("loop")) as running:
        site = running.site("alpha")
        site.ingest(HELD["gamma"])
        ports = free_port(), free_port()
        back = Service("hub", site.config, ports[1])
        one = running.hub("one", [member(site, "alpha"), member(back, "two")], ports[0])
        running.hub("two", [member(site, "alpha"), member(one, "one")], ports[1])
        itself = free_port()
        again = running.hub("again", [member(Service("hub", site.config, itself), "again")], itself)
        running.await_started()
        for path in ("/search", "/search?sortby=id&limit=1", "/collections"):
            got = ask(one.stac + path).json
            assert got["federation:missing"] == ["two/one"], path
        _, told = ask(f"{one.stac}/search").json["federation"]["sites"]
        assert (told["state"], told["reason"]) == ("partial", "its own members one are missing")
        got = ask(f"{again.stac}/search")
        assert (got.status, got.json["federation"]["sites"][0]["state"]) == (502, "error")
        assert "it answered 508" in got.json["description"]
        direct = ask(f"{one.stac}/search", via=f"1.1 proxy, 1.1 {one.url.removeprefix('http://')} (here)")
        assert (direct.status, direct.json["code"]) == (508, "LoopDetected")


def test_hubs_of_one_id_are_told_apart_by_their_addresses(tmp_path_factory: pytest.TempPathFactory) -> None:
    folders = (tmp_path_factory.mktemp(name) for name in ("inner", "outer"))
    with federation(next(folders)) as inside, federation(next(folders)) as outside:
        site = inside.site("alpha")
        site.ingest(HELD["gamma"])
        inner = inside.hub("demo", [member(site, "alpha")])
        outer = outside.hub("demo", [member(inner, "inner")])
        inside.await_started()
        outside.await_started()
        got = ask(f"{outer.stac}/search")
        assert (got.status, got.json["federation:missing"]) == (200, [])
