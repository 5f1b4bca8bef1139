"""CQL2 (OGC 21-065r2): read from text or JSON, and evaluated on items.

The `cql2` library parses; its nested expressions are checked and become a closure here. Logic has three
values: what cannot be told (an absent property, two things that do not compare) is None, `not` keeps
it so, and only True is a match.
"""

import inspect
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import add, eq, ge, gt, le, lt, mul, ne, sub, truediv
from typing import Any, NamedTuple

import cql2
import msgspec
import shapely
from shapely.geometry.base import BaseGeometry

from cscale.errors import BadInput, BadRequest
from cscale.stac.geometry import Box, planar
from cscale.stac.items import item_geometry, item_times, property_value
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT, Span, instant

Expression = Mapping[str, Any]
"""A CQL2 expression as JSON: `{"op": ..., "args": [...]}`."""
Evaluator = Callable[[Mapping[str, Any]], Any]
"""From an item to a value; None for unknown."""

MAX_BYTES = 16 * 1024
MAX_DEPTH = 50
_MAX_OPERATORS = 500
_MAX_WORK = 1_000_000

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_COORDINATES = re.compile(r"(?<=[(,])\s*-?[\d.]+(?:\s+-?[\d.]+){0,3}\s*(?=[,)])")
_OPERATOR = re.compile(r"[-+*/^%]|[<>=]+|not|like|in|div|between", re.IGNORECASE)


def parse(expression: object, language: str) -> Expression:
    """Read a filter.

    Args:
        expression: Text for `cql2-text`, a JSON object (or its text) for `cql2-json`.
        language: The `filter-lang`.

    Raises:
        BadRequest: If it cannot be read, is too long or nested too deep, uses an unknown operator, or
            gives one what it cannot take.
    """
    if language not in ("cql2-text", "cql2-json"):
        raise BadRequest(f"filter-lang: {language!r} is neither cql2-text nor cql2-json")
    if language == "cql2-text" and not isinstance(expression, str):
        raise BadRequest("filter: cql2-text is a text; for JSON give filter-lang=cql2-json")
    text = expression if isinstance(expression, str) else _dump(expression)
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise BadRequest(f"filter: longer than {MAX_BYTES} bytes")
    if language == "cql2-text":
        _check_text(text)
    read = cql2.parse_text if language == "cql2-text" else cql2.parse_json
    try:
        parsed: Any = read(text).to_json()
    except Exception as error:  # the library raises bare ones, too
        raise BadRequest(f"filter: not {language}: {' '.join(str(error).split())[:300]}") from error
    if language == "cql2-json":
        parsed = _as_written(msgspec.json.decode(text), parsed)
    if isinstance(parsed, bool):
        parsed = {"op": "=", "args": [True, parsed]}  # so that it is an object like any other
    if not isinstance(parsed, dict) or "op" not in parsed:
        raise BadRequest("filter: an expression must say true or false of an item")
    compile_filter(parsed)
    return parsed


def _as_written(written: Any, parsed: Any) -> Any:
    """What was parsed, with its numbers as they were written: the library loses their last bit."""
    if isinstance(written, Mapping) and isinstance(parsed, dict):
        return {name: _as_written(written.get(name), value) for name, value in parsed.items()}
    if isinstance(written, list) and isinstance(parsed, list) and len(written) == len(parsed):
        return [_as_written(each, value) for each, value in zip(written, parsed, strict=True)]
    close = type(parsed) is float and type(written) is float and math.isclose(parsed, written, rel_tol=1e-12)
    return written if close else parsed


def _dump(expression: object) -> str:
    try:
        return msgspec.json.encode(expression).decode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise BadRequest(f"filter: not JSON ({error})") from error


def _check_text(text: str) -> None:
    """Refuse what would keep the parser busy for long, or exhaust its stack.

    What it cannot read, it tries twice at each level of brackets; each operator may be one level of
    recursion.
    """
    code = _QUOTED.sub(lambda quoted: "'" * len(quoted[0]), text)
    depth = work = 0
    for piece in re.findall(r"[()]|[^()]+", code):
        depth += (piece == "(") - (piece == ")")
        work += len(piece) << min(max(depth, 0), MAX_DEPTH)
    if work > _MAX_WORK:
        raise BadRequest("filter: too many brackets in brackets for its length")
    if len(_OPERATOR.findall(_COORDINATES.sub("", code))) > _MAX_OPERATORS:
        raise BadRequest(f"filter: more than {_MAX_OPERATORS} operators")


def plain_name(name: str) -> str:
    """A property's name without the `properties.` that some clients put before it."""
    return name.removeprefix("properties.")


def compile_filter(expression: Expression) -> Callable[[Mapping[str, Any]], bool | None]:
    """The function that says whether an item matches: True, False, or None for unknown.

    Raises:
        BadRequest: If an operator is unknown, its arguments do not fit, or it is nested too deep.
    """
    try:
        _fit("a filter", "boolean", expression)
        evaluate = _compile(expression, MAX_DEPTH)
    except (LookupError, TypeError, ValueError, AttributeError, BadInput, BadRequest) as error:
        raise BadRequest(f"filter: {error}") from error
    return lambda item: _truth(evaluate(item))


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _compile(node: Any, depth: int) -> Evaluator:
    if depth == 0:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if isinstance(node, list):
        parts = [_compile(each, depth - 1) for each in node]
        return lambda item: [part(item) for part in parts]
    if not isinstance(node, Mapping):
        if isinstance(node, float) and not math.isfinite(node):
            raise ValueError("a number is too large")
        return lambda _: node
    if "op" in node:
        return _compile_operator(str(node["op"]).lower(), node["args"], depth)
    if "property" in node:
        return _property(plain_name(node["property"]))
    if "interval" in node:
        return _interval(node["interval"], depth)
    literal = _literal(node)
    return lambda _: literal


def _compile_operator(op: str, args: Sequence[Any], depth: int) -> Evaluator:
    if op not in _OPERATORS:
        raise ValueError(f"unknown operator {op}; known are {', '.join(sorted(_OPERATORS))}")
    apply, takes, _ = _OPERATORS[op]
    count = len(inspect.signature(apply).parameters)
    if not args or (len(args) != count and op not in ("and", "or")):
        raise ValueError(f"{op} takes {count} arguments, not {len(args)}")
    if takes == "array":  # the library drops the brackets of some arrays of one
        args = [arg if _kind(arg) in ("array", "any") else [arg] for arg in args]
    for wanted, arg in zip((takes, "array") if op == "in" else [takes] * len(args), args, strict=True):
        _fit(op, wanted, arg)
    parts = [_compile(each, depth - 1) for each in args]
    if op in ("and", "or"):
        return lambda item: apply(_truth(part(item)) for part in parts)

    def evaluate(item: Mapping[str, Any]) -> Any:
        try:
            values = [part(item) for part in parts]
            if op != "isnull" and any(value is None for value in values):
                return None
            return apply(*values)
        except (TypeError, ValueError, ArithmeticError, BadInput, shapely.errors.ShapelyError):
            return None  # things that do not compare

    return evaluate


def _fit(op: str, takes: str, node: Any) -> None:
    """Refuse an argument that an operator cannot take, whatever the item."""
    kind = _kind(node)
    if kind != "any" and kind not in takes.split():
        raise ValueError(f"{op} takes {' or '.join(takes.split())}, not {kind}")


def _kind(node: Any) -> str:
    """What a node gives, as far as that is known before there is an item."""
    if not isinstance(node, Mapping):
        return _KINDS.get(type(node), "null")
    if "op" in node:
        known = _OPERATORS.get(str(node["op"]).lower())
        return known.gives if known else "any"
    if "property" in node:
        return "any"
    return "geometry" if "type" in node or "bbox" in node else "time"


@lru_cache(maxsize=64)
def _like_expression(pattern: str) -> re.Pattern[str]:
    """A `like` pattern as a regular expression that goes back to the last `%` only."""
    parts = [""]
    for each in re.findall(r"\\.|.", pattern, re.DOTALL):
        if each == "%":
            parts.append("")
        else:
            parts[-1] += "." if each == "_" else re.escape(each[-1])
    first, *others = parts
    rest = [f"(?>.*?{part})" for part in others[:-1]] + [f".*{part}" for part in others[-1:]]
    return re.compile(first + "".join(rest), re.DOTALL)


def like(text: str, pattern: str) -> bool:
    r"""Whether text matches a `like` pattern: `%` any text, `_` one character, `\` escapes.

    No pattern takes longer than length times length.
    """
    return _like_expression(pattern).fullmatch(text) is not None


def _property(name: str) -> Evaluator:
    if name in ("id", "collection"):
        return lambda item: item.get(name)
    if name == "geometry":
        return item_geometry
    if name == "datetime":
        return item_span
    return lambda item: property_value(item, name)


def item_span(item: Mapping[str, Any]) -> Span | None:
    """The time of an item: `start_datetime` to `end_datetime` where given, else `datetime`."""
    try:
        moment, start, end = item_times(item)
    except BadInput:
        return None
    return None if moment is None else Span(start, end, moment)


def _literal(node: Mapping[str, Any]) -> Any:
    """An instant, a day or an area."""
    if "timestamp" in node:
        return Span.instant(instant(node["timestamp"]))
    if "date" in node:
        return Span.day(node["date"])
    geometry = Box.parse(node["bbox"]).geometry() if "bbox" in node else planar(node)
    shapely.prepare(geometry)
    return geometry


def _interval(ends: Sequence[Any], depth: int) -> Evaluator:
    """A stretch of time between two instants, days or properties; `..` is open."""
    start, end = ends
    first, last = (_compile(each, depth - 1) for each in (_end(start, MIN_INSTANT), _end(end, MAX_INSTANT)))

    def evaluate(item: Mapping[str, Any]) -> Span | None:
        ends = first(item), last(item)
        if None in ends:
            return None
        start, end = map(Span.of, ends)
        if start.start > end.end:
            raise ValueError("an interval ends before it starts")
        return Span(start.start, end.end, start.at)

    evaluate({})  # what is wrong with every item is said now
    return evaluate


def _end(node: Any, open_end: int) -> Any:
    if isinstance(node, str):
        return Span.instant(open_end) if node == ".." else Span.of(node)
    _fit("an interval", "time", node)
    return node


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    def apply(left: Any, right: Any) -> bool | None:
        if isinstance(left, Span) or isinstance(right, Span):
            return compare(Span.of(left).at, Span.of(right).at)
        if type(left) is type(right) or (_is_number(left) and _is_number(right)):
            return compare(left, right)
        return None

    return apply


_equal, _at_most, _at_least = (_comparison(each) for each in (eq, le, ge))


def _logic(*, decisive: bool) -> Callable[[Iterable[bool | None]], bool | None]:
    def apply(truths: Iterable[bool | None]) -> bool | None:
        unknown = False
        for truth in truths:
            if truth is decisive:
                return decisive
            unknown = unknown or truth is None
        return None if unknown else not decisive

    return apply


_all, _any = _logic(decisive=False), _logic(decisive=True)


def _in(value: Any, choices: Sequence[Any]) -> bool | None:
    return _any([_equal(value, choice) for choice in choices])


def _between(value: Any, low: Any, high: Any) -> bool | None:
    return _all([_at_least(value, low), _at_most(value, high)])


@lru_cache(maxsize=4096)
def _unaccented(letter: str) -> str:
    """The letter that Unicode's name of this one says it is made of, such as o for ø."""
    base, accented, _ = unicodedata.name(letter, "").partition(" WITH ")
    try:
        return unicodedata.lookup(base) if accented and letter.isalpha() else letter
    except KeyError:
        return letter


def _fold_accents(text: str) -> str:
    letters = unicodedata.normalize("NFD", text)
    return "".join(_unaccented(each) for each in letters if not unicodedata.combining(each))


def _temporal(relation: Callable[[Span, Span], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: relation(Span.of(left), Span.of(right))


def _arithmetic(apply: Callable[[float, float], Any]) -> Callable[[Any, Any], float | None]:
    def on_numbers(left: Any, right: Any) -> float | None:
        if not _is_number(left) or not _is_number(right):
            return None
        value = apply(float(left), float(right))  # whole numbers could grow without bound
        return value if isinstance(value, float) and math.isfinite(value) else None

    return on_numbers


def _array(relation: Callable[[list[Any], list[Any]], bool]) -> Callable[[Any, Any], bool | None]:
    return lambda a, b: relation(a, b) if isinstance(a, list) and isinstance(b, list) else None


def _holds(array: list[Any], others: list[Any]) -> bool:
    return all(_in(other, array) for other in others)


class _Operator(NamedTuple):
    """What an operator does, what its arguments may be, and what it gives."""

    apply: Callable[..., Any]
    takes: str
    gives: str


_KINDS = {str: "text", bool: "boolean", int: "number", float: "number", list: "array", Span: "time"}
_SCALAR = "text number boolean time"
_COMPARISONS = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_ARITHMETIC: dict[str, Callable[[float, float], Any]] = {
    "+": add, "-": sub, "*": mul, "/": truediv, "^": pow, "%": math.fmod,
    "div": lambda a, b: float(math.trunc(a / b)),
}  # fmt: skip
_ARRAY: dict[str, Callable[[list[Any], list[Any]], bool]] = {
    "a_equals": lambda a, b: _holds(a, b) and _holds(b, a),
    "a_contains": _holds,
    "a_containedby": lambda a, b: _holds(b, a),
    "a_overlaps": lambda a, b: any(_in(each, a) for each in b),
}
_SPATIAL = ("intersects", "disjoint", "equals", "touches", "crosses", "within", "contains", "overlaps")
_TEMPORAL: dict[str, Callable[[Span, Span], bool]] = {
    "t_equals": lambda a, b: a == b,
    "t_intersects": lambda a, b: a.start <= b.end and a.end >= b.start,
    "t_disjoint": lambda a, b: a.end < b.start or a.start > b.end,
    "t_after": lambda a, b: a.start > b.end,
    "t_before": lambda a, b: a.end < b.start,
    "t_contains": lambda a, b: a.start < b.start and a.end > b.end,
    "t_during": lambda a, b: a.start > b.start and a.end < b.end,
    "t_finishedby": lambda a, b: a.start < b.start and a.end == b.end,
    "t_finishes": lambda a, b: a.start > b.start and a.end == b.end,
    "t_meets": lambda a, b: a.end == b.start,
    "t_metby": lambda a, b: a.start == b.end,
    "t_overlappedby": lambda a, b: b.start < a.start < b.end < a.end,
    "t_overlaps": lambda a, b: a.start < b.start < a.end < b.end,
    "t_startedby": lambda a, b: a.start == b.start and a.end > b.end,
    "t_starts": lambda a, b: a.start == b.start and a.end < b.end,
}
_OPERATORS: dict[str, _Operator] = {
    **{op: _Operator(_comparison(each), _SCALAR, "boolean") for op, each in _COMPARISONS.items()},
    **{op: _Operator(_arithmetic(each), "number", "number") for op, each in _ARITHMETIC.items()},
    **{op: _Operator(_array(each), "array", "boolean") for op, each in _ARRAY.items()},
    **{f"s_{name}": _Operator(getattr(BaseGeometry, name), "geometry", "boolean") for name in _SPATIAL},
    **{op: _Operator(_temporal(each), "time", "boolean") for op, each in _TEMPORAL.items()},
    "and": _Operator(_all, "boolean", "boolean"),
    "or": _Operator(_any, "boolean", "boolean"),
    "not": _Operator(lambda value: not value if _truth(value) is not None else None, "boolean", "boolean"),
    "between": _Operator(_between, _SCALAR, "boolean"),
    "in": _Operator(_in, _SCALAR, "boolean"),
    "isnull": _Operator(lambda value: value is None, f"{_SCALAR} array geometry", "boolean"),
    "like": _Operator(like, "text", "boolean"),
    "casei": _Operator(str.casefold, "text", "text"),
    "accenti": _Operator(_fold_accents, "text", "text"),
}
