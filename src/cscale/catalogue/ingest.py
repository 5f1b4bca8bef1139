"""What is handed in - items, collections, raster files, folders of them - into a catalogue."""

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from cscale.archive.folders import Folders, percent_encoded
from cscale.catalogue.bodies import DATA
from cscale.catalogue.geotiff import SUFFIXES as RASTERS
from cscale.catalogue.geotiff import Dating, read_geotiff
from cscale.catalogue.writing import Change, FileState, Writer, writing
from cscale.errors import BadInput
from cscale.stac.items import Item, own_links

JSON_SUFFIXES = (".json", ".geojson")
LINES_SUFFIXES = (".ndjson", ".jsonl")
FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
SHA256 = "1220"
"""How a multihash begins: the algorithm, and how many bytes follow."""

_ALGORITHMS = {SHA256: "sha256", "1114": "sha1", "1340": "sha512", "d50110": "md5"}
_CHUNK = 1 << 20
_LINES_A_STEP = 500
_ELSEWHERE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*:|//")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Progress = Callable[[int, int], None]
"""Is told the number of bytes read and in all."""


@dataclass
class Report:
    """What became of an ingest.

    Attributes:
        items: How many items were added, changed, or unchanged.
        collections: The same of collections.
        refused: What was not taken: where it stands, and why.
    """

    items: Counter[Change] = field(default_factory=Counter)
    collections: Counter[Change] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Options:
    """How to read what is handed in.

    Attributes:
        folders: The folders that the site serves; local assets must lie in one.
        collection: The collection that items go to; None for the one they name.
        dating: How to date raster files.
    """

    folders: Folders
    collection: str | None = None
    dating: Dating = field(default_factory=Dating)


def ingest(
    catalogue: Path,
    paths: Sequence[Path],
    options: Options,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Take files and folders into a catalogue, all at once: readers see all of it or nothing.

    Taking the same input again changes nothing.

    Args:
        catalogue: The catalogue's database file; made if there is none.
        paths: STAC JSON (Item, ItemCollection, Collection), NDJSON, GeoTIFF; folders are searched. A
            file found in a folder that is an asset of an item is not taken for an item itself.
        options: How to read them.
        progress: Called now and then.

    Returns:
        What was taken, and what was refused and why.

    Raises:
        BadInput: If a path does not exist.
    """
    files = sorted(dict.fromkeys(_files(paths)), key=_json_first)
    sizes = {path: path.stat().st_size for path in files}
    total, done = sum(sizes.values()), 0
    with writing(catalogue) as writer:
        intake = _Intake(writer, options, found=set(files) - set(paths))
        for path, size in sizes.items():
            for read in intake.take(path):
                progress(done + min(read, size), total)
            done += size
            progress(done, total)
    return intake.report()


def _json_first(path: Path) -> tuple[bool, Path]:
    """Items before rasters, since a raster that is an item's asset is not an item itself."""
    return path.suffix.lower() in RASTERS, path


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = (each for each in path.rglob("*") if _is_input(each.relative_to(path)))
            yield from (each for each in found if each.is_file())
        elif path.is_file():
            yield path
        else:
            raise BadInput(f"{path}: there is no such file or folder")


def _is_input(path: Path) -> bool:
    known = path.suffix.lower() in (*JSON_SUFFIXES, *LINES_SUFFIXES, *RASTERS)
    return known and not any(part.startswith(".") for part in path.parts)


class _Intake:
    """Takes files one after the other; what cannot be taken goes into the report.

    Args:
        writer: Where to.
        options: How to read them.
        found: The files that nobody named: they were found in folders.
    """

    def __init__(self, writer: Writer, options: Options, found: Iterable[Path]) -> None:
        self._writer = writer
        self._options = options
        self._report = Report()
        self._refused: list[tuple[Path, str, str]] = []
        self._found = {os.path.realpath(path): path for path in found}
        self._assets: set[Path] = set()

    def report(self) -> Report:
        """What was taken and refused; a file that turned out to be an asset was not handed in."""
        for path, where, reason in self._refused:
            if path not in self._assets:
                self._report.refused.append((where, reason))
        return self._report

    def take(self, path: Path) -> Iterator[int]:
        """Take one file; yields now and then how many bytes of it were read."""
        if path.suffix.lower() in LINES_SUFFIXES:
            yield from self._lines(path)
            return
        with self._refusing(path, _shown(path)):
            if path.suffix.lower() not in RASTERS:
                self._take(_decode(path.read_bytes()), path, _shown(path))
            elif path not in self._assets:
                self._item(read_geotiff(path, self._options.dating), path)

    @contextmanager
    def _refusing(self, path: Path, where: str) -> Iterator[None]:
        try:
            yield
        except (BadInput, OSError) as error:
            self._refused.append((path, where, str(error)))

    def _lines(self, path: Path) -> Iterator[int]:
        with self._refusing(path, _shown(path)), path.open("rb") as file:
            read = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    where = f"{_shown(path)}:{number}"
                    with self._refusing(path, where):
                        self._take(_decode(line), path, where)
                read += len(line)
                if number % _LINES_A_STEP == 0:
                    yield read

    def _take(self, value: object, path: Path, where: str) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "Catalog" and os.path.realpath(path) in self._found:
            return  # it only leads to what is found anyway
        if not isinstance(value, dict) or kind not in ("Feature", "FeatureCollection", "Collection"):
            raise BadInput(f"neither a STAC Item, ItemCollection nor Collection (its type is {kind!r})")
        if kind == "Feature":
            self._item(value, path)
        elif kind == "Collection":
            self._report.collections[self._writer.put_collection(value)] += 1
        else:
            self._features(value, path, where)

    def _features(self, collection: Mapping[str, Any], path: Path, where: str) -> None:
        features = collection.get("features")
        if not isinstance(features, list):
            raise BadInput("it has no list of features")
        for number, item in enumerate(features, 1):
            with self._refusing(path, f"{where} feature {number}"):
                if not isinstance(item, dict):
                    raise BadInput("not a JSON object")
                self._item(item, path)

    def _item(self, item: Item, path: Path) -> None:
        if self._options.collection is not None:
            item["collection"] = self._options.collection
        if item.get("collection") is None:
            raise BadInput("it names no collection; say which with --collection")
        assets = item.get("assets")
        for name, asset in (assets if isinstance(assets, dict) else {}).items():
            if not isinstance(asset, dict) or not isinstance(asset.get("href"), str) or not asset["href"]:
                raise BadInput(f"asset {name} has no href")
            if _ELSEWHERE.match(asset["href"]) is None:
                try:
                    self._local_asset(item, asset, path)
                except (BadInput, ValueError) as error:
                    raise BadInput(f"asset {name}: {error}") from error
        self._report.items[self._writer.put(item)] += 1

    def _local_asset(self, item: Item, asset: dict[str, Any], path: Path) -> None:
        """Give a local asset the address it is served at, its size and its checksum."""
        local = _local_path(asset["href"], path)
        try:
            found = local.stat()
        except OSError as error:
            if elsewhere := _beside_self(item, asset["href"]):
                asset["href"] = elsewhere
                return
            raise BadInput(f"{local}: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise BadInput(f"{local} is not a file")
        served = self._options.folders.locate(local)
        if served is None:
            raise BadInput(f"{local} lies in none of the folders under `data` in the site's configuration")
        digest = self._verified(asset, local, served, FileState(found.st_size, found.st_mtime_ns))
        asset |= {"href": f"{DATA}/{percent_encoded(served)}", "file:size": found.st_size}
        asset["file:checksum"] = digest
        if (input_ := self._found.get(os.path.realpath(local))) not in (None, path):
            self._assets.add(input_)
        _declare_file_extension(item)

    def _verified(self, asset: Mapping[str, Any], local: Path, served: str, state: FileState) -> str:
        """The checksum of a local asset, after what is promised of it has been held against it."""
        size, promised = asset.get("file:size"), str(asset.get("file:checksum", "")).lower()
        if size not in (None, state.size):
            raise BadInput(f"{local} has {state.size} bytes, not the {size} that its file:size promises")
        kinds = [kind for kind in _ALGORITHMS if promised.startswith(kind)]
        for kind in kinds:
            if self._checksum(kind, local, served, state) != promised:
                raise BadInput(f"{local} is not the file that its file:checksum promises")
        return self._checksum(SHA256, local, served, state)

    def _checksum(self, kind: str, local: Path, served: str, state: FileState) -> str:
        known = self._writer.known_checksum(served, kind, state)
        if known is None:
            known = checksum(local, kind)
            self._writer.keep_checksum(served, kind, state, known)
        return known


def _shown(path: Path) -> str:
    """A path as text that can be written anywhere."""
    return os.fsencode(path).decode(errors="replace")


def _decode(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadInput(f"not JSON: {error}") from error


def _local_path(href: str, beside: Path) -> Path:
    """The local file that an href means."""
    path = unquote(urlsplit(href).path)
    if _CONTROL.search(href) or "\0" in path:
        raise BadInput(f"its href {href!r} holds control characters")
    return beside.parent / path


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
    digest = hashlib.new(_ALGORITHMS[kind], usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return kind + digest.hexdigest()
