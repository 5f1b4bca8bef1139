"""Three archives out of one source: partial as real ones, made once, kept whole."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import rasterio
from pystac.validation import validate_dict

from cscale.demo.archives import Share, build, claimed, clear, cut, truth
from cscale.demo.scenes import BANDS, CLASSES, Source
from cscale.demo.simulated import generate
from cscale.errors import BadConfiguration


def nothing(_done: int, _total: int) -> None:
    """No progress is shown."""


@pytest.fixture(scope="module")
def source() -> Source:
    return generate()


@pytest.fixture(scope="module")
def shares(source: Source, tmp_path_factory: pytest.TempPathFactory) -> list[Share]:
    shares = cut(source, tmp_path_factory.mktemp("archives"))
    build(source, clear(source, shares), nothing)
    return shares


def items_of(share: Share) -> list[tuple[Path, dict[str, Any]]]:
    found = share.archive.files.glob(f"{share.archive.collection}/*/*/*.json")
    return [(path, json.loads(path.read_bytes())) for path in sorted(found)]


def test_each_archive_names_its_collection_in_its_own_way(shares: list[Share]) -> None:
    names = [(share.archive.id, share.archive.collection, share.archive.shown) for share in shares]
    assert names == [
        ("alpha", "S2_L2A", "sentinel-2-l2a"),
        ("beta", "SENTINEL2_L2A", "sentinel-2-l2a"),
        ("gamma", "S2_L2A_20M", "S2_L2A_20M"),
    ]


def test_the_truth_is_the_union_of_what_was_written(source: Source, shares: list[Share]) -> None:
    written = Counter((share.archive.shown, item["id"]) for share in shares for _, item in items_of(share))
    expected = truth(source, shares)
    assert {key: len(product.sites) for key, product in expected.items()} == written
    shared = {key[1].split("_")[2][:4] for key, product in expected.items() if len(product.sites) > 1}
    assert shared == {"2018"}, "alpha and beta have one year in common"


def test_items_and_collections_are_valid_stac(shares: list[Share]) -> None:
    for share in shares:
        described = share.archive.files / share.archive.collection / "collection.json"
        for body in (json.loads(described.read_bytes()), items_of(share)[0][1]):
            assert "collection" in {body["type"].lower(), *(link["rel"] for link in body["links"])}
            validate_dict({**body, "stac_extensions": []})  # extensions' schemas lie on the network


def test_an_item_says_of_its_files_what_they_are(shares: list[Share]) -> None:
    for share in shares:
        path, item = items_of(share)[-1]
        said = item["properties"]
        assert set(item["assets"]) == set(share.cube.values)
        for key, asset in item["assets"].items():
            with rasterio.open(path.with_name(asset["href"])) as file:
                assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert said["proj:code"] == str(file.crs)
                assert said["proj:shape"] == [file.height, file.width]
                assert said["proj:transform"] == list(file.transform)[:6]
                assert (asset["data_type"], asset["nodata"]) == (file.dtypes[0], file.nodata)
            if key != CLASSES:
                assert asset["bands"][0]["eo:common_name"] == BANDS[key].common


def test_simulated_scenes_say_so_wherever_they_are_seen(shares: list[Share]) -> None:
    for share in shares:
        assert "SIMULATED" in share.archive.title
        described = json.loads(
            (share.archive.files / share.archive.collection / "collection.json").read_bytes()
        )
        assert "SIMULATED" in described["title"]
        assert "SIMULATED" in described["description"]
        for _, item in items_of(share):
            assert "SIMULATED" in item["id"]
            assert "SIMULATED" in item["properties"]["title"]
            assert "SIMULATED" in item["properties"]["description"]
            assert item["properties"]["cscale:simulated"] is True
            assert "constellation" not in item["properties"], "no satellite has seen it"


def test_simulated_scenes_are_the_same_each_time(source: Source) -> None:
    again = generate()
    for one, other in ((source.ten, again.ten), (source.twenty, again.twenty)):
        assert all((one.values[key] == other.values[key]).all() for key in one.values)


def test_what_stands_is_left_alone_and_what_was_touched_is_made_anew(source: Source, tmp_path: Path) -> None:
    shares = cut(source, tmp_path)
    assert build(source, clear(source, shares), nothing) == sum(
        len(share.indices) * len(share.cube.values) for share in shares
    )
    assert clear(source, shares) == []
    _, beta, gamma = shares
    path, item = items_of(beta)[0]
    spoilt, right = path.with_name(item["assets"]["B04"]["href"]), path.with_name("B04.tif").read_bytes()
    spoilt.write_bytes(right[:-1])
    next(gamma.archive.files.rglob("*.tif")).unlink()
    wanting = clear(source, shares)
    assert [share.archive.id for share in wanting] == ["beta", "gamma"]
    build(source, wanting, nothing)
    assert spoilt.read_bytes() == right
    assert clear(source, shares) == []


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadConfiguration, match="other things"), claimed(tmp_path):
        pytest.fail("the folder was taken")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_one_folder_holds_one_demonstration_at_a_time(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    with claimed(demo), pytest.raises(BadConfiguration, match="running in it"), claimed(demo):
        pytest.fail("two in one folder")
    with claimed(demo):
        pass  # and the next may have it
