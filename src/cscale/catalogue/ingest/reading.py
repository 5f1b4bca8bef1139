"""Reading one input: what it gives, made ready for the catalogue as far as that needs no catalogue.

Everything here is safe in a process of its own: it is told all that it needs, and answers in bytes.
"""

import os
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard

from cscale.catalogue.ingest.assets import edited_metadata
from cscale.catalogue.ingest.geotiff import Dating, read_geotiff
from cscale.catalogue.ingest.walking import ELSEWHERE, LONGEST, Input, decode
from cscale.catalogue.products import read_product
from cscale.catalogue.queryables import Kind as Column
from cscale.catalogue.rows import Prepared, prepare
from cscale.errors import BadInput
from cscale.stac.items import Collection, Item

_LONGEST_FILE = 1 << 30
_A_PACK = 200  # items
_WEB = ("https://", "http://", "s3://")
_STEP = 1 << 20
_IN_MEMORY = 32 << 20
_HEAD = struct.Struct("<QQQ")
_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


class How(NamedTuple):
    """How inputs are read.

    Attributes:
        collection: The collection that items go to; None for the one they name.
        dating: How to date raster files.
        columns: The typed columns of the catalogue.
    """

    collection: str | None
    dating: Dating
    columns: Mapping[str, Column]


class Unit(NamedTuple):
    """A part of an input that is read at once.

    Attributes:
        input: The input.
        start: The first byte of a file of lines, the first row group of a parquet file.
        stop: The first that is not read any more.
    """

    input: Input
    start: int = 0
    stop: int = 0


class Place(NamedTuple):
    """Where in an input something stands, from 1; 0 where it has no such parts."""

    line: int = 0
    feature: int = 0

    def shown(self, before: int) -> str:
        """The place as it is written behind a path; `before` lines stood in the units before."""
        line = f":{self.line + before}" if self.line else ""
        return line + (f" feature {self.feature}" if self.feature else "")


class Ready(NamedTuple):
    """An item that can be put as it is."""

    place: Place
    item: Prepared


class Local(NamedTuple):
    """An item with local assets, which must be looked at first.

    Attributes:
        place: Where it stands.
        item: Its JSON.
        base: The folder that its hrefs are relative to, as bytes: a path need not be text.
    """

    place: Place
    item: bytes
    base: bytes


class Outcome(NamedTuple):
    """What a unit gave.

    Attributes:
        lines: How many lines it has.
        ready: Packs of `Ready`.
        local: Packs of `Local`.
        collections: Collections, and where they stand.
        refused: What was not taken: where it stands, and why.
        warnings: What was taken though something is amiss.
    """

    lines: int
    ready: list[bytes]
    local: list[bytes]
    collections: list[tuple[Place, Collection]]
    refused: list[tuple[Place, str]]
    warnings: list[str]


_encode = msgspec.msgpack.Encoder().encode
_read_ready = msgspec.msgpack.Decoder(list[Ready]).decode
_read_local = msgspec.msgpack.Decoder(list[Local]).decode


def pack(things: list[Any]) -> bytes:
    """`Ready` or `Local` things, small enough to be handed about."""
    return zstandard.ZstdCompressor(level=1).compress(_encode(things))


def unpack_ready(packed: bytes) -> list[Ready]:
    """What `pack` has packed."""
    return _read_ready(zstandard.ZstdDecompressor().decompress(packed))


def unpack_local(packed: bytes) -> list[Local]:
    """What `pack` has packed."""
    return _read_local(zstandard.ZstdDecompressor().decompress(packed))


class Spool:
    """Packs set aside in their order: in memory, and in a temporary file when there are many."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # `close` ends it
        self.size = 0

    def put(self, number: int, before: int, packed: bytes) -> None:
        """Set a pack aside with the number of its input, and how many lines stood in the units before."""
        self.size += self._file.write(_HEAD.pack(number, before, len(packed)))
        self.size += self._file.write(packed)

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """All that was put, from the first on."""
        self._file.seek(0)
        while head := self._file.read(_HEAD.size):
            number, before, length = _HEAD.unpack(head)
            yield number, before, self._file.read(length)
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()


def read(unit: Unit, how: How) -> Outcome:
    """Read a unit; what cannot be taken is in the outcome, not raised."""
    reading = _Reading(unit.input, how)
    with reading.refusing(Place()):
        _READERS[unit.input.kind](reading, unit)
    return reading.outcome()


class _Reading:
    """Gathers what a unit gives."""

    def __init__(self, source: Input, how: How) -> None:
        self.source = source
        self.how = how
        self.lines = 0
        self.warnings: list[str] = []
        self._ready: list[Ready] = []
        self._local: list[Local] = []
        self._packs: tuple[list[bytes], list[bytes]] = ([], [])
        self._collections: list[tuple[Place, Collection]] = []
        self._refused: list[tuple[Place, str]] = []

    def outcome(self) -> Outcome:
        self._flush(at_least=1)
        return Outcome(self.lines, *self._packs, self._collections, self._refused, self.warnings)

    @contextmanager
    def refusing(self, place: Place) -> Iterator[None]:
        """What is refused inside is noted, and not raised."""
        try:
            yield
        except (BadInput, OSError) as error:
            self.refuse(place, str(error))

    def refuse(self, place: Place, why: str) -> None:
        self._refused.append((place, why))

    def value(self, value: object, line: int = 0) -> None:
        """Take what a JSON text says."""
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "Catalog" and not self.source.named:
            return  # it only leads to what is found anyway
        if not isinstance(value, dict) or kind not in ("Feature", "FeatureCollection", "Collection"):
            raise BadInput(f"neither a STAC Item, ItemCollection nor Collection (its type is {kind!r})")
        if kind == "Feature":
            self.item(value, Place(line))
        elif kind == "Collection":
            self._collections.append((Place(line), value))
        else:
            self._features(value, line)

    def _features(self, collection: Mapping[str, Any], line: int) -> None:
        features = collection.get("features")
        if not isinstance(features, list):
            raise BadInput("it has no list of features")
        for number, item in enumerate(features, 1):
            place = Place(line, number)
            with self.refusing(place):
                if not isinstance(item, dict):
                    raise BadInput("not a JSON object")
                self.item(item, place)

    def item(self, item: Item, place: Place, base: Path | None = None) -> None:
        """Take an item."""
        if self.how.collection is not None:
            item["collection"] = self.how.collection
        if item.get("collection") is None:
            raise BadInput("it names no collection; say which with --collection")
        if _has_local_assets(item):
            folder = base or self.source.path.parent
            self._local.append(Local(place, _json(item), os.fsencode(folder)))
        else:
            self._ready.append(Ready(place, prepare(item, self.how.columns)))
        self._flush(_A_PACK)

    def _flush(self, at_least: int) -> None:
        things: tuple[list[Any], list[Any]] = (self._ready, self._local)
        for waiting, packs in zip(things, self._packs, strict=True):
            if len(waiting) >= at_least:
                packs.append(pack(waiting))
                waiting.clear()


def _json(item: Item) -> bytes:
    try:
        return msgspec.json.encode(item)
    except _UNWRITABLE as error:
        raise BadInput(f"it cannot be written as JSON: {error}") from error


def _has_local_assets(item: Item) -> bool:
    """Whether an asset is a file on this machine; each must say where it is.

    Raises:
        BadInput: If one does not.
    """
    assets, local = item.get("assets"), False
    for name, asset in (assets if isinstance(assets, dict) else {}).items():
        href = asset.get("href") if isinstance(asset, dict) else None
        if not isinstance(href, str) or not href:
            raise BadInput(f"asset {name} has no href")
        local = local or not (href.startswith(_WEB) or ELSEWHERE.match(href))
    return local


def _json_file(reading: _Reading, unit: Unit) -> None:
    with unit.input.path.open("rb") as file:
        content = file.read(_LONGEST_FILE + 1)
    if len(content) > _LONGEST_FILE:
        raise BadInput(
            f"longer than {_LONGEST_FILE >> 20} MB; write it with one item a line (.ndjson), then it may be"
        )
    reading.value(decode(content))


def _lines(reading: _Reading, unit: Unit) -> None:
    """The lines that begin in a stretch of a file."""
    with unit.input.path.open("rb") as file:
        at = unit.start
        if at > 0:  # the line that reaches in from before belongs there
            file.seek(at - 1)
            at += _rest_of_line(file.readline, unit.stop - at + 1) - 1
        while at < unit.stop and (line := file.readline(LONGEST + 1)):
            at += len(line)
            reading.lines += 1
            with reading.refusing(Place(reading.lines)):
                if len(line) > LONGEST:
                    if not line.endswith(b"\n"):
                        at += _rest_of_line(file.readline, unit.stop - at)
                    raise BadInput(f"a line longer than {LONGEST >> 20} MB")
                if line.strip():
                    reading.value(decode(line), reading.lines)


def _rest_of_line(readline: Callable[[int], bytes], at_most: int) -> int:
    """Read on to the end of the line, or until so many bytes are passed; how many were."""
    passed = 0
    while passed < at_most and (part := readline(_STEP)):
        passed += len(part)
        if part.endswith(b"\n"):
            break
    return passed


def _raster(reading: _Reading, unit: Unit) -> None:
    reading.item(read_geotiff(unit.input.path, reading.how.dating), Place())


def _product(reading: _Reading, unit: Unit) -> None:
    product = read_product(unit.input.path)
    edited = edited_metadata(product.item, product.base)
    reading.item(product.item, Place(), product.base)
    if product.missing:
        reading.warnings.append(f"{len(product.missing)} of its files are missing: {_some(product.missing)}")
    if edited:
        reading.warnings.append(f"not as its manifest says, and taken as they are: {_some(edited)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _parquet(reading: _Reading, unit: Unit) -> None:
    from cscale.catalogue.ingest import geoparquet  # slow to import, and rarely needed

    if unit.start == 0:
        for collection in geoparquet.collections_of(unit.input.path):
            reading.value(collection)
    for item in geoparquet.items_of(unit.input.path, range(unit.start, unit.stop)):
        reading.lines += 1
        with reading.refusing(Place(reading.lines)):
            reading.item(item, Place(reading.lines))


_READERS: Mapping[str, Callable[[_Reading, Unit], None]] = {
    "json": _json_file,
    "lines": _lines,
    "parquet": _parquet,
    "product": _product,
    "raster": _raster,
}
