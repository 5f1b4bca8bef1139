"""The parameter `query` (STACQL), read as the CQL2 that says the same.

So every source that evaluates `filter` evaluates it, too. A property that an item does not have matches
nothing, `neq` included.
"""

from collections.abc import Callable, Mapping
from typing import Any

from cscale.errors import BadInput, BadRequest
from cscale.stac import cql2
from cscale.stac.times import instant

MAX_CONDITIONS = 100

_COMPARISONS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_ESCAPED = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


def translate(query: object) -> cql2.Expression:
    """Read a `query` object: property to operators and values, all of which must hold.

    Raises:
        BadRequest: If it is no such object; names the property.
    """
    if not isinstance(query, Mapping) or not query:
        raise BadRequest('query: not an object such as {"eo:cloud_cover": {"lt": 10}}')
    conditions: list[cql2.Expression] = []
    for name, operators in query.items():
        if not isinstance(operators, Mapping) or not operators or not cql2.plain_name(name):
            raise BadRequest(f'query: {name!r} needs an object of operators such as {{"lt": 10}}')
        for operator, value in operators.items():
            conditions.append(_condition(cql2.plain_name(name), operator, value))
    if len(conditions) > MAX_CONDITIONS:
        raise BadRequest(f"query: more than {MAX_CONDITIONS} conditions")
    return conditions[0] if len(conditions) == 1 else {"op": "and", "args": conditions}


def joined(first: cql2.Expression | None, second: cql2.Expression | None) -> cql2.Expression | None:
    """Both conditions as one; None where there is neither."""
    if first is None or second is None:
        return first or second
    parts = [part for each in (first, second) for part in (each["args"] if each["op"] == "and" else [each])]
    return {"op": "and", "args": parts}


def _condition(name: str, operator: str, value: Any) -> cql2.Expression:
    subject = {"property": name}
    where = f"query: {operator} of {name}"
    if operator in _COMPARISONS:
        return {"op": _COMPARISONS[operator], "args": [subject, _scalar(name, value, where)]}
    if operator in _PATTERNS:
        if not isinstance(value, str):
            raise BadRequest(f"{where} takes a text, not {value!r}")
        return {"op": "like", "args": [subject, _PATTERNS[operator](value.translate(_ESCAPED))]}
    if operator == "in":
        if not isinstance(value, list) or not value:
            raise BadRequest(f"{where} takes a list of one value or more, not {value!r}")
        return {"op": "in", "args": [subject, [_scalar(name, each, where) for each in value]]}
    known = ", ".join((*_COMPARISONS, *_PATTERNS, "in"))
    raise BadRequest(f"query: {operator!r} of {name} is not known; known are {known}")


_PATTERNS: dict[str, Callable[[str], str]] = {
    "startsWith": lambda text: f"{text}%",
    "endsWith": lambda text: f"%{text}",
    "contains": lambda text: f"%{text}%",
}


def _scalar(name: str, value: Any, where: str) -> Any:
    if not isinstance(value, str | int | float):
        raise BadRequest(f"{where} takes a text, a number, true or false, not {value!r}")
    if name != "datetime":
        return value
    try:
        instant(value)
    except BadInput as error:
        raise BadRequest(f"{where}: {error}") from error
    return {"timestamp": value}
