"""What stands in the catalogue while an ingest is under way: looked up one by one, or many at once.

One question an item is as slow as the way to the database is long. So where many are asked for, what stands
in a collection is read in blocks and kept here, small: a hash of each id, the digest, and a hash of the
origin. It is read anew when another ingest has changed the collection.
"""

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from cscale.catalogue.postgresql.schema import Connection

MOST = 2_000_000
"""The most items that are kept here at once, 28 bytes of memory each."""
READING = 2e-6
"""Seconds an item that is read in a block takes, measured."""
_BLOCK = 50_000
_DIGEST = 12  # bytes, as `digest_of` makes them
_MARK = 8  # bytes of a hash
_FRESH = 1.0  # seconds

_NO_MARK = bytes(_MARK)
_MARK_OF = "substr(sha256(convert_to({0}, 'UTF8')), 1, 8)"
_ORIGIN = f"coalesce({_MARK_OF.format('origin')}, '\\x0000000000000000'::bytea)"
_ONE = f"SELECT digest, {_ORIGIN} FROM held WHERE collection = %s AND id = %s"  # noqa: S608  # our own words
_SOME = f"""
SELECT count(*), max(id), string_agg({_MARK_OF.format("id")} || digest || {_ORIGIN}, ''::bytea)
       FILTER (WHERE length(digest) = {_DIGEST})
FROM (SELECT id, digest, origin FROM held WHERE collection = %s AND id > %s ORDER BY id LIMIT %s) AS block
"""  # noqa: S608  # our own words
_HOW_MANY = "SELECT coalesce(sum(items), 0)::bigint FROM day WHERE collection = %s"
_ROW = numpy.dtype([("key", ">u8"), ("told", f"V{_DIGEST + _MARK}")])


class Stands(NamedTuple):
    """What is known of an item that the catalogue holds.

    Attributes:
        digest: Of its body.
        mark: Of its origin; see `mark_of`.
    """

    digest: bytes
    mark: bytes


def mark_of(text: str | None) -> bytes:
    """A short hash of a name; zeros for none."""
    return _NO_MARK if text is None else sha256(text.encode()).digest()[:_MARK]


@dataclass(slots=True)
class _Collection:
    """What is known of one collection.

    Attributes:
        generation: The one that it is known of; None where there is no such collection.
        checked: When it was seen last that this is still the one, by the monotonic clock.
        items: About how many there are.
        asking: How long they were looked up one by one, seconds.
        keys: The hashes of the ids, ascending; None where they are not kept here.
        told: Digest and mark of each, in the order of the keys.
    """

    generation: int | None
    checked: float
    items: int
    asking: float = 0.0
    keys: "NDArray[numpy.uint64] | None" = None
    told: bytes = b""


class Standing:
    """The items that stand in a catalogue's collections.

    Args:
        connection: Sees what others keep at once.
        most: The most items to keep here; in larger collections they are looked up one by one.
        fresh: How long what is kept here is taken to be so, seconds.
        block: How many are read at once.
        reading: How long it takes to read an item so, seconds. Once as much time was spent on asking one
            by one as reading all would take, all are read.
    """

    def __init__(
        self,
        connection: Connection,
        most: int = MOST,
        fresh: float = _FRESH,
        block: int = _BLOCK,
        reading: float = READING,
    ) -> None:
        self._connection = connection
        self._block = block
        self._reading = reading
        self._most = most
        self._fresh = fresh
        self._collections: dict[int, _Collection] = {}

    def of(self, collection: int, item_id: str) -> Stands | None:
        """The item that stands there, if there is one.

        Args:
            collection: The collection's number.
            item_id: The item's id.
        """
        known = self._known(collection)
        pays = known.asking >= known.items * self._reading
        if known.keys is None and pays and self._has_room(known.items):
            self._read(collection, known)
        if known.keys is None:
            started = time.monotonic()
            row = self._connection.execute(_ONE, [collection, item_id]).fetchone()
            known.asking += time.monotonic() - started
            return None if row is None else Stands(*row)
        key = numpy.uint64(int.from_bytes(mark_of(item_id), "big"))
        at = int(numpy.searchsorted(known.keys, key))
        if at == len(known.keys) or known.keys[at] != key:
            return None
        start = at * (_DIGEST + _MARK)
        between, end = start + _DIGEST, start + _DIGEST + _MARK
        return Stands(known.told[start:between], known.told[between:end])

    def _known(self, collection: int) -> _Collection:
        """A collection as it is now, or was a moment ago."""
        known, now = self._collections.get(collection), time.monotonic()
        if known is not None and now - known.checked < self._fresh:
            return known
        row = self._connection.execute(
            "SELECT generation FROM collection WHERE n = %s", [collection]
        ).fetchone()
        generation = row[0] if row else None
        if known is None or known.generation != generation:
            (items,) = self._connection.execute(_HOW_MANY, [collection]).fetchone() or (0,)
            known = self._collections[collection] = _Collection(generation, now, items)
        known.checked = now
        return known

    def _has_room(self, items: int) -> bool:
        kept = sum(len(each.keys) for each in self._collections.values() if each.keys is not None)
        return kept + items <= self._most

    def _read(self, collection: int, known: _Collection) -> None:
        """Read all that stands in a collection."""
        blocks: list[bytes] = []
        found, last = self._block, ""
        while found == self._block:
            row = self._connection.execute(_SOME, [collection, last, self._block], binary=True).fetchone()
            found, last, block = row or (0, "", None)
            blocks.append(block or b"")
        rows = numpy.frombuffer(b"".join(blocks), _ROW)
        rows = rows[numpy.argsort(rows["key"])]
        known.keys = rows["key"].astype(numpy.uint64)
        known.told = rows["told"].tobytes()
