"""The STAC API over a site and over a hub: addresses, links, fields, walks."""

from urllib.parse import quote

import pytest

from tests.federated import Service, ask, walked
from tests.stac.served import BOXES, IDS, PAGES, links, scenes

COUNTS = ("aggregate", "aggregations")
ALWAYS = {"type", "id", "collection"}
WHOLE = ALWAYS | {"stac_version", "bbox", "properties", "geometry", "links", "assets"}
FIELDS: list[tuple[str, set[str], set[str] | None]] = [
    ("id", ALWAYS, None),
    ("nowhere.deep", ALWAYS, None),
    ("properties.datetime", ALWAYS | {"properties"}, {"datetime"}),
    ("properties,-properties.datetime", ALWAYS | {"properties"}, {"eo:cloud_cover", "platform"}),
    ("-properties.platform,-links,-assets", WHOLE - {"links", "assets"}, {"datetime", "eo:cloud_cover"}),
    ("-properties,properties.platform", ALWAYS | {"properties"}, {"platform"}),
    ("-id", WHOLE - {"id"}, None),
]


@pytest.mark.parametrize(("fields", "members", "properties"), FIELDS)
def test_fields_picks_members_of_items(
    service: Service, fields: str, members: set[str], properties: set[str] | None
) -> None:
    parts = fields.split(",")
    body = {
        "include": [part for part in parts if part[0] != "-"],
        "exclude": [part[1:] for part in parts if part[0] == "-"],
    }
    for got in (
        ask(f"{service.stac}/search?fields={fields}"),
        ask(f"{service.stac}/search", "POST", {"fields": body}),
        ask(f"{service.stac}/collections/scenes/items?fields={fields}"),
    ):
        for item in got.json["features"]:
            assert {name for name in item if not name.startswith("federation:")} - {
                "stac_extensions"
            } == members
            if properties is not None:
                assert item["properties"].keys() == properties


def test_links_are_made_from_the_configured_address_and_never_from_the_request(service: Service) -> None:
    hostile = {"host": "evil.test", "x_forwarded_host": "evil.test", "forwarded": "host=evil.test"}
    for path in (*PAGES, "/search?limit=1&token=", "/nowhere", "//evil.test/.."):
        got = ask(service.stac + path, **hostile)
        assert b"evil" not in got.body.replace(b"//evil.test/..", b""), path
        assert "evil" not in str(got.headers), path
    for link in ask(service.stac, **hostile).json["links"]:
        assert link["href"].startswith(service.stac)
    body = ask(f"{service.stac}/search", "POST", {"limit": 1}, **hostile).json
    assert links(body)["next"] == f"{service.stac}/search"


@pytest.mark.parametrize("item_id", IDS)
def test_an_item_of_any_id_is_found_by_its_address(service: Service, item_id: str) -> None:
    got = ask(f"{service.stac}/collections/named/items/{quote(item_id, safe='')}")
    assert (got.status, got.json["id"]) == (200, item_id)
    assert ask(links(got.json)["self"]).json == got.json
    (by_search,) = ask(f"{service.stac}/search", "POST", {"ids": [item_id]}).json["features"]
    assert by_search == got.json


def test_get_and_post_walk_to_the_same_items(service: Service) -> None:
    body = {"collections": ["scenes"], "bbox": list(BOXES[0]), "limit": 7}
    by_post = list(walked(ask(f"{service.stac}/search", "POST", body)))
    query = f"collections=scenes&limit=7&bbox={','.join(map(str, BOXES[0]))}"
    by_get = list(walked(ask(f"{service.stac}/search?{query}")))
    by_items = list(walked(ask(f"{service.stac}/collections/scenes/items?{query.partition('&')[2]}")))
    expected = [
        item["id"] for item in scenes() if item["collection"] == "scenes" and item["bbox"] == list(BOXES[0])
    ]
    for pages in (by_post, by_get, by_items):
        found = [item["id"] for page in pages for item in page["features"]]
        assert sorted(found) == sorted(expected)
        assert [item["properties"]["datetime"] for page in pages for item in page["features"]] == sorted(
            (item["properties"]["datetime"] for page in pages for item in page["features"]), reverse=True
        )


def test_the_description_lists_every_route(service: Service) -> None:
    document = ask(f"{service.stac}/api").json
    assert document["openapi"].startswith("3.0")
    assert document["servers"] == [{"url": service.stac}]
    named = {"collectionId": "scenes", "itemId": "scene-001"}
    for path, operations in document["paths"].items():
        address = service.stac + path.format(**named)
        for method in operations:
            assert ask(address, method.upper(), {} if method == "post" else None).status == 200, path
    described = {path.format(collectionId="scenes", itemId="plain") for path in document["paths"]}
    served_paths = {path.replace("named", "scenes") or "/" for path in PAGES}
    counts = "/aggregate" in document["paths"]
    assert counts == any(
        "aggregation" in each for each in ask(f"{service.stac}/conformance").json["conformsTo"]
    )
    if counts:  # where the source does
        served_paths |= {f"{at}/{what}" for at in ("", "/collections/scenes") for what in COUNTS}
    assert described == served_paths
    for rel, href in links(ask(service.stac).json).items():
        if rel != "child":
            assert href.removeprefix(service.stac) in document["paths"], rel


def test_a_method_that_is_not_possible_is_told_what_is(service: Service) -> None:
    for path, allowed in (("/search", {"GET", "HEAD", "POST"}), ("/collections", {"GET", "HEAD"})):
        for method in ("DELETE", "PUT", "PATCH"):
            got = ask(service.stac + path, method)
            assert got.status == 405
            assert {each.strip() for each in got.headers["allow"].split(",")} == allowed
            assert got.json["description"] == f"{method} is not possible here"
    assert ask(f"{service.stac}/collections", "POST", {}).status == 405


def test_what_is_not_at_an_address_is_told_in_json(service: Service) -> None:
    for path in (
        "/nowhere",
        "/collections/",
        "/collections/a/b",
        "/search/",
        "/%00",
        "/collections/scenes/items/",
    ):
        got = ask(service.stac + path)
        assert (got.status, got.headers["content-type"]) == (404, "application/json"), path
        assert got.json["description"]


def test_an_unknown_collection_matches_nothing_and_is_not_at_its_address(service: Service) -> None:
    for got in (
        ask(f"{service.stac}/search?collections=nowhere"),
        ask(f"{service.stac}/search", "POST", {"collections": ["nowhere"], "ids": ["plain"]}),
        ask(f"{service.stac}/search?ids=nothing"),
        ask(f"{service.stac}/collections/scenes/items?datetime=1900-01-01T00:00:00Z"),
    ):
        assert (got.status, got.json["features"], got.json["numberReturned"]) == (200, [], 0)
    for path in (
        "nowhere",
        "nowhere/items",
        "nowhere/queryables",
        "nowhere/items/plain",
        "scenes/items/plain",
    ):
        assert ask(f"{service.stac}/collections/{path}").json["code"] == "NotFound"
