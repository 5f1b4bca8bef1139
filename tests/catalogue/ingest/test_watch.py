"""A watch: what arrives is taken when it has arrived, and nothing is half taken, whatever happens."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cscale.archive.folders import Folders
from cscale.catalogue import SqliteStore
from cscale.catalogue.ingest import Options
from cscale.catalogue.ingest.watch import Batch, Rhythm, Watch
from cscale.errors import BadInput
from cscale.testing.archives import plain_item
from tests.catalogue.conftest import Opened
from tests.catalogue.ingest.conftest import held, with_asset, write
from tests.catalogue.ingest.test_ingest import raster
from tests.catalogue.ingest.test_products import SAFE, copied
from tests.catalogue.ingest.test_prune import dated, rolling

QUIET = 0.3


class Watched:
    """A watch in a thread of its own."""

    def __init__(
        self, state: Path, *folders: Path, rhythm: Rhythm, ignored: tuple[Path, ...], **options: Any
    ) -> None:
        self.batches: list[Batch] = []
        self.stop = threading.Event()
        served = Folders({"scenes": folders[0]})
        self._watch = Watch(
            SqliteStore(state), folders, Options(served, **options), rhythm, self.batches.append, ignored
        )
        self._thread = threading.Thread(target=self._watch.run, args=(self.stop,))
        self._thread.start()

    def end(self) -> None:
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < deadline, self.batches
            assert self._thread.is_alive()
            time.sleep(0.05)

    def total(self, what: str) -> int:
        return sum(
            count
            for each in self.batches
            if each.report
            for change, count in each.report.items.items()
            if change == what
        )

    @property
    def removed(self) -> int:
        return sum(each.report.removed for each in self.batches if each.report)


@contextmanager
def watching(
    state: Path, *folders: Path, quiet: float = QUIET, poll: float | None = None, expire: float = 3600.0,
    ignored: tuple[Path, ...] = (), **options: Any
) -> Iterator[Watched]:  # fmt: skip
    watched = Watched(state, *folders, rhythm=Rhythm(quiet, poll, expire), ignored=ignored, **options)
    try:
        yield watched
    finally:
        watched.end()


@pytest.mark.parametrize("poll", [None, 0.2])
async def test_what_is_there_arrives_changes_and_goes(
    tmp_path: Path, data: Path, opened: Opened, poll: float | None
) -> None:
    write(data / "a.json", plain_item(id="a"))
    with watching(tmp_path, data, poll=poll, prune=True) as watched:
        watched.until(lambda: watched.total("added") == 1)
        write(data / "deep" / "er" / "b.ndjson", plain_item(id="b"), plain_item(id="c"))
        watched.until(lambda: watched.total("added") == 3)
        write(data / "deep" / "er" / "b.ndjson", plain_item(id="b"), plain_item(id="d"))
        watched.until(lambda: watched.total("added") == 4)
        assert watched.removed == 1
        (data / "a.json").unlink()
        watched.until(lambda: watched.removed == 2)
    assert set(await held(opened)) == {"b", "d"}
    assert not [batch.error for batch in watched.batches if batch.error]


async def test_without_prune_nothing_goes(tmp_path: Path, data: Path, opened: Opened) -> None:
    write(data / "a.json", plain_item(id="a"))
    with watching(tmp_path, data) as watched:
        watched.until(lambda: watched.total("added") == 1)
        (data / "a.json").unlink()
        write(data / "b.json", plain_item(id="b"))
        watched.until(lambda: watched.total("added") == 2)
    assert set(await held(opened)) == {"a", "b"}


async def test_what_went_while_nobody_watched_is_removed(tmp_path: Path, data: Path, opened: Opened) -> None:
    for name in "ab":
        write(data / f"{name}.json", plain_item(id=name))
    with watching(tmp_path, data, prune=True) as watched:
        watched.until(lambda: watched.total("added") == 2)
    (data / "a.json").unlink()
    with watching(tmp_path, data, prune=True) as watched:
        watched.until(lambda: watched.removed == 1)
    assert set(await held(opened)) == {"b"}


async def test_a_file_that_grows_is_taken_when_it_is_whole(
    tmp_path: Path, data: Path, opened: Opened
) -> None:
    with watching(tmp_path, data, quiet=1.0) as watched:
        watched.until(lambda: watched._watch._first is False)
        with (data / "items.ndjson").open("wb") as file:
            for number in range(20):
                write(data / ".one", plain_item(id=f"{number}"))
                line = (data / ".one").read_bytes() + b"\n"
                file.write(line[:100])
                file.flush()
                await asyncio.sleep(0.1)
                file.write(line[100:])
                file.flush()
        watched.until(lambda: watched.total("added") == 20)
    [batch] = [each for each in watched.batches if each.inputs]
    assert batch.report
    assert batch.report.refused == []


async def test_an_asset_that_comes_late_or_changes(tmp_path: Path, data: Path, opened: Opened) -> None:
    write(data / "item.json", with_asset("x.bin"))
    with watching(tmp_path, data) as watched:
        watched.until(lambda: any(each.report and each.report.refused for each in watched.batches))
        write(data / "x.bin", b"content")
        watched.until(lambda: watched.total("added") == 1)
        write(data / "x.bin", b"other content")
        watched.until(lambda: watched.total("changed") == 1)
    [item] = (await held(opened)).values()
    assert item["assets"]["data"]["file:size"] == 13


async def test_a_raster_that_an_item_claims_later(tmp_path: Path, data: Path, opened: Opened) -> None:
    raster(data / "band_20200601.tif")
    with watching(tmp_path, data, collection="one", prune=True) as watched:
        watched.until(lambda: watched.total("added") == 1)
        write(data / "item.json", with_asset("band_20200601.tif"))
        watched.until(lambda: watched.removed == 1)
    assert set(await held(opened)) == {"a"}


async def test_a_product_is_taken_when_it_is_there(tmp_path: Path, data: Path, opened: Opened) -> None:
    product = copied(SAFE, tmp_path)
    target = data / product.name
    with watching(tmp_path, data, quiet=0.5) as watched:
        watched.until(lambda: watched._watch._first is False)
        for file in sorted(path for path in product.rglob("*") if path.is_file()):
            copy = target / file.relative_to(product)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            await asyncio.sleep(0.2)
        watched.until(lambda: watched.total("added") == 1)
    [batch] = [each for each in watched.batches if each.inputs]
    assert batch.report
    assert (batch.report.refused, len(batch.report.warnings)) == ([], 1)


def replace_by_nothing(folder: Path, away: Path) -> None:
    folder.rename(away)
    folder.mkdir()


def bring_back(folder: Path, away: Path | None) -> None:
    if away is None:
        folder.rmdir()
    else:
        away.rename(folder)


async def test_a_disk_that_goes_takes_nothing_with_it(tmp_path: Path, data: Path, opened: Opened) -> None:
    write(data / "a.json", plain_item(id="a"))
    with watching(tmp_path, data, prune=True) as watched:
        watched.until(lambda: watched.total("added") == 1)
        replace_by_nothing(data, tmp_path / "away")
        watched.until(lambda: any("is a disk missing" in (each.error or "") for each in watched.batches))
        bring_back(data, None)
        await asyncio.sleep(1.5)
        bring_back(data, tmp_path / "away")
        write(data / "b.json", plain_item(id="b"))
        watched.until(lambda: watched.total("added") == 2)
        (data / "a.json").unlink()
        watched.until(lambda: watched.removed == 1)
    assert set(await held(opened)) == {"b"}


def forget(state: Path) -> None:
    for file in state.glob("catalogue.sqlite*"):
        file.unlink()


async def test_a_batch_that_fails_does_not_end_it(tmp_path: Path, data: Path, opened: Opened) -> None:
    write(tmp_path / "catalogue.sqlite", b"not a catalogue at all, but long enough to be looked at closely")
    write(data / "a.json", plain_item(id="a"))
    with watching(tmp_path, data) as watched:
        watched.until(lambda: any(each.error for each in watched.batches))
        forget(tmp_path)
        watched.until(lambda: watched.total("added") == 1)
    assert set(await held(opened)) == {"a"}


@pytest.mark.parametrize("poll", [None, 0.2])
async def test_what_is_refused_is_tried_again_but_not_for_nothing(
    data: Path, opened: Opened, tmp_path: Path, poll: float | None
) -> None:
    state = data / "state"  # inside what is watched: the catalogue's own files are no news
    state.mkdir()
    write(data / "bad.json", b"{")
    with watching(state, data, poll=poll, ignored=(state / "catalogue.sqlite",)) as watched:
        watched.until(lambda: any(each.report and each.report.refused for each in watched.batches))
        await asyncio.sleep(4 * QUIET + 2)
        assert len(watched.batches) == 1
        write(data / "bad.json", plain_item(id="a"))
        watched.until(lambda: watched.total("added") == 1)


async def test_items_expire_while_nothing_arrives(tmp_path: Path, data: Path, opened: Opened) -> None:
    write(data / "a.json", dated("a", "9000-01-01T00:00:00Z"))
    with watching(tmp_path, data, expire=1.0, policies={"default": rolling(1)}) as watched:
        watched.until(lambda: watched.total("added") == 1)
        with SqliteStore(tmp_path).writing() as writer:
            writer.put(dated("old", "2000-01-01T00:00:00Z"))
        watched.until(lambda: sum(each.report.expired for each in watched.batches if each.report) == 1)
    assert set(await held(opened)) == {"a"}


async def test_much_at_once_by_several(tmp_path: Path, data: Path, opened: Opened) -> None:
    def arrive(worker: int) -> None:
        for number in range(100):
            aside = write(data / f".{worker}-{number}", plain_item(id=f"{worker}-{number}"))
            aside.rename(data / f"{worker}-{number}.json")
            if number % 3 == 0:
                (data / f"{worker}-{number}.json").unlink()

    with watching(tmp_path, data, prune=True) as watched:
        workers = [threading.Thread(target=arrive, args=(worker,)) for worker in range(4)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        wanted = {f"{w}-{n}" for w in range(4) for n in range(100) if n % 3}
        watched.until(lambda: watched.total("added") - watched.removed == len(wanted))
    assert set(await held(opened)) == wanted


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path, data: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        Watched(tmp_path, data, data / "nowhere", rhythm=Rhythm(), ignored=())


async def test_names_that_are_no_text(tmp_path: Path, data: Path, opened: Opened) -> None:
    with watching(tmp_path, data) as watched, suppress(OSError):
        write(data / os.fsdecode(b"caf\xe9\n.json"), plain_item(id="a"))
        watched.until(lambda: watched.total("added") == 1)
        write(data / "b.json", plain_item(id="b"))
        watched.until(lambda: watched.total("added") == 2)
    assert set(await held(opened)) == {"a", "b"}
