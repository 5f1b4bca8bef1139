"""Local assets of what is taken in: where they are served, and that they are what was promised."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from cscale.catalogue.ingest import FILE_EXTENSION, checksum
from cscale.testing.archives import plain_item
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import Take, held, the_asset, with_asset, write

CONTENT = b"not really a raster"


@pytest.mark.parametrize("form", ["relative", "dotted", "absolute", "file"])
async def test_a_local_asset_is_served_with_its_size_and_checksum(
    data: Path, take: Take, opened: Opened, form: str
) -> None:
    file = data / "2020" / "a b#ü%.tif"
    write(file, CONTENT)
    quoted = "a%20b%23%C3%BC%25.tif"
    href = {
        "relative": quoted,
        "dotted": f"./../2020/{quoted}",
        "absolute": f"{data}/2020/{quoted}",
        "file": f"file://{data}/2020/{quoted}",
    }[form]
    assert take(write(data / "2020" / "item.json", with_asset(href))).refused == []
    assert await the_asset(opened) == {
        "href": f"https://example.org/data/scenes/2020/{quoted}",
        "file:size": len(CONTENT),
        "file:checksum": "1220" + hashlib.sha256(CONTENT).hexdigest(),
    }
    assert FILE_EXTENSION in (await held(opened))["a"]["stac_extensions"]


@pytest.mark.parametrize("extensions", [None, "x", [], [FILE_EXTENSION]])
async def test_the_file_extension_is_declared_once(
    data: Path, take: Take, opened: Opened, extensions: Any
) -> None:
    write(data / "x.bin", CONTENT)
    take(write(data / "item.json", with_asset("x.bin") | {"stac_extensions": extensions}))
    assert (await held(opened))["a"]["stac_extensions"] == [FILE_EXTENSION]


@pytest.mark.parametrize("href", ["https://example.org/x.tif", "s3://bucket/x.tif", "HTTP://x/y", "//x/y"])
async def test_an_asset_elsewhere_is_left_as_it_is(data: Path, take: Take, opened: Opened, href: str) -> None:
    take(write(data / "item.json", with_asset(href)))
    assert await the_asset(opened) == {"href": href}


async def test_an_item_from_the_web_keeps_its_assets_there(data: Path, take: Take, opened: Opened) -> None:
    item = with_asset("./x.tif") | {"links": [{"rel": "self", "href": "https://example.org/a/item.json"}]}
    take(write(data / "item.json", item))
    assert await the_asset(opened) == {"href": "https://example.org/a/x.tif"}


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha512", "md5"])
@pytest.mark.parametrize("kept", [True, False])
async def test_a_promised_checksum_is_held_against_the_file(
    data: Path,
    take: Take,
    opened: Opened,
    algorithm: str,
    kept: bool,  # a parameter
) -> None:
    prefix = {"sha256": "1220", "sha1": "1114", "sha512": "1340", "md5": "d50110"}[algorithm]
    digest = hashlib.new(algorithm, CONTENT if kept else b"other").hexdigest()
    write(data / "x.bin", CONTENT)
    path = write(data / "item.json", with_asset("x.bin", **{"file:checksum": (prefix + digest).upper()}))
    for _ in range(2):  # the second time the checksums are known
        report = take(path)
        assert [reason for _, reason in report.refused] == (
            [] if kept else [f"asset data: {data}/x.bin is not the file that its file:checksum promises"]
        )
    assert set(await held(opened)) == ({"a"} if kept else set())


def test_a_promised_size_is_held_against_the_file(data: Path, take: Take) -> None:
    write(data / "x.bin", CONTENT)
    report = take(write(data / "item.json", with_asset("x.bin", **{"file:size": 3})))
    assert "has 19 bytes, not the 3" in report.refused[0][1]


async def test_a_changed_file_gets_a_new_checksum(data: Path, take: Take, opened: Opened) -> None:
    write(data / "x.bin", CONTENT)
    path = write(data / "item.json", with_asset("x.bin"))
    take(path)
    write(data / "x.bin", CONTENT[::-1])
    os.utime(data / "x.bin", ns=(1, 1))
    assert take(path).items == {"changed": 1}
    assert (await the_asset(opened))["file:checksum"] == checksum(data / "x.bin")


@pytest.mark.parametrize("place", ["outside", "link out", "hidden", "up"])
def test_an_asset_outside_the_data_folders_is_refused(
    data: Path, take: Take, tmp_path: Path, place: str
) -> None:
    write(tmp_path / "secret.txt", CONTENT)
    write(data / ".hidden", CONTENT)
    (data / "link").symlink_to(tmp_path / "secret.txt")
    href = {
        "outside": f"{tmp_path}/secret.txt",
        "link out": "link",
        "hidden": ".hidden",
        "up": "../secret.txt",
    }
    report = take(write(data / "item.json", with_asset(href[place])))
    assert report.items == {}
    assert "lies in none of the folders under `data`" in report.refused[0][1]


@pytest.mark.parametrize(
    ("name", "reason"), [("nothing.tif", "No such file"), (".", "not a file"), ("pipe", "not a file")]
)
def test_an_asset_that_is_no_file_is_refused(data: Path, take: Take, name: str, reason: str) -> None:
    os.mkfifo(data / "pipe")
    report = take(write(data / "items.ndjson", with_asset(name), plain_item(id="b")))
    assert reason in report.refused[0][1]
    assert report.items == {"added": 1}
