"""Changes to a catalogue: all of one ingest in one transaction, or none of it; several ingests at once."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import psycopg

from cscale.catalogue.bodies import NO_DICTIONARY, Deflater, learn_dictionary
from cscale.catalogue.postgresql.connection import Place, connect
from cscale.catalogue.postgresql.records import record_of, storable
from cscale.catalogue.postgresql.schema import LONGEST_NAME, Connection, at_work, column, columns_of, opened
from cscale.catalogue.postgresql.writing import merging, partitions, standing
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.catalogue.rows import (
    Prepared,
    body_of,
    collection_body,
    digest_of,
    name_of,
    names_of,
    row_of,
)
from cscale.catalogue.store import Change, FileState, Held, Spanning
from cscale.errors import BadInput
from cscale.stac.items import Collection, Item
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT

_BATCH = 1000
_BATCH_BYTES = 32 * 1024 * 1024
_MANY = 5000  # items from which on the planner shall know what came
_OF_STAGED = ["int4", "text", "bytea", "text", "int4", "int8", "int8", "int8", "float8", "float8", "int4",
              "bytea", "text[]", "text", "bytea"]  # fmt: skip
_FORGET = (
    "DELETE FROM put p USING gone g WHERE p.collection = g.collection AND p.id = g.id",
    "DELETE FROM same p USING gone g WHERE p.collection = g.collection AND p.id = g.id",
)
_OF_KIND = {"number": "float8", "string": "text", "strings": "text[]"}


class PostgresWriter:
    """Puts items and collections into a catalogue; get one from `writing`.

    What is put lies in temporary tables until `finish`. Beside them this process remembers each item
    that was put, some 100 bytes of memory each, and what stands in the collections (see `standing`).

    Args:
        connection: Inside the transaction of the ingest.
        side: Outside of it: for what others may see at once.
        place: Where the catalogue lies.
    """

    def __init__(self, connection: Connection, side: Connection, place: Place) -> None:
        self._connection = connection
        self._side = side
        self._place = place
        known = columns_of(connection)
        self._columns: dict[str, Kind] = {name: kind for name, (_, kind) in known.items()}
        self._column_numbers = [n for n, _ in known.values()]
        self._numbers: dict[str, int] = dict(connection.execute("SELECT id, n FROM number").fetchall())
        listed = connection.execute("SELECT id FROM collection ORDER BY id")
        self._listed: dict[str, None] = dict.fromkeys(name for (name,) in listed)
        self._put_collections: set[str] = set()
        self._described: dict[int, bytes] = {}
        self._dropped: set[int] = set()
        self._standing = standing.Standing(connection, standing.MOST, reading=standing.READING)
        self._put: dict[int, bytes] = {}  # by a hash of collection and id
        self._gone: set[int] = set()
        self._waiting: dict[tuple[int, str], tuple[Prepared, str | None]] = {}
        self._waiting_bytes = 0
        self._same: list[tuple[int, str, str | None]] = []
        self._leaves: set[tuple[int, int]] = set()
        self._deflaters: dict[int, tuple[int, Deflater]] = {}
        self._properties: set[tuple[int, str]] = set()
        self._odd: set[tuple[int, str]] = set()
        self._checksums: dict[tuple[str, str], tuple[FileState, str]] = {}
        self._moved = False
        self.items = 0
        merging.stage(connection, self._column_numbers)

    @property
    def columns(self) -> Mapping[str, Kind]:
        """See `Writer.columns`."""
        return self._columns

    def put_collection(self, collection: Collection) -> Change:
        """See `Writer.put_collection`."""
        name = _short(name_of(collection, "id"))
        body = collection_body(collection)
        n = self._number(name)
        before = self._described.get(n) or self._described_before(n)
        again = name in self._put_collections
        self._put_collections.add(name)
        if before == body:
            return "unchanged"
        if again:
            raise BadInput(f"another collection {name!r} was handed in; which of them counts?")
        self._described[n] = body
        self._listed[name] = None
        return "added" if before is None else "changed"

    def put(self, item: Item, origin: str | None = None) -> Change:
        """See `Writer.put`."""
        item_id, collection, body = name_of(item, "id"), name_of(item, "collection"), body_of(item)
        digest = digest_of(body)

        def prepared() -> Prepared:
            return Prepared(collection, item_id, digest, body, row_of(item, self._columns), names_of(item))

        return self._take(collection, item_id, digest, prepared, origin)

    def put_prepared(self, item: Prepared, origin: str | None = None) -> Change:
        """See `Writer.put_prepared`."""
        if len(item.row.properties) != len(self._columns):
            raise BadInput("the catalogue's columns have changed meanwhile; ingest again")
        return self._take(item.collection, item.id, item.digest, lambda: item, origin)

    def _take(
        self,
        collection: str,
        item_id: str,
        digest: bytes,
        prepared: Callable[[], Prepared],
        origin: str | None,
    ) -> Change:
        n, item_id = self._number(_short(collection)), _short(item_id)
        origin = None if origin is None else storable(origin)
        key = _key(n, item_id)
        if (put := self._put.get(key)) is not None:
            if put != digest:
                raise BadInput("another item of its id and collection was handed in; which of them counts?")
            return "unchanged"
        held = None if key in self._gone else self._standing.of(n, item_id)
        if held and held.digest == digest:
            self._put[key] = digest
            moved = origin is not None and standing.mark_of(origin) != held.mark
            self._moved = self._moved or moved
            self._same.append((n, item_id, origin if moved else None))
            if len(self._same) >= _BATCH:
                self._flush()
            return "unchanged"
        item = prepared()
        self._put[key] = digest
        self._gone.discard(key)
        self._listed[collection] = None
        self._waiting[n, item_id] = item, origin
        self._waiting_bytes += len(item.body)
        self._properties.update((n, name) for name in item.names if "\0" not in name)
        if len(self._waiting) >= _BATCH or self._waiting_bytes >= _BATCH_BYTES:
            self._flush()
        return "changed" if held else "added"

    def remove(self, collection: str | None, item_id: str) -> int:
        """See `Writer.remove`."""
        self._flush()
        rows = self._connection.execute(
            "SELECT k.collection, k.id FROM number JOIN LATERAL ("
            " SELECT collection, id FROM held WHERE collection = number.n AND id = %(id)s"
            " UNION SELECT collection, id FROM put WHERE collection = number.n AND id = %(id)s) k ON true"
            " WHERE number.id = coalesce(%(collection)s, number.id)",
            {
                "id": storable(item_id),
                "collection": collection if collection is None else storable(collection),
            },
        )
        return self._remove(rows.fetchall())

    def remove_collection(self, collection: str) -> int:
        """See `Writer.remove_collection`."""
        if collection not in self._listed:
            return 0
        n = self._numbers[collection]
        self._flush()
        rows = self._connection.execute(
            "SELECT collection, id FROM held WHERE collection = %(n)s"
            " UNION SELECT collection, id FROM put WHERE collection = %(n)s",
            {"n": n},
        )
        removed = self._remove(rows.fetchall())
        self._dropped.add(n)
        self._described.pop(n, None)
        self._put_collections.discard(collection)
        del self._listed[collection]
        return removed

    def not_put(self, below: str) -> list[Held]:
        """See `Writer.not_put`."""
        self._flush()
        inside = storable(below).rstrip("/") + "/"
        rows = self._connection.execute(
            "SELECT n.id, h.id FROM held h JOIN number n ON n.n = h.collection"
            " WHERE (h.origin = %s OR (h.origin >= %s AND h.origin < %s))"
            " AND NOT EXISTS (SELECT FROM put p WHERE p.collection = h.collection AND p.id = h.id)"
            " AND NOT EXISTS (SELECT FROM same s WHERE s.collection = h.collection AND s.id = h.id)"
            " AND NOT EXISTS (SELECT FROM gone g WHERE g.collection = h.collection AND g.id = h.id)"
            ' ORDER BY n.id, h.id COLLATE "C"',
            [storable(below), inside, inside[:-1] + chr(ord("/") + 1)],
        )
        return [Held(*row) for row in rows.fetchall()]

    def held_between(self, collection: str, start: int | None, end: int | None) -> list[Spanning]:
        """See `Writer.held_between`."""
        rows = self._connection.execute(
            "SELECT i.id, i.t_first, i.t_last FROM item i JOIN collection c ON c.n = i.collection"
            " WHERE i.collection = %(n)s AND i.t BETWEEN %(first)s - c.after AND %(last)s + c.before"
            " AND i.t_first <= %(last)s AND i.t_last >= %(first)s",
            {
                "n": self._numbers.get(collection),
                "first": MIN_INSTANT if start is None else start,
                "last": MAX_INSTANT if end is None else end,
            },
        )
        return [Spanning(*row) for row in rows.fetchall()]

    def expire(self, collection: str, before: int) -> int:
        """See `Writer.expire`."""
        if collection not in self._numbers:
            return 0
        self._flush()
        rows = self._connection.execute(
            "SELECT collection, id FROM item i WHERE collection = %(n)s"
            " AND t < %(before)s AND t_last < %(before)s"
            " AND NOT EXISTS (SELECT FROM put p WHERE p.collection = i.collection AND p.id = i.id)"
            " UNION SELECT collection, id FROM put WHERE collection = %(n)s AND t_last < %(before)s",
            {"n": self._numbers[collection], "before": before},
        )
        return self._remove(rows.fetchall())

    def collections(self) -> list[str]:
        """See `Writer.collections`."""
        return sorted(self._listed)

    def known_checksum(self, path: str, kind: str, state: FileState) -> str | None:
        """See `Writer.known_checksum`."""
        path = storable(path)
        if (path, kind) in self._checksums:
            known, checksum = self._checksums[path, kind]
            return checksum if known == state else None
        row = self._connection.execute(
            "SELECT checksum FROM file WHERE path = %s AND kind = %s AND size = %s AND changed = %s",
            [path, kind, *state],
        ).fetchone()
        return row[0] if row else None

    def keep_checksum(self, path: str, kind: str, state: FileState, checksum: str) -> None:
        """See `Writer.keep_checksum`."""
        self._checksums[storable(path), kind] = state, checksum

    def finish(self) -> None:
        """Write what was gathered; where nothing changed, nothing at all."""
        self._flush()
        partitions.make(self._side, self._place, self._leaves)
        if self.items or self._gone or self._described or self._dropped or self._moved:
            merging.merge(self._connection, self._column_numbers, self._dropped, self._described)
        merging.see(self._connection, "property", self._properties)
        merging.see(self._connection, "odd", self._odd)
        self._connection.cursor().executemany(
            "INSERT INTO file VALUES (%s, %s, %s, %s, %s) ON CONFLICT (path, kind)"
            " DO UPDATE SET size = excluded.size, changed = excluded.changed, checksum = excluded.checksum",
            [(*name, *state, checksum) for name, (state, checksum) in sorted(self._checksums.items())],
        )

    def after(self) -> None:
        """Tell the planner of what came, once it is there."""
        if self.items >= _MANY:
            for each in sorted(self._leaves):
                self._side.execute(f"ANALYZE {partitions.leaf(*each)}".encode())

    def _described_before(self, n: int) -> bytes | None:
        if n in self._dropped:
            return None
        row = self._connection.execute("SELECT body FROM collection WHERE n = %s", [n]).fetchone()
        return row[0] if row else None

    def _number(self, collection: str) -> int:
        if collection not in self._numbers:
            self._side.execute("INSERT INTO number (id) VALUES (%s) ON CONFLICT DO NOTHING", [collection])
            row = self._side.execute("SELECT n FROM number WHERE id = %s", [collection]).fetchone()
            assert row is not None  # numbers are never taken back
            self._numbers[collection] = row[0]
        return self._numbers[collection]

    def _remove(self, rows: list[tuple[int, str]]) -> int:
        self._copy("gone (collection, id)", ["int4", "text"], rows)
        self._gone.update(_key(*row) for row in rows)
        for row in rows:
            self._put.pop(_key(*row), None)
        for delete in _FORGET:
            self._connection.execute(delete)
        return len(rows)

    def _flush(self) -> None:
        """Compress and stage what is held back, so that dictionaries are learnt from many."""
        same, self._same = self._same, []
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        if same:
            self._copy("same (collection, id, origin)", ["int4", "text", "text"], same)
        if not waiting:
            return
        self.items += len(waiting)
        names = (*merging.STAGED, *map(column, self._column_numbers))
        types = _OF_STAGED + [_OF_KIND[kind] for kind in self._columns.values()]
        self._copy(f"put ({', '.join(names)})", types, self._staged(waiting))
        self._connection.execute(
            "DELETE FROM gone g USING put p WHERE p.collection = g.collection AND p.id = g.id"
        )

    def _staged(
        self, waiting: Mapping[tuple[int, str], tuple[Prepared, str | None]]
    ) -> Iterator[tuple[Any, ...]]:
        for n in {n for n, _ in waiting}:
            of_collection = {key: each for key, each in waiting.items() if key[0] == n}
            dictionary, deflater = self._deflater(n, [item.body for item, _ in of_collection.values()])
            for (_, item_id), (item, origin) in of_collection.items():
                record = record_of(item, self._columns)
                self._leaves.add((n, partitions.year_of(record.t)))
                self._odd.update((n, name) for name in record.odd or ())
                body = deflater.deflate(item.body)
                yield (n, item_id, item.digest, origin, dictionary, *record[:-1], body, *record.values)

    def _deflater(self, n: int, samples: list[bytes]) -> tuple[int, Deflater]:
        if n not in self._deflaters:
            sql = "SELECT n, data FROM dictionary WHERE collection = %s ORDER BY n DESC LIMIT 1"
            row = self._side.execute(sql, [n]).fetchone()
            if row is None and (learnt := learn_dictionary(samples)):
                insert = "INSERT INTO dictionary (collection, data) VALUES (%s, %s) RETURNING n, data"
                row = self._side.execute(insert, [n, learnt]).fetchone()
            if row is None:
                return NO_DICTIONARY, Deflater(None)
            self._deflaters[n] = (row[0], Deflater(row[1]))
        return self._deflaters[n]

    def _copy(self, table: str, types: list[str], rows: Any) -> None:
        with self._connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)


def _short(name: str) -> str:
    if len(name.encode()) > LONGEST_NAME:
        raise BadInput(f"its id or collection {name[:40]!r}... is longer than {LONGEST_NAME} bytes")
    return name


def _key(n: int, item_id: str) -> int:
    return int.from_bytes(blake2b(b"%d/%s" % (n, item_id.encode()), digest_size=8).digest(), "little")


@contextmanager
def writing(
    place: Place, patience: float = 60.0, columns: Mapping[str, Kind] = COLUMNS
) -> Iterator[PostgresWriter]:
    """A writer whose changes are all kept at the end, or none of them if anything goes wrong.

    Args:
        place: Where the catalogue lies; made if there is none.
        patience: How long to wait for other writers of the same items to end, seconds.
        columns: The typed columns of a catalogue that is made.

    Raises:
        BadInput: If they do not end in that time, or the database goes away.
        BadConfiguration: If the database cannot be reached or used, or holds another format.
    """
    with opened(place, columns) as connection, connect(place) as side:
        wait = f"SET lock_timeout = {max(1, round(patience * 1000))}".encode()
        try:
            side.execute(wait)
            connection.execute(wait)
            with connection.transaction():
                at_work(connection, place)
                writer = PostgresWriter(connection, side, place)
                yield writer
                writer.finish()
            writer.after()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            raise BadInput(
                f"{place.shown}: another ingest is writing the same items; try again when it has ended"
            ) from error
        except psycopg.OperationalError as error:
            raise BadInput(
                f"{place.shown}: the database went away, nothing of this was kept"
                f" ({place.without_password(error)}); try again"
            ) from None
