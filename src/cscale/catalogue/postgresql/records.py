"""An item as a row of these tables: the neutral row of `cscale.catalogue.rows`, typed more strictly."""

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from cscale.catalogue.postgresql.schema import LONGEST_NAME
from cscale.catalogue.queryables import Kind
from cscale.catalogue.rows import Prepared
from cscale.catalogue.statistics import cell_of
from cscale.stac.geometry import Box

_POLYGON_OF_FIVE = struct.Struct("<BIII10d")
_WKB_POLYGON = 3
_WKB_COLLECTION = b"\x01\x07\x00\x00\x00"
GEOMETRY = "geometry"
"""What `odd` names where the geometry is a collection: not every database can compare those."""


class Record(NamedTuple):
    """What is written of an item, beside its names and its body.

    Attributes:
        t: Its place in time, microseconds since 1970.
        t_first: Its first instant.
        t_last: Its last instant.
        bottom: The lowest height in metres, if it has heights.
        top: The greatest.
        cell: The cell of the statistics that it lies in; None without geometry.
        geometry: WKB; None where there is none.
        odd: The columns that its values do not fit, and are empty; `GEOMETRY` where that is a collection.
        words: What free text is looked for in.
        values: What its columns hold.
    """

    t: int
    t_first: int
    t_last: int
    bottom: float | None
    top: float | None
    cell: int | None
    geometry: bytes | None
    odd: list[str] | None
    words: str | None
    values: tuple[Any, ...]


def record_of(item: Prepared, columns: Mapping[str, Kind]) -> Record:
    """An item's row.

    Args:
        item: Made ready with these columns.
        columns: The typed columns that the catalogue has.
    """
    row, box = item.row, item.row.box
    odd: list[str] = []
    values: list[Any] = []
    for (name, kind), stored in zip(columns.items(), row.properties, strict=True):
        value = None if stored is None else fitting(stored, kind)
        if value is None and stored is not None:
            odd.append(name)
        values.append(value)
    if row.geometry and row.geometry[:5] == _WKB_COLLECTION:
        odd.append(GEOMETRY)
    return Record(
        row.t,
        row.t_first,
        row.t_last,
        box.bottom if box else None,
        box.top if box else None,
        cell_of(box) if box else None,
        _box_wkb(box) if box and row.geometry == b"" else row.geometry,
        odd or None,
        row.text,
        tuple(values),
    )


def fitting(stored: Any, kind: Kind) -> Any:
    """A property's value as its column can hold it exactly; None where it cannot.

    Args:
        stored: A number, a text, or any other value as JSON.
        kind: The column's.
    """
    if kind == "number":
        return exact_float(stored)
    if kind == "string":
        return stored if isinstance(stored, str) and _fits_text(stored) else None
    value = msgspec.json.decode(stored) if isinstance(stored, bytes) else None
    is_list = isinstance(value, list) and all(isinstance(each, str) and "\0" not in each for each in value)
    return value if is_list else None


def exact_float(value: object) -> float | None:
    """A number as a float that is equal to it; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number == value else None


def storable(text: str) -> str:
    """A name of a file as the database can hold it: it may be no Unicode."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _fits_text(text: str) -> bool:
    """No index takes longer ones, no text of the database holds a NUL."""
    return "\0" not in text and (len(text) * 4 <= LONGEST_NAME or len(text.encode()) <= LONGEST_NAME)


def _box_wkb(box: Box) -> bytes:
    w, s, e, n = box.west, box.south, box.east, box.north
    ring: Sequence[float] = (w, s, w, n, e, n, e, s, w, s)
    return _POLYGON_OF_FIVE.pack(1, _WKB_POLYGON, 1, 5, *ring)
