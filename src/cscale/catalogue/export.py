"""What a catalogue holds, into a file: NDJSON, or stac-geoparquet for those who ask columns."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import shapely.geometry

from cscale.catalogue.ingest.geoparquet import (
    EDGES,
    EXACT,
    MEMBERS,
    METADATA,
    SPECIFICATION,
    TIMES,
    WKB,
    differences,
    read_batch,
)
from cscale.errors import BadInput, BadRequest, NotFound
from cscale.identity import ANONYMOUS
from cscale.stac import times
from cscale.stac.items import Collection, Item, close_body
from cscale.stac.search import MAX_LIMIT, SearchRequest
from cscale.stac.source import ItemSource

Format = Literal["ndjson", "parquet"]
SUFFIXES: Mapping[str, Format] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".geoparquet": "parquet",
}
Progress = Callable[[int, int | None], None]
"""Is told how many items are written, and of how many where that is known."""

_ROWS = 1000  # of a row group
_WIDEST = 500  # members of one object that become columns


def format_of(path: Path, wanted: str | None) -> Format:
    """The format of a file: the one that is wanted, else by its suffix.

    Raises:
        BadRequest: If neither tells.
    """
    found = SUFFIXES.get(path.suffix.lower() if wanted is None else f".{wanted.lower()}")
    if found is None:
        raise BadRequest(f"{path}: which format? Name it .ndjson or .parquet, or say --format ndjson|parquet")
    return found


async def export(
    source: ItemSource,
    request: SearchRequest,
    path: Path,
    form: Format,
    progress: Progress = lambda _done, _total: None,
) -> tuple[int, int]:
    """Write all items that a search finds, and the collections they may be of, into one file.

    The file is written aside and gets its name when it is whole.

    Args:
        source: What to search.
        request: What for; its order is the file's.
        path: The file.
        form: Its format.
        progress: Called now and then.

    Returns:
        How many items and collections were written.

    Raises:
        NotFound: If a collection that is asked for does not exist.
        BadInput: If the file cannot be written.
    """
    collections = await _collections(source, request)
    with _aside(path) as file:
        if form == "ndjson":
            written = await _write_lines(source, request, collections, file, progress)
        else:
            with tempfile.TemporaryFile(dir=path.parent) as lines:
                written = await _write_lines(source, request, [], lines, progress)
                _write_table(lines, collections, file)
    return written, len(collections)


@contextmanager
def _aside(path: Path) -> Iterator[IO[bytes]]:
    """A file beside the one that is meant, which gets its name if all goes well, else is gone."""
    aside = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
        aside = Path(name)
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(0o666 & ~_umask())
        aside.replace(path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


async def _collections(source: ItemSource, request: SearchRequest) -> list[Collection]:
    held = {each["id"]: each for each in (await source.collections(ANONYMOUS)).collections}
    if request.collections is None:
        return list(held.values())
    if absent := [name for name in request.collections if name not in held]:
        raise NotFound(f"no collection {absent[0]!r} here; there are {', '.join(held) or 'none'}")
    return [held[name] for name in sorted(request.collections)]


async def _write_lines(
    source: ItemSource,
    request: SearchRequest,
    collections: Iterable[Collection],
    file: IO[bytes],
    progress: Progress,
) -> int:
    """Write collections, then items, one a line; how many items."""
    for collection in collections:
        file.write(msgspec.json.encode(collection) + b"\n")
    done = 0
    async for bodies, total in _pages(source, request):
        for body in bodies:
            file.write(close_body(body, b"") + b"\n")
        done += len(bodies)
        progress(done, total)
    return done


async def _pages(source: ItemSource, request: SearchRequest) -> AsyncIterator[tuple[list[bytes], int | None]]:
    request, total = replace(request, limit=MAX_LIMIT, token=None), None
    while True:
        page = await source.search(ANONYMOUS, request)
        total = page.matched if total is None else total
        yield [item.body for item in page.items], total
        if page.token is None:
            return
        request = replace(request, token=page.token)


def _write_table(lines: IO[bytes], collections: Sequence[Collection], file: IO[bytes]) -> None:
    """Write lines of items as stac-geoparquet: read once for the columns, and once for their values."""
    lines.seek(0)
    table = _Table()
    for line in lines:
        table.see(msgspec.json.decode(line))
    lines.seek(0)
    schema = table.schema(collections)
    with pq.ParquetWriter(file, schema, compression="zstd", write_statistics=True) as writer:
        while items := [msgspec.json.decode(line) for line in islice(lines, _ROWS)]:
            writer.write_batch(table.batch(items, schema))


class _Table:
    """The columns that items need, and the items in them."""

    def __init__(self) -> None:
        self._columns: dict[str, _Shape] = {
            name: _Shape() for name in ("stac_version", "stac_extensions", "id", "bbox", "geometry")
        }
        self._high = False
        self._geometries: set[str] = set()

    def see(self, item: Item) -> None:
        """Make room for an item's members."""
        for name, value in _members(item):
            self._columns.setdefault(name, _Shape()).see(value, name)
        bbox, geometry = item.get("bbox"), item.get("geometry")
        self._high = self._high or (isinstance(bbox, list) and len(bbox) == 6)
        if geometry is not None:
            self._geometries.add(_shape_name(geometry))

    def schema(self, collections: Sequence[Collection]) -> pa.Schema:
        """The schema of the file."""
        edges = [edge for edge in EDGES if self._high or edge[0] != "z"]
        own = {
            "bbox": pa.struct([(edge, pa.float64()) for edge in edges]),
            "geometry": pa.binary(),
            "stac_extensions": pa.list_(pa.string()),
        } | {name: pa.string() for name in ("stac_version", "id", "collection")}
        own |= dict.fromkeys(TIMES, pa.timestamp("us", "UTC"))
        fields = []
        for name, shape in self._columns.items():
            kind = own.get(name) or shape.arrow()
            if kind is not None:
                fields.append(pa.field(name, kind))
        self._kinds = {field.name: field.type for field in fields}
        fields.append(pa.field(EXACT, pa.string()))
        described = {"version": SPECIFICATION, "collections": {each["id"]: each for each in collections}}
        metadata = {b"geo": msgspec.json.encode(self._geo()), METADATA: msgspec.json.encode(described)}
        return pa.schema(fields, metadata=metadata)

    def _geo(self) -> dict[str, Any]:
        """The metadata of GeoParquet 1.1."""
        corners = ("xmin", "ymin", "xmax", "ymax")
        geometry = {
            "encoding": "WKB",
            "geometry_types": sorted(self._geometries),
            "covering": {"bbox": {corner: ["bbox", corner] for corner in corners}},
        }
        columns: dict[str, Any] = {"geometry": geometry}
        if "proj:geometry" in self._kinds:  # in a system of each item's own
            columns["proj:geometry"] = {"encoding": "WKB", "geometry_types": [], "crs": None}
        return {"version": "1.1.0", "primary_column": "geometry", "columns": columns}

    def batch(self, items: Sequence[Item], schema: pa.Schema) -> pa.RecordBatch:
        """Items as rows; what the columns cannot tell of them stands in the last."""
        rows = [dict(_members(item)) for item in items]
        arrays = [
            pa.array([self._value(name, row.get(name)) for row in rows], kind)
            for name, kind in self._kinds.items()
        ]
        told = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(list(schema)[:-1]))
        exact = [differences(have, want) for have, want in zip(read_batch(told), items, strict=True)]
        texts = [msgspec.json.encode(each).decode() if each else None for each in exact]
        return pa.RecordBatch.from_arrays([*arrays, pa.array(texts, pa.string())], schema=schema)

    def _value(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if name == "bbox":
            return _edges(value)
        if name in TIMES:
            with suppress(BadInput):
                return times.instant(value)
            return None
        if name in ("stac_version", "id", "collection"):
            return value if isinstance(value, str) else None
        if name == "stac_extensions":
            return value if isinstance(value, list) and all(isinstance(each, str) for each in value) else None
        return self._columns[name].fit(value, name)


def _members(item: Item) -> Iterator[tuple[str, Any]]:
    """An item's members that are columns, its properties among them."""
    for name, value in item.items():
        if name == "properties" and isinstance(value, dict):
            yield from ((key, each) for key, each in value.items() if key not in MEMBERS and key != EXACT)
        elif name in MEMBERS and name != "type":
            yield name, value


def _edges(bbox: Any) -> dict[str, float] | None:
    edges = [edge for edge in EDGES if len(bbox) == 6 or edge[0] != "z"] if isinstance(bbox, list) else []
    if len(edges) != len(bbox) or not all(isinstance(each, int | float) for each in bbox):
        return None
    return dict(zip(edges, map(float, bbox), strict=True))


def _shape_name(geometry: Any) -> str:
    """The name of a geometry's type in GeoParquet's metadata."""
    name = str(geometry.get("type")) if isinstance(geometry, dict) else ""
    inside: Any = geometry.get("coordinates") if isinstance(geometry, dict) else None
    while isinstance(inside, list) and inside and isinstance(inside[0], list):
        inside = inside[0]
    return f"{name} Z" if isinstance(inside, list) and len(inside) > 2 else name


class _Shape:
    """What stands in a place of many JSON values, and the column that can hold it."""

    __slots__ = ("_element", "_kinds", "_members", "_plain")

    def __init__(self) -> None:
        self._kinds: set[type] = set()
        self._members: dict[str, _Shape] = {}
        self._element: _Shape | None = None
        self._plain: bool | None = None

    @property
    def plain(self) -> bool:
        """Whether the column holds all values as they are; asked when all have been seen."""
        if self._plain is None:
            if self._kinds == {dict}:
                parts = list(self._members.values())
                self._plain = len(parts) <= _WIDEST and all(part.plain for part in parts)
            elif self._kinds == {list} and self._element is not None:
                self._plain = self._element.plain and not self._element.is_empty
            else:
                self._plain = len(self._kinds) <= 1 and not self._kinds & {dict, list, bytes}
        return self._plain

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that a column could hold."""
        return self.arrow() is None

    def see(self, value: Any, name: str) -> None:
        """Make room for a value."""
        kind = type(value)
        if value is None:
            return
        if name in WKB and kind is dict:
            kind = bytes
        self._kinds.add(kind)
        if kind is dict:
            for key, each in value.items():
                shape = self._members.get(key)
                if shape is None:
                    shape = self._members[key] = _Shape()
                shape.see(each, key)
        elif kind is list:
            self._element = self._element or _Shape()
            for each in value:
                self._element.see(each, name)
        elif kind is int and not -(2**63) <= value < 2**63:
            self._kinds.add(float)

    def arrow(self) -> Any:
        """The type of the column; None where there is nothing to hold."""
        simple = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
        simple[bytes] = pa.binary()
        if self._kinds == {dict} and len(self._members) <= _WIDEST:
            inner = [(name, shape.arrow()) for name, shape in self._members.items()]
            fields = [pa.field(name, kind) for name, kind in inner if kind is not None]
            return pa.struct(fields) if fields else None
        if self._kinds == {list} and self._element is not None:
            return pa.list_(self._element.arrow() or pa.string())
        if self._kinds == {int, float}:
            return pa.float64()
        if len(self._kinds) == 1 and (kind := next(iter(self._kinds))) in simple:
            return simple[kind]
        return pa.string() if self._kinds else None

    def fit(self, value: Any, name: str) -> Any:
        """A value as its column holds it, or as near as that is."""
        if value is None or self.plain:
            return value
        if self._kinds == {dict} and len(self._members) <= _WIDEST:
            return {key: self._members[key].fit(each, key) for key, each in value.items()}
        if self._kinds == {list} and self._element is not None:
            return [None if self._element.is_empty else self._element.fit(each, name) for each in value]
        if self._kinds == {bytes}:
            return wkb_of(value)
        if self._kinds == {int, float}:
            return _number(value)
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _number(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def wkb_of(geometry: Any) -> bytes | None:
    """The WKB of a GeoJSON geometry, None of what is none."""
    try:
        wkb: bytes = shapely.to_wkb(shapely.geometry.shape(geometry), flavor="iso")
    except (shapely.errors.ShapelyError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return wkb
