"""Where a catalogue is kept: what every database behind it offers.

SQLite and PostgreSQL implement it; the composition root chooses by the site's `state`.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

from cscale.catalogue.queryables import Kind
from cscale.catalogue.rows import Prepared
from cscale.catalogue.statistics import Extent
from cscale.stac.items import Collection, Item
from cscale.stac.source import Aggregates, ItemSource

Change = Literal["added", "changed", "unchanged"]


class FileState(NamedTuple):
    """What changes when a file does: its size in bytes, and when it was changed, nanoseconds since 1970."""

    size: int
    changed: int


class Held(NamedTuple):
    """An item that a catalogue holds.

    Attributes:
        collection: The id of its collection.
        id: Its id.
    """

    collection: str
    id: str


class Spanning(NamedTuple):
    """An item and its stretch of time.

    Attributes:
        id: Its id.
        first: Its first instant, microseconds since 1970.
        last: Its last instant.
    """

    id: str
    first: int
    last: int


class Writer(Protocol):
    """Puts items and collections into a catalogue; get one from `Store.writing`."""

    @property
    def columns(self) -> Mapping[str, Kind]:
        """The typed columns that the catalogue has: what `rows.prepare` wants to know."""
        ...

    def put_collection(self, collection: Collection) -> Change:
        """Take a collection, new or in place of the one of its id.

        Raises:
            BadInput: If it has no id that can be used, or another of its id was put before.
        """
        ...

    def put(self, item: Item, origin: str | None = None) -> Change:
        """Take an item, new or in place of the one of its collection and id.

        Args:
            item: The item.
            origin: The file or address that it came from; None where nobody will ask.

        Raises:
            BadInput: If it lacks what every item must have, or that cannot be read, or if another of
                its collection and id was put before.
        """
        ...

    def put_prepared(self, item: Prepared, origin: str | None = None) -> Change:
        """Take an item that `rows.prepare` has made ready with this catalogue's columns; see `put`."""
        ...

    def remove(self, collection: str | None, item_id: str) -> int:
        """Remove an item, from one collection or from all; the number of items removed."""
        ...

    def remove_collection(self, collection: str) -> int:
        """Remove a collection with all its items; the number of items removed."""
        ...

    def not_put(self, below: str) -> list[Held]:
        """The items whose origin is `below` or begins with it and a slash, and that were not put by now."""
        ...

    def held_between(self, collection: str, start: int | None, end: int | None) -> list[Spanning]:
        """The items of a collection that were there before this writer and share an instant with an interval.

        Args:
            collection: The id of the collection.
            start: The interval's first instant, microseconds since 1970; None for open.
            end: Its last instant; None for open.
        """
        ...

    def expire(self, collection: str, before: int) -> int:
        """Remove a collection's items that end before an instant, microseconds since 1970; how many."""
        ...

    def collections(self) -> Iterable[str]:
        """The ids of the collections."""
        ...

    def known_checksum(self, path: str, kind: str, state: FileState) -> str | None:
        """The checksum of a served file, if it was computed before and the file has not changed since."""
        ...

    def keep_checksum(self, path: str, kind: str, state: FileState, checksum: str) -> None:
        """Remember a served file's checksum."""
        ...


class Catalogue(ItemSource, Aggregates, Protocol):
    """A catalogue that is open for searches and counts."""

    async def extents(self) -> Mapping[str, Extent]:
        """Where and when the items of each collection lie, exactly; by the collection's id."""
        ...

    def close(self) -> None:
        """Let reads under way finish and let go of the database."""
        ...


class Store(Protocol):
    """One archive's catalogue in its database.

    Its queryables are `COLUMNS` and those that the site's configuration adds.
    """

    def source(self, *, data_url: str, secret: bytes) -> Catalogue:
        """Open it for searches; made if there is none.

        Args:
            data_url: The address under which the site serves its files.
            secret: Seals the cursors; shared by all processes of the site.

        Raises:
            BadConfiguration: If it is no catalogue, or one of another version: says how to migrate.
        """
        ...

    def writing(self, patience: float = 60.0) -> AbstractContextManager[Writer]:
        """A writer whose changes are all kept at the end, or none of them if anything goes wrong.

        Args:
            patience: How long to wait for another writer to end, seconds.

        Raises:
            BadInput: If another writer does not end in that time.
            BadConfiguration: As of `source`.
        """
        ...

    def secret(self) -> bytes:
        """The secret that all processes of the site share; made at first."""
        ...

    def migrate(self) -> list[str]:
        """Bring its tables to the form that this version knows, and make the columns that are missing.

        Returns:
            What was done, a line each; empty where nothing was to do.

        Raises:
            BadConfiguration: If it was made by a newer version.
        """
        ...

    def columns(self) -> Mapping[str, Kind]:
        """The typed columns it has; those it shall have where there is no catalogue yet."""
        ...
