"""What is handed in: files that are named, those found in folders, those that a static catalogue links to."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from cscale.archive.folders import Folders
from cscale.catalogue.products import is_product
from cscale.errors import BadInput
from cscale.stac.items import own_links

Kind = Literal["json", "lines", "parquet", "product", "raster"]
"""What an input is read as."""

SUFFIXES: dict[str, Kind] = {
    ".json": "json",
    ".geojson": "json",
    ".ndjson": "lines",
    ".jsonl": "lines",
    ".parquet": "parquet",
    ".geoparquet": "parquet",
    ".tif": "raster",
    ".tiff": "raster",
}
_MAYBE_PRODUCTS = (".zip", ".nc")
_PRODUCT_FOLDERS = (".safe", ".sen3")
ELSEWHERE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*:|//")
"""How an href begins that means no local file."""
LONGEST = 64 << 20
"""The longest line or linking document that is read, bytes."""
_DEEPEST, _MOST = 64, 1_000_000  # of the documents of a static catalogue
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Input(NamedTuple):
    """Something to read.

    Attributes:
        path: Where it lies.
        real: The same, free of links.
        origin: What the catalogue remembers of where its items came from.
        kind: What it is read as.
        named: Whether it was named, rather than found.
    """

    path: Path
    real: str
    origin: str
    kind: Kind
    named: bool


class Refusal(NamedTuple):
    """What was not taken.

    Attributes:
        origin: The origin of the items that it may have given before.
        where: The input, and the place in it.
        why: The reason.
    """

    origin: str
    where: str
    why: str


@dataclass
class Inputs:
    """What is handed in.

    Attributes:
        inputs: What to read; rasters come last, since one that is an item's asset is no item itself.
        refused: What could not even be looked at.
        roots: The origins that what was named stands for: what came from below them before and is not
            there any more can be pruned.
    """

    inputs: list[Input] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)


def shown(path: str | Path) -> str:
    """A path as text that can be written anywhere."""
    return os.fsencode(path).decode(errors="replace")


def origin_of(path: Path) -> str:
    """How the catalogue names a path that things came from: absolute, and text whatever its bytes."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  # `..` is taken away, links are kept
    real = os.path.join(os.path.realpath(absolute.parent), absolute.name)  # noqa: PTH118  # for `/` too
    return os.fsencode(real).decode(errors="backslashreplace")


def look(paths: Sequence[Path], folders: Folders, *, allow_missing: bool = False) -> Inputs:
    """Find what to read below the paths that were named.

    Args:
        paths: Files, folders, static catalogues, products.
        folders: The folders that the site serves: links of a static catalogue may lead there.
        allow_missing: Whether a path that is not there counts as an empty one.

    Raises:
        BadInput: If a path does not exist.
    """
    gathered = Inputs()
    for path in paths:
        gathered.roots.append(origin_of(path))
        if path.is_dir():
            _folder(path, gathered)
        elif path.is_file():
            _file(path, folders, gathered)
        elif not allow_missing:
            raise BadInput(f"{shown(path)}: there is no such file or folder")
    named = {each.real for each in gathered.inputs if each.named}
    once = {each.real: each for each in reversed(gathered.inputs)}
    gathered.inputs = sorted(
        (each._replace(named=each.real in named) for each in once.values()),
        key=lambda each: (each.kind == "raster", each.path),
    )
    return gathered


def _folder(path: Path, gathered: Inputs) -> None:
    real, origin = os.path.realpath(path), origin_of(path)
    if _product_folder(path, path.name):
        gathered.inputs.append(Input(path, real, origin, "product", named=True))
        return
    gathered.inputs.extend(walk(path, gathered.refused))


def walk(folder: Path, refused: list[Refusal]) -> Iterator[Input]:
    """The inputs in a folder: nothing hidden; a product is one input, whatever lies in it.

    Args:
        folder: Where to look; links to folders in it are not followed.
        refused: Gets the folders that cannot be read.
    """
    waiting = [(folder, os.path.realpath(folder), origin_of(folder))]
    while waiting:
        here, real, origin = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            refused.append(Refusal(origin, shown(here), str(error.strerror)))
            continue
        for entry in entries:
            if not entry.name.startswith("."):
                try:
                    found = _entry(entry, here, real, origin)
                except OSError as error:  # a link to itself, say
                    refused.append(
                        Refusal(_below(origin, entry.name), shown(entry.path), str(error.strerror))
                    )
                    continue
                if isinstance(found, Input):
                    yield found
                elif found is not None:
                    waiting.append(found)


def _entry(
    entry: "os.DirEntry[str]", here: Path, real: str, origin: str
) -> Input | tuple[Path, str, str] | None:
    """What an entry of a folder is: an input, or a folder to look into, or neither."""
    path, own = here / entry.name, _below(origin, entry.name)
    at = os.path.realpath(path) if entry.is_symlink() else f"{real.rstrip('/')}/{entry.name}"
    if entry.is_dir():
        if _product_folder(path, entry.name):
            return Input(path, at, own, "product", named=False)
        return None if entry.is_symlink() else (path, at, own)
    kind = _kind_of(path)
    return Input(path, at, own, kind, named=False) if kind is not None and entry.is_file() else None


def _product_folder(path: Path, name: str) -> bool:
    return name.lower().endswith(_PRODUCT_FOLDERS) or is_product(path)


def _kind_of(path: Path) -> Kind | None:
    suffix = path.suffix.lower()
    if suffix in _MAYBE_PRODUCTS:
        return "product" if is_product(path) else None
    return SUFFIXES.get(suffix)


def _below(origin: str, inside: str) -> str:
    return f"{origin.rstrip('/')}/{os.fsencode(inside).decode(errors='backslashreplace')}"


def _file(path: Path, folders: Folders, gathered: Inputs) -> None:
    kind = _kind_of(path) or "json"
    own = Input(path, os.path.realpath(path), origin_of(path), kind, named=True)
    document = _linking(path) if kind == "json" else None
    if document is None:
        gathered.inputs.append(own)
    else:
        _Following(own, folders, gathered).follow(document)


def _linking(path: Path) -> dict[str, Any] | None:
    """A catalogue's or a collection's JSON, if this is one that has children or items."""
    try:
        document = read_document(path)
    except (BadInput, OSError):
        return None  # whoever reads it for items says why
    if document.get("type") == "Catalog" or (document.get("type") == "Collection" and _led_to(document)):
        return document
    return None


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object that is small enough to be read at once.

    Raises:
        BadInput: If it is not one.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise BadInput(f"longer than {LONGEST >> 20} MB")
    value = decode(content)
    if not isinstance(value, dict):
        raise BadInput("not a JSON object")
    return value


def decode(data: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        BadInput: If it is not JSON.
    """
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadInput(f"not JSON: {error}") from error


def local_path(href: str, beside: Path) -> Path:
    """The local file that an href means.

    Raises:
        BadInput: If it holds control characters.
        ValueError: If it is no URL.
    """
    path = unquote(urlsplit(href).path, errors="surrogateescape")
    if _CONTROL.search(href) or "\0" in path:
        raise BadInput(f"its href {href!r} holds control characters")
    return beside / path


def _led_to(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Relation and href of the links to what is below a catalogue."""
    links = [(link.get("rel"), link.get("href")) for link in own_links(document)]
    return [
        (rel, href)
        for rel, href in links
        if isinstance(href, str) and href and isinstance(rel, str) and rel in ("child", "item")
    ]


class _Following:
    """Follows a static catalogue's links, each document once, whatever circles they make."""

    def __init__(self, start: Input, folders: Folders, gathered: Inputs) -> None:
        self._start = start
        self._folders = folders
        self._gathered = gathered
        self._home = os.path.dirname(start.real)  # noqa: PTH120  # it is text already
        self._seen = {start.real}
        self._abroad: list[str] = []

    def follow(self, document: dict[str, Any]) -> None:
        """Gather the documents below the one that was named."""
        waiting = [(self._start.path, document, 0)]
        if document.get("type") == "Collection":
            self._gathered.inputs.append(self._start)
        while waiting:
            path, document, depth = waiting.pop()
            for rel, href in _led_to(document):
                found = self._found(path, rel, href, depth)
                if found is not None:
                    self._gathered.inputs.append(found)
                    if rel == "child" and (child := self._child(found)) is not None:
                        waiting.append((found.path, child, depth + 1))
        if self._abroad:
            self._refuse(
                self._start.path,
                f"{len(self._abroad)} of its links lead to the web ({self._abroad[0]} ...); "
                "only catalogues on disk are followed: ask the site that serves it, or download it",
            )

    def _found(self, beside: Path, rel: str, href: str, depth: int) -> Input | None:
        if ELSEWHERE.match(href):
            self._abroad.append(href[:200])
            return None
        try:
            path = local_path(href, beside.parent)
            real = os.path.realpath(path)
        except (BadInput, ValueError, OSError) as error:
            self._refuse(beside, f"link {href[:200]!r}: {error}")
            return None
        if real in self._seen:
            return None
        if depth >= _DEEPEST or len(self._seen) >= _MOST:
            self._refuse(beside, f"catalogues are followed {_DEEPEST} steps deep, to {_MOST:,} documents")
            return None
        self._seen.add(real)
        if not self._may_be_read(real):
            self._refuse(beside, f"link {href[:200]!r} leads out of the catalogue's folder")
            return None
        if not os.path.isfile(real):  # noqa: PTH113  # it is text already
            self._refuse(Path(real), "there is no such file", whole=rel == "child")
            return None
        return Input(Path(real), real, self._origin(real), "json", named=False)

    def _may_be_read(self, real: str) -> bool:
        return real.startswith(self._home.rstrip("/") + "/") or self._folders.locate(Path(real)) is not None

    def _child(self, found: Input) -> dict[str, Any] | None:
        """A child's document; what is neither catalogue nor collection is judged by whoever reads it."""
        try:
            return read_document(found.path)
        except (BadInput, OSError):
            return None

    def _origin(self, real: str) -> str:
        home = self._home.rstrip("/") + "/"
        return _below(self._start.origin, real.removeprefix(home).lstrip("/"))

    def _refuse(self, path: Path, why: str, *, whole: bool = False) -> None:
        real = os.path.realpath(path)
        origin = self._start.origin if real == self._start.real else self._origin(real)
        self._gathered.refused.append(
            Refusal(origin.rpartition("/")[0] if whole else origin, shown(path), why)
        )


def counted(inputs: Iterable[Input]) -> int:
    """The bytes to read; a product counts as its own folder's entry."""
    total = 0
    for each in inputs:
        try:
            total += each.path.stat().st_size
        except OSError:
            continue  # whoever reads it says why
    return total


def state_of(source: Input) -> tuple[int, int, int] | None:
    """What changes when a file does; None of a folder, and of what cannot be looked at."""
    try:
        found = source.path.stat()
    except OSError:
        return None
    if source.kind == "product" and source.path.is_dir():
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
