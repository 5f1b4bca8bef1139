"""Scopes of tokens that open paths: `storage.read:/path`, as the WLCG Common JWT Profiles 1.1 say (2.2.1).

A path is mandatory, absolute, normalised and quoted as in a URL; it stands for a file or directory of this
name and for all below, component by component: `/foo` is no beginning of `/foobar`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from cscale.errors import BadInput

_STORAGE = "storage."
_IMPLIED_BY = {
    "storage.read": frozenset({"storage.read", "storage.stage"}),  # what is staged is read next
    "storage.create": frozenset({"storage.create", "storage.modify"}),
    "storage.modify": frozenset({"storage.modify"}),
    "storage.stage": frozenset({"storage.stage"}),
}
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOTS = frozenset({".", ".."})


class Place(NamedTuple):
    """A path, taken apart.

    Attributes:
        parts: Its components, unquoted; none for the root.
        is_directory: Whether it ends with a slash.
    """

    parts: tuple[str, ...]
    is_directory: bool


@lru_cache(maxsize=4096)
def parse(scope: str) -> tuple[str, Place] | None:
    """What a scope opens: the action and the path; None if it is none of `storage.*`.

    Raises:
        BadInput: If it is one without a path, or with one that is not absolute and normalised.
    """
    if not scope.startswith(_STORAGE):
        return None
    action, colon, path = scope.partition(":")
    if not colon:
        raise BadInput(f"the scope {action} names no path; to open everything it ends with :/")
    return action, _place(unquote(path, errors="strict") if _is_sound(path) else "", path)


def permits(scopes: Iterable[str], action: str, path: str, *, is_directory: bool = False) -> bool:
    """Whether scopes allow an action on a path.

    Args:
        scopes: Those of a token that has been checked.
        action: `storage.read`, `storage.stage`, `storage.create` or `storage.modify`.
        path: From the root of what the token's issuer has at this service; not quoted.
        is_directory: Whether it is a directory: to create one around an allowed path is allowed, too.
    """
    try:
        there = _place(path, path)
    except BadInput:
        return False
    wanted = Place(there.parts, is_directory or there.is_directory)
    opened = [found for scope in scopes if (found := _sound(scope)) is not None]
    return any(_covers(granted, action, place, wanted) for granted, place in opened)


def _covers(granted: str, action: str, place: Place, wanted: Place) -> bool:
    if granted not in _IMPLIED_BY.get(action, ()):
        return False
    size = len(place.parts)
    if wanted.parts[:size] == place.parts:
        is_itself = len(wanted.parts) == size
        return not (is_itself and place.is_directory and place.parts and not wanted.is_directory)
    around = place.parts[: len(wanted.parts)] == wanted.parts
    return around and wanted.is_directory and action == "storage.create"


def _sound(scope: str) -> tuple[str, Place] | None:
    try:
        return parse(scope)
    except BadInput:
        return None


def _is_sound(path: str) -> bool:
    """Whether a quoted path can be unquoted to one meaning only: no half escapes, no slash in a component."""
    try:
        unquote(path, errors="strict")
    except UnicodeDecodeError:
        return False
    return not _BAD_ESCAPE.search(path) and "%2f" not in path.lower()


def _place(path: str, told: str) -> Place:
    """A path's components.

    Raises:
        BadInput: If it is not absolute and normalised.
    """
    parts = path.split("/")
    inner = parts[1:-1] if parts[-1] == "" else parts[1:]
    odd = any(not part or part in _DOTS or not part.isprintable() or "\\" in part for part in inner)
    if parts[0] or len(parts) < 2 or odd:
        raise BadInput(f"the path {told[:100]!r} of a scope is not absolute and normalised (RFC 3986 6)")
    return Place(tuple(inner), path.endswith("/"))
