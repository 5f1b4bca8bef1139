"""CQL2 in SQL, as far as it speaks of columns. What does not is evaluated on the items themselves.

Columns are typed: where a value does not fit its column, the item's `odd` names it, the SQL lets the item
through, and the filter is evaluated on the item itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cscale.catalogue.postgresql.records import exact_float
from cscale.catalogue.postgresql.schema import column
from cscale.catalogue.queryables import Kind
from cscale.errors import BadInput
from cscale.stac import times
from cscale.stac.cql2 import Expression, plain_name
from cscale.stac.geometry import Bounds, Box, planar

Condition = tuple[str, list[Any]]
"""An SQL condition and its bound parameters."""
Columns = Mapping[str, tuple[int, Kind]]
"""The properties that have a column: its number and kind."""

_FLIPPED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_OF_LISTS = {
    "a_contains": "{0} @> {1}",
    "a_containedBy": "{0} <@ {1}",
    "a_overlaps": "{0} && {1}",
    "a_equals": "({0} @> {1} AND {0} <@ {1})",
}
_MOST_OPERATORS = 250
_DEEPEST = 20


class _NotInColumnsError(Exception):
    """The expression speaks of something that has no column."""


def split(expression: Expression | None, columns: Columns) -> tuple[list[Condition], Expression | None]:
    """Split a filter into what SQL can answer exactly, where no value is odd, and the rest.

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
        except (_NotInColumnsError, BadInput):
            rest.append(part)
    if len(rest) == 1 and isinstance(rest[0], Mapping):
        return conditions, rest[0]
    return conditions, {"op": "and", "args": [True, *rest]} if rest else None


def names_in(expression: Any) -> set[str]:
    """The properties that an expression speaks of."""
    if isinstance(expression, Mapping):
        own = {plain_name(expression["property"])} if "property" in expression else set()
        return own.union(*map(names_in, expression.values()))
    if isinstance(expression, list | tuple):
        return set().union(*map(names_in, expression))
    return set()


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
    """How many operators an expression has."""
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
        if args[0] == _GEOMETRY:
            return "(i.geom IS NULL)", []
        return f"({self._column(args[0])[0]} IS NULL)", []

    def _comparison(self, op: str, args: list[Any]) -> Condition:
        left, right = args
        if not _is_property(left):
            left, right, op = right, left, _FLIPPED[op]
        sql, kind = self._scalar(left)
        return f"({sql} {op} {_BOUND[kind]})", [_value(right, kind)]

    def _between(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._scalar(args[0])
        ends = [_value(each, kind) for each in args[1:]]
        return f"({sql} BETWEEN {_BOUND[kind]} AND {_BOUND[kind]})", ends

    def _in(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._scalar(args[0])
        if not isinstance(args[1], list) or not args[1]:
            raise _NotInColumnsError
        return f"({sql} = ANY({_BOUND[kind]}[]))", [[_value(each, kind) for each in args[1]]]

    def _like(self, _: str, args: list[Any]) -> Condition:
        sql, kind = self._column(args[0])
        pattern = args[1]
        if kind != "string" or not isinstance(pattern, str) or "\0" in pattern or _ends_escaping(pattern):
            raise _NotInColumnsError
        return f"({sql} LIKE %s::text)", [pattern]

    def _of_list(self, op: str, args: list[Any]) -> Condition:
        """Two lists of texts, compared as sets."""
        left, right = args
        if not _is_property(left) or not isinstance(right, list):
            raise _NotInColumnsError
        sql, kind = self._column(left)
        if kind != "strings" or not all(isinstance(each, str) and "\0" not in each for each in right):
            raise _NotInColumnsError
        form = _OF_LISTS[op]
        return f"({form.format(sql, '%s::text[]')})", [right] * form.count("{1}")

    def _scalar(self, node: Any) -> tuple[str, str]:
        """The column of a property that is no list."""
        sql, kind = self._column(node)
        if kind not in _BOUND:
            raise _NotInColumnsError
        return sql, kind

    def _column(self, node: Any) -> tuple[str, str]:
        """The column of a property and the kind of what it is compared with."""
        if not _is_property(node):
            raise _NotInColumnsError
        name = plain_name(node["property"])
        if name == "id":
            return "i.id", "string"
        if name == "datetime":
            return "i.t", "time"
        if name in self._columns:
            n, kind = self._columns[name]
            return f"i.{column(n)}", kind
        raise _NotInColumnsError


def _ends_escaping(pattern: str) -> bool:
    """Whether a pattern ends with a backslash that escapes nothing: the database refuses it."""
    return (len(pattern) - len(pattern.rstrip("\\"))) % 2 == 1


def _is_property(node: Any) -> bool:
    return isinstance(node, Mapping) and "property" in node


_BOUND = {"time": "%s::bigint", "number": "%s::double precision", "string": "%s::text"}


def _value(node: Any, kind: str) -> Any:
    if kind == "time" and isinstance(node, Mapping) and "timestamp" in node:
        return times.instant(node["timestamp"])
    if kind == "number" and (number := exact_float(node)) is not None:
        return number
    if kind == "string" and isinstance(node, str) and "\0" not in node:
        return node
    raise _NotInColumnsError


def any_of(conditions: Sequence[Condition]) -> Condition:
    """That one of them holds."""
    return (
        "(" + " OR ".join(sql for sql, _ in conditions) + ")",
        [value for _, values in conditions for value in values],
    )


_GEOMETRY = {"property": "geometry"}
_MEETING = frozenset(
    f"s_{name}" for name in ("intersects", "equals", "touches", "crosses", "within", "contains", "overlaps")
)
