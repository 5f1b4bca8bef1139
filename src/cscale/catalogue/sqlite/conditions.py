"""CQL2 in SQL, as far as it speaks of columns. What does not is evaluated on the items themselves."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cscale.catalogue.queryables import Kind
from cscale.catalogue.sqlite.schema import HOLDS, column
from cscale.stac import times
from cscale.stac.cql2 import Expression, plain_name
from cscale.stac.geometry import Bounds, Box, planar

Condition = tuple[str, list[Any]]
"""An SQL condition and its bound parameters."""

_FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_MOST_OPERATORS = 250
_DEEPEST = 10
_TYPES = {"number": "('integer', 'real')", "string": "('text')"}
_OF_LISTS = ("a_contains", "a_overlaps")


class _NotInColumnsError(Exception):
    """The expression speaks of something that has no column."""


def split(
    expression: Expression | None, columns: Mapping[str, Kind]
) -> tuple[list[Condition], Expression | None]:
    """Split a filter into what SQL can answer exactly and the rest.

    Args:
        expression: The filter.
        columns: The properties that have a column.

    Returns:
        Conditions that must all hold, and what remains to be evaluated (None for nothing).
    """
    conditions, rest = [], []
    room = _MOST_OPERATORS
    compiler = _Compiler(columns)
    for part in _conjuncts(expression) if expression else []:
        try:
            room -= _operators(part, _DEEPEST)
            if room < 0:
                raise _NotInColumnsError
            conditions.append(compiler.condition(part))
        except _NotInColumnsError:
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
        if isinstance(part, Mapping) and part["op"] in _MEETING and _GEOMETRY in part["args"]:
            literal: Mapping[str, Any] = next((each for each in part["args"] if each != _GEOMETRY), {})
            if "bbox" in literal:
                return Box.parse(literal["bbox"]).parts()
            if "coordinates" in literal:
                west, south, east, north = planar(literal).bounds
                return [(float(west), float(south), float(east), float(north))]
    return []


def _operators(node: Any, depth: int) -> int:
    """How many operators an expression has; SQLite's parser takes only so many, and not too deep."""
    if not isinstance(node, Mapping) or "op" not in node:
        return 0
    if depth == 0:
        raise _NotInColumnsError
    return 1 + sum(_operators(each, depth - 1) for each in node["args"])


def _conjuncts(expression: Any) -> list[Any]:
    """The parts that must all hold; one may be a mere `true` or `false`."""
    if isinstance(expression, Mapping) and expression["op"] == "and":
        return [part for each in expression["args"] for part in _conjuncts(each)]
    return [expression]


class _Compiler:
    def __init__(self, columns: Mapping[str, Kind]) -> None:
        self._columns = columns
        self._by_op: dict[str, Callable[[str, list[Any]], Condition]] = {
            "and": self._logic,
            "or": self._logic,
            "not": self._not,
            "isNull": self._is_null,
            "between": self._between,
            "in": self._in,
            **dict.fromkeys(_FLIPPED, self._comparison),
            **dict.fromkeys(_OF_LISTS, self._of_list),
        }

    def condition(self, node: Any) -> Condition:
        if not isinstance(node, Mapping) or node.get("op") not in self._by_op:
            raise _NotInColumnsError
        return self._by_op[node["op"]](node["op"], node["args"])

    def _logic(self, op: str, args: list[Any]) -> Condition:
        parts = [self.condition(each) for each in args]
        values = [value for _, bound in parts for value in bound]
        return "(" + f" {op} ".join(sql for sql, _ in parts) + ")", values

    def _not(self, _: str, args: list[Any]) -> Condition:
        sql, values = self.condition(args[0])
        return f"(NOT {sql})", values

    def _is_null(self, _: str, args: list[Any]) -> Condition:
        return f"({self._column(args[0])[0]} IS NULL)", []

    def _comparison(self, op: str, args: list[Any]) -> Condition:
        left, right = args
        if not _is_property(left):
            left, right, op = right, left, _FLIPPED[op]
        sql, kind = self._column(left)
        return self._typed(left, kind, f"{sql} {op} ?", [_value(right, kind)])

    def _between(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._column(args[0])
        return self._typed(args[0], kind, f"{sql} BETWEEN ? AND ?", [_value(each, kind) for each in args[1:]])

    def _in(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._column(args[0])
        if not isinstance(args[1], list) or not args[1]:
            raise _NotInColumnsError
        values = [_value(each, kind) for each in args[1]]
        return self._typed(args[0], kind, f"{sql} IN ({','.join('?' * len(values))})", values)

    def _of_list(self, op: str, args: list[Any]) -> Condition:
        """A list of texts that holds some, or one, of the texts asked for."""
        left, right = args
        if not _is_property(left) or not isinstance(right, list):
            raise _NotInColumnsError
        sql, kind = self._column(left)
        if kind != "strings" or not all(isinstance(each, str) for each in right):
            raise _NotInColumnsError
        return f"({HOLDS}({sql}, ?, ?))", [msgspec.json.encode(right), op == "a_contains"]

    def _typed(self, node: Mapping[str, Any], kind: str, sql: str, values: list[Any]) -> Condition:
        """A comparison that is unknown where the value stored has another type than the one asked for."""
        name = plain_name(node["property"])
        if name not in self._columns:
            return f"({sql})", values
        return f"(CASE WHEN typeof(i.{column(name)}) IN {_TYPES[kind]} THEN {sql} END)", values

    def _column(self, node: Any) -> tuple[str, str]:
        """The column of a property and the type of what it is compared with."""
        if not _is_property(node):
            raise _NotInColumnsError
        name = plain_name(node["property"])
        if name == "id":
            return "i.id", "string"
        if name == "datetime":
            return "i.t", "time"
        if name in self._columns:
            return "i." + column(name), self._columns[name]
        raise _NotInColumnsError


def _is_property(node: Any) -> bool:
    return isinstance(node, Mapping) and "property" in node


def _value(node: Any, kind: str) -> Any:
    if kind == "time" and isinstance(node, Mapping) and "timestamp" in node:
        return times.instant(node["timestamp"])
    if kind == "number" and (type(node) is float or (type(node) is int and -(2**63) <= node < 2**63)):
        return node
    if kind == "string" and isinstance(node, str):
        return node
    raise _NotInColumnsError


_GEOMETRY = {"property": "geometry"}
_MEETING = frozenset(
    f"s_{name}" for name in ("intersects", "equals", "touches", "crosses", "within", "contains", "overlaps")
)
