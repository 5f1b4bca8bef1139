"""CQL2 in SQL, as far as it speaks of columns. What does not is evaluated on the items themselves.

Columns are typed: where a value does not fit its column, the item's `odd` names it, the SQL lets the item
through, and the filter is evaluated on the item itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cscale.catalogue import conditions
from cscale.catalogue.conditions import FLIPPED, GEOMETRY, Condition, NotInColumnsError, is_property
from cscale.catalogue.postgresql.records import exact_float
from cscale.catalogue.postgresql.schema import column
from cscale.catalogue.queryables import Kind
from cscale.stac import times
from cscale.stac.cql2 import Expression, plain_name

Columns = Mapping[str, tuple[int, Kind]]
"""The properties that have a column: its number and kind."""

_OF_LISTS = {
    "a_contains": "{0} @> {1}",
    "a_containedBy": "{0} <@ {1}",
    "a_overlaps": "{0} && {1}",
    "a_equals": "({0} @> {1} AND {0} <@ {1})",
}
_DEEPEST = 20


def split(expression: Expression | None, columns: Columns) -> tuple[list[Condition], Expression | None]:
    """Split a filter into what SQL can answer exactly, where no value is odd, and the rest.

    Args:
        expression: The filter.
        columns: The properties that have a column.

    Returns:
        Conditions that must all hold, and what remains to be evaluated (None for nothing).
    """
    return conditions.split(expression, _Compiler(columns).condition, _DEEPEST)


def names_in(expression: Any) -> set[str]:
    """The properties that an expression speaks of."""
    if isinstance(expression, Mapping):
        own = {plain_name(expression["property"])} if "property" in expression else set()
        return own.union(*map(names_in, expression.values()))
    if isinstance(expression, list | tuple):
        return set().union(*map(names_in, expression))
    return set()


class _Compiler:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._by_op: dict[str, Callable[[str, list[Any]], Condition]] = {
            "and": self._logic,
            "or": self._logic,
            "not": self._not,
            "isNull": self._is_null,
            "between": self._between,
            "in": self._in,
            "like": self._like,
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
        if args[0] == GEOMETRY:
            return "(i.geom IS NULL)", []
        return f"({self._column(args[0])[0]} IS NULL)", []

    def _comparison(self, op: str, args: list[Any]) -> Condition:
        left, right = args
        if not is_property(left):
            left, right, op = right, left, FLIPPED[op]
        sql, kind = self._scalar(left)
        return f"({sql} {op} {_BOUND[kind]})", [_value(right, kind)]

    def _between(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._scalar(args[0])
        ends = [_value(each, kind) for each in args[1:]]
        return f"({sql} BETWEEN {_BOUND[kind]} AND {_BOUND[kind]})", ends

    def _in(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._scalar(args[0])
        if not isinstance(args[1], list) or not args[1]:
            raise NotInColumnsError
        return f"({sql} = ANY({_BOUND[kind]}[]))", [[_value(each, kind) for each in args[1]]]

    def _like(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._column(args[0])
        pattern = args[1]
        if kind != "string" or not isinstance(pattern, str) or "\0" in pattern or _ends_escaping(pattern):
            raise NotInColumnsError
        return f"({sql} LIKE %s::text)", [pattern]

    def _of_list(self, op: str, args: list[Any]) -> Condition:
        """Two lists of texts, compared as sets."""
        left, right = args
        if not is_property(left) or not isinstance(right, list):
            raise NotInColumnsError
        sql, kind = self._column(left)
        if kind != "strings" or not all(isinstance(each, str) and "\0" not in each for each in right):
            raise NotInColumnsError
        form = _OF_LISTS[op]
        return f"({form.format(sql, '%s::text[]')})", [right] * form.count("{1}")

    def _scalar(self, node: Any) -> tuple[str, str]:
        """The column of a property that is no list."""
        sql, kind = self._column(node)
        if kind not in _BOUND:
            raise NotInColumnsError
        return sql, kind

    def _column(self, node: Any) -> tuple[str, str]:
        """The column of a property and the kind of what it is compared with."""
        if not is_property(node):
            raise NotInColumnsError
        name = plain_name(node["property"])
        if name == "id":
            return "i.id", "string"
        if name == "datetime":
            return "i.t", "time"
        if name in self._columns:
            n, kind = self._columns[name]
            return f"i.{column(n)}", kind
        raise NotInColumnsError


def _ends_escaping(pattern: str) -> bool:
    """Whether a pattern ends with a backslash that escapes nothing: the database refuses it."""
    return (len(pattern) - len(pattern.rstrip("\\"))) % 2 == 1


_BOUND = {"time": "%s::bigint", "number": "%s::double precision", "string": "%s::text"}


def _value(node: Any, kind: str) -> Any:
    if kind == "time" and isinstance(node, Mapping) and "timestamp" in node:
        return times.instant(node["timestamp"])
    if kind == "number" and (number := exact_float(node)) is not None:
        return number
    if kind == "string" and isinstance(node, str) and "\0" not in node:
        return node
    raise NotInColumnsError


def any_of(conditions: Sequence[Condition]) -> Condition:
    """That one of them holds."""
    return (
        "(" + " OR ".join(sql for sql, _ in conditions) + ")",
        [value for _, values in conditions for value in values],
    )
