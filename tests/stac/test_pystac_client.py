"""pystac-client, as people use it, on a site and on a hub."""

from collections.abc import Iterator
from typing import Any

import pytest
from pystac import Item
from pystac_client import Client

from tests.federated import Service
from tests.stac.served import BOXES, IDS, scenes

HELD = [item for item in scenes() if item["collection"] == "scenes"]
WEST, SOUTH, EAST, NORTH = BOXES[0]
AREA = {
    "type": "Polygon",
    "coordinates": [[[WEST, SOUTH], [EAST, SOUTH], [EAST, NORTH], [WEST, NORTH], [WEST, SOUTH]]],
}
INSIDE = sorted(item["id"] for item in HELD if item["bbox"] == list(BOXES[0]))
CLEAR = sorted(item["id"] for item in HELD if item["properties"]["eo:cloud_cover"] < 20)


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    opened = Client.open(service.stac)
    assert opened._stac_io is not None
    yield opened
    opened._stac_io.session.close()


def ids(client: Client, method: str, **asked: Any) -> list[str]:
    search = client.search(method=method, collections=["scenes"], **asked)
    return [item.id for item in search.items()]


@pytest.mark.parametrize("method", ["GET", "POST"])
class TestSearch:
    def test_items_beyond_the_first_page_are_reached(self, client: Client, method: str) -> None:
        assert sorted(ids(client, method, limit=7)) == sorted(item["id"] for item in HELD)
        assert len(ids(client, method, limit=7, max_items=25)) == 25

    def test_ids(self, client: Client, method: str) -> None:
        two = ["scene-007", "scene-040"]
        assert sorted(ids(client, method, ids=[*two, "nothing"])) == two

    def test_intersects_and_bbox(self, client: Client, method: str) -> None:
        assert sorted(ids(client, method, intersects=AREA)) == INSIDE
        assert sorted(ids(client, method, bbox=BOXES[0])) == INSIDE

    def test_cql2_as_json(self, client: Client, method: str) -> None:
        expression = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}
        assert sorted(ids(client, method, filter=expression, filter_lang="cql2-json")) == CLEAR

    def test_sortby(self, client: Client, method: str) -> None:
        by_cloud = sorted(HELD, key=lambda item: (-item["properties"]["eo:cloud_cover"], item["id"]))
        found = ids(client, method, sortby=["-properties.eo:cloud_cover", "+id"], limit=11)
        assert found == [item["id"] for item in by_cloud]

    def test_fields(self, client: Client, method: str) -> None:
        fields = ["id", "properties.platform"]
        search = client.search(method=method, collections=["scenes"], fields=fields, max_items=3)
        for item in search.items_as_dicts():
            assert item["properties"].keys() == {"platform"}
            assert "assets" not in item

    def test_datetime(self, client: Client, method: str) -> None:
        found = ids(client, method, datetime="2020-05-25/2020-05-27")
        days = [f"2020-05-{day}" for day in (25, 26, 27)]
        held = [item["id"] for item in HELD if item["properties"]["datetime"][:10] in days]
        assert sorted(found) == sorted(held)


def test_cql2_as_text(client: Client) -> None:
    found = ids(client, "GET", filter="eo:cloud_cover < 20", filter_lang="cql2-text")
    assert sorted(found) == CLEAR


def test_collections_are_listed_and_found(client: Client, service: Service) -> None:
    listed = {collection.id for collection in client.get_collections()}
    assert listed >= {"scenes", "named"}
    if service.name == "hub":
        assert listed >= {"alpha|scenes", "beta|scenes"}
    for name in listed:
        found = client.get_collection(name)
        assert found is not None
        assert found.id == name


def test_a_collections_items_are_read(client: Client) -> None:
    collection = client.get_collection("named")
    assert collection is not None
    assert sorted(item.id for item in collection.get_items()) == sorted(IDS)


@pytest.mark.parametrize("item_id", IDS)
def test_an_item_is_found_by_its_collection_and_by_its_link(client: Client, item_id: str) -> None:
    (item,) = client.search(collections=["named"], ids=[item_id]).items()
    by_link = Item.from_file(item.get_self_href() or "")
    assert by_link.id == item_id
    assert by_link.assets["red"].href.startswith("https://files.test/")


def test_items_survive_being_read_and_written_by_pystac(client: Client) -> None:
    for item in client.search(max_items=5).item_collection():
        assert Item.from_dict(item.to_dict()).to_dict() == item.to_dict()


def test_queryables_are_read(client: Client) -> None:
    assert "eo:cloud_cover" in client.get_queryables()["properties"]


def test_collections_are_searched_by_the_service(client: Client) -> None:
    for asked, expected in (
        ({"q": "scenes"}, {"scenes", "named"}),
        ({"q": "nowhere"}, set()),
        ({"q": "all of named,nowhere"}, {"named"}),
        ({"bbox": [10.5, 10.5, 11, 11], "datetime": "2021-01-01/.."}, {"scenes", "named"}),
        ({"bbox": [-20, -20, -10, -10]}, set()),
        ({"datetime": "../2019-12-31"}, set()),
    ):
        search = client.collection_search(limit=1, **asked)
        found = [each.id for each in search.collections()]
        assert {each for each in found if "|" not in each} == expected, asked
        assert search.matched() == len(found), asked


def test_collections_come_in_pages_and_in_order(client: Client) -> None:
    whole = [each["id"] for each in client.collection_search().collections_as_dicts()]
    assert whole == sorted(whole)
    backwards = client.collection_search(limit=1, sortby="-id", fields=["id"])
    pages = list(backwards.pages_as_dicts())
    assert [each["id"] for page in pages for each in page["collections"]] == whole[::-1]
    assert [len(page["collections"]) for page in pages] == [1] * len(whole)
    assert pages[0]["collections"][0].keys() == {"type", "id"}
