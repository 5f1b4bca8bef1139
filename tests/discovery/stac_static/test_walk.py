"""Static catalogues are walked to their end, on the web as on disk."""

import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import SiteError
from cscale.identity import ANONYMOUS, Caller
from cscale.net.http import HttpPool
from tests.discovery.stac_static.catalogues import (
    DATA,
    Where,
    item,
    linked,
    names,
    opened,
    real_items,
    served,
    source_of,
    walked,
    write,
)

both = pytest.mark.parametrize("where", ["web", "disk"])


def real_catalogue(folder: Path) -> list[dict[str, Any]]:
    """A catalogue of real items: a catalogue a mission, a collection a type, an item a folder."""
    items = real_items()
    kinds = sorted({each["id"][:3] for each in items})
    top = linked("Catalog", "all", *(("child", f"./{kind}/catalog.json") for kind in kinds))
    write(folder / "catalog.json", top)
    for kind in kinds:
        of_kind = [each for each in items if each["id"].startswith(kind)]
        write(folder / kind / "catalog.json", linked("Catalog", kind, ("child", "products/collection.json")))
        own = linked(
            "Collection",
            f"{kind}-products",
            ("parent", "../catalog.json"),
            ("root", "../../catalog.json"),
            *(("item", f"../items/{each['id']}/item.json") for each in of_kind),
        )
        write(folder / kind / "products" / "collection.json", own)
        for each in of_kind:
            write(folder / kind / "items" / each["id"] / "item.json", each)
    return items


@both
async def test_real_items_come_whole(where: Where, tmp_path: Path) -> None:
    items = {each["id"]: each for each in real_catalogue(tmp_path)}
    async with opened(where, tmp_path) as source:
        found = await walked(source)
        told, missing = await source.collections(ANONYMOUS)
    assert sorted(each["id"] for each in found) == sorted(items)
    assert len(items) > 15
    for each in found:
        was = items[each["id"]]
        assert each["collection"] == was.get("collection", f"{each['id'][:3]}-products")
        assert [each[name] for name in ("geometry", "properties")] == [
            was[name] for name in ("geometry", "properties")
        ]
        assert each["assets"].keys() == was["assets"].keys()
    assert source.rejected == 0
    assert sorted(each["id"] for each in told) == sorted({f"{name[:3]}-products" for name in items})
    assert list(missing) == []


@both
async def test_addresses_become_absolute(where: Where, tmp_path: Path) -> None:
    assets = {
        "near": {"href": "./a b.tif", "alternate": {"s3": {"href": "s3://b/k"}, "up": {"href": "../up.tif"}}},
        "far": {"href": "https://elsewhere.test/x.tif"},
        "root": {"href": "/root.tif"},
        "none": {"title": "no address"},
    }
    links = [{"rel": "self", "href": "./a.json"}, {"rel": "license", "href": "../LICENSE"}, {"rel": "odd"}]
    write(tmp_path / "deep" / "a.json", item("a", assets=assets, links=links))
    write(
        tmp_path / "catalog.json",
        linked("Collection", "c", ("item", "deep/a.json"), assets={"x": {"href": "x.png"}}),
    )
    async with opened(where, tmp_path) as source:
        [found] = await walked(source)
        [told], _ = await source.collections(ANONYMOUS)
        base = source.collection_url("c")
    at = urljoin(base, "deep/a.json")
    assert at.startswith("http://127.0.0.1:" if where == "web" else tmp_path.as_uri())
    assert found["assets"] == {
        "near": {
            "href": urljoin(at, "./a b.tif"),
            "alternate": {"s3": {"href": "s3://b/k"}, "up": {"href": urljoin(base, "up.tif")}},
        },
        "far": assets["far"],
        "root": {"href": urljoin(base, "/root.tif")},
        "none": assets["none"],
    }
    assert [(link["rel"], link["href"]) for link in found["links"]] == [
        ("self", at),
        ("license", urljoin(base, "LICENSE")),
        ("via", at),
    ]
    assert told["assets"]["x"]["href"] == urljoin(base, "x.png")
    assert source.item_url("c", "a/b") == f"{base}#a%2Fb"


@both
async def test_old_versions_say_no_types(where: Where, tmp_path: Path) -> None:
    old = {"stac_version": "0.9.0", "id": "top", "description": "old"}
    extent = {"spatial": {"bbox": [[0, 0, 1, 1]]}, "temporal": {"interval": [[None, None]]}}
    write(tmp_path / "catalog.json", old | {"links": [{"rel": "child", "href": "c/collection.json"}]})
    links = [{"rel": "item", "href": "a.json"}, {"rel": "item", "href": "b.json"}]
    collection = old | {"id": "c", "license": "other", "extent": extent, "links": links}
    write(tmp_path / "c" / "collection.json", collection)
    write(tmp_path / "c" / "a.json", item("a", stac_version="0.8.0"))
    properties = {"datetime": "2019-01-01T00:00:00Z", "collection": "named"}
    write(tmp_path / "c" / "b.json", item("b", stac_version="0.8.1", properties=properties))
    async with opened(where, tmp_path) as source:
        assert names(await walked(source)) == [("c", "a"), ("named", "b")]
        assert [each["id"] for each in (await source.collections(ANONYMOUS))[0]] == ["c"]


@both
async def test_items_without_any_collection(where: Where, tmp_path: Path) -> None:
    write(
        tmp_path / "catalog.json",
        linked("Catalog", "top", ("item", "a.json"), ("child", "y.json"), title="T"),
    )
    write(tmp_path / "y.json", linked("Catalog", "2020", ("item", "b.json")))
    write(tmp_path / "a.json", item("a"))
    write(tmp_path / "b.json", item("b"))
    async with opened(where, tmp_path) as source:
        assert names(await walked(source)) == [("top", "a"), ("top", "b")]
        told = (await source.collections(ANONYMOUS))[0]
    assert [(each["id"], each.get("title")) for each in told] == [("top", "T")]


@both
async def test_the_nearest_collection_counts(where: Where, tmp_path: Path) -> None:
    write(tmp_path / "catalog.json", linked("Collection", "outer", ("child", "y.json"), ("item", "a.json")))
    write(tmp_path / "y.json", linked("Catalog", "2020", ("child", "i.json"), ("item", "b.json")))
    write(tmp_path / "i.json", linked("Collection", "inner", ("item", "c.json")))
    for name in "abc":
        write(tmp_path / f"{name}.json", item(name))
    async with opened(where, tmp_path) as source:
        assert names(await walked(source)) == [("inner", "c"), ("outer", "a"), ("outer", "b")]


@both
@pytest.mark.parametrize(
    "file",
    [
        "eodag/stac_singlefile.json",
        "eodag/earth_search_search.json",
        "eodc/items.json",
        "pystac_client/sample-item-collection.json",
    ],
)
async def test_one_file_with_all_items(where: Where, file: str, tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there: it holds the real answers")
    shutil.copy(DATA / file, tmp_path / "catalog.json")
    truth = json.loads((DATA / file).read_text())["features"]
    async with opened(where, tmp_path) as source:
        found = await walked(source)
        told = (await source.collections(ANONYMOUS))[0]
    assert [each["id"] for each in found] == [each["id"] for each in truth]
    assert {each["collection"] for each in found} <= {each["id"] for each in told}
    assert source.rejected == 0


async def test_a_folder_is_its_catalogue(tmp_path: Path) -> None:
    write(tmp_path / "collection.json", linked("Collection", "c", ("item", "a.json")))
    write(tmp_path / "a.json", item("a"))
    source = source_of(tmp_path.as_uri(), HttpPool())
    assert names(await walked(source)) == [("c", "a")]


async def test_each_document_is_fetched_once(tmp_path: Path) -> None:
    twice = [("item", "./a.json"), ("item", "x/../a.json"), ("item", "a.json#here")]
    write(tmp_path / "catalog.json", linked("Catalog", "top", ("child", "c.json"), *twice))
    write(
        tmp_path / "c.json", linked("Collection", "c", *twice, ("child", "catalog.json"), ("child", "c.json"))
    )
    write(tmp_path / "a.json", item("a"))
    http = HttpPool()
    async with served(tmp_path) as server:
        source = source_of(f"{server.url}/catalog.json", http)
        assert [each["id"] for each in await walked(source)] == ["a"]
        assert sorted(server.asked) == ["/a.json", "/c.json", "/catalog.json"]
        assert source.rejected == 0
    await http.close()


async def test_a_walk_that_is_given_up_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "catalog.json", linked("Collection", "c", *(("item", f"{n}.json") for n in range(50))))
    for number in range(50):
        write(tmp_path / f"{number}.json", item(str(number)))
    http = HttpPool()
    async with served(tmp_path) as server:
        walk = source_of(f"{server.url}/catalog.json", http).items(ANONYMOUS)
        await anext(walk)
        await walk.aclose()  # type: ignore[attr-defined]  # an iterator by contract, a generator in truth
        asked = len(server.asked)
        source = source_of(f"{server.url}/catalog.json", http)
        assert len(await walked(source)) == 50
        assert asked < 51
        assert len(server.asked) == asked + 51
    await http.close()


async def test_a_catalogue_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for where in ("web", "disk"):
        async with opened(where, tmp_path) as source:
            with pytest.raises(SiteError, match=r"catalog\.json: there is no such document"):
                await walked(source)
            with pytest.raises(SiteError, match=r"catalog\.json: there is no such document"):
                await source.collections(Caller(token="t"))


@st.composite
def trees(draw: st.DrawFn) -> dict[int, list[tuple[int, str]]]:
    """Catalogues by number, and what they link to: 0 to 5 are catalogues, 10 to 29 items, 40 is nothing."""
    target = st.one_of(st.integers(0, 5), st.integers(10, 29), st.just(40))
    form = st.sampled_from(["relative", "absolute", "rooted"])
    return {number: draw(st.lists(st.tuples(target, form), max_size=8)) for number in range(6)}


@given(tree=trees(), where=st.sampled_from(["web", "disk"]))
async def test_all_that_can_be_reached_is_found_once(
    tree: dict[int, list[tuple[int, str]]], where: Where, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    http = HttpPool()
    async with served(folder) as server:
        top = server.url if where == "web" else folder.as_uri()
        for number, links in tree.items():
            told = [("child" if to < 10 else "item", _href(number, to, form, top)) for to, form in links]
            write(_file(folder, number), linked("Catalog", str(number), *told))
        for number in range(10, 30):
            write(_file(folder, number), item(str(number)))
        source = source_of(f"{top}/{_name(0)}", http)
        found = await walked(source)
    await http.close()
    reached, waiting = {0}, [0]
    while waiting:
        for to, _ in tree.get(waiting.pop(), []):
            if to not in reached:
                reached.add(to)
                waiting.append(to)
    assert sorted(int(each["id"]) for each in found) == sorted(each for each in reached if 10 <= each < 40)
    assert source.rejected == (1 if 40 in reached else 0)
    assert {each["collection"] for each in found} <= {"0"}


def _name(number: int) -> str:
    return f"d{number % 3}/{number}.json" if number else "0.json"


def _file(folder: Path, number: int) -> Path:
    return folder / _name(number)


def _href(here: int, to: int, form: str, top: str) -> str:
    if form == "absolute":
        return f"{top}/{_name(to)}"
    if form == "rooted" and top.startswith("http"):
        return f"/{_name(to)}"
    return os.path.relpath(_name(to), str(Path(_name(here)).parent))
