"""The pages for people: the same data, nothing hostile alive in it, and JSON for whoever asks for no page."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.stac.html import Here, collections, content_security, items, pages
from cscale.stac.html.values import size, web_address
from tests.federated import Got, Service, ask
from tests.serving import Served, serving
from tests.stac.memory import app
from tests.stac.served import PAGES, links

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
COUNTS = ("/aggregations", "/aggregate?aggregations=platform_frequency,total_count,cloud_cover_frequency")
HERE = Here("A <service>", "http://a.test/stac", "http://a.test/stac/x?f=json", [("q", '"><script>')])
ALLOWED = {
    "html", "head", "meta", "link", "title", "style", "body", "a", "header", "nav", "main", "footer", "h1",
    "h2", "p", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td", "br", "code", "img",
    "form", "label", "input", "select", "option", "button", "meter", "svg", "path", "text",
}  # fmt: skip
"""The elements that pages are made of: none that runs or fetches anything but pictures."""
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """A page read strictly: what it opens it closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.opened == [], "something was not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if self.opened[-1:] != ["style"]:
            self.text += data

    def hrefs(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.tags if tag == "a"]


def sound(text: str) -> Page:
    """The page, if nothing in it can run."""
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("style", "srcdoc")], attrs
        for name in ("href", "src", "action"):
            if name in attrs:
                assert re.match(r"https?://|#(main|i\d+)$", attrs[name] or ""), attrs
    return page


@pytest.fixture(scope="module")
def counting() -> Iterator[Served]:
    with serving(app, "aggregates") as server:
        yield server


def browse(address: str, **headers: str) -> Got:
    return ask(address, accept=BROWSER, **headers)


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_gets_a_page_at_every_address(service: Service, path: str) -> None:
    got = browse(service.stac + path)
    assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "accept" in got.headers["vary"]
    if path != "/api.html" and path != "/api":
        page = sound(got.body.decode())
        assert got.headers["content-security-policy"] == content_security(service.stac)
        json_there = next(a["href"] for t, a in page.tags if t == "link" and a["rel"] == "alternate")
        same = ask(json_there or "")
        assert (same.status, same.headers["content-type"].partition("/")[0]) == (200, "application")


@pytest.mark.parametrize("path", COUNTS)
@pytest.mark.parametrize("below", ["", "/collections/scenes"])
def test_counts_have_pages_too(counting: Served, below: str, path: str) -> None:
    got = browse(f"{counting.url}/stac{below}{path}")
    assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "platform_frequency" in sound(got.body.decode()).text


@pytest.mark.parametrize(
    "path", ["/search?limit=2", "/collections/scenes", "/collections/named/items/plain", "/"]
)
@pytest.mark.parametrize(
    "accept",
    [None, "*/*", "application/json", "application/geo+json", "application/*, text/html;q=0.5",
     "application/json, text/html", "text/html;q=0", "text/html;q=x", "text/plain", "", ";q=1,,"],
)  # fmt: skip
def test_who_asks_for_no_page_gets_the_same_bytes_as_ever(
    service: Service, path: str, accept: str | None
) -> None:
    plain = ask(service.stac + path, accept_encoding="identity")
    got = ask(
        service.stac + path, accept_encoding="identity", **({} if accept is None else {"accept": accept})
    )
    assert _timeless(got.body) == _timeless(plain.body)
    assert got.headers["content-type"] == plain.headers["content-type"]
    assert "content-security-policy" not in got.headers


def _timeless(body: bytes) -> bytes:
    return re.sub(rb'"elapsed_ms":\d+', b"", body)


def test_the_address_decides_over_the_headers(service: Service) -> None:
    assert ask(f"{service.stac}/search?f=html&limit=1").headers["content-type"].startswith("text/html")
    got = browse(f"{service.stac}/search?f=json&limit=1")
    assert got.headers["content-type"] == "application/geo+json"
    assert got.json["links"]
    assert not [link for link in got.json["links"] if "f=json" in link["href"]]
    assert ask(f"{service.stac}/search?f=xml").status == 400
    assert ask(f"{service.stac}/search", "POST", {"limit": 1}, accept=BROWSER).json["features"]


def test_a_page_and_its_json_have_tags_of_their_own(service: Service) -> None:
    address = f"{service.stac}/collections/named/items/plain"
    page, plain = browse(address), ask(address)
    assert page.headers["etag"] != plain.headers["etag"]
    assert browse(address, if_none_match=page.headers["etag"]).status == 304
    assert browse(address, if_none_match=plain.headers["etag"]).status == 200
    head = ask(address, "HEAD", accept=BROWSER)
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", page.headers["etag"])


def test_the_form_asks_and_its_pages_are_followed(service: Service) -> None:
    form = "q=&collections=scenes&from=2020-05-25&to=2020-05-27&bbox=&sortby=&limit=1"
    form += "&filter=eo:cloud_cover+%3C+90"
    by_json = ask(
        f"{service.stac}/search?collections=scenes&filter=eo:cloud_cover%20%3C%2090&limit=100"
        "&datetime=2020-05-25T00:00:00Z/2020-05-27T23:59:59.999999Z"
    ).json
    expected = [item["id"] for item in by_json["features"]]
    assert len(expected) > 2
    seen, address = [], f"{service.stac}/search?{form}"
    for _ in range(20):
        page = sound(browse(address).body.decode())
        rows = [href for href in page.hrefs() if "/items/" in href]
        seen += [href.rpartition("/")[2] for href in rows]
        inputs = {attrs.get("name"): attrs.get("value") for tag, attrs in page.tags if tag == "input"}
        assert (inputs["from"], inputs["filter"]) == ("2020-05-25", "eo:cloud_cover < 90")
        following = [href for href in page.hrefs() if "token=" in href and "f=json" not in href]
        if not following:
            break
        address = following[-1]
    assert seen == expected


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [("/search?bbox=1,2", 400, "bbox: expected four"), ("/collections/nowhere", 404, "nowhere"),
     ("/collections/scenes/items/%3Cscript%3E", 404, "<script>"), ("/search?%3Cb%3E=1", 400, "<b>: not")],
)  # fmt: skip
def test_errors_have_pages_for_people_alone(service: Service, path: str, status: int, said: str) -> None:
    got = browse(service.stac + path)
    assert (got.status, got.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in sound(got.body.decode()).text
    assert said in ask(service.stac + path).json["description"]
    assert ask(service.stac + path, "HEAD", accept=BROWSER).body == b""


def test_what_the_router_refuses_can_have_a_page_too(counting: Served) -> None:
    got = browse(f"{counting.url}/stac/nowhere")
    assert (got.status, got.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "nothing is <here>" in sound(got.body.decode()).text
    assert ask(f"{counting.url}/stac/nowhere").json == {"description": "nothing is <here>"}
    refused = ask(f"{counting.url}/stac/search", "DELETE", accept=BROWSER)
    assert (refused.status, "POST" in refused.headers["allow"]) == (405, True)


# What an item says


NASTY = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
ADDRESSES = ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,<b>",
             "//evil.test", "http://", "java\nscript:alert(1)", "vbscript:x", "file:///a", "s3://a/b",
             "http://a.test/\n", "https:evil", "#x", "", NASTY, "http://[", "blob:http://a"]  # fmt: skip


def hostile(address: str) -> dict[str, Any]:
    asset = {
        "href": address,
        "title": NASTY,
        "type": "image/png",
        "roles": ["thumbnail", NASTY],
        "file:size": NASTY,
    }
    return {
        "type": "Feature", "id": NASTY, "collection": NASTY, "title": NASTY, "description": NASTY,
        "geometry": {"type": "Point", "coordinates": [1, 2]}, "bbox": [NASTY],
        "properties": {"title": NASTY, NASTY: NASTY, "datetime": NASTY, "platform": NASTY, "x": {"y": NASTY}},
        "assets": {NASTY: {**asset, "alternate": {NASTY: asset}}, "thumbnail": asset, "odd": 5},
        "links": [{"rel": rel, "href": address, "title": NASTY, "type": NASTY}
                  for rel in ("self", "next", "child", "related", NASTY)] + [5],
        "providers": [{"name": NASTY, "url": address, "roles": [NASTY]}], "keywords": [NASTY],
        "extent": {"spatial": {"bbox": [[NASTY, 1, 2, 3], [1]]}, "temporal": {"interval": [[NASTY, None]]}},
        "summaries": {NASTY: {"minimum": NASTY, "maximum": 1}},
        "federation": {"sites": [{"id": NASTY, "state": NASTY, "reason": NASTY, "returned": NASTY}]},
        "numberMatched": NASTY, "conformsTo": [address, NASTY], "code": NASTY,
    }  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_an_item_says_stays_text(address: str) -> None:
    thing = hostile(address)
    aggregation = {
        "name": NASTY,
        "data_type": NASTY,
        "buckets": [{"key": NASTY, "frequency": 1}],
        "overflow": NASTY,
    }
    documents = [
        items.item(thing, HERE),
        items.results(thing | {"features": [thing, 5]}, HERE),
        collections.collection(thing, HERE),
        collections.collections(thing | {"collections": [thing]}, HERE),
        pages.landing(thing, HERE),
        pages.conformance(thing, HERE),
        pages.error(thing, HERE),
        pages.queryables(thing | {"properties": {NASTY: {"type": NASTY, "title": NASTY}, "a": 5}}, HERE),
        pages.aggregations(thing | {"aggregations": [aggregation]}, HERE),
        pages.aggregate(thing | {"aggregations": [aggregation]}, HERE),
    ]
    for text in documents:
        page = sound(text)
        if "://evil" in address or web_address(address) is None:
            assert address not in page.hrefs() or address == ""
    assert NASTY in sound(documents[0]).text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(hostile(""))), json_values, max_size=6))
def test_no_answer_is_so_odd_that_there_is_no_page_of_it(document: dict[str, Any]) -> None:
    makers = [items.item, items.results, collections.collection, collections.collections, pages.landing]
    makers += [pages.conformance, pages.error, pages.queryables, pages.aggregations, pages.aggregate]
    for make in makers:
        sound(make(json.loads(json.dumps(document)), HERE))


def test_only_web_addresses_become_links() -> None:
    assert [address for address in ADDRESSES if web_address(address)] == []
    for address in ("http://a.test", "https://a.test/b?c=d&e=%20#f", "https://é.test/ü"):
        assert web_address(address) == address


def test_sizes_are_told_for_people() -> None:
    assert [size(each) for each in (0, 999, 13_366, 1_050_000, 7 * 10**9, 5 * 10**15)] == [
        "0 B", "999 B", "13.4 kB", "1.05 MB", "7 GB", "5e+03 TB",
    ]  # fmt: skip
    assert [size(each) for each in (None, -1, "5", True, 1.5)] == [""] * 5


def test_footprints_over_the_antimeridian_and_odd_ones_are_drawn() -> None:
    far = {"type": "Polygon", "coordinates": [[[170, 60], [190, 60], [190, 70], [170, 60]]]}
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    both = {"type": "GeometryCollection", "geometries": [line, {"type": "Point", "coordinates": [5, 5]}]}
    for geometry in (far, line, both, {"type": "Point", "coordinates": [0, 90]}):
        page = sound(items.item({"id": "a", "geometry": geometry}, HERE))
        shapes = [attrs["d"] or "" for tag, attrs in page.tags if tag == "path" and attrs["class"] == "area"]
        assert shapes
        assert all("nan" not in each and each.startswith("M") for each in shapes)
    assert "<svg" not in items.item({"id": "a", "geometry": None}, HERE)


def test_pages_lead_on(service: Service) -> None:
    page = sound(browse(service.stac).body.decode())
    for href in page.hrefs():
        if href.startswith(service.stac):
            assert browse(href).status == 200, href
    assert links(ask(service.stac).json)["self"] in page.hrefs()
