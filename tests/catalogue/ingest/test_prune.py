"""What goes: items whose files are gone, items older than their collection keeps; and nothing by accident."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from cscale.catalogue import SqliteStore
from cscale.catalogue.ingest import apply_retention
from cscale.catalogue.ingest.retention import keeps_from
from cscale.errors import BadInput
from cscale.federation.sites import Policy, Retention
from cscale.stac.times import instant
from cscale.testing.archives import plain_item
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import Take, held, with_asset, write
from tests.catalogue.ingest.test_ingest import raster

DAY = 86_400_000_000


def rolling(days: int) -> Policy:
    return Policy(retention=Retention(kind="rolling", days=days))


def digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def dated(name: str, time: str, **members: Any) -> dict[str, Any]:
    return plain_item(id=name, properties={"datetime": time}, **members)


async def test_what_is_gone_is_removed(data: Path, take: Take, opened: Opened) -> None:
    for name in "abc":
        write(data / name / "item.json", plain_item(id=name))
    write(data / "lines.ndjson", plain_item(id="d"), plain_item(id="e"))
    take(data)
    (data / "b" / "item.json").unlink()
    write(data / "lines.ndjson", plain_item(id="e"))
    assert take(data).removed == 0
    report = take(data, prune=True)
    assert (report.removed, report.items) == (2, {"unchanged": 3})
    assert len(report.gone) == 2
    assert set(await held(opened)) == {"a", "c", "e"}
    assert take(data, prune=True).removed == 0


async def test_only_below_the_named_paths(data: Path, take: Take, opened: Opened) -> None:
    for name in ("a", "ab"):
        write(data / name / "item.json", plain_item(id=name))
        write(data / name / "other.json", plain_item(id=f"{name}-other"))
    take(data)
    for name in ("a", "ab"):
        (data / name / "other.json").unlink()
    assert take(data / "a", prune=True).removed == 1
    assert set(await held(opened)) == {"a", "ab", "ab-other"}


async def test_the_same_folder_by_another_way(
    data: Path, take: Take, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(data / "sub" / "a.json", plain_item(id="a"))
    write(data / "sub" / "b.json", plain_item(id="b"))
    take(data)
    (data / "sub" / "a.json").unlink()
    monkeypatch.chdir(data / "sub")
    assert take(Path("../sub/../sub"), prune=True).removed == 1


async def test_an_item_that_moved_stays(data: Path, take: Take, opened: Opened) -> None:
    write(data / "a.json", plain_item(id="a"))
    take(data)
    (data / "deep").mkdir()
    (data / "a.json").rename(data / "deep" / "b.json")
    report = take(data, prune=True)
    assert (report.removed, report.items) == (0, {"unchanged": 1})


@pytest.mark.parametrize("how", ["torn", "unreadable line", "no asset"])
async def test_what_is_there_but_refused_keeps_its_items(
    data: Path, take: Take, opened: Opened, how: str
) -> None:
    write(data / "x.bin", b"content")
    write(data / "lines.ndjson", with_asset("x.bin") | {"id": "a"}, plain_item(id="b"))
    write(data / "item.json", plain_item(id="c"))
    take(data)
    if how == "torn":
        (data / "lines.ndjson").write_bytes(b"{")
    elif how == "unreadable line":
        write(data / "lines.ndjson", b"{", plain_item(id="b"))
    else:
        (data / "x.bin").unlink()
    report = take(data, prune=True)
    assert report.removed == 0
    assert report.refused
    assert set(await held(opened)) == {"a", "b", "c"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_a_folder_that_cannot_be_read_keeps_its_items(data: Path, take: Take, opened: Opened) -> None:
    write(data / "closed" / "a.json", plain_item(id="a"))
    write(data / "b.json", plain_item(id="b"))
    take(data)
    (data / "closed").chmod(0)
    report = take(data, prune=True)
    (data / "closed").chmod(0o700)
    assert (report.removed, len(report.refused)) == (0, 1)


async def test_an_empty_or_missing_folder_is_an_error_unless_meant(
    data: Path, take: Take, opened: Opened
) -> None:
    write(data / "disk" / "a.json", plain_item(id="a"))
    write(data / "b.json", plain_item(id="b"))
    take(data / "disk", data / "b.json")
    (data / "disk" / "a.json").unlink()
    with pytest.raises(BadInput, match="is a disk missing"):
        take(data / "disk", data / "b.json", prune=True)
    (data / "disk").rmdir()
    with pytest.raises(BadInput, match="no such file"):
        take(data / "disk", data / "b.json", prune=True)
    assert set(await held(opened)) == {"a", "b"}
    assert take(data / "disk", prune=True, allow_empty=True).removed == 1
    assert set(await held(opened)) == {"b"}


async def test_a_rehearsal_changes_nothing(path: Path, data: Path, take: Take, opened: Opened) -> None:
    write(data / "a.json", plain_item(id="a"))
    write(data / "b.json", dated("b", "2000-01-01T00:00:00Z"))
    write(data / "x.bin", b"content")
    take(data)
    before = digest(path)
    (data / "a.json").unlink()
    write(data / "c.json", with_asset("x.bin") | {"id": "c"})
    report = take(data, prune=True, dry_run=True)
    assert (report.items, report.removed) == ({"unchanged": 1, "added": 1}, 1)
    assert digest(path) == before
    assert set(await held(opened)) == {"a", "b"}
    assert take(data, prune=True).removed == 1


async def test_a_static_catalogue_forgets_what_it_does_not_link_to(
    data: Path, take: Take, opened: Opened
) -> None:
    for name in "abc":
        write(data / f"{name}.json", plain_item(id=name))
    write(data / "other.json", plain_item(id="other"))
    take(data / "other.json")

    def catalog(*names: str) -> Path:
        links = [{"rel": "item", "href": f"./{name}.json"} for name in names]
        return write(data / "catalog.json", {"type": "Catalog", "id": "x", "links": links})

    take(catalog("a", "b", "c"))
    (data / "b.json").unlink()
    report = take(catalog("a", "b"), prune=True)  # c is not linked to; b should be there
    assert (report.removed, len(report.refused)) == (1, 1)
    assert set(await held(opened)) == {"a", "b", "other"}


async def test_a_raster_that_became_an_asset_is_no_item_any_more(
    data: Path, take: Take, opened: Opened
) -> None:
    raster(data / "band_20200601.tif")
    write(data / "b.json", plain_item(id="b"))
    take(data, collection="one")
    write(data / "item.json", with_asset("band_20200601.tif"))
    report = take(data, collection="one", prune=True)
    assert (report.removed, report.refused) == (1, [])
    assert set(await held(opened)) == {"a", "b"}


def test_the_policy_of_a_collection_counts_else_the_default() -> None:
    policies = {"default": rolling(10), "kept": Policy(), "short": rolling(1)}
    now = instant("2020-02-01T00:00:00Z")
    assert keeps_from(policies, "any", now) == now - 10 * DAY
    assert keeps_from(policies, "short", now) == now - DAY
    assert keeps_from(policies, "kept", now) is None
    assert keeps_from({}, "any", now) is None


async def test_rolling_collections_lose_what_is_older(
    tmp_path: Path, data: Path, take: Take, opened: Opened
) -> None:
    times = ["2020-01-01T00:00:00Z", "2020-01-21T23:59:59Z", "2020-01-22T00:00:00Z", "2020-03-01T00:00:00Z"]
    write(
        data / "items.ndjson",
        *(dated(f"{c}{n}", time, collection=c) for c in ("one", "two") for n, time in enumerate(times)),
    )
    span = {"datetime": None, "start_datetime": times[0], "end_datetime": times[3]}
    write(data / "span.json", plain_item(id="span", properties=span))
    take(data)
    with SqliteStore(tmp_path).writing() as writer:
        assert apply_retention(writer, {"one": rolling(10)}, instant("2020-02-01T00:00:00Z")) == 2
    assert set(await held(opened)) == {"one2", "one3", "two0", "two1", "two2", "two3", "span"}
    assert (data / "items.ndjson").exists()


async def test_an_ingest_applies_retention_and_does_not_take_what_is_too_old(
    data: Path, take: Take, opened: Opened
) -> None:
    write(data / "items.ndjson", dated("old", "2000-01-01T00:00:00Z"), dated("new", "9000-01-01T00:00:00Z"))
    take(data)
    write(data / "older.json", dated("older", "1990-01-01T00:00:00Z"))
    report = take(data, policies={"default": rolling(90)}, prune=True)
    assert (report.expired, report.outdated, report.removed) == (1, 2, 0)
    assert report.items == {"unchanged": 1}
    again = take(data, policies={"default": rolling(90)})
    assert (again.expired, again.outdated) == (0, 2)
    assert set(await held(opened)) == {"new"}
