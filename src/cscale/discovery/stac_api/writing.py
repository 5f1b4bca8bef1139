"""CQL2 from its JSON into its text form (OGC 21-065r2), for addresses."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import shapely

from cscale.errors import BadRequest
from cscale.stac import cql2
from cscale.stac.cql2 import Expression, plain_name

_BETWEEN = {"=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "^", "%"}
_CLOSE = 1e-12  # the reader rounds numbers by their last bit


def text_of(expression: Expression) -> str | None:
    """A filter as cql2-text, its numbers with all their digits; None where that cannot say the same."""
    try:
        text = _text(expression)
        again, same = cql2.parse(text, "cql2-text"), cql2.parse(expression, "cql2-json")
    except (LookupError, TypeError, ValueError, BadRequest, shapely.errors.ShapelyError):
        return None
    return text if _alike(again, same) else None


def _text(node: Any) -> str:
    """Any part of a filter as text.

    Raises:
        ValueError: If there is no text for it.
    """
    if isinstance(node, bool):
        return "TRUE" if node else "FALSE"
    if isinstance(node, int | float):
        return number(node)
    if isinstance(node, str):
        return "'" + node.replace("'", "''") + "'"
    if isinstance(node, list):
        return f"({', '.join(map(_text, node))})"
    if "op" in node:
        return _operation(str(node["op"]).lower(), node["args"])
    if "property" in node:
        return _name(plain_name(str(node["property"])))
    for kind, write in _LITERALS.items():
        if kind in node:
            return write(node)
    raise ValueError(f"{node!r} is no part of a filter")


def number(value: float) -> str:
    """A number with all its digits, and without an exponent, which not all can read."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def _name(name: str) -> str:
    if '"' in name or not name:
        raise ValueError(f"{name!r} cannot be quoted")
    return f'"{name}"'


def _geometry(node: Mapping[str, Any]) -> str:
    read = shapely.from_geojson(msgspec.json.encode(node))
    return str(shapely.to_wkt(read, rounding_precision=-1, output_dimension=3))


_LITERALS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "timestamp": lambda node: f"TIMESTAMP({_text(node['timestamp'])})",
    "date": lambda node: f"DATE({_text(node['date'])})",
    "interval": lambda node: f"INTERVAL({', '.join(map(_text, node['interval']))})",
    "bbox": lambda node: f"BBOX({', '.join(map(number, node['bbox']))})",
    "type": _geometry,
}


def _operation(op: str, args: Sequence[Any]) -> str:
    if op in ("and", "or"):
        return f" {op.upper()} ".join(map(_part, args))
    if op == "not":
        return f"NOT ({_text(args[0])})"
    if op in _BETWEEN or op == "div":
        return f"{_part(args[0])} {op} {_part(args[1])}"
    if op == "between":
        return f"{_part(args[0])} BETWEEN {_part(args[1])} AND {_part(args[2])}"
    if op == "in":
        return f"{_part(args[0])} IN {_text(list(args[1]))}"
    if op == "like":
        return f"{_part(args[0])} LIKE {_part(args[1])}"
    if op == "isnull":
        return f"{_part(args[0])} IS NULL"
    return f"{op.upper()}({', '.join(map(_text, args))})"


def _part(node: Any) -> str:
    """A part of something larger, in brackets where it needs them."""
    infix = isinstance(node, Mapping) and str(node.get("op", "")).lower() in {*_BETWEEN, *_INFIX}
    return f"({_text(node)})" if infix else _text(node)


_INFIX = {"and", "or", "not", "between", "in", "like", "isnull", "div"}


def _alike(one: Any, other: Any) -> bool:
    """Whether two filters are the same but for the last bits of numbers."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_CLOSE)
    return bool(one == other)
