"""CQL2 in SQL, as far as it speaks of columns. What does not is evaluated on the items themselves."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cscale.catalogue import conditions
from cscale.catalogue.conditions import FLIPPED, Condition, NotInColumnsError, is_property
from cscale.catalogue.queryables import Kind
from cscale.catalogue.sqlite.schema import HOLDS, column
from cscale.stac import times
from cscale.stac.cql2 import Expression, plain_name

_DEEPEST = 10
_TYPES = {"number": "('integer', 'real')", "string": "('text')"}
_OF_LISTS = ("a_contains", "a_overlaps")


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
    return conditions.split(expression, _Compiler(columns).condition, _DEEPEST)


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
            **dict.fromkeys(FLIPPED, self._comparison),
            **dict.fromkeys(_OF_LISTS, self._of_list),
        }

    def condition(self, node: Any) -> Condition:
        if not isinstance(node, Mapping) or node.get("op") not in self._by_op:
            raise NotInColumnsError
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
        if not is_property(left):
            left, right, op = right, left, FLIPPED[op]
        sql, kind = self._column(left)
        return self._typed(left, kind, f"{sql} {op} ?", [_value(right, kind)])

    def _between(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._column(args[0])
        return self._typed(args[0], kind, f"{sql} BETWEEN ? AND ?", [_value(each, kind) for each in args[1:]])

    def _in(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._column(args[0])
        if not isinstance(args[1], list) or not args[1]:
            raise NotInColumnsError
        values = [_value(each, kind) for each in args[1]]
        return self._typed(args[0], kind, f"{sql} IN ({','.join('?' * len(values))})", values)

    def _of_list(self, op: str, args: list[Any]) -> Condition:
        """A list of texts that holds some, or one, of the texts asked for."""
        left, right = args
        if not is_property(left) or not isinstance(right, list):
            raise NotInColumnsError
        sql, kind = self._column(left)
        if kind != "strings" or not all(isinstance(each, str) for each in right):
            raise NotInColumnsError
        return f"({HOLDS}({sql}, ?, ?))", [msgspec.json.encode(right), op == "a_contains"]

    def _typed(self, node: Mapping[str, Any], kind: str, sql: str, values: list[Any]) -> Condition:
        """A comparison that is unknown where the value stored has another type than the one asked for."""
        name = plain_name(node["property"])
        if name not in self._columns:
            return f"({sql})", values
        return f"(CASE WHEN typeof(i.{column(name)}) IN {_TYPES[kind]} THEN {sql} END)", values

    def _column(self, node: Any) -> tuple[str, str]:
        """The column of a property and the type of what it is compared with."""
        if not is_property(node):
            raise NotInColumnsError
        name = plain_name(node["property"])
        if name == "id":
            return "i.id", "string"
        if name == "datetime":
            return "i.t", "time"
        if name in self._columns:
            return "i." + column(name), self._columns[name]
        raise NotInColumnsError


def _value(node: Any, kind: str) -> Any:
    if kind == "time" and isinstance(node, Mapping) and "timestamp" in node:
        return times.instant(node["timestamp"])
    if kind == "number" and (type(node) is float or (type(node) is int and -(2**63) <= node < 2**63)):
        return node
    if kind == "string" and isinstance(node, str):
        return node
    raise NotInColumnsError
