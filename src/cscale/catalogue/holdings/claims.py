"""Whose a file is, given an index of the files that items name."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from cscale.archive.holdings import Claim
from cscale.errors import SiteError

FRESH = 1.0
"""Seconds that an answer is believed."""
HERE = "cscale-data:"
"""What stands for the address of `/data` in bodies that are read for the index."""
_KEPT = 20_000


class Index(Protocol):
    """The files that items name. A folder that an item names stands in it like a file, without a slash."""

    def refresh(self) -> None:
        """Bring it up to date with the catalogue."""
        ...

    def naming(self, paths: list[str]) -> Iterable[tuple[str, str]]:
        """Those of some paths that items name, each with the collection of each item's."""
        ...

    def below(self, folder: str) -> set[str]:
        """The collections that have files below a folder."""
        ...


class Claims:
    """Answers from an index, kept for a moment.

    Args:
        index: Asked by one thread at a time.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Claim]] = {}

    def known(self, path: str) -> Claim | None:
        """See `Holdings.known`."""
        kept = self._kept.get(path)
        return kept[1] if kept is not None and time.monotonic() - kept[0] < FRESH else None

    def claim(self, path: str) -> Claim:
        """See `Holdings.claim`."""
        with self._lock:
            kept = self.known(path)
            if kept is not None:
                return kept
            now = time.monotonic()
            try:
                claim = self._looked_up(path)
            except SiteError:  # the connection was lost since it was last used
                claim = self._looked_up(path)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[path] = now, claim
            return claim

    def _looked_up(self, path: str) -> Claim:
        self._index.refresh()
        return _claim(self._index, path)


def _claim(index: Index, path: str) -> Claim:
    around = [path, *folders(path)]
    found = list(index.naming(around))
    for each in around:
        if collections := {collection for named, collection in found if named == each}:
            return Claim(frozenset(collections), named=True)
    for folder in around[1:]:
        if collections := index.below(folder):
            return Claim(frozenset(collections), named=False)
    return Claim(frozenset(), named=False)


def folders(path: str) -> list[str]:
    """The folders around a path, the nearest first."""
    steps = path.split("/")
    return ["/".join(steps[:end]) for end in range(len(steps) - 1, 0, -1)]


def served_paths(body: bytes, data_url: str) -> set[str]:
    """The files of this site that an item's assets lead to.

    Args:
        body: The item's open body, in which `HERE` stands for the address of `/data`.
        data_url: That address, as items that came with it have it.
    """
    assets: Any = msgspec.json.decode(body + b"]}").get("assets")
    prefixes = (f"{HERE}/", f"{data_url.rstrip('/')}/")
    found = set()
    for href in _hrefs(assets):
        for prefix in prefixes:
            if href.startswith(prefix):
                path = href.removeprefix(prefix).partition("?")[0].partition("#")[0]
                found.add(unquote(path).rstrip("/"))
    return found


def _hrefs(thing: Any) -> Iterator[str]:
    if isinstance(thing, dict):
        for name, value in thing.items():
            if name == "href" and isinstance(value, str):
                yield value
            else:
                yield from _hrefs(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from _hrefs(value)
