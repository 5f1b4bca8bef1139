"""What cannot be asked is refused with 400, and the parameter named, by a site and by a hub."""

import socket
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.federated import Federation, Got, Service, ask
from tests.stac.served import links

DEEP = "(" * 3000 + "true" + ")" * 3000
BAD: list[tuple[str, dict[str, str]]] = [
    ("limit", {"limit": "0"}),
    ("limit", {"limit": "-1"}),
    ("limit", {"limit": "abc"}),
    ("limit", {"limit": ""}),
    ("bbox", {"bbox": "1,2,3,4,5"}),
    ("bbox", {"bbox": "1,2,x,4"}),
    ("bbox", {"bbox": "0,91,1,92"}),
    ("intersects", {"intersects": "{"}),
    ("intersects", {"intersects": '{"type":"Circle"}'}),
    ("bbox and intersects", {"bbox": "0,0,1,1", "intersects": '{"type":"Point","coordinates":[0,0]}'}),
    ("datetime", {"datetime": "yesterday"}),
    ("datetime", {"datetime": "2020-01-02T00:00:00Z/2020-01-01T00:00:00Z"}),
    ("token", {"token": "never made"}),
    ("filter", {"filter": "eo:cloud_cover <"}),
    ("filter", {"filter": DEEP}),
    ("filter", {"filter": '{"op":"="}', "filter-lang": "cql2-json"}),
    ("filter", {"filter": "[", "filter-lang": "cql2-json"}),
    ("filter-lang", {"filter": "true", "filter-lang": "sql"}),
    ("filter-crs", {"filter": "true", "filter-crs": "EPSG:4326"}),
    ("duplicates", {"duplicates": "drop"}),
    ("strict", {"strict": "maybe"}),
    ("colour", {"colour": "red"}),
    ("ids", {"ids": "a,,b"}),
]


@pytest.mark.parametrize(("named", "asked"), BAD)
def test_a_bad_parameter_in_an_address_is_refused_and_named(
    service: Service, named: str, asked: dict[str, str]
) -> None:
    for path in ("/search", "/collections/scenes/items"):
        _assert_refused(ask(f"{service.stac}{path}?{urlencode(asked)}"), named)


BAD_BODIES: list[tuple[str, Any]] = [
    ("limit", {"limit": 0}),
    ("limit", {"limit": "5"}),
    ("limit", {"limit": 1.5}),
    ("bbox", {"bbox": [1, 2, 3, 4, 5]}),
    ("intersects", {"intersects": {"type": "Point"}}),
    ("sortby: direction", {"sortby": [{"field": "datetime", "direction": "upwards"}]}),
    ("sortby", {"sortby": "datetime"}),
    ("collections", {"collections": "scenes"}),
    ("token", {"token": 5}),
    ("filter", {"filter": {"op": "nonsense", "args": []}}),
    ("fields", {"fields": ["id"]}),
    ("colour", {"colour": "red"}),
    ("the body", b"{"),
    ("the body", b"\xff"),
    ("the body", b"[" * 100_000),
    ("the body", [1]),
    ("the body", "text"),
    ("the body", b" " * (1024 * 1024 + 1)),
]


@pytest.mark.parametrize(("named", "body"), BAD_BODIES)
def test_a_bad_member_of_a_body_is_refused_and_named(service: Service, named: str, body: Any) -> None:
    _assert_refused(ask(f"{service.stac}/search", "POST", body), named)


def _assert_refused(got: Got, named: str) -> None:
    assert got.status == 400, got.body[:200]
    assert got.headers["content-type"] == "application/json"
    assert named in got.json["description"]
    assert got.json["code"] in ("BadRequest", "BadCursor")


def test_a_parameter_in_the_address_of_a_post_is_refused_not_dropped(service: Service) -> None:
    _assert_refused(ask(f"{service.stac}/search?limit=1", "POST", {}), "limit")


def test_a_parameter_given_twice_is_refused(service: Service) -> None:
    _assert_refused(ask(f"{service.stac}/search?limit=1&limit=2"), "limit: given twice")


def test_a_collection_within_a_collection_is_refused(service: Service) -> None:
    _assert_refused(ask(f"{service.stac}/collections/scenes/items?collections=named"), "collections")


def test_a_cursor_is_good_for_its_own_search_alone(service: Service, running: Federation) -> None:
    address = f"{service.stac}/search?limit=5"
    following = links(ask(address).json)["next"]
    token = following.partition("token=")[2]
    assert ask(following).status == 200
    assert ask(f"{address}0&token={token}").status == 200, "another page size is the same search"
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for other in (
        f"&token={changed}",
        f"&token={token}&sortby=id",
        f"&token={token}&collections=named",
        "&token=",
    ):
        _assert_refused(ask(address + other), "token")
    elsewhere = running["hub" if service.name == "alpha" else "alpha"]
    _assert_refused(ask(f"{elsewhere.stac}/search?limit=5&token={token}"), "token")


def test_a_client_that_goes_away_in_the_middle_of_its_body_harms_nobody(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(b"POST /stac/search HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert ask(f"{service.stac}/search").status == 200


def test_a_body_in_pieces_is_read_whole_and_not_beyond_its_limit(service: Service) -> None:
    def pieces(*parts: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", service.port)) as client, client.makefile("rb") as answer:
            client.sendall(b"POST /stac/search HTTP/1.1\r\nhost: x\r\nconnection: close\r\n")
            client.sendall(b"transfer-encoding: chunked\r\n\r\n")
            for part in (*parts, b""):
                client.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            return answer.readline()

    assert pieces(b'{"limit"', b":1}") == b"HTTP/1.1 200 OK\r\n"
    assert pieces(*[b" " * 65536] * 17) == b"HTTP/1.1 400 Bad Request\r\n"
