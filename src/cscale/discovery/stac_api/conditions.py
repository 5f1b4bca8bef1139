"""What of a filter a site can be asked: by the classes of CQL2 that it claims, or by `query`.

A filter is the conjunction of its parts; where not all of them can be said, the others are, and the whole
stays with the hub. So a site never leaves out what matches.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cscale.discovery.stac_api.claims import Claims
from cscale.stac.cql2 import Expression, plain_name

_ADVANCED = "advanced-comparison-operators"
_COMPARISONS = {"=": "eq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "<>": "neq"}
_NEEDS: Mapping[str, frozenset[str]] = {
    **{op: frozenset({_ADVANCED}) for op in ("like", "between", "in")},
    **{op: frozenset({"arithmetic", "property-property"}) for op in ("+", "-", "*", "/", "^", "%", "div")},
    "casei": frozenset({"case-insensitive-comparison"}),
    "accenti": frozenset({"accent-insensitive-comparison"}),
    "s_intersects": frozenset({"basic-spatial-functions", "spatial-functions"}),
}
_BY_LETTER = {"s_": "spatial-functions", "t_": "temporal-functions", "a_": "array-functions"}
_NO_PROPERTY = frozenset({"id", "collection", "geometry", "datetime"})
"""What `query` cannot speak of at every site."""


def said(expression: Expression, claims: Claims) -> tuple[Expression | None, bool]:
    """The part of a filter that a site's classes of CQL2 can say, and whether that is all of it."""
    parts = list(conjuncts(expression))
    sayable = [part for part in parts if _known(part, claims.classes)]
    return _joined(sayable), len(sayable) == len(parts)


def conjuncts(expression: Expression) -> Iterable[Expression]:
    """The conditions that must all hold."""
    if str(expression["op"]).lower() != "and":
        yield expression
        return
    for each in expression["args"]:
        if isinstance(each, Mapping) and "op" in each:
            yield from conjuncts(each)
        else:
            yield {"op": "=", "args": [each, True]}


def _joined(parts: list[Expression]) -> Expression | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return {"op": "and", "args": parts}


def _known(node: Any, classes: frozenset[str]) -> bool:
    """Whether classes of CQL2 hold all operators of an expression."""
    if isinstance(node, list):
        return all(_known(each, classes) for each in node)
    if not isinstance(node, Mapping):
        return True
    if "op" not in node:
        return all(_known(each, classes) for each in node.get("interval", ()))
    op = str(node["op"]).lower()
    needs = _NEEDS.get(op) or frozenset({_BY_LETTER[op[:2]]} if op[:2] in _BY_LETTER else ())
    if needs and not needs & classes:
        return False
    if op in _COMPARISONS and "property-property" not in classes and not _plain(node["args"]):
        return False
    return _known(list(node["args"]), classes)


def _plain(args: Any) -> bool:
    """Whether something is compared with a constant."""
    return not any(isinstance(each, Mapping) and "property" in each for each in args[1:])


def as_query(expression: Expression) -> tuple[Mapping[str, Any] | None, bool]:
    """The part of a filter that the parameter `query` can say, and whether that is all of it."""
    query: dict[str, dict[str, Any]] = {}
    whole = True
    for part in conjuncts(expression):
        found = _condition(part)
        if found is None or found[1] in query.get(found[0], {}):
            whole = False
            continue
        name, operator, value = found
        query.setdefault(name, {})[operator] = value
        whole = whole and operator != "neq"  # to some an absent value is another one
    return query or None, whole


def _condition(node: Expression) -> tuple[str, str, Any] | None:
    """A condition as property, operator of `query`, and value."""
    op, args = str(node["op"]).lower(), node["args"]
    if len(args) != 2 or not isinstance(args[0], Mapping) or "property" not in args[0]:
        return None
    name, value = plain_name(str(args[0]["property"])), args[1]
    if name in _NO_PROPERTY:
        return None
    if op in _COMPARISONS and isinstance(value, str | int | float):
        return name, _COMPARISONS[op], value
    if (
        op == "in"
        and isinstance(value, list)
        and value
        and all(isinstance(x, str | int | float) for x in value)
    ):
        return name, "in", value
    if op == "like" and isinstance(value, str) and (prefix := re.fullmatch(r"([^%_\\]+)%", value)):
        return name, "startsWith", prefix[1]
    return None
