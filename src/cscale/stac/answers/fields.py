"""`fields`: the members of an item that are asked for, picked from its bytes.

Only the objects on the way to a member are taken apart; what is kept stays the bytes it was. What becomes
of each name is worked out once a request, however many items it shows.
"""

from collections.abc import Callable

import msgspec

from cscale.stac.search import Fields

_ALWAYS_SHOWN = frozenset({"type", "id", "collection"})
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def picker(fields: Fields) -> Callable[[bytes], bytes]:
    """The function that picks the members of an item that `fields` asks for: the longer path wins.

    Its type, id and collection need not be asked for.
    """
    return _Pick(fields.include, fields.exclude, _ALWAYS_SHOWN).of


def picked(item: bytes, fields: Fields) -> bytes:
    """The members of one item, or of a collection, that `fields` asks for."""
    return picker(fields)(item)


class _Pick:
    """What becomes of the members of an object, by their names.

    Args:
        include: Dotted paths of what is wanted; empty for all.
        exclude: Dotted paths of what is not.
        always: Names that need not be asked for.
    """

    def __init__(self, include: frozenset[str], exclude: frozenset[str], always: frozenset[str]) -> None:
        self._include, self._exclude, self._always = include, exclude, always
        self._known: dict[str, tuple[bytes, bool, _Pick | None]] = {}

    def of(self, item: bytes | msgspec.Raw) -> bytes:
        """The object with the members that are kept."""
        parts: list[bytes | msgspec.Raw] = []
        for name, value in _MEMBERS.decode(item).items():
            known = self._known.get(name)
            if known is None:
                known = self._learn(name)
            key, whole, inner = known
            if inner is not None and memoryview(value)[0] == _OBJECT:
                parts += (b",", key, inner.of(value))
            elif whole:
                parts += (b",", key, value)
        return b"".join((b"{", *parts[1:], b"}"))

    def _learn(self, name: str) -> "tuple[bytes, bool, _Pick | None]":
        """The name as a key, whether its value is kept as it is, and what is picked from an object there."""
        inside, outside = _below(self._include, name), _below(self._exclude, name)
        whole = name not in self._exclude and (
            not self._include or name in self._include or name in self._always
        )
        inner = None
        if whole and outside:
            inner = _Pick(frozenset(), outside, frozenset())
        elif inside and not whole:
            inner = _Pick(inside, outside, frozenset())
        learnt = self._known[name] = (msgspec.json.encode(name) + b":", whole, inner)
        if len(self._known) > _MOST_NAMES:
            self._known = {}
        return learnt


_OBJECT = ord("{")
_MOST_NAMES = 1000  # names come from items, and those may have any


def _below(paths: frozenset[str], name: str) -> frozenset[str]:
    """What dotted paths say of the members below one."""
    return frozenset(path.removeprefix(f"{name}.") for path in paths if path.startswith(f"{name}."))
