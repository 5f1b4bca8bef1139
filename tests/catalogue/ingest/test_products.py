"""Sentinel products: each one input, whatever lies in it, with its files served as they are."""

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from cscale.catalogue.ingest import checksum
from cscale.catalogue.products import read_product
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import SHARED, Take, held, write

SAFE = "discovery/s2_safe/S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE"
ZIP = "discovery/products/S3A_SR_1_SRA____20230309T204558_20230309T204623_20230309T225028_0024_096_214______PS1_O_NR_004.zip"  # noqa: E501


def copied(name: str, to: Path) -> Path:
    source = SHARED / name
    if not source.exists():
        pytest.skip(f"no real product here: {source} is absent")
    target = to / source.name
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)
    return target


@pytest.mark.parametrize("named", [True, False])
async def test_a_folder_is_one_item_and_its_files_are_none(
    data: Path, take: Take, opened: Opened, named: bool
) -> None:
    product = copied(SAFE, data)
    report = take(product if named else data)
    assert (report.refused, report.items) == ([], {"added": 1})
    [(where, warning)] = report.warnings
    assert where == str(product)
    assert "of its files are missing" in warning
    [item] = (await held(opened)).values()
    assert (item["id"], item["collection"]) == (product.stem, "sentinel-2-l2a")
    own = [
        asset for asset in item["assets"].values() if asset["href"].startswith("https://example.org/data/")
    ]
    assert own
    for asset in own:
        file = data / asset["href"].removeprefix("https://example.org/data/scenes/")
        assert asset["file:size"] == file.stat().st_size
        assert asset["file:checksum"] == "1220" + hashlib.sha256(file.read_bytes()).hexdigest()
    again = take(data)
    assert again.items == {"unchanged": 1}


async def test_a_zip_is_one_item_with_itself_as_asset(data: Path, take: Take, opened: Opened) -> None:
    product = copied(ZIP, data)
    assert take(data).items == {"added": 1}
    [item] = (await held(opened)).values()
    [asset] = item["assets"].values()
    assert asset["href"] == f"https://example.org/data/scenes/{product.name}"
    assert asset["file:checksum"] == checksum(product)


async def test_it_goes_to_the_collection_that_is_said(data: Path, take: Take, opened: Opened) -> None:
    copied(ZIP, data)
    take(data, collection="mine")
    assert [item["collection"] for item in (await held(opened)).values()] == ["mine"]


async def test_trusted_checksums_are_taken_as_they_are(data: Path, take: Take, opened: Opened) -> None:
    product = copied(SAFE, data)
    promised = {name: a.get("file:checksum") for name, a in read_product(product).item["assets"].items()}
    assert take(data, trust_checksums=True).items == {"added": 1}
    [item] = (await held(opened)).values()
    local = {name for name, a in item["assets"].items() if a["href"].startswith("https://example.org/data")}
    trusted = {name: item["assets"][name]["file:checksum"] for name in local if promised[name]}
    assert trusted == {name: promised[name] for name in trusted}
    assert any(not each.startswith("1220") for each in trusted.values())


def test_a_torn_manifest_is_refused(data: Path, take: Take) -> None:
    product = copied(SAFE, data)
    for name in ("manifest.safe", "MTD_MSIL2A.xml"):
        (product / name).write_bytes((product / name).read_bytes()[:500])
    report = take(data)
    assert (report.items, len(report.refused)) == ({}, 1)
    assert report.refused[0][0] == str(product)


def test_a_bomb_is_refused(data: Path, take: Take) -> None:
    name = "S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157"
    with zipfile.ZipFile(data / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for inside in ("manifest.safe", "MTD_MSIL2A.xml"):
            archive.writestr(f"{name}.SAFE/{inside}", b"<a>" + bytes(200 << 20) + b"</a>")
    report = take(data)
    assert (report.items, len(report.refused)) == ({}, 1)


def test_another_zip_is_no_input_unless_it_is_named(data: Path, take: Take) -> None:
    with zipfile.ZipFile(data / "x.zip", "w") as archive:
        archive.writestr("item.json", "{}")
    write(data / "x.nc", {})
    assert take(data).refused == []
    assert len(take(data / "x.zip").refused) == 1
