"""The user's own scenes, shared out over three archives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from cscale.catalogue.sqlite import SqliteCatalogue
from cscale.demo.own import COLLECTION, share_out, spans
from cscale.errors import BadInput
from cscale.identity import ANONYMOUS
from cscale.stac.search import SearchRequest


def nothing(_done: int, _total: int) -> None:
    """No progress is shown."""


def write_scene(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint16", "crs": "EPSG:32635"}
    with rasterio.open(path, "w", **profile, transform=from_origin(300000, 5000000, 10, 10)) as file:
        file.write(np.ones((1, 8, 8), "uint16"))


async def listed(state: Path) -> set[tuple[str, str]]:
    catalogue = SqliteCatalogue(state / "catalogue.sqlite", data_url="http://h/data", secret=bytes(32))
    try:
        page = await catalogue.search(ANONYMOUS, SearchRequest(limit=1000))
    finally:
        catalogue.close()
    return {(item.collection, item.id) for item in page.items}


@given(st.integers(1, 10_000))
def test_every_scene_is_listed_by_somebody_in_order_of_time(count: int) -> None:
    shares = spans(count)
    assert set().union(*shares.values()) == set(range(count))
    starts = [span.start for span in shares.values()]
    assert starts == sorted(starts)
    assert all(len(span) <= 0.4 * count + 2 for span in shares.values())


@given(st.integers(10, 10_000))
def test_neighbours_share_some_scenes_and_strangers_none(count: int) -> None:
    alpha, beta, gamma = (set(span) for span in spans(count).values())
    assert alpha & beta
    assert beta & gamma
    assert not alpha & gamma


async def test_catalogues_list_what_the_truth_says(tmp_path: Path) -> None:
    scenes, folder = tmp_path / "scenes", tmp_path / "demo"
    folder.mkdir()
    for day in range(1, 11):
        write_scene(scenes / "deep" / f"scene_202006{day:02}.tif")
    item: dict[str, Any] = {
        "type": "Feature", "stac_version": "1.0.0", "id": "described", "collection": "theirs", "links": [],
        "geometry": {"type": "Point", "coordinates": [24, 45]}, "bbox": [24, 45, 24, 45],
        "properties": {"datetime": "2020-06-20T00:00:00Z"},
        "assets": {"data": {"href": "asset_20200620.tif"}},
    }  # fmt: skip
    write_scene(scenes / "asset_20200620.tif")
    (scenes / "described.json").write_text(json.dumps(item))
    before = {path: path.stat().st_mtime_ns for path in scenes.rglob("*")}

    truth, refused = share_out_of(folder, scenes)

    assert refused == []
    names = {(COLLECTION, f"scene_202006{day:02}") for day in range(1, 11)}
    assert set(truth) == names | {("theirs", "described")}, "an item's own file is not taken a second time"
    for site in ("alpha", "beta", "gamma"):
        expected = {key for key, product in truth.items() if site in product.sites}
        assert await listed(folder / site) == expected
    assert {path: path.stat().st_mtime_ns for path in scenes.rglob("*")} == before, "nothing was touched"


def share_out_of(folder: Path, scenes: Path) -> Any:
    """Share out where no event loop runs, as the command does."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(share_out, folder, scenes, nothing).result()


def test_what_cannot_be_taken_is_named_and_the_rest_taken(tmp_path: Path) -> None:
    write_scene(tmp_path / "scenes" / "scene_20200601.tif")
    write_scene(tmp_path / "scenes" / "undated.tif")
    (tmp_path / "demo").mkdir()
    truth, refused = share_out(tmp_path / "demo", tmp_path / "scenes", nothing)
    assert set(truth) == {(COLLECTION, "scene_20200601")}
    assert [Path(where).name for where, _ in refused] == ["undated.tif"]
    assert "no date" in refused[0][1]


def test_a_scene_that_has_gone_is_no_longer_listed(tmp_path: Path) -> None:
    scenes, folder = tmp_path / "scenes", tmp_path / "demo"
    folder.mkdir()
    for day in (1, 2):
        write_scene(scenes / f"scene_2020060{day}.tif")
    share_out(folder, scenes, nothing)
    (scenes / "scene_20200601.tif").unlink()
    truth, _ = share_out(folder, scenes, nothing)
    assert set(truth) == {(COLLECTION, "scene_20200602")}


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    (tmp_path / "demo").mkdir()
    with pytest.raises(BadInput, match="no GeoTIFF or STAC item"):
        share_out(tmp_path / "demo", tmp_path / "scenes", nothing)
    assert list((tmp_path / "demo").iterdir()) == []
