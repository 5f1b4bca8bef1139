"""Changes to a catalogue: all of one ingest in one transaction, or none of it."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cscale.catalogue.bodies import NO_DICTIONARY, Deflater, learn_dictionary
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.rows import Prepared, body_of, collection_body, digest_of, name_of, names_of, row_of
from cscale.catalogue.sqlite.schema import column, columns_of, connect
from cscale.catalogue.statistics import DAY, cell_of, day_of
from cscale.catalogue.store import Change, FileState, Held, Spanning
from cscale.errors import BadInput
from cscale.stac.geometry import Box
from cscale.stac.items import Collection, Item
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT

_BATCH = 1000
_ITEM = ("n", "collection", "id", "t", "t_first", "t_last", "west", "south", "east", "north", "bottom", "top",
         "geometry", "digest", "origin", "words")  # fmt: skip


class SqliteWriter:
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
        self._columns = columns_of(connection)
        self._insert_sql = _insert_sql(self._columns)
        self._origins: dict[str, int] = {}
        self._properties: set[tuple[int, str]] = set(
            connection.execute("SELECT collection, name FROM property")
        )
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

    @property
    def columns(self) -> Mapping[str, Kind]:
        """See `Writer.columns`."""
        return self._columns

    def put(self, item: Item, origin: str | None = None) -> Change:
        """See `Writer.put`."""
        item_id, collection, body = name_of(item, "id"), name_of(item, "collection"), body_of(item)
        digest = digest_of(body)

        def prepared() -> Prepared:
            return Prepared(collection, item_id, digest, body, row_of(item, self._columns), names_of(item))

        return self._put(collection, item_id, digest, prepared, origin)

    def put_prepared(self, item: Prepared, origin: str | None = None) -> Change:
        """See `Writer.put_prepared`."""
        if len(item.row.properties) != len(self._columns):
            raise BadInput("the catalogue's columns have changed meanwhile; ingest again")
        return self._put(item.collection, item.id, item.digest, lambda: item, origin)

    def _put(
        self,
        collection: str,
        item_id: str,
        digest: bytes,
        prepared: Callable[[], Prepared],
        origin: str | None,
    ) -> Change:
        held = self._connection.execute(
            "SELECT n, digest, origin FROM item WHERE collection = ? AND id = ?",
            [self._numbers.get(collection), item_id],
        ).fetchone()
        from_ = None if origin is None else self._origin(origin)
        if held and held[1] == digest:
            self._put_before(held[0])
            if from_ is not None and held[2] != from_:
                self._connection.execute("UPDATE item SET origin = ? WHERE n = ?", [from_, held[0]])
            return "unchanged"
        item = prepared()
        if held:
            if self._put_before(held[0]):
                raise BadInput("another item of its id and collection was handed in; which of them counts?")
            self._drop(held[0])
        self._insert(held[0] if held else None, self._number(collection), item, from_)
        return "changed" if held else "added"

    def remove(self, collection: str | None, item_id: str) -> int:
        """Remove an item, from one collection or from all; the number of items removed."""
        rows = self._connection.execute(
            "SELECT i.n FROM item i JOIN collection c ON c.n = i.collection"
            " WHERE i.id = ? AND c.id = coalesce(?, c.id)",
            [item_id, collection],
        ).fetchall()
        return self._remove([n for (n,) in rows])

    def remove_collection(self, collection: str) -> int:
        """See `Writer.remove_collection`."""
        if collection not in self._numbers:
            return 0
        number = self._numbers.pop(collection)
        rows = self._connection.execute("SELECT n FROM item WHERE collection = ?", [number]).fetchall()
        self._changed = True
        removed = self._remove([n for (n,) in rows])
        self._flush()
        for counter in (self._cells, self._days):
            for place in [each for each in counter if each[0] == number]:
                del counter[place]
        for table in ("cell", "day", "property", "dictionary"):
            self._connection.execute(f"DELETE FROM {table} WHERE collection = ?", [number])  # noqa: S608  # our own names
        self._connection.execute("DELETE FROM collection WHERE n = ?", [number])
        self._properties = {each for each in self._properties if each[0] != number}
        self._deflaters.pop(number, None)
        self._reach.pop(number, None)
        self._put_collections.discard(collection)
        return removed

    def not_put(self, below: str) -> list[Held]:
        """See `Writer.not_put`."""
        sql = (
            "SELECT c.id, i.id FROM item i JOIN collection c ON c.n = i.collection"
            " JOIN origin o ON o.n = i.origin"
            " WHERE (o.path = ?1 OR substr(o.path, 1, length(?2)) = ?2)"
            " AND i.n <= ?3 AND i.n NOT IN (SELECT n FROM put) ORDER BY c.id, i.id"
        )
        rows = self._connection.execute(sql, [below, f"{below.rstrip('/')}/", self._last])
        return [Held(*row) for row in rows]

    def held_between(self, collection: str, start: int | None, end: int | None) -> list[Spanning]:
        """See `Writer.held_between`."""
        first, last = MIN_INSTANT if start is None else start, MAX_INSTANT if end is None else end
        rows = self._connection.execute(
            "SELECT i.id, i.t_first, i.t_last FROM item i JOIN collection c ON c.n = i.collection"
            " WHERE i.collection = ?1 AND i.t BETWEEN ?2 - c.after AND ?3 + c.before"
            " AND i.t_first <= ?3 AND i.t_last >= ?2 AND i.n <= ?4",
            [self._numbers.get(collection), first, last, self._last],
        )
        return [Spanning(*row) for row in rows]

    def expire(self, collection: str, before: int) -> int:
        """See `Writer.expire`."""
        rows = self._connection.execute(
            "SELECT n FROM item WHERE collection = ? AND t < ? AND t_last < ?",
            [self._numbers.get(collection), before, before],
        ).fetchall()
        return self._remove([n for (n,) in rows])

    def collections(self) -> list[str]:
        """See `Writer.collections`."""
        return sorted(self._numbers)

    def _remove(self, numbers: list[int]) -> int:
        for n in numbers:
            self._drop(n)
            self._connection.execute("DELETE FROM put WHERE n = ?", [n])
        return len(numbers)

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

    def _origin(self, path: str) -> int:
        if path not in self._origins:
            self._connection.execute("INSERT OR IGNORE INTO origin (path) VALUES (?)", [path])
            row = self._connection.execute("SELECT n FROM origin WHERE path = ?", [path]).fetchone()
            self._origins[path] = int(row[0])
        return self._origins[path]

    def _insert(self, n: int | None, collection: int, item: Prepared, origin: int | None) -> None:
        row, box = item.row, item.row.box
        place = (box.west, box.south, box.east, box.north, box.bottom, box.top) if box else (None,) * 6
        number = int(
            self._connection.execute(
                self._insert_sql,
                (n, collection, item.id, row.t, row.t_first, row.t_last, *place, row.geometry, item.digest,
                 origin, row.text, *row.properties),
            ).lastrowid or 0
        )  # fmt: skip
        if box is not None:
            west, east = (box.west, box.east) if box.west <= box.east else (-180.0, 180.0)
            first, last = min(row.t, row.t_first) / DAY, max(row.t, row.t_last) / DAY
            self._connection.execute(
                "INSERT INTO item_box VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, west, east, box.south, box.north, first, last),
            )
        before, after = self._reach.get(collection, (0, 0))
        self._reach[collection] = max(before, row.t - row.t_first), max(after, row.t_last - row.t)
        self._count(collection, row.t, box, 1)
        self._see(collection, item.names)
        self._waiting[number] = (collection, item.body)
        if len(self._waiting) >= _BATCH:
            self._flush()

    def _see(self, collection: int, names: frozenset[str]) -> None:
        """Remember which properties items have."""
        for name in names:
            if (collection, name) not in self._properties:
                self._properties.add((collection, name))
                self._connection.execute("INSERT OR IGNORE INTO property VALUES (?, ?)", [collection, name])

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


def _insert_sql(columns: Mapping[str, Kind]) -> str:
    names = (*_ITEM, *map(column, columns))
    return f"INSERT INTO item ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  # our own names


@contextmanager
def writing(
    path: Path, patience: float = 60.0, columns: Mapping[str, Kind] = COLUMNS
) -> Iterator[SqliteWriter]:
    """A writer whose changes are all kept at the end, or none of them if anything goes wrong.

    Args:
        path: The catalogue's database file; made if there is none.
        patience: How long to wait for another writer to end, seconds.
        columns: The typed columns of a catalogue that is made.

    Raises:
        BadInput: If another writer does not end in that time.
    """
    connection = connect(path, writing=True, patience=patience, columns=columns)
    try:
        _begin(connection, path)
        writer = SqliteWriter(connection)
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
