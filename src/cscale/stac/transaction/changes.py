"""What a change makes of the item or collection that is there; pure, so that any store can apply it.

A store reads what is there, applies the change, and writes what comes of it, all in one transaction:
between the condition that a client sets and the change that it makes, nobody else changes anything.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cscale.errors import BadRequest, Conflict, NotFound, PreconditionFailed

Json = dict[str, Any]
Change = Callable[[Json | None], Json | None]
"""From what is there to what shall be there, None for nothing; raises to change nothing."""
Tags = Callable[[Json], frozenset[str]]
"""The entity tags of a thing as it is served."""

_DEEPEST = 100


def creation(new: Json, what: str) -> Change:
    """Of a thing that must not be there yet.

    Args:
        new: The thing.
        what: How errors name it.
    """

    def change(there: Json | None) -> Json | None:
        if there is not None:
            raise Conflict(f"{what} is here already; PUT replaces it")
        return new

    return change


def replacement(new: Json, what: str, condition: str | None, tags: Tags) -> Change:
    """Of a thing that must be there.

    Args:
        new: The thing.
        what: How errors name it.
        condition: The request's `If-Match`.
        tags: The entity tags of a thing as it is served.
    """

    def change(there: Json | None) -> Json | None:
        _require(there, what, condition, tags)
        return new

    return change


def patch(part: Json, what: str, condition: str | None, tags: Tags) -> Change:
    """Of some members of a thing that must be there, by RFC 7386; arguments as of `replacement`."""

    def change(there: Json | None) -> Json | None:
        merged: Json = merge_patch(_require(there, what, condition, tags), part)
        return merged

    return change


def removal(what: str, condition: str | None, tags: Tags) -> Change:
    """Of a thing that must be there; arguments as of `replacement`."""

    def change(there: Json | None) -> Json | None:
        _require(there, what, condition, tags)
        return None

    return change


def _require(there: Json | None, what: str, condition: str | None, tags: Tags) -> Json:
    """What is there, if it is what the client has seen.

    Raises:
        NotFound: If there is nothing.
        PreconditionFailed: If it has another entity tag than the condition names.
    """
    if there is None:
        raise NotFound(f"{what} is not here")
    if condition is not None and condition.strip() != "*":
        wanted = {tag.strip() for tag in condition.split(",")}  # weak tags never match (RFC 9110, 13.1.1)
        if not wanted & tags(there):
            raise PreconditionFailed(f"{what} has changed since it was read; read it again")
    return there


def merge_patch(target: Any, part: Any, depth: int = _DEEPEST) -> Any:
    """RFC 7386: members of `part` replace the target's, null removes, objects are merged.

    Raises:
        BadRequest: If the patch is nested too deep.
    """
    if not isinstance(part, Mapping):
        return part
    if depth == 0:
        raise BadRequest(f"the patch is nested deeper than {_DEEPEST}")
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in part.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value, depth - 1)
    return merged
