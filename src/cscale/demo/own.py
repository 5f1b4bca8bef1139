"""The user's own scenes in place of ours, shared out over the three archives without copying a file."""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from cscale.archive.folders import Folders
from cscale.catalogue import SqliteStore
from cscale.catalogue.ingest import Options, ingest
from cscale.catalogue.sqlite.store import FILE
from cscale.demo.archives import Archive, Expected, Progress, Truth
from cscale.errors import BadInput
from cscale.identity import ANONYMOUS
from cscale.stac.items import item_times, read_body
from cscale.stac.search import MAX_LIMIT, SearchRequest

COLLECTION = "my-scenes"
"""Where raster files go that no item speaks of."""
SHARED_OUT = (
    "in order of time, alpha lists the first 40 % of them, beta the 40 % in the middle, gamma the last 40 %; "
    "what two of them list are copies"
)
_SPANS = {"alpha": (0, 4), "beta": (3, 7), "gamma": (6, 10)}  # tenths

Refused = tuple[str, str]
"""What was not taken: where it stands, and why."""


def spans(count: int) -> dict[str, range]:
    """Which of `count` scenes, in order of time, each archive lists; together they list all."""
    return {
        name: range(count * first // 10, -(-count * last // 10)) for name, (first, last) in _SPANS.items()
    }


def archives(scenes: Path) -> list[Archive]:
    """The archives that share a folder of scenes out; each serves the whole folder and lists its share."""
    said = {"alpha": "the first 40 %", "beta": "the 40 % in the middle", "gamma": "the last 40 %"}
    return [
        Archive(
            name, f"{name.capitalize()} archive (your scenes)", said[name], "as yours", "as yours", scenes, ""
        )
        for name in _SPANS
    ]


def share_out(folder: Path, scenes: Path, progress: Progress) -> tuple[Truth, list[Refused]]:
    """Make the archives' catalogues out of a folder of GeoTIFF and STAC files.

    Args:
        folder: Where the archives' folders are made.
        scenes: What is shared out, see `SHARED_OUT`.
        progress: Told how many files are read, of how many.

    Returns:
        What a search must find, and what was refused and why.

    Raises:
        BadInput: If there is nothing that can be taken.
    """
    whole = folder / ".all.part"
    shutil.rmtree(whole, ignore_errors=True)
    try:
        refused = _take_all(SqliteStore(whole), scenes, progress)
        listed = asyncio.run(_listed(SqliteStore(whole)))
        if not listed:
            reasons = "".join(f"; {where}: {why}" for where, why in refused[:3])
            raise BadInput(f"{scenes}: no GeoTIFF or STAC item that can be taken{reasons}")
        for name, span in spans(len(listed)).items():
            _list_only(whole, folder / name, [each[:2] for each in listed], span)
    finally:
        shutil.rmtree(whole, ignore_errors=True)
    shares = spans(len(listed))
    truth = {
        (collection, item): Expected(moment, tuple(name for name, span in shares.items() if rank in span))
        for rank, (collection, item, moment) in enumerate(listed)
    }
    return truth, refused


def _take_all(store: SqliteStore, scenes: Path, progress: Progress) -> list[Refused]:
    """Ingest the folder; raster files that no item speaks of are refused first, then taken by name."""
    options = Options(Folders({"scenes": scenes}))
    first = ingest(store, [scenes], options, progress).refused
    alone = [Path(where) for where, _ in first if Path(where).suffix.lower() in (".tif", ".tiff")]
    if not alone:
        return first
    second = ingest(store, alone, replace(options, collection=COLLECTION), progress).refused
    return [each for each in first if Path(each[0]) not in alone] + second


async def _listed(store: SqliteStore) -> list[tuple[str, str, int]]:
    """Collection, id and time of all items, oldest first."""
    source, listed = store.source(data_url="", secret=bytes(32)), []
    request = SearchRequest(limit=MAX_LIMIT)
    with closing(source):
        while True:
            page = await source.search(ANONYMOUS, request)
            for item in page.items:
                moment, _, _ = item_times(read_body(item.body))
                listed.append((item.collection, item.id, moment or 0))
            if page.token is None:
                return sorted(listed, key=lambda each: each[2])
            request = replace(request, token=page.token)


def _list_only(whole: Path, state: Path, listed: Sequence[tuple[str, str]], span: range) -> None:
    """Make the catalogue that lists a span of all items; it is there whole, or the old one still is."""
    aside = state.with_name(f".{state.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    with closing(sqlite3.connect(whole / FILE)) as source, closing(sqlite3.connect(aside / FILE)) as copy:
        source.backup(copy)
    with SqliteStore(aside).writing() as writer:
        for rank, (collection, item) in enumerate(listed):
            if rank not in span:
                writer.remove(collection, item)
    shutil.rmtree(state, ignore_errors=True)
    aside.rename(state)
