"""Static catalogues by their links, and folders with all that can lie in them."""

import os
from pathlib import Path
from typing import Any

import pytest

from cscale.catalogue.ingest.walking import LONGEST
from cscale.testing.archives import collections, plain_item
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import SHARED, Take, held, write


def linked(kind: str, *links: tuple[str, str], **members: Any) -> dict[str, Any]:
    return (
        {"type": kind, "id": "all"} | members | {"links": [{"rel": rel, "href": href} for rel, href in links]}
    )


def small(folder: Path) -> Path:
    """A catalogue with a collection of two items, and an item that nobody links to."""
    write(
        folder / "one" / "collection.json",
        collections()[0]
        | linked(
            "Collection", ("item", "./a/a.json"), ("item", "b.json"), ("parent", "../catalog.json"), id="one"
        ),
    )
    write(folder / "one" / "a" / "a.json", plain_item(id="a"))
    write(folder / "one" / "b.json", plain_item(id="b"))
    write(folder / "one" / "unlinked.json", plain_item(id="unlinked"))
    return write(
        folder / "catalog.json", linked("Catalog", ("child", "./one/collection.json"), ("self", "x"))
    )


async def test_a_catalogue_is_followed(tmp_path: Path, take: Take, opened: Opened) -> None:
    report = take(small(tmp_path / "elsewhere"))
    assert (report.refused, report.items, report.collections) == ([], {"added": 2}, {"added": 1})
    assert set(await held(opened)) == {"a", "b"}


async def test_so_is_a_collection(data: Path, take: Take, opened: Opened) -> None:
    small(data)
    assert take(data / "one" / "collection.json").collections == {"added": 1}
    assert set(await held(opened)) == {"a", "b"}


def test_what_is_found_and_linked_to_is_taken_once(data: Path, take: Take) -> None:
    catalog = small(data)
    report = take(data, catalog, data / "one" / "a" / "a.json")
    assert (report.refused, report.items) == ([], {"added": 3})


async def test_absolute_links_and_percent_signs(data: Path, take: Take, opened: Opened) -> None:
    write(data / "a b%.json", plain_item(id="a"))
    write(data / "deep" / "b.json", plain_item(id="b"))
    catalog = linked("Catalog", ("item", "./a%20b%25.json"), ("item", f"file://{data}/deep/b.json"))
    assert take(write(data / "catalog.json", catalog)).refused == []
    assert set(await held(opened)) == {"a", "b"}


async def test_circles_end(data: Path, take: Take, opened: Opened) -> None:
    for name, other in ("12", "21"):
        links = [
            ("child", f"{other}.json"),
            ("child", f"{name}.json"),
            ("item", "a.json"),
            ("item", "./a.json"),
        ]
        write(data / f"{name}.json", linked("Catalog", *links))
    write(data / "a.json", plain_item(id="a"))
    report = take(data / "1.json")
    assert (report.refused, report.items) == ([], {"added": 1})


def test_too_deep_a_catalogue_is_cut_and_told(data: Path, take: Take) -> None:
    for number in range(100):
        links = [("child", f"{number + 1}.json"), ("item", f"item{number}.json")]
        write(data / f"{number}.json", linked("Catalog", *links))
        write(data / f"item{number}.json", plain_item(id=f"{number}"))
    report = take(data / "0.json")
    assert report.items == {"added": 64}
    assert any("64 steps deep" in why for _, why in report.refused)


@pytest.mark.parametrize(
    ("rel", "href", "reason"),
    [
        ("item", "nothing.json", "no such file"),
        ("child", "sub/collection.json", "no such file"),
        ("item", "../outside.json", "leads out of the catalogue's folder"),
        ("child", "../outside.json", "leads out of the catalogue's folder"),
        ("item", "link.json", "leads out of the catalogue's folder"),
        ("item", "https://example.org/a.json", "lead to the web"),
        ("child", "//example.org/a.json", "lead to the web"),
        ("item", "s3://bucket/a.json", "lead to the web"),
        ("item", "a\x01.json", "control characters"),
        ("item", "a%00.json", "control characters"),
        ("item", "file://[x", "file://[x"),
        ("item", "x" * 5000, "no such file"),
        ("item", "sub.json", "its type is None"),
        ("item", ".", "leads out of the catalogue's folder"),
    ],
)
def test_links_that_cannot_be_followed_are_named(
    tmp_path: Path, take: Take, rel: str, href: str, reason: str
) -> None:
    home = tmp_path / "home"
    write(tmp_path / "outside.json", plain_item(id="outside"))
    write(home / "sub.json", {})
    write(home / "good.json", plain_item(id="good"))
    (home / "link.json").symlink_to(tmp_path / "outside.json")
    report = take(write(home / "catalog.json", linked("Catalog", (rel, href), ("item", "good.json"))))
    assert report.items == {"added": 1}
    [(_, why)] = report.refused
    assert reason in why


async def test_links_may_lead_to_the_folders_that_are_served(tmp_path: Path, data: Path, take: Take) -> None:
    write(data / "a.json", plain_item(id="a"))
    report = take(write(tmp_path / "home" / "catalog.json", linked("Catalog", ("item", "../data/a.json"))))
    assert (report.refused, report.items) == ([], {"added": 1})


def test_a_real_catalogue_is_followed(take: Take) -> None:
    catalog = SHARED / "discovery" / "s1_stactools" / "rtc" / "catalog.json"
    if not catalog.is_file():
        pytest.skip(f"no real catalogue here: {catalog} is absent")
    report = take(catalog)
    assert (report.refused, report.items, report.collections) == ([], {"added": 2}, {"added": 1})


async def test_circles_of_folders_end(data: Path, take: Take, opened: Opened) -> None:
    write(data / "deep" / "item.json", plain_item(id="a"))
    (data / "deep" / "up").symlink_to(data)
    (data / "deep" / "self").symlink_to("self")
    (data / "deep" / "self.json").symlink_to("self.json")
    report = take(data)
    assert report.items == {"added": 1}
    assert {where.rpartition("/")[2] for where, _ in report.refused} == {"self", "self.json"}


async def test_names_that_are_no_text_and_have_more_lines(data: Path, take: Take, opened: Opened) -> None:
    folder = data / os.fsdecode(b"caf\xe9\nnext")
    write(folder / os.fsdecode(b"\xff\n.json"), plain_item(id="a"))
    write(folder / "b.ndjson", plain_item(id="b"), b"oops")
    report = take(data)
    assert report.items == {"added": 2}
    assert [where.encode()[-9:] for where, _ in report.refused] == [b"/b.ndjson:2"[-9:]]
    assert take(data, prune=True).removed == 0
    (folder / os.fsdecode(b"\xff\n.json")).unlink()
    assert take(data, prune=True).removed == 1
    assert set(await held(opened)) == {"b"}


def test_a_line_longer_than_any_item_is_passed_over(data: Path, take: Take) -> None:
    path = data / "items.ndjson"
    with path.open("wb") as file:
        write(data / "first.json", plain_item(id="a"))
        file.write((data / "first.json").read_bytes() + b"\n")
        for _ in range(LONGEST // (1 << 20) + 9):
            file.write(b" " * (1 << 20))
        file.write(b"{}\n" + (data / "first.json").read_bytes().replace(b'"id":"a"', b'"id":"b"') + b"\n")
    for processes in (1, 2):
        report = take(path, processes=processes)
        assert sum(report.items.values()) == 2
        assert report.refused == [(f"{path}:2", f"a line longer than {LONGEST >> 20} MB")]


def test_lines_are_numbered_through_however_they_are_read(data: Path, take: Take) -> None:
    bad = {7, 4_000, 12_345, 19_999}
    lines = [b"{oops" if n in bad else plain_item(id=f"{n}") for n in range(1, 20_001)]
    path = write(data / "items.ndjson", *lines)
    for processes in (1, 2):
        report = take(path, processes=processes)
        assert sum(report.items.values()) == 20_000 - len(bad)
        assert [where for where, _ in report.refused] == [f"{path}:{n}" for n in sorted(bad)]
