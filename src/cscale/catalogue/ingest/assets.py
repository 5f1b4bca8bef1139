"""Local assets of items: where they are served, how long they are, and that they are what was promised."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from cscale.archive.folders import Folders, percent_encoded
from cscale.catalogue.bodies import DATA
from cscale.catalogue.ingest.walking import ELSEWHERE, local_path
from cscale.catalogue.store import FileState, Store
from cscale.errors import BadInput
from cscale.stac.items import Item, own_links

FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
SHA256 = "1220"
"""How a multihash begins: the algorithm, and how many bytes follow."""

_ALGORITHMS = {
    SHA256: "sha256",
    "1114": "sha1",
    "1340": "sha512",
    "1440": "sha3_512",
    "1620": "sha3_256",
    "d50110": "md5",
}
_CHUNK = 1 << 20
_METADATA = 64 << 20
_THREADS = min(4, os.cpu_count() or 1)


class Served(NamedTuple):
    """A file of this site as it was when it was looked at.

    Attributes:
        path: As it is served below `/data`.
        state: Its size and when it was changed.
        local: Where it lies.
    """

    path: str
    state: FileState
    local: Path


@dataclass
class Looked:
    """An item whose local assets have been looked at.

    Attributes:
        item: The item; its local assets have their addresses, as far as they are known.
        wanted: Its local assets, and the kinds of checksum that are to be computed of each.
        served: Its local assets' files, by the asset's name.
    """

    item: Item
    wanted: dict[str, tuple[str, ...]] = field(default_factory=dict)
    served: dict[str, Served] = field(default_factory=dict)


class Assets:
    """Looks at local assets.

    Args:
        folders: The folders that the site serves; local assets must lie in one.
        trusting: Whether promised checksums are taken as they are.
    """

    def __init__(self, folders: Folders, *, trusting: bool = False) -> None:
        self._folders = folders
        self._trusting = trusting

    def look(self, item: Item, base: Path, claim: Callable[[Path], None]) -> Looked:
        """Find an item's local assets and judge what can be judged without reading them.

        Args:
            item: The item.
            base: The folder that its hrefs are relative to.
            claim: Is told each file that is an asset, also of an item that is refused.

        Raises:
            BadInput: If one is no file of this site, or not as long as was promised.
        """
        looked = Looked(item)
        for name, asset in item["assets"].items():
            if ELSEWHERE.match(asset["href"]) is None:
                try:
                    self._look_at(looked, name, local_path(asset["href"], base), claim)
                except (BadInput, ValueError) as error:
                    raise BadInput(f"asset {name}: {error}") from error
        return looked

    def _look_at(self, looked: Looked, name: str, local: Path, claim: Callable[[Path], None]) -> None:
        asset = looked.item["assets"][name]
        try:
            found = local.stat()
        except OSError as error:
            if elsewhere := _beside_self(looked.item, asset["href"]):
                asset["href"] = elsewhere
                return
            raise BadInput(f"{local}: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{local} is not a file")
        claim(local)
        served = self._folders.locate(local)
        if served is None:
            raise BadInput(f"{local} lies in none of the folders under `data` in the site's configuration")
        if asset.get("file:size") not in (None, found.st_size):
            raise BadInput(
                f"{local} has {found.st_size} bytes, not the {asset['file:size']} that its file:size promises"
            )
        promised = promised_kind(asset)
        trusted = promised is not None and self._trusting
        looked.wanted[name] = () if trusted else tuple({SHA256, promised or SHA256})
        looked.served[name] = Served(served, FileState(found.st_size, found.st_mtime_ns), local)
        asset |= {"href": f"{DATA}/{percent_encoded(served)}", "file:size": found.st_size}
        _declare_file_extension(looked.item)


def promised_kind(asset: Mapping[str, Any]) -> str | None:
    """The kind of the checksum that an asset promises, if it is one that can be computed."""
    promised = str(asset.get("file:checksum", "")).lower()
    return next((kind for kind in _ALGORITHMS if promised.startswith(kind)), None)


Known = dict[tuple[Served, str], str]
"""Checksums by file and kind."""


def known_checksums(store: Store, all_looked: Iterable[Looked]) -> Known:
    """The checksums that the catalogue remembers of files that have not changed since."""
    known: Known = {}
    with store.writing() as writer:  # nothing is written; it is soon over
        for looked in all_looked:
            for name, kinds in looked.wanted.items():
                served = looked.served[name]
                for kind in kinds:
                    found = writer.known_checksum(served.path, kind, served.state)
                    if found is not None:
                        known[served, kind] = found
    return known


def compute(all_looked: Iterable[Looked], known: Known, told: Callable[[int], None]) -> Known:
    """Compute the checksums that are wanted and not known, each file read once, several at a time.

    Args:
        all_looked: The items.
        known: What is known; is added to.
        told: Is told how many bytes were read.

    Returns:
        What was computed.
    """
    missing: dict[Served, set[str]] = {}
    for looked in all_looked:
        for name, kinds in looked.wanted.items():
            served = looked.served[name]
            if lacking := {kind for kind in kinds if (served, kind) not in known}:
                missing.setdefault(served, set()).update(lacking)
    computed: Known = {}
    with ThreadPoolExecutor(_THREADS, "checksums") as threads:
        for served, digests in threads.map(lambda each: (each[0], _safely(*each)), missing.items()):
            computed.update({(served, kind): digest for kind, digest in digests.items()})
            told(served.state.size)
    known |= computed
    return computed


def _safely(served: Served, kinds: set[str]) -> dict[str, str]:
    """The checksums of a file; none where it cannot be read, or has changed while it was."""
    try:
        digests = checksums(served.local, kinds)
        now = served.local.stat()
    except OSError:
        return {}
    return digests if FileState(now.st_size, now.st_mtime_ns) == served.state else {}


def edited_metadata(item: Item, base: Path) -> list[str]:
    """Metadata files of a product that are not as its manifest says; their promises are taken back.

    Archives edit these after the fact, and the manifest is left behind. What measures is never let off.

    Args:
        item: A product's item, with what its manifest promises.
        base: The folder that its hrefs are relative to.

    Returns:
        Their hrefs.
    """
    edited = []
    for asset in item["assets"].values():
        href, size = asset["href"], asset.get("file:size")
        if asset.get("roles") != ["metadata"] or size is None or ELSEWHERE.match(href):
            continue
        local, kind = local_path(href, base), promised_kind(asset)
        if not local.is_file() or local.stat().st_size > _METADATA:
            continue
        if local.stat().st_size != size or (kind and checksum(local, kind) != asset["file:checksum"].lower()):
            del asset["file:size"]
            asset.pop("file:checksum", None)
            edited.append(href)
    return edited


def finish(looked: Looked, known: Known) -> Item:
    """The item with its local assets' checksums, after what was promised has been held against them.

    Raises:
        BadInput: If a file is not what was promised, or could not be read.
    """
    for name, kinds in looked.wanted.items():
        asset, served = looked.item["assets"][name], looked.served[name]
        promised = str(asset.get("file:checksum", "")).lower()
        for kind in kinds:
            found = known.get((served, kind))
            if found is None:
                raise BadInput(f"asset {name}: {served.local} cannot be read, or changes while it is read")
            if promised.startswith(kind) and found != promised:
                raise BadInput(
                    f"asset {name}: {served.local} is not the file that its file:checksum promises"
                )
        if kinds:
            asset["file:checksum"] = known[served, SHA256]
    return looked.item


def _beside_self(item: Mapping[str, Any], href: str) -> str | None:
    """Where a relative href leads, if the item says where on the web it stands."""
    own = [link.get("href") for link in own_links(item) if link.get("rel") == "self"]
    if own and isinstance(own[0], str) and own[0].startswith(("http://", "https://")):
        return urljoin(own[0], href)
    return None


def _declare_file_extension(item: Item) -> None:
    extensions = item.get("stac_extensions")
    if not isinstance(extensions, list):
        extensions = item["stac_extensions"] = []
    if not any("/file/" in str(extension) for extension in extensions):
        extensions.append(FILE_EXTENSION)


def checksum(path: Path, kind: str = SHA256) -> str:
    """The checksum of a file as a multihash in hexadecimal, as STAC's file extension wants it."""
    return checksums(path, {kind})[kind]


def checksums(path: Path, kinds: Iterable[str]) -> dict[str, str]:
    """Checksums of several kinds of a file that is read once."""
    digests = {kind: hashlib.new(_ALGORITHMS[kind], usedforsecurity=False) for kind in kinds}
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in digests.values():
                digest.update(chunk)
    return {kind: kind + digest.hexdigest() for kind, digest in digests.items()}
