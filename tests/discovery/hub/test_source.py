"""Three sites and a hub, each a process of its own: what a caller of the hub gets, over real sockets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cscale.stac.search import from_json
from tests.discovery.federations import (
    DAYS,
    MORNING,
    OWN_PRODUCT,
    Archive,
    Expected,
    feature,
    held_items,
    member,
    union,
)
from tests.federated import Got, Service, ask, federation, walked
from tests.federated import member as entry

MEMBERS: dict[str, dict[str, Any]] = {
    "alpha": {"collections": {"c": "A-C"}, "product": OWN_PRODUCT},
    "beta": {},
    "gamma": {"collections": {"c": "A-C", "d": "c"}},
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Service]]:
    with federation(tmp_path_factory.mktemp("federation")) as running:
        sites = {name: running.site(name) for name in MEMBERS}
        hub = running.hub("demo", [entry(sites[name], name, **told) for name, told in MEMBERS.items()])
        running.await_started()
        yield sites | {"hub": hub}


def holding(services: Mapping[str, Service], held: Mapping[str, list[dict[str, Any]]]) -> list[Archive]:
    """Let the sites hold these."""
    for name in MEMBERS:
        services[name].ingest(held.get(name, []))
    return [Archive(member(name, **told), held.get(name, [])) for name, told in MEMBERS.items()]


def searched(hub: Service, body: Mapping[str, Any], method: str, path: str = "/search") -> Got:
    """A search as body or as address."""
    if method == "POST":
        return ask(f"{hub.stac}{path}", "POST", body)
    return ask(f"{hub.stac}{path}?{urlencode(_as_query(body))}")


def _as_query(body: Mapping[str, Any]) -> dict[str, str]:
    query = {name: str(value) for name, value in body.items()}
    for name in ("collections", "ids", "bbox"):
        if name in body:
            query[name] = ",".join(map(str, body[name]))
    if "sortby" in body:
        fields = (("-" if each["direction"] == "desc" else "+") + each["field"] for each in body["sortby"])
        query["sortby"] = ",".join(fields)
    if "filter" in body:
        query |= {"filter": json.dumps(body["filter"]), "filter-lang": "cql2-json"}
    return query


def found(page: Mapping[str, Any]) -> list[Expected]:
    return [
        (item["id"], item["collection"], [tuple(place.values()) for place in item["federation:sites"]])
        for item in page["features"]
    ]


def _sort(*fields: str) -> list[dict[str, str]]:
    return [{"field": field[1:], "direction": "desc" if field[0] == "-" else "asc"} for field in fields]


SORTS = [["-datetime"], ["+datetime"], ["-eo:cloud_cover"], ["+id"], ["+platform", "-id"]]
COLLECTIONS = [["c"], ["c", "d"], ["alpha|A-C"], ["gamma|A-C", "d"], ["nowhere"]]
FILTERS: list[dict[str, Any]] = [
    {"op": "<", "args": [{"property": "eo:cloud_cover"}, 50]},
    {"op": "in", "args": [{"property": "id"}, ["P", "Q"]]},
    {"op": "not", "args": [{"op": "=", "args": [{"property": "collection"}, "c"]}]},
]
BODIES = st.fixed_dictionaries(
    {"limit": st.sampled_from([1, 7, 100])},
    optional={
        "sortby": st.sampled_from([_sort(*fields) for fields in SORTS]),
        "collections": st.sampled_from(COLLECTIONS),
        "duplicates": st.sampled_from(["join", "keep"]),
        "filter": st.sampled_from(FILTERS),
        "bbox": st.just([0, 0, 5, 5]),
        "datetime": st.just("2020-05-20T18:40:00Z/2020-05-20T18:55:00Z"),
    },
)


@settings(
    max_examples=25,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    report_multiple_bugs=False,
)
@given(held=st.fixed_dictionaries({name: held_items() for name in MEMBERS}), body=BODIES)
def test_following_next_gives_the_union_of_the_sites(
    services: dict[str, Service], held: dict[str, list[dict[str, Any]]], body: dict[str, Any]
) -> None:
    expected = union(holding(services, held), from_json(body))
    for method in ("POST", "GET"):
        pages = list(walked(searched(services["hub"], body, method)))
        assert [each for page in pages for each in found(page)] == expected
        for page in pages:
            copies = [place[0] for _, _, places in found(page) for place in places]
            told = {site["id"]: site.get("returned", 0) for site in page["federation"]["sites"]}
            assert told == {name: copies.count(name) for name in MEMBERS}
            assert page["federation:missing"] == []
            assert page["numberReturned"] == len(page["features"]) <= body["limit"]
            assert page.get("numberMatched", len(expected)) == len(expected)


def item(item_id: str, collection: str = "c", minutes: int = 0, product: str = "") -> dict[str, Any]:
    properties = {OWN_PRODUCT: product} if product else {}
    return feature(item_id, collection, MORNING + minutes * 60_000_000, properties)


def names(got: Got) -> list[str]:
    assert got.status == 200, got.body
    return [each["id"] for each in got.json["features"]]


def test_an_item_of_the_federation_is_found_by_its_products_name(services: dict[str, Service]) -> None:
    copy = item("P", minutes=14)
    holding(services, {"alpha": [item("own", "A-C", product="P")], "beta": [copy]})
    hub = services["hub"].stac
    for got in (ask(f"{hub}/collections/c/items/P"), ask(f"{hub}/collections/c/items?ids=P")):
        assert got.status == 200
        body = got.json.get("features", [got.json])[0]
        assert [place["site"] for place in body["federation:sites"]] == ["alpha", "beta"]
        assert body["links"][-4]["href"] == f"{hub}/collections/c/items/P"
    assert ask(f"{hub}/collections/c/items/own").status == 404


def test_an_item_of_one_site_is_found_by_its_own_id(services: dict[str, Service]) -> None:
    holding(services, {"alpha": [item("own", "A-C", product="P")], "beta": [item("P")]})
    hub = services["hub"].stac
    own = ask(f"{hub}/collections/alpha%7CA-C/items/own").json
    assert (own["id"], own["collection"]) == ("own", "alpha|A-C")
    assert [place["site"] for place in own["federation:sites"]] == ["alpha"]
    assert ask(f"{hub}/collections/alpha%7CA-C/items/P").status == 404
    by_filter = {"collections": ["alpha|A-C"], "filter": {"op": "=", "args": [{"property": "id"}, "own"]}}
    assert names(ask(f"{hub}/search", "POST", by_filter)) == ["own"]


def test_every_self_link_leads_back_to_its_item(services: dict[str, Service]) -> None:
    held = {
        "alpha": [item("a/b", "A-C", product="P/1"), item("50%", "x|y"), item("é?", "c")],
        "beta": [item("a/b"), item("x", "x|y")],
    }
    holding(services, held)
    features = ask(f"{services['hub'].stac}/search?limit=100").json["features"]
    assert len(features) == 5
    for each in features:
        links = {link["rel"]: link["href"] for link in each["links"]}
        assert ask(links["self"]).json == each
        assert ask(links["collection"]).json["id"] == each["collection"]


def test_an_items_alternate_links_lead_to_its_copies(services: dict[str, Service]) -> None:
    holding(services, {"alpha": [item("a b/c", "A-C", product="P")], "beta": [item("P")]})
    (shown,) = ask(f"{services['hub'].stac}/search").json["features"]
    copies = [ask(link["href"]).json for link in shown["links"] if link["rel"] == "alternate"]
    assert [(copy["id"], copy["collection"]) for copy in copies] == [("a b/c", "A-C"), ("P", "c")]


def test_collections_are_the_federations_and_each_sites_own(services: dict[str, Service]) -> None:
    holding(services, {"alpha": [item("P", "A-C")], "beta": [item("P")], "gamma": [item("P", "c")]})
    got = ask(f"{services['hub'].stac}/collections").json
    ids = [each["id"] for each in got["collections"]]
    assert ids == sorted(ids)
    assert {"c", "d", "alpha|A-C", "beta|c", "gamma|c"} <= set(ids)
    assert got["federation:missing"] == []
    by_id = {each["id"]: each for each in got["collections"]}
    assert by_id["c"]["federation:backends"][:2] == ["alpha", "beta"]
    assert by_id["d"]["federation:backends"][-1:] == ["gamma"]
    for each in got["collections"]:
        links = {link["rel"]: link["href"] for link in each["links"]}
        assert ask(links["self"]).json == each
        assert ask(links["items"]).status == 200


def test_what_is_nowhere_matches_nothing_and_is_not_at_any_address(services: dict[str, Service]) -> None:
    holding(services, {"beta": [item("P")]})
    hub = services["hub"].stac
    for query in (
        "collections=nowhere",
        "ids=nothing",
        "collections=delta|c",
        "datetime=1900-01-01T00:00:00Z",
    ):
        got = ask(f"{hub}/search?{query.replace('|', '%7C')}")
        assert names(got) == []
        assert got.json["numberMatched"] == 0
        assert "next" not in [link["rel"] for link in got.json["links"]]
    for path in ("nowhere", "nowhere/items", "nowhere/items/P", "nowhere/queryables", "c/items/nothing"):
        got = ask(f"{hub}/collections/{path}")
        assert (got.status, got.json["code"]) == (404, "NotFound"), path


def test_a_site_that_holds_none_of_the_collections_is_skipped_and_not_missing(
    services: dict[str, Service],
) -> None:
    holding(services, {"beta": [item("P", "A-C")], "gamma": [item("Q", "A-C")]})
    got = ask(f"{services['hub'].stac}/search?collections=gamma%7CA-C&strict=true")
    assert names(got) == ["Q"]
    states = {site["id"]: site["state"] for site in got.json["federation"]["sites"]}
    assert states == {"alpha": "skipped", "beta": "skipped", "gamma": "ok"}
    assert got.json["federation:missing"] == []
    assert got.json["numberMatched"] == 1


def test_products_a_second_apart_by_name_are_two(services: dict[str, Service]) -> None:
    holding(services, {"alpha": [item("S2A_1", "A-C"), item("S2A_2", "A-C")], "beta": [item("S2A_1")]})
    assert sorted(names(ask(f"{services['hub'].stac}/search"))) == ["S2A_1", "S2A_2"]


@pytest.mark.parametrize(
    ("sortby", "interval"),
    [("-datetime", "2020-05-21T00:00:00Z/.."), ("+datetime", "2020-05-20T00:00:00Z/2020-05-20T01:00:00Z")],
)
def test_items_that_stand_beyond_the_interval_they_meet_are_all_reached(
    services: dict[str, Service], sortby: str, interval: str
) -> None:
    long = [feature(f"{i}", "c", MORNING + i * 3_600_000_000, DAYS) for i in range(5)]
    holding(services, {"beta": long, "gamma": [each | {"collection": "A-C"} for each in long]})
    body = {"sortby": _sort(sortby), "datetime": interval, "limit": 1}
    shown = [each for page in walked(searched(services["hub"], body, "POST")) for each in found(page)]
    assert [name for name, *_ in shown] == [
        str(i) for i in (range(5) if sortby[0] == "+" else range(4, -1, -1))
    ]
    assert all(len(places) == 2 for *_, places in shown)


def test_many_names_are_asked_for_in_an_order_that_is_not_times(services: dict[str, Service]) -> None:
    """A page's products are asked about by name; a thousand long names are more than one filter takes."""
    long = [f"S2A_MSIL2A_20200601T092031_N0500_R093_T34TFR_{number:020}.SAFE" for number in range(400)]
    ours = [item(f"own {number}", "A-C", product=name) for number, name in enumerate(long)]
    holding(services, {"alpha": ours, "beta": [item(name) for name in long[::2]]})
    got = ask(f"{services['hub'].stac}/search?sortby=id&limit=1000")
    assert names(got) == long
    assert got.json["federation:missing"] == []
    assert [len(each["federation:sites"]) for each in got.json["features"]] == [2, 1] * 200


def test_queryables_are_what_any_site_knows(services: dict[str, Service]) -> None:
    holding(services, {"beta": [item("P")]})
    for path in ("/queryables", "/collections/c/queryables", "/collections/beta%7Cc/queryables"):
        schema = ask(f"{services['hub'].stac}{path}").json
        assert schema["properties"].keys() >= {"id", "collection", "datetime", "geometry", "eo:cloud_cover"}
