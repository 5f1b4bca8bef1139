"""What the API offers only where a source has it: counts and changes. Without, not a trace of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.federated import Got, ask
from tests.serving import Served, serving
from tests.stac.memory import URL, app
from tests.stac.served import scenes

SCENES = [item for item in scenes() if item["collection"] == "scenes"]
HERE = "/collections/scenes"


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    with serving(app) as server:
        yield server


@pytest.fixture(scope="module")
def counting() -> Iterator[Served]:
    with serving(app, "aggregates") as server:
        yield server


@pytest.fixture
def changing() -> Iterator[Served]:
    with serving(app, "transactions") as server:
        yield server


def get(server: Served, path: str, method: str = "GET", body: object = None, **headers: str) -> Got:
    return ask(f"{server.url}/stac{path}", method, body, **headers)


def claims(server: Served) -> str:
    return str(get(server, "/conformance").json["conformsTo"])


# What is not offered


def test_nothing_is_claimed_linked_or_possible_that_is_not_offered(plain: Served) -> None:
    everything = [get(plain, path).body for path in ("", "/conformance", "/api", "/collections", HERE)]
    for word in (b"aggregat", b"transaction", b"simpletx", b"delete", b"patch"):
        assert not [body for body in everything if word in body.lower()], word
    for path in ("/aggregate", "/aggregations", f"{HERE}/aggregate", f"{HERE}/aggregations"):
        assert get(plain, path).status == 404
    for path in (f"{HERE}/items", f"{HERE}/items/scene-001", HERE, "/collections"):
        for method in ("PUT", "PATCH", "DELETE", "POST"):
            assert get(plain, path, method, {}).status == 405, (path, method)


def test_the_description_lists_what_is_offered(plain: Served, counting: Served, changing: Served) -> None:
    bare, counts, changes = (get(each, "/api").json["paths"] for each in (plain, counting, changing))
    assert set(counts) - set(bare) == {
        "/aggregations", "/aggregate", "/collections/{collectionId}/aggregations",
        "/collections/{collectionId}/aggregate",
    }  # fmt: skip
    assert {name for each in counts["/aggregate"]["get"]["parameters"] for name in [each["name"]]} >= {
        "aggregations", "datetime_frequency_interval", "bbox", "q", "query",
    }  # fmt: skip
    assert counts["/aggregate"].keys() == {"get", "post"}
    methods = {path: set(operations) for path, operations in changes.items()}
    assert set(changes) == set(bare)
    assert methods["/collections"] == {"get", "post"}
    assert methods["/collections/{collectionId}/items"] == {"get", "post"}
    assert methods["/collections/{collectionId}/items/{itemId}"] == {"get", "put", "patch", "delete"}
    assert methods["/collections/{collectionId}"] == {"get", "put", "patch", "delete"}
    for each in (bare, counts, changes):
        names = [operation["operationId"] for path in each.values() for operation in path.values()]
        assert len(set(names)) == len(names)


# Counts


def test_what_can_be_counted_is_told_and_linked(counting: Served) -> None:
    assert "https://api.stacspec.org/v0.3.0/aggregation" in claims(counting)
    for path in ("", HERE):
        links = [link for link in get(counting, path).json["links"] if link["rel"].startswith("aggregat")]
        assert {(link["rel"], link.get("method", "GET")) for link in links} == {
            ("aggregations", "GET"), ("aggregate", "GET"), ("aggregate", "POST"),
        }  # fmt: skip
        for link in links:
            there = link["href"].removeprefix(URL)
            method = link.get("method", "GET")
            assert get(counting, there, method, None if method == "GET" else {}).status == 200
        names = [each["name"] for each in get(counting, f"{path}/aggregations").json["aggregations"]]
        every = get(counting, f"{path}/aggregate?aggregations={','.join(names)}").json
        assert [each["name"] for each in every["aggregations"]] == names


def test_items_of_a_collection_and_of_all_are_counted(counting: Served) -> None:
    asked = {"aggregations": ["total_count", "platform_frequency"], "query": {"eo:cloud_cover": {"lt": 20}}}
    clear = [item for item in SCENES if item["properties"]["eo:cloud_cover"] < 20]
    by_post = get(counting, f"{HERE}/aggregate", "POST", asked).json
    query = "aggregations=total_count,platform_frequency&filter=eo:cloud_cover%20%3C%2020&collections=scenes"
    for got in (
        by_post,
        get(counting, f"/aggregate?{query}").json,
        get(counting, f"{HERE}/aggregate?{query}").json,
    ):
        total, platforms = got["aggregations"]
        assert got["type"] == "AggregationCollection"
        assert total["value"] == len(clear)
        counted = {each["key"]: each["frequency"] for each in platforms["buckets"]}
        assert counted == {
            name: sum(item["properties"]["platform"] == name for item in clear) for name in counted
        }


def test_counts_of_what_is_not_there(counting: Served) -> None:
    for path in ("aggregate", "aggregations"):
        assert get(counting, f"/collections/nowhere/{path}").status == 404
    assert get(counting, "/collections/nowhere/aggregate", "POST", {}).status == 404
    assert get(counting, "/aggregate?collections=nowhere").json["aggregations"][0]["value"] == 0


@pytest.mark.parametrize(
    "query", ["aggregations=nowhere", "limit=1", "collections=named", "datetime_frequency_interval=week"]
)
def test_counts_that_cannot_be_asked_are_refused(counting: Served, query: str) -> None:
    got = get(counting, f"{HERE}/aggregate?{query}")
    assert (got.status, got.json["code"]) == (400, "BadRequest")


# Changes


def item(item_id: str, **members: Any) -> dict[str, Any]:
    return {**{k: v for k, v in SCENES[0].items() if k != "collection"}, "id": item_id, **members}


def test_an_item_is_made_found_changed_and_removed(changing: Served) -> None:
    assert "transaction" in claims(changing)
    there = f"{HERE}/items/a%2Fb"
    made = get(changing, f"{HERE}/items", "POST", item("a/b"))
    assert (made.status, made.headers["location"]) == (201, f"{URL}{there}")
    got = get(changing, there)
    assert got.body == made.body
    assert got.json["collection"] == "scenes"
    assert get(changing, f"{HERE}/items", "POST", item("a/b")).status == 409
    patched = get(changing, there, "PATCH", {"properties": {"platform": None, "gsd": 10}})
    assert patched.status == 200
    assert patched.json["properties"].items() >= {"gsd": 10}.items()
    assert "platform" not in patched.json["properties"]
    replaced = get(changing, there, "PUT", item("a/b", assets={}))
    assert (replaced.status, replaced.json["assets"]) == (200, {})
    assert get(changing, there).body == replaced.body
    gone = get(changing, there, "DELETE")
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert get(changing, there, method, None if method == "GET" else item("a/b")).status == 404, method


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
def test_what_was_changed_by_another_is_not_lost(changing: Served, coding: str) -> None:
    there = f"{HERE}/items/scene-001"
    big = {"description": "x" * 5000}
    assert get(changing, there, "PATCH", {"properties": big}).status == 200
    mine = get(changing, there, accept_encoding=coding).headers["etag"]
    yours = get(changing, there, "PATCH", {"properties": {"gsd": 1}}, if_match=mine)
    assert yours.status == 200
    for method, body in (("PUT", item("scene-001")), ("PATCH", {"properties": {"gsd": 2}}), ("DELETE", None)):
        refused = get(changing, there, method, body, if_match=mine)
        assert (refused.status, refused.json["code"]) == (412, "PreconditionFailed")
    assert get(changing, there).json["properties"]["gsd"] == 1
    assert get(changing, there, "DELETE", if_match=yours.headers["etag"]).status == 204


def test_many_items_are_made_at_once_or_none(changing: Served) -> None:
    def collection(*ids: str) -> dict[str, Any]:
        return {"type": "FeatureCollection", "features": [item(each) for each in ids]}

    made = get(changing, f"{HERE}/items", "POST", collection("x", "y"))
    assert (made.status, "location" in made.headers) == (201, False)
    assert get(changing, f"{HERE}/items", "POST", collection("z", "x")).status == 409
    assert get(changing, f"{HERE}/items", "POST", collection("z", "z")).status == 400
    assert get(changing, f"{HERE}/items/z").status == 404
    assert get(changing, f"{HERE}/items/y").status == 200


def test_a_collection_is_made_changed_and_removed_with_its_items(changing: Served) -> None:
    body = {key: value for key, value in get(changing, HERE).json.items() if key not in ("id", "links")}
    made = get(changing, "/collections", "POST", {**body, "id": "new|one", "links": []})
    there = "/collections/new%7Cone"
    assert (made.status, made.headers["location"]) == (201, URL + there)
    assert get(changing, "/collections", "POST", {**body, "id": "new|one"}).status == 409
    assert get(changing, f"{there}/items", "POST", item("a")).status == 201
    tag = get(changing, there).headers["etag"]
    patched = get(changing, there, "PATCH", {"title": "New", "keywords": ["EO"]}, if_match=tag)
    assert (patched.status, patched.json["title"]) == (200, "New")
    assert get(changing, there, "DELETE", if_match=tag).status == 412
    replaced = get(changing, there, "PUT", {**body, "title": "Newer"})
    assert (replaced.status, "keywords" in replaced.json) == (200, False)
    assert get(changing, f"{there}/items/a").status == 200, "its items stay"
    assert get(changing, there, "DELETE").status == 204
    assert get(changing, there).status == get(changing, f"{there}/items/a").status == 404
    for method in ("PUT", "PATCH", "DELETE"):
        assert get(changing, there, method, body).status == 404


ITEMS, ITEM = f"{HERE}/items", f"{HERE}/items/scene-001"
REFUSED: list[tuple[str, str, Any, int]] = [
    ("POST", ITEMS, item("a", collection="named"), 400),
    ("POST", ITEMS, item("a", type="Catalog"), 400),
    ("POST", ITEMS, {**item("a"), "id": ""}, 400),
    ("POST", ITEMS, {**item("a"), "id": 5}, 400),
    ("POST", ITEMS, {"type": "FeatureCollection", "features": []}, 400),
    ("POST", ITEMS, {"type": "FeatureCollection", "features": [5]}, 400),
    ("POST", ITEMS, {"type": "FeatureCollection", "features": {}}, 400),
    ("POST", ITEMS, {"type": "FeatureCollection", "features": [item(str(n)) for n in range(1001)]}, 400),
    ("POST", ITEMS, b"[]", 400),
    ("POST", ITEMS, b"{", 400),
    ("POST", ITEMS, b" " * (32 * 1024 * 1024 + 1), 400),
    ("POST", "/collections/nowhere/items", item("a"), 404),
    ("PUT", ITEM, item("other"), 400),
    ("PUT", ITEM, item("scene-001", collection="named"), 400),
    ("PATCH", ITEM, {"id": "other"}, 400),
    ("PATCH", ITEM, {"id": None}, 400),
    ("PATCH", ITEM, {"collection": None}, 400),
    ("PATCH", ITEM, {"type": None}, 400),
    ("PATCH", f"{ITEM}?a=b", {}, 400),
    ("POST", "/collections", {}, 400),
    ("POST", "/collections", {"id": "new", "type": "Catalog"}, 400),
    ("PUT", HERE, {"id": "named"}, 400),
    ("PATCH", HERE, {"id": None}, 400),
    ("PATCH", HERE, {"type": "Feature"}, 400),
]


def test_what_cannot_be_done_changes_nothing(changing: Served) -> None:
    paths = (ITEM, HERE, f"{ITEMS}?limit=1000", "/collections")
    before = [get(changing, path).body for path in paths]
    for method, path, body, status in REFUSED:
        got = get(changing, path, method, body)
        assert got.status == status, (method, path, body if isinstance(body, dict) else "", got.body)
        assert json.loads(got.body)["description"]
    assert [get(changing, path).body for path in paths] == before
