"""CQL2 in SQL, as far as both databases go the same way: what they split off, and how far they look.

Each has a compiler of its own for what its columns answer exactly.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cscale.errors import BadInput
from cscale.stac.cql2 import Expression
from cscale.stac.geometry import Bounds, Box, planar

Condition = tuple[str, list[Any]]
"""An SQL condition and its bound parameters."""

FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
"""The comparisons, and what each becomes when its sides are changed."""
GEOMETRY = {"property": "geometry"}

_MOST_OPERATORS = 250
_MEETING = frozenset(
    f"s_{name}" for name in ("intersects", "equals", "touches", "crosses", "within", "contains", "overlaps")
)


class NotInColumnsError(Exception):
    """The expression speaks of something that has no column."""


def split(
    expression: Expression | None, compiled: Callable[[Any], Condition], deepest: int
) -> tuple[list[Condition], Expression | None]:
    """Split a filter into what SQL can answer exactly and the rest.

    Args:
        expression: The filter.
        compiled: Makes a condition of a part; raises `NotInColumnsError` or `BadInput` where it cannot.
        deepest: How deep a part may be nested: a database's parser takes only so much.

    Returns:
        Conditions that must all hold, and what remains to be evaluated (None for nothing).
    """
    conditions, rest = [], []
    room = _MOST_OPERATORS
    for part in _conjuncts(expression) if expression else []:
        try:
            room -= _operators(part, deepest)
            if room < 0:
                raise NotInColumnsError
            conditions.append(compiled(part))
        except (NotInColumnsError, BadInput):
            rest.append(part)
    if len(rest) == 1 and isinstance(rest[0], Mapping):
        return conditions, rest[0]
    return conditions, {"op": "and", "args": [True, *rest]} if rest else None


def bounds(expression: Expression | None) -> list[Bounds]:
    """A box outside of which nothing matches, as parts that do not cross the antimeridian.

    Returns:
        Nothing where the filter does not ask that the geometry meet a literal one.
    """
    for part in _conjuncts(expression) if expression else []:
        if isinstance(part, Mapping) and part["op"] in _MEETING and GEOMETRY in part["args"]:
            literal: Mapping[str, Any] = next((each for each in part["args"] if each != GEOMETRY), {})
            if "bbox" in literal:
                return Box.parse(literal["bbox"]).parts()
            if "coordinates" in literal:
                west, south, east, north = planar(literal).bounds
                return [(float(west), float(south), float(east), float(north))]
    return []


def is_property(node: Any) -> bool:
    """Whether a node is a property's name."""
    return isinstance(node, Mapping) and "property" in node


def _operators(node: Any, depth: int) -> int:
    """How many operators an expression has."""
    if not isinstance(node, Mapping) or "op" not in node:
        return 0
    if depth == 0:
        raise NotInColumnsError
    return 1 + sum(_operators(each, depth - 1) for each in node["args"])


def _conjuncts(expression: Any) -> list[Any]:
    """The parts that must all hold; one may be a mere `true` or `false`."""
    if isinstance(expression, Mapping) and expression["op"] == "and":
        return [part for each in expression["args"] for part in _conjuncts(each)]
    return [expression]
