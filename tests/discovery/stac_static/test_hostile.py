"""What a catalogue says is not trusted: where its links lead, how deep it is, what its documents are."""

import json
import os
import threading
from pathlib import Path

import pytest

from cscale.discovery.stac_static import walking
from cscale.errors import SiteError
from cscale.identity import ANONYMOUS
from cscale.net import http as net_http
from cscale.net.http import HttpPool
from tests.discovery.stac_static.catalogues import (
    Where,
    item,
    linked,
    names,
    opened,
    served,
    source_of,
    walked,
    write,
)

both = pytest.mark.parametrize("where", ["web", "disk"])


@both
@pytest.mark.parametrize(
    "href",
    [
        "http://127.0.0.1:9/catalog.json",
        "https://elsewhere.test/item.json",
        "//elsewhere.test/item.json",
        "s3://bucket/item.json",
        "data:application/json,{}",
        "http://[broken",
        "http://127.0.0.1:port/x",
        "a\nb.json",
        "x" * 10_000,
    ],
)
async def test_links_that_lead_away_are_left_out(where: Where, href: str, tmp_path: Path) -> None:
    for relation in ("item", "child"):
        write(tmp_path / "catalog.json", linked("Collection", "c", (relation, href), ("item", "a.json")))
        write(tmp_path / "a.json", item("a"))
        async with opened(where, tmp_path) as source:
            assert names(await walked(source)) == [("c", "a")]
            assert source.rejected == 1


@both
async def test_no_file_outside_is_read(where: Where, tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.json", item("secret"))
    home = tmp_path / "home"
    hrefs = [
        "../secret.json",
        "%2e%2e/secret.json",
        secret.as_uri(),
        "file:///etc/passwd",
        "file://localhost" + str(secret),
        "link.json",
        "folder/secret.json",
        "/etc/passwd",
        "a.json%00",
    ]
    write(
        home / "catalog.json",
        linked("Collection", "c", *(("item", each) for each in hrefs), ("item", "a.json")),
    )
    write(home / "a.json", item("a"))
    if where == "disk":  # a server decides itself what its links show
        (home / "link.json").symlink_to(secret)
        (home / "folder").symlink_to(tmp_path)
    async with opened(where, home) as source:
        assert names(await walked(source)) == [("c", "a")]
        # On disk four of them are one address, and two others another.
        assert source.rejected == (9 if where == "web" else 5)


async def test_a_link_may_leave_the_folder_and_come_back(tmp_path: Path) -> None:
    write(tmp_path / "home" / "catalog.json", linked("Collection", "c", ("item", "../home/a.json")))
    write(tmp_path / "home" / "real" / "b.json", item("a"))
    (tmp_path / "home" / "a.json").symlink_to(tmp_path / "home" / "real" / "b.json")
    async with opened("disk", tmp_path / "home") as source:
        assert names(await walked(source)) == [("c", "a")]


async def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "itself.json").symlink_to("itself.json")
    links = [("item", f"{name}.json") for name in ("pipe", "folder", "zero", "a")]
    write(tmp_path / "catalog.json", linked("Collection", "c", *links))
    write(tmp_path / "a.json", item("a"))
    before = threading.active_count()
    async with opened("disk", tmp_path) as source:
        assert names(await walked(source)) == [("c", "a")]
        assert source.rejected == 3
    assert threading.active_count() - before <= walking.AT_ONCE
    write(tmp_path / "catalog.json", linked("Collection", "c", ("item", "itself.json")))
    async with opened("disk", tmp_path) as source:
        with pytest.raises(SiteError, match=r"itself\.json"):
            await walked(source)


BAD = {
    "html": b"<html>not here</html>",
    "empty": b"",
    "number": b"7",
    "list": b"[]",
    "cut": b'{"type": "Feature", "id": "x',
    "not utf-8": b'{"type": "Feature", "id": "\xff"}',
    "deep": b'{"type": "Feature", "id": "x", "properties": {}, "assets": ' + b"[" * 100_000,
    "other type": b'{"type": "Topology"}',
    "no id": json.dumps(item("") | {"id": None}).encode(),
    "id that is a number": json.dumps(item("") | {"id": 7}).encode(),
    "no properties": json.dumps(item("x") | {"properties": None}).encode(),
    "properties that are a list": json.dumps(item("x") | {"properties": [1]}).encode(),
    "assets that are a list": json.dumps(item("x") | {"assets": [1]}).encode(),
    "collection that is a list": json.dumps(item("x") | {"collection": [1]}).encode(),
    "features that are none": b'{"type": "FeatureCollection", "features": 7}',
    "a list in it": b'{"type": "FeatureCollection", "features": [[]]}',
    "a list of itself": b'{"type": "FeatureCollection", "features": [{"type": "FeatureCollection"}]}',
    "a collection without id": b'{"type": "Collection", "links": []}',
}


@both
@pytest.mark.parametrize("bad", BAD)
async def test_bad_documents_are_left_out_and_counted(where: Where, bad: str, tmp_path: Path) -> None:
    for relation in ("item", "child"):
        links = [("item", "a.json"), (relation, "bad.json")]
        write(tmp_path / "catalog.json", linked("Collection", "c", *links))
        write(tmp_path / "a.json", item("a"))
        write(tmp_path / "bad.json", BAD[bad])
        async with opened(where, tmp_path) as source:
            assert names(await walked(source)) == [("c", "a")]
            assert source.rejected == 1
            assert [each["id"] for each in (await source.collections(ANONYMOUS))[0]] == ["c"]


@both
async def test_odd_members_do_no_harm(where: Where, tmp_path: Path) -> None:
    links = [7, {"rel": ["item"], "href": "b.json"}, {"rel": "item", "href": 7}, {"rel": "item", "href": ""}]
    odd = item("a", links=links, assets={"one": 7, "two": {"href": 7, "alternate": 7}}, geometry="nowhere")
    write(tmp_path / "a.json", odd)
    top = linked("Collection", "c")
    write(tmp_path / "catalog.json", top | {"links": [*links, {"rel": "item", "href": "a.json"}]})
    async with opened(where, tmp_path) as source:
        [found] = await walked(source)
        assert (await source.collections(ANONYMOUS))[0][0]["links"][-1]["href"].endswith("/a.json")
    assert found["assets"] == {"two": {"href": 7, "alternate": 7}}
    assert [link["rel"] for link in found["links"]] == ["item", "via"]
    write(tmp_path / "catalog.json", top | {"links": {"rel": "item"}})
    async with opened(where, tmp_path) as source:
        assert await walked(source) == []


@both
async def test_a_document_without_end_breaks_the_walk_off(
    where: Where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bound is made small, not the answer long: the code that keeps it is the same.
    monkeypatch.setattr(net_http, "MAX_ANSWER", 1000)
    monkeypatch.setattr("cscale.discovery.stac_static.places.MAX_ANSWER", 1000)
    write(tmp_path / "catalog.json", linked("Collection", "c", ("item", "a.json")))
    write(tmp_path / "a.json", b" " * 100_000)
    async with opened(where, tmp_path) as source:
        with pytest.raises(SiteError, match=r"a\.json: .*longer than"):
            await walked(source)


@both
async def test_depth_is_bounded(where: Where, tmp_path: Path) -> None:
    for depth in range(walking.DEEPEST + 1):
        write(tmp_path / f"{depth}.json", linked("Catalog", str(depth), ("child", f"{depth + 1}.json")))
    write(tmp_path / f"{walking.DEEPEST + 1}.json", item("deep"))
    async with opened(where, tmp_path, "1.json") as source:
        assert names(await walked(source)) == [("1", "deep")]
    async with opened(where, tmp_path, "0.json") as source:
        with pytest.raises(SiteError, match=r"50\.json: its links lead more than 50 steps deep"):
            await walked(source)


@both
async def test_number_is_bounded(where: Where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST", 5)
    for count in (4, 5):
        items = [("item", f"{number}.json") for number in range(count)]
        write(tmp_path / "catalog.json", linked("Collection", "c", *items))
        write(tmp_path / f"{count - 1}.json", item(str(count)))
        async with opened(where, tmp_path) as source:
            if count == 4:
                assert len(await walked(source)) == 1
            else:
                with pytest.raises(SiteError, match="more than 5 documents"):
                    await walked(source)


@pytest.mark.parametrize("status", [301, 302, 401, 403, 429, 500, 503])
async def test_an_answer_that_tells_nothing_breaks_the_walk_off(status: int, tmp_path: Path) -> None:
    write(tmp_path / "catalog.json", linked("Collection", "c", ("child", "y.json"), ("item", "a.json")))
    write(tmp_path / "a.json", item("a"))
    http = HttpPool()
    async with served(tmp_path) as server:
        server.broken["/y.json"] = status
        source = source_of(f"{server.url}/catalog.json", http)
        with pytest.raises(SiteError, match=rf"/y\.json: it answered {status}"):
            await walked(source)
        assert "/elsewhere" not in server.asked
    await http.close()


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_said_not_to_be_there_is_counted(status: int, tmp_path: Path) -> None:
    write(tmp_path / "catalog.json", linked("Collection", "c", ("child", "y.json"), ("item", "a.json")))
    write(tmp_path / "a.json", item("a"))
    http = HttpPool()
    async with served(tmp_path) as server:
        server.broken["/y.json"] = status
        source = source_of(f"{server.url}/catalog.json", http)
        assert len(await walked(source)) == 1
        assert source.rejected == 1
    await http.close()


async def test_a_server_that_goes_away_breaks_the_walk_off(tmp_path: Path) -> None:
    write(tmp_path / "catalog.json", linked("Collection", "c", *(("item", f"{n}.json") for n in range(30))))
    for number in range(30):
        write(tmp_path / f"{number}.json", item(str(number)))
    http = HttpPool()
    async with served(tmp_path) as server:
        source = source_of(f"{server.url}/catalog.json", http)
        walk = source.items(ANONYMOUS)
        await anext(walk)
    with pytest.raises(SiteError, match=r"/\d+\.json: "):
        async for _ in walk:
            pass
    await http.close()
