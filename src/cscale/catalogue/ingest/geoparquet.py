"""stac-geoparquet: items as rows of a Parquet file, after the stac-geoparquet specification 1.1.

An item's properties stand beside its own members, one column each; its geometry is WKB, its times are
timestamps. Columns cannot tell all: 10 from 10.0, an absent member from a null, in which form a time
was written. Our own files have a column more, `cscale:exact`, which tells what the others do not, so
that an item comes back as it was.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
import shapely.geometry

from cscale.errors import BadInput
from cscale.stac import times
from cscale.stac.items import STAC_VERSION, Collection, Item

SPECIFICATION = "1.1.0"
"""The version of the stac-geoparquet specification that we write."""
METADATA = b"stac-geoparquet"
"""The key of its metadata in the file's."""
EXACT = "cscale:exact"
"""The column of what the others cannot tell: a JSON list of changes, as `differences` makes them."""
MEMBERS = (
    "type",
    "stac_version",
    "stac_extensions",
    "id",
    "bbox",
    "geometry",
    "collection",
    "links",
    "assets",
)
"""An item's members that are columns by their own name; all other columns are properties."""
TIMES = (
    "datetime",
    "start_datetime",
    "end_datetime",
    "created",
    "updated",
    "expires",
    "published",
    "unpublished",
)
"""The properties that are timestamps."""
WKB = ("geometry", "proj:geometry")
"""Members that are GeoJSON geometries in an item, and WKB in a column."""
EDGES = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")
"""The fields of the column `bbox`; a flat one has no heights."""

_ROWS = 256  # at once in memory
_LONGEST_GROUP = 4 << 30  # bytes
_DEEPEST = 64
_EARTH = {("OGC", "CRS84"), ("EPSG", "4326"), ("OGC", "CRS84h"), ("EPSG", "4979")}
_WORDS = (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, NotImplementedError, KeyError)


def groups_of(path: Path) -> list[int]:
    """How many rows each of a file's row groups has.

    Raises:
        BadInput: If it is no stac-geoparquet file.
    """
    with _opened(path) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        if any(group.total_byte_size > _LONGEST_GROUP for group in groups):
            raise BadInput(f"a row group of it is longer than {_LONGEST_GROUP >> 30} GB; write shorter ones")
        return [group.num_rows for group in groups]


def collections_of(path: Path) -> list[Collection]:
    """The collections that a file's metadata describes.

    Raises:
        BadInput: If it is no stac-geoparquet file.
    """
    with _opened(path) as file:
        return _collections(_metadata(file, METADATA))


def items_of(path: Path, groups: Sequence[int]) -> Iterator[Item]:
    """The items of some of a file's row groups, a few at a time in memory.

    Raises:
        BadInput: If they cannot be read.
    """
    with _opened(path) as file:
        for batch in file.iter_batches(_ROWS, row_groups=list(groups), use_threads=False):
            yield from read_batch(batch)


def read_batch(batch: pa.RecordBatch) -> Iterator[Item]:
    """The items of rows.

    Raises:
        BadInput: If a row is none.
    """
    columns = {name: _values(batch.column(name), name) for name in batch.schema.names}
    columns["bbox"] = [_bbox(value) for value in columns.get("bbox", [None] * batch.num_rows)]
    for values in zip(*columns.values(), strict=True):
        yield _item(dict(zip(columns, values, strict=True)))


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            _check(file)
            yield file
    except _WORDS as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise BadInput(f"not a Parquet file that can be read: {str(error)[:300]}") from error


def _check(file: pq.ParquetFile) -> None:
    """Judge whether it is stac-geoparquet.

    Raises:
        BadInput: If it is not; says what it lacks.
    """
    names = set(file.schema_arrow.names)
    lacking = {"id", "geometry"} - names
    if METADATA not in (file.schema_arrow.metadata or {}):
        lacking |= {"assets", "links"} - names
    if lacking:
        raise BadInput(f"not stac-geoparquet: it has no column {', '.join(sorted(lacking))}")
    described = _metadata(file, b"geo").get("columns")
    geometry = described.get("geometry") if isinstance(described, dict) else None
    if not isinstance(geometry, dict):
        return
    if geometry.get("encoding", "WKB") != "WKB":
        raise BadInput(f"its geometries are encoded as {geometry['encoding']}; only WKB can be read")
    crs = geometry.get("crs")
    known = crs.get("id") if isinstance(crs, dict) else None
    if isinstance(known, dict) and (known.get("authority"), str(known.get("code"))) not in _EARTH:
        raise BadInput("its geometries are not in longitude and latitude (OGC:CRS84)")


def _metadata(file: pq.ParquetFile, key: bytes) -> dict[str, Any]:
    text = (file.schema_arrow.metadata or {}).get(key, b"{}")
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"its metadata {key.decode()} is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def _collections(metadata: Mapping[str, Any]) -> list[Collection]:
    many = metadata.get("collections")
    found = list(many.values()) if isinstance(many, dict) else [metadata.get("collection")]
    return [each for each in found if isinstance(each, dict)]


def text_of_time(instant: int) -> str:
    """A time as most write it: with three digits after the second where these do, else none or six."""
    shown = times.text_of(instant)
    return shown.removesuffix("000Z") + "Z" if "." in shown and shown.endswith("000Z") else shown


def _values(array: pa.Array, name: str, depth: int = _DEEPEST) -> list[Any]:
    """A column's values as JSON's; a member of an object that is null is not there.

    Column by column, since Arrow's own way, value by value, takes six times as long.
    """
    kind = array.type
    if depth == 0:
        raise BadInput(f"column {name} is nested too deeply")
    if isinstance(array, pa.ExtensionArray):
        return _values(array.storage, name, depth - 1)
    if pa.types.is_dictionary(kind):
        return _values(array.dictionary_decode(), name, depth - 1)
    if pa.types.is_struct(kind):
        return _objects(array, depth)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = iter(_values(array.flatten(), name, depth - 1))
        lengths = pc.list_value_length(array).to_pylist()
        return [None if length is None else [*islice(inner, length)] for length in lengths]
    if pa.types.is_timestamp(kind):
        exact = pc.cast(array, pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        return [None if instant is None else text_of_time(instant) for instant in exact.to_pylist()]
    if pa.types.is_floating(kind):
        return [None if value is None or not math.isfinite(value) else value for value in array.to_pylist()]
    values: list[Any] = (
        array.to_pylist(maps_as_pydicts="strict") if pa.types.is_map(kind) else array.to_pylist()
    )
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return values
    return [_plain(value, name, depth) for value in values]


def _objects(array: pa.StructArray, depth: int) -> list[Any]:
    names = [array.type.field(number).name for number in range(array.type.num_fields)]
    parts = array.flatten()  # where the object is null, so are its members
    columns = [_values(part, name, depth - 1) for name, part in zip(names, parts, strict=True)]
    rows = zip(*columns, strict=True) if columns else iter([()] * len(array))
    objects = [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows
    ]
    if not array.null_count:
        return objects
    return [
        found if valid else None for found, valid in zip(objects, array.is_valid().to_pylist(), strict=True)
    ]


def _plain(value: Any, name: str, depth: int) -> Any:
    """What is no JSON by itself."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if depth == 0:
        raise BadInput(f"column {name} is nested too deeply")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        members = {key: _plain(inner, key, depth - 1) for key, inner in value.items()}
        return {key: inner for key, inner in members.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner, name, depth - 1) for inner in value]
    return _other(value, name)


def _other(value: Any, name: str) -> Any:
    """What JSON has no words for."""
    if isinstance(value, bytes) and name in WKB:
        return geometry_of(value)
    if isinstance(value, datetime):
        known = value if value.tzinfo else value.replace(tzinfo=UTC)
        return known.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise BadInput(f"column {name} holds what is no JSON ({type(value).__name__})")


def geometry_of(wkb: bytes) -> dict[str, Any]:
    """The GeoJSON geometry of WKB.

    Raises:
        BadInput: If it is none.
    """
    try:
        found = shapely.geometry.mapping(shapely.from_wkb(wkb))
        geometry: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))  # tuples become lists
    except (shapely.errors.ShapelyError, msgspec.DecodeError, TypeError, RecursionError) as error:
        raise BadInput(f"its geometry is not WKB: {error}") from error
    return geometry


def _bbox(value: Any) -> Any:
    return [value[edge] for edge in EDGES if edge in value] if isinstance(value, dict) else value


def _item(row: dict[str, Any]) -> Item:
    """The item of a row."""
    item: Item = {"type": "Feature"}
    exact = row.pop(EXACT, None)
    for name, value in row.items():
        if name not in MEMBERS:
            properties = item.setdefault("properties", {})
            if value is not None:
                properties[name] = value
        elif value is not None or name == "geometry":
            item[name] = value
    for name, otherwise in (
        ("properties", {}),
        ("links", []),
        ("assets", {}),
        ("stac_version", STAC_VERSION),
    ):
        item.setdefault(name, otherwise)
    item["properties"].setdefault("datetime", None)
    if exact is not None:
        _mend(item, exact)
    return item


def _mend(item: Item, exact: str) -> None:
    """Do what `differences` tells.

    Raises:
        BadInput: If it cannot be done.
    """
    try:
        for path, *what in msgspec.json.decode(exact, type=list[list[Any]]):
            inside: Any = item
            for step in path[:-1]:
                inside = inside[step]
            if len(what) == 2:
                inside = inside[path[-1]] if path else inside
                inside.update({name: inside.pop(name) for name in what[1]})
            elif what:
                inside[path[-1]] = what[0]
            else:
                del inside[path[-1]]
    except (msgspec.MsgspecError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"its {EXACT} does not fit: {error}") from error


def differences(have: Any, want: Any) -> list[list[Any]]:
    """What to change in one JSON object to get another.

    Numbers are the same only if they are written the same: 10 is not 10.0; and objects only if their
    members stand in the same order.

    Returns:
        Changes, to be made one after the other: [path, value] sets a value, [path] takes one away, and
        [path, "order", names] puts the members of an object in order.
    """
    found: list[list[Any]] = []
    _compare(have, want, [], found.append)
    return found


def _compare(have: Any, want: Any, path: list[Any], tell: Callable[[list[Any]], None]) -> None:
    if type(have) is not type(want):
        tell([path, want])
    elif isinstance(want, dict):
        if len(path) == 1 and msgspec.json.encode(have) == msgspec.json.encode(want):
            return  # the same, and quickly seen
        for name in have.keys() - want.keys():
            tell([[*path, name]])
        for name, value in want.items():
            if name in have:
                _compare(have[name], value, [*path, name], tell)
            else:
                tell([[*path, name], value])
        if [*(name for name in have if name in want), *(name for name in want if name not in have)] != [
            *want
        ]:
            tell([path, "order", [*want]])
    elif isinstance(want, list) and len(have) == len(want):
        for number, value in enumerate(want):
            _compare(have[number], value, [*path, number], tell)
    elif have != want:
        tell([path, want])
