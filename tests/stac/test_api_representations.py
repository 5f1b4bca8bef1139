"""One answer in many forms: HEAD, unchanged, compressed, from another origin."""

import gzip
import io
import json
from typing import Any

import pytest
import zstandard

from tests.federated import Service, ask
from tests.stac.served import PAGES

TIMED = {"/search", "/collections", "/collections/scenes/items"}
"""Where a hub tells how long each site took, which is never the same."""


@pytest.mark.parametrize("path", PAGES)
def test_head_is_get_without_its_body(service: Service, path: str) -> None:
    got, head = ask(service.stac + path), ask(service.stac + path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    changing = {"date", "x-request-id"} | ({"etag", "content-length"} if path in TIMED else set())
    for name in got.headers.keys() - changing:
        assert head.headers.get(name) == got.headers[name], name
    assert int(got.headers["content-length"]) == len(got.body)
    assert int(head.headers["content-length"]) > 0


@pytest.mark.parametrize("path", [path for path in PAGES if path not in TIMED])
def test_what_has_not_changed_is_not_sent_again(service: Service, path: str) -> None:
    got = ask(service.stac + path)
    for tags in (got.headers["etag"], f'"other", W/{got.headers["etag"]}', "*"):
        again = ask(service.stac + path, if_none_match=tags)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", got.headers["etag"])
    assert ask(service.stac + path, if_none_match='"other"').body == got.body
    zipped = ask(service.stac + path, if_none_match=got.headers["etag"], accept_encoding="gzip")
    assert zipped.status == (200 if "content-encoding" in zipped.headers else 304), "other bytes, same tag"


def test_a_search_by_body_is_always_answered(service: Service) -> None:
    assert ask(f"{service.stac}/search", "POST", {}, if_none_match="*").status == 200


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("path", ["/search?limit=50", "/search?limit=50&fields=id", "/collections", "/api"])
def test_each_coding_holds_one_document_equal_to_the_plain_one(
    service: Service, coding: str, path: str
) -> None:
    plain, coded = ask(service.stac + path), ask(service.stac + path, accept_encoding=coding)
    assert "content-encoding" not in plain.headers
    assert coded.headers["content-encoding"] == coding
    assert len(coded.body) < len(plain.body)
    assert "accept-encoding" in coded.headers["vary"]
    assert _without_times(_decoded(coding, coded.body)) == _without_times(plain.body)


def _decoded(coding: str, body: bytes) -> bytes:
    """The one frame or member that a body must be, and nothing after it."""
    if coding == "zstd":
        decoder = zstandard.ZstdDecompressor().decompressobj()
        content = decoder.decompress(body)
        assert decoder.eof
        assert decoder.unused_data == b""
        return content
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        content = file.read()
    assert body.count(b"\x1f\x8b\x08") == 1
    return content


def _without_times(body: bytes) -> Any:
    document = json.loads(body)
    for site in document.get("federation", {}).get("sites", []):
        site.pop("elapsed_ms", None)
    return document


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0, zstd;q=0", None),
        ("*", "gzip"),
        ("*;q=0", None),
        ("br", None),
        ("gzip;q=oops", None),
        ("GZIP", "gzip"),
    ],
)
def test_the_client_chooses_the_coding(service: Service, accepted: str, coding: str | None) -> None:
    got = ask(f"{service.stac}/search?limit=50", accept_encoding=accepted)
    assert got.headers.get("content-encoding") == coding


def test_any_web_page_may_ask(service: Service) -> None:
    got = ask(f"{service.stac}/search", origin="https://portal.test")
    assert got.headers["access-control-allow-origin"] == "*"
    assert ask(f"{service.stac}/search?limit=0", origin="https://portal.test").headers[
        "access-control-allow-origin"
    ]
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "content-type"}
    preflight = ask(f"{service.stac}/search", "OPTIONS", origin="https://portal.test", **asked)
    assert preflight.status == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "content-type" in preflight.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    "path", ["", "/search?limit=1", "/collections/scenes", "/collections/named/items/plain"]
)
def test_answers_are_of_the_media_types_that_links_promise(service: Service, path: str) -> None:
    ours = [link for link in ask(service.stac + path).json["links"] if link["href"].startswith(service.stac)]
    for link in ours:
        if link.get("method", "GET") == "GET":
            media_type = ask(link["href"]).headers["content-type"]
            assert media_type.partition(";")[0] == link["type"].partition(";")[0], link
