"""How far a harvest has come: its collections, and the stretches of time that they are read by."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class Window(NamedTuple):
    """A stretch of time of one collection, closed at both ends; neighbours share an instant.

    Attributes:
        collection: The collection's id at the site.
        start: Its first instant, microseconds since 1970; None for open.
        end: Its last instant; None for open.
    """

    collection: str
    start: int | None
    end: int | None


class CollectionNotes(msgspec.Struct):
    """What is known of a collection. Instants are microseconds since 1970.

    Attributes:
        at: When its last harvest that ended well began; None while it was never wholly read.
        updated: The latest `updated` of its items.
        undated: Whether some item has no `updated`, so that changes cannot be asked for by it.
        deaf: Whether the site was seen not to evaluate a filter by `updated`.
        timeless: Whether the site does not evaluate times, so that it is read in one go.
        expected: About how many items there are, if the site says so.
    """

    at: int | None = None
    updated: int | None = None
    undated: bool = False
    deaf: bool = False
    timeless: bool = False
    expected: int | None = None


class SiteNotes(msgspec.Struct):
    """What is known of a site. Instants are microseconds since 1970.

    Attributes:
        address: The kind and address of the interface that was harvested.
        listed: When its list of collections was last read.
        began: When the last harvest began.
        ended: When the last harvest ended that came to its end, with or without errors.
        error: Why that one is not complete.
        unseen: The items that the last whole walk did not meet, each as collection and id.
    """

    address: str = ""
    listed: int | None = None
    began: int | None = None
    ended: int | None = None
    error: str | None = None
    unseen: list[tuple[str, str]] = []


_SITE, _COLLECTION, _WINDOW = "site", "collection:", "window:"
_WINDOWS = msgspec.json.Decoder(Window)
_encode = msgspec.json.encode


class Progress:
    """The notes of a shelf, read once; `changes` are what has become of them since.

    Args:
        notes: As `Shelf.notes` gives them.
    """

    def __init__(self, notes: Mapping[str, bytes]) -> None:
        self.site = SiteNotes()
        self.collections: dict[str, CollectionNotes] = {}
        self.windows: dict[Window, int | None] = {}
        """When each was last read to its end; None while it never was."""
        for name, value in notes.items():
            if name == _SITE:
                self.site = msgspec.json.decode(value, type=SiteNotes)
            elif name.startswith(_COLLECTION):
                notes_of = msgspec.json.decode(value, type=CollectionNotes)
                self.collections[name.removeprefix(_COLLECTION)] = notes_of
            elif name.startswith(_WINDOW):
                window = _WINDOWS.decode(name.removeprefix(_WINDOW))
                self.windows[window] = msgspec.json.decode(value, type=int | None)
        self._written: dict[str, bytes] = dict(notes)

    def changes(self) -> dict[str, bytes | None]:
        """What is to be noted so that the shelf knows what this knows; it is then taken as noted."""
        now = {_SITE: _encode(self.site)}
        now |= {_COLLECTION + name: _encode(notes) for name, notes in self.collections.items()}
        now |= {_WINDOW + _encode(each).decode(): _encode(read) for each, read in self.windows.items()}
        changed: dict[str, bytes | None] = {
            name: value for name, value in now.items() if self._written.get(name) != value
        }
        changed |= dict.fromkeys(self._written.keys() - now.keys())
        self._written = dict(now)
        return changed

    def of(self, collection: str) -> list[Window]:
        """The windows of a collection."""
        return [window for window in self.windows if window.collection == collection]

    def forget(self, collection: str) -> None:
        """Know nothing of a collection any more."""
        self.collections.pop(collection, None)
        for window in self.of(collection):
            del self.windows[window]
