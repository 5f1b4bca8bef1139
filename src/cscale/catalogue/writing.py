"""Changes to a catalogue: all of one ingest in one transaction, or none of it."""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from cscale.catalogue.bodies import NO_DICTIONARY, Deflater, learn_dictionary
from cscale.catalogue.rows import Row, body_of, collection_body, name_of, row_of
from cscale.catalogue.schema import COLUMNS, column, connect
from cscale.catalogue.statistics import cell_of, day_of
from cscale.errors import BadInput
from cscale.stac.geometry import Box
from cscale.stac.items import Collection, Item

Change = Literal["added", "changed", "unchanged"]


class FileState(NamedTuple):
    """What changes when a file does: its size in bytes, and when it was changed, nanoseconds since 1970."""

    size: int
    changed: int


_BATCH = 1000
_ITEM = ("n", "collection", "id", "t", "t_first", "t_last", "west", "south", "east", "north", "bottom", "top",
         "geometry", "digest", *map(column, COLUMNS))  # fmt: skip
_INSERT = f"INSERT INTO item ({', '.join(_ITEM)}) VALUES ({', '.join('?' * len(_ITEM))})"  # noqa: S608  # our own names


class Writer:
    """Puts items and collections into a catalogue; get one from `writing`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._changed = False
        self._numbers: dict[str, int] = dict(connection.execute("SELECT id, n FROM collection"))
        self._put_collections: set[str] = set()
        self._deflaters: dict[int, tuple[int, Deflater]] = {}
        self._waiting: dict[int, tuple[int, bytes]] = {}
        self._cells: Counter[tuple[int, int]] = Counter()
        self._days: Counter[tuple[int, int]] = Counter()
        self._reach: dict[int, tuple[int, int]] = {}
        self._last = int(connection.execute("SELECT coalesce(max(n), 0) FROM item").fetchone()[0])
        connection.execute("CREATE TEMP TABLE put (n INTEGER PRIMARY KEY)")  # of those there were before

    def put_collection(self, collection: Collection) -> Change:
        """Take a collection, new or in place of the one of its id.

        Raises:
            BadInput: If it has no id that can be used, or another of its id was put before.
        """
        name = name_of(collection, "id")
        body = collection_body(collection)
        n = self._number(name)
        before = self._connection.execute("SELECT body FROM collection WHERE n = ?", [n]).fetchone()[0]
        again = name in self._put_collections
        self._put_collections.add(name)
        if before == body:
            return "unchanged"
        if again:
            raise BadInput(f"another collection {name!r} was handed in; which of them counts?")
        self._changed = True
        self._connection.execute("UPDATE collection SET body = ? WHERE n = ?", [body, n])
        return "added" if before is None else "changed"

    def put(self, item: Item) -> Change:
        """Take an item, new or in place of the one of its collection and id.

        Raises:
            BadInput: If it lacks what every item must have, or that cannot be read, or if another of
                its collection and id was put before.
        """
        item_id, collection, body = name_of(item, "id"), name_of(item, "collection"), body_of(item)
        digest = hashlib.blake2b(body, digest_size=12).digest()
        held = self._connection.execute(
            "SELECT n, digest FROM item WHERE collection = ? AND id = ?",
            [self._numbers.get(collection), item_id],
        ).fetchone()
        if held and held[1] == digest:
            self._put_before(held[0])
            return "unchanged"
        row = row_of(item)
        if held:
            if self._put_before(held[0]):
                raise BadInput("another item of its id and collection was handed in; which of them counts?")
            self._drop(held[0])
        self._insert(held[0] if held else None, self._number(collection), item_id, row, digest, body)
        return "changed" if held else "added"

    def remove(self, collection: str | None, item_id: str) -> int:
        """Remove an item, from one collection or from all; the number of items removed."""
        rows = self._connection.execute(
            "SELECT i.n FROM item i JOIN collection c ON c.n = i.collection"
            " WHERE i.id = ? AND c.id = coalesce(?, c.id)",
            [item_id, collection],
        ).fetchall()
        for (n,) in rows:
            self._drop(n)
            self._connection.execute("DELETE FROM put WHERE n = ?", [n])
        return len(rows)

    def known_checksum(self, path: str, kind: str, state: FileState) -> str | None:
        """The checksum of a served file, if it was computed before and the file has not changed since."""
        row = self._connection.execute(
            "SELECT checksum FROM file WHERE path = ? AND kind = ? AND size = ? AND changed = ?",
            [path, kind, *state],
        ).fetchone()
        return row[0] if row else None

    def keep_checksum(self, path: str, kind: str, state: FileState, checksum: str) -> None:
        """Remember a served file's checksum."""
        self._connection.execute(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", [path, kind, *state, checksum]
        )

    def finish(self) -> None:
        """Write what is still held back; where nothing changed, nothing at all."""
        if not self._changed:
            return
        self._flush()
        for n, (before, after) in self._reach.items():
            self._connection.execute(
                "UPDATE collection SET before = max(before, ?), after = max(after, ?) WHERE n = ?",
                [before, after, n],
            )
        for table, counter in (("cell", self._cells), ("day", self._days)):
            self._connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?)"  # noqa: S608  # our own names
                " ON CONFLICT DO UPDATE SET items = items + excluded.items",
                [(*place, change) for place, change in counter.items() if change],
            )
            counter.clear()
        self._connection.execute("UPDATE generation SET n = n + 1")

    def _number(self, collection: str) -> int:
        if collection not in self._numbers:
            added = self._connection.execute("INSERT INTO collection (id) VALUES (?)", [collection])
            self._numbers[collection] = int(added.lastrowid or 0)
        return self._numbers[collection]

    def _put_before(self, n: int) -> bool:
        """Whether an item was put by this writer before; from now on it was."""
        if n > self._last:
            return True
        return not self._connection.execute("INSERT OR IGNORE INTO put VALUES (?)", [n]).rowcount

    def _insert(
        self, n: int | None, collection: int, item_id: str, row: Row, digest: bytes, body: bytes
    ) -> None:
        box = row.box
        place = (box.west, box.south, box.east, box.north, box.bottom, box.top) if box else (None,) * 6
        values = (n, collection, item_id, *row[:3], *place, row.geometry, digest, *row.properties)
        number = int(self._connection.execute(_INSERT, values).lastrowid or 0)
        if box is not None:
            west, east = (box.west, box.east) if box.west <= box.east else (-180.0, 180.0)
            self._connection.execute(
                "INSERT INTO item_box VALUES (?, ?, ?, ?, ?)", [number, west, east, box.south, box.north]
            )
        before, after = self._reach.get(collection, (0, 0))
        self._reach[collection] = max(before, row.t - row.t_first), max(after, row.t_last - row.t)
        self._count(collection, row.t, box, 1)
        self._waiting[number] = (collection, body)
        if len(self._waiting) >= _BATCH:
            self._flush()

    def _drop(self, n: int) -> None:
        self._waiting.pop(n, None)
        row = self._connection.execute(
            "SELECT collection, t, west, south, east, north FROM item WHERE n = ?", [n]
        ).fetchone()
        self._count(row[0], row[1], Box(*row[2:]) if row[2] is not None else None, -1)
        for table in ("item", "item_box", "body"):
            self._connection.execute(f"DELETE FROM {table} WHERE n = ?", [n])  # noqa: S608  # our own names

    def _count(self, collection: int, moment: int, box: Box | None, change: int) -> None:
        self._changed = True
        self._days[collection, day_of(moment)] += change
        if box is not None:
            self._cells[collection, cell_of(box)] += change

    def _flush(self) -> None:
        """Compress and write the bodies held back, so that dictionaries are learnt from many."""
        for collection in {collection for collection, _ in self._waiting.values()}:
            bodies = [(n, body) for n, (of, body) in self._waiting.items() if of == collection]
            dictionary, deflater = self._deflater(collection, [body for _, body in bodies])
            self._connection.executemany(
                "INSERT INTO body VALUES (?, ?, ?)",
                ((n, dictionary, deflater.deflate(body)) for n, body in bodies),
            )
        self._waiting.clear()

    def _deflater(self, collection: int, samples: list[bytes]) -> tuple[int, Deflater]:
        if collection not in self._deflaters:
            row = self._connection.execute(
                "SELECT n, data FROM dictionary WHERE collection = ? ORDER BY n DESC", [collection]
            ).fetchone()
            if row is None and (learnt := learn_dictionary(samples)):
                added = self._connection.execute(
                    "INSERT INTO dictionary (collection, data) VALUES (?, ?)", [collection, learnt]
                )
                row = (int(added.lastrowid or 0), learnt)
            if row is None:
                return NO_DICTIONARY, Deflater(None)
            self._deflaters[collection] = (row[0], Deflater(row[1]))
        return self._deflaters[collection]


@contextmanager
def writing(path: Path, patience: float = 60.0) -> Iterator[Writer]:
    """A writer whose changes are all kept at the end, or none of them if anything goes wrong.

    Args:
        path: The catalogue's database file; made if there is none.
        patience: How long to wait for another writer to end, seconds.

    Raises:
        BadInput: If another writer does not end in that time.
    """
    connection = connect(path, writing=True, patience=patience)
    try:
        _begin(connection, path)
        writer = Writer(connection)
        yield writer
        writer.finish()
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.close()


def _begin(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise BadInput(f"{path}: another ingest is writing to it; try again when it has ended") from error
