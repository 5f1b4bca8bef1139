"""Taking files in: every form, local assets with their checksums, and the reason of whatever is refused."""

import asyncio
import hashlib
import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
import rasterio
from affine import Affine

from cscale.archive.folders import Folders
from cscale.catalogue import SqliteStore
from cscale.catalogue.ingest import Options, ingest
from cscale.catalogue.ingest.geotiff import Dating
from cscale.errors import BadInput
from cscale.identity import ANONYMOUS
from cscale.stac.items import read_body
from cscale.stac.search import SearchRequest
from cscale.testing.archives import MOMENTS, collections, plain_item
from cscale.testing.items import walk
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import SHARED, Take, held, the_asset, with_asset, write

TIME = {"datetime": MOMENTS[0]}
CONTENT = b"not really a raster"


def raster(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = {"crs": "EPSG:32632", "transform": Affine(10, 0, 600000, 0, -10, 5200000), "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", width=2, height=2, count=1, **grid) as file:
        file.write(numpy.ones((1, 2, 2), "uint8"))
    return path


async def test_an_item_a_collection_and_an_item_collection(data: Path, take: Take, opened: Opened) -> None:
    write(data / "item.json", plain_item(id="a"))
    write(data / "collection.json", collections()[0])
    features = [plain_item(id="b"), plain_item(id="c", collection="two")]
    write(data / "deep" / "er" / "items.geojson", {"type": "FeatureCollection", "features": features})
    report = take(data)
    assert (report.items, report.collections, report.refused) == ({"added": 3}, {"added": 1}, [])
    assert set(await held(opened)) == {"a", "b", "c"}
    assert (await opened().collection(ANONYMOUS, "one"))["description"] == collections()[0]["description"]


async def test_lines_with_a_bad_one(data: Path, take: Take, opened: Opened) -> None:
    lines = [
        plain_item(id="a"),
        b"{oops",
        b"",
        b"  ",
        b"[]",
        plain_item(id="b", properties={}),
        plain_item(id="c"),
    ]
    path = write(data / "items.ndjson", *lines, collections()[2])
    report = take(path)
    assert (report.items, report.collections) == ({"added": 2}, {"added": 1})
    assert [where.removeprefix(str(path)) for where, _ in report.refused] == [":2", ":5", ":6"]
    for (_, reason), words in zip(
        report.refused, ["not JSON", "neither a STAC Item", "no datetime"], strict=True
    ):
        assert words in reason
    assert set(await held(opened)) == {"a", "c"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"type": "Feature", "id": "\\ud800"}', "not JSON"),
        (b'{"type": "Feature", "x": 1e999}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "its type is None"),
        (b'{"type": ["Feature"]}', "neither a STAC Item"),
        (b'{"type": "FeatureCollection"}', "no list of features"),
        (b'{"type": "FeatureCollection", "features": {}}', "no list of features"),
        (b'{"type": "FeatureCollection", "features": [1]}', "not a JSON object"),
        (b'{"type": "Collection"}', "no id"),
        (b'{"type": "Feature"}', "names no collection"),
        (b'{"type": "Feature", "collection": "one", "assets": {"a": 1}}', "asset a has no href"),
        (b'{"type": "Feature", "collection": "one", "assets": {"a": {"href": ""}}}', "asset a has no href"),
        (b'{"type": "Feature", "collection": "one", "assets": {"a": {"href": 1}}}', "asset a has no href"),
        (
            b'{"type": "Feature", "collection": "one", "assets": {"a": {"href": "x\\u0001"}}}',
            "control characters",
        ),
        (
            b'{"type": "Feature", "collection": "one", "assets": {"a": {"href": "x%00"}}}',
            "control characters",
        ),
        (b'{"type": "Feature", "collection": "one", "assets": {"a": {"href": "file://[x"}}}', "asset a: "),
        (
            b'{"type": "Feature", "collection": "one", "assets": {"a": {"href": "%s"}}}' % (b"x" * 5000),
            "too long",
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(
    data: Path, take: Take, content: bytes, reason: str
) -> None:
    path = write(data / "input.json", content)
    report = take(path)
    assert (report.items, report.collections) == ({}, {})
    [(where, why)] = report.refused
    assert where.startswith(str(path))
    assert reason in why


def test_a_path_that_is_not_there_is_an_error_before_anything_is_taken(data: Path, take: Take) -> None:
    with pytest.raises(BadInput, match="no such file"):
        take(write(data / "item.json", plain_item()), data / "nothing.json")


async def test_a_byte_order_mark_is_passed_over(data: Path, take: Take, opened: Opened) -> None:
    take(write(data / "item.json", b"\xef\xbb\xbf" + msgspec.json.encode(plain_item())))
    assert set(await held(opened)) == {"a"}


async def test_hidden_files_are_left_alone(data: Path, take: Take, opened: Opened) -> None:
    write(data / ".item.json", plain_item(id="a"))
    write(data / ".git" / "item.json", plain_item(id="b"))
    write(data / "item.json", plain_item(id="c"))
    write(data / "readme.txt", {})
    assert take(data).refused == []
    assert set(await held(opened)) == {"c"}


async def test_a_static_catalogue_is_taken_by_its_folder(data: Path, take: Take, opened: Opened) -> None:
    catalog = write(data / "catalog.json", {"type": "Catalog", "id": "all", "links": []})
    write(data / "one" / "collection.json", collections()[0])
    write(data / "one" / "a" / "a.json", plain_item(id="a"))
    assert take(data).refused == []
    assert set(await held(opened)) == {"a"}
    assert take(catalog).items == {}  # it links to nothing


async def test_items_go_to_the_collection_that_is_said(data: Path, take: Take, opened: Opened) -> None:
    item = plain_item()
    item.pop("collection")
    path = write(data / "items.ndjson", item, plain_item(id="b", collection="two"))
    take(path, collection="mine")
    assert {item["collection"] for item in (await held(opened)).values()} == {"mine"}
    assert [reason for _, reason in take(path).refused] == [
        "it names no collection; say which with --collection"
    ]


async def test_a_file_that_is_an_items_asset_is_no_item_itself(
    data: Path, take: Take, opened: Opened
) -> None:
    raster(data / "2020" / "band_20200601.tif")
    raster(data / "2020" / "lone_20200602.tif")
    write(data / "2020" / "a-metadata.json", {"anything": 1})
    write(
        data / "2020" / "footprints.geojson", {"type": "FeatureCollection", "features": [{"type": "Feature"}]}
    )
    hrefs = ["band_20200601.tif", "a-metadata.json", "./footprints.geojson"]
    assets = {href.strip("./"): {"href": href} for href in hrefs}
    write(data / "2020" / "item.json", plain_item(assets=assets))
    report = take(data, collection="one")
    assert report.refused == []
    assert set(await held(opened)) == {"a", "lone_20200602"}


async def test_a_file_that_is_named_is_an_item_whatever_else_it_is(
    data: Path, take: Take, opened: Opened
) -> None:
    named = raster(data / "band_20200601.tif")
    write(data / "item.json", with_asset("band_20200601.tif"))
    take(data, named, collection="one")
    assert set(await held(opened)) == {"a", "band_20200601"}


async def test_a_raster_is_an_item_with_its_file(data: Path, take: Take, opened: Opened) -> None:
    file = raster(data / "x%20y?z:1.tif")
    report = take(data, collection="one", dating=Dating(fixed="2020-06-01T10:30:00Z"))
    assert report.refused == []
    asset = await the_asset(opened)
    assert asset["href"] == "https://example.org/data/scenes/x%2520y%3Fz%3A1.tif"
    assert asset["file:checksum"] == "1220" + hashlib.sha256(file.read_bytes()).hexdigest()
    assert take(data, collection="one", dating=Dating(fixed="2020-06-01T10:30:00Z")).items == {"unchanged": 1}


def test_two_files_of_one_name_do_not_take_each_others_place(data: Path, take: Take) -> None:
    first, second = raster(data / "1" / "x_20200601.tif"), raster(data / "2" / "x_20200601.tif")
    for change in ("added", "unchanged"):
        report = take(data, collection="one")
        assert report.items == {change: 1}
        [(where, reason)] = report.refused
        assert where == str(second) != str(first)
        assert "another item of its id" in reason


def test_a_file_whose_name_is_no_text_is_refused(data: Path, take: Take) -> None:
    name = os.fsdecode(b"x\xff_20200601.tif")
    raster(data / "x_20200601.tif").rename(data / name)
    [(where, reason)] = take(data, collection="one").refused
    assert where.encode()  # it can be written
    assert reason


def test_the_same_input_twice_changes_nothing(path: Path, data: Path, take: Take) -> None:
    write(data / "x.bin", CONTENT)
    write(data / "items.ndjson", with_asset("x.bin"), plain_item(id="b"), collections()[0])
    write(data / "item.json", plain_item(id="c"))
    raster(data / "lone_20200602.tif")
    first = take(data, collection="one")
    before = path.read_bytes()
    again = take(data, collection="one")
    assert (first.items, first.collections) == ({"added": 4}, {"added": 1})
    assert (again.items, again.collections) == ({"unchanged": 4}, {"unchanged": 1})
    assert path.read_bytes() == before


def test_progress_rises_to_all_that_was_read(path: Path, data: Path) -> None:
    lines = write(data / "items.ndjson", *(plain_item(id=f"{n}") for n in range(1200)))
    item = write(data / "item.json", plain_item())
    told: list[tuple[int, int]] = []
    ingest(
        SqliteStore(path.parent), [data], Options(Folders({})), lambda done, total: told.append((done, total))
    )
    total = lines.stat().st_size + item.stat().st_size
    assert told == sorted(told)
    assert len(told) > 4
    assert told[-1] == (2 * total, 2 * total)  # each byte is read and written


def test_real_items_are_taken(path: Path, take: Take) -> None:
    folder = SHARED / "discovery"
    if not folder.is_dir():
        pytest.skip(f"no real items here: {folder} is absent")
    report = take(*sorted((folder / "stac_items").rglob("*.json")), folder / "eodc" / "items.json")
    taken = sum(report.items.values())
    assert taken >= 10, report.refused
    assert not [reason for _, reason in report.refused if "Traceback" in reason]


async def test_a_real_scene_is_taken(data: Path, take: Take, opened: Opened) -> None:
    scene = SHARED / "optical" / "openeo" / "S2_L2A_sample.tif"
    if not scene.is_file():
        pytest.skip(f"no real scene here: {scene} is absent")
    (data / scene.name).write_bytes(scene.read_bytes())
    take(data, collection="one", dating=Dating(fixed="2022-06-12T10:10:00Z"))
    [item] = (await held(opened)).values()
    assert item["properties"]["datetime"] == "2022-06-12T10:10:00Z"
    assert item["properties"]["proj:epsg"] == 32632
    assert item["bbox"] == pytest.approx([11.26, 46.43, 11.36, 46.52], abs=0.1)
    assert [band["data_type"] for band in item["assets"]["data"]["raster:bands"]] == ["uint16"] * 5


@pytest.mark.parametrize("kills", [12, pytest.param(200, marks=pytest.mark.soak)])
async def test_an_ingest_killed_at_any_point_leaves_old_or_new(
    path: Path, data: Path, take: Take, opened: Opened, kills: int
) -> None:
    """And the next one succeeds."""
    old = {f"{n}": plain_item(id=f"{n}", properties=TIME | {"version": 1}) for n in range(200)}
    new = {f"{n}": plain_item(id=f"{n}", properties=TIME | {"version": 2}) for n in range(100, 1300)}
    old_file = write(data / "old.ndjson", *old.values(), collections()[0])
    new_file = write(data / "new.ndjson", *new.values())
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cscale.catalogue.ingest"])
    options = Options(Folders({}))
    lasts = _lasts(context, path.parent / "other", new_file, options)
    draw = random.Random(7)
    for _ in range(kills):
        for file in path.parent.glob("catalogue.sqlite*"):
            file.unlink()
        take(old_file)
        process = context.Process(target=ingest, args=(SqliteStore(path.parent), [new_file], options))
        process.start()
        await asyncio.sleep(draw.uniform(0, 1.1) * lasts)
        process.kill()
        process.join()
        found = await _versions(opened)
        assert found in (dict.fromkeys(old, 1), dict.fromkeys(old, 1) | dict.fromkeys(new, 2))
    take(new_file)
    assert await _versions(opened) == dict.fromkeys(old, 1) | dict.fromkeys(new, 2)


def _lasts(context: Any, state: Path, file: Path, options: Options) -> float:
    """How long an ingest in a process of its own lasts, seconds."""
    for _ in range(2):  # the first starts the server of processes
        shutil.rmtree(state, ignore_errors=True)
        started = time.perf_counter()
        process = context.Process(target=ingest, args=(SqliteStore(state), [file], options))
        process.start()
        process.join()
    assert process.exitcode == 0
    return time.perf_counter() - started


async def _versions(opened: Opened) -> dict[str, int]:
    source = opened()
    pages = await walk(source, SearchRequest(limit=1000))
    source.close()
    return {item.id: read_body(item.body)["properties"]["version"] for page in pages for item in page.items}
