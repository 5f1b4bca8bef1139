"""CQL2's comparisons as conditions of an archive, by its table of properties."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import shapely
from shapely.geometry.base import BaseGeometry

from cscale.discovery.odata.asked.attributes import Dialect, Property
from cscale.discovery.odata.asked.conditions import ANYTHING, EVERYTHING, NOTHING, Condition
from cscale.errors import BadInput, BadRequest
from cscale.stac.cql2 import plain_name
from cscale.stac.geometry import Box, planar
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT, Span


class Site(Dialect, Protocol):
    """How an archive writes what it knows of each product."""

    def named(self, names: Sequence[str]) -> Condition:
        """That the item's id is one of these."""
        ...

    def contains(self, text: str) -> Condition:
        """That the product's name contains this."""
        ...

    def starts(self, op: str, moment: int) -> Condition:
        """That sensing began before, at or after an instant."""
        ...

    def ends(self, op: str, moment: int) -> Condition:
        """That sensing ended (never before it began) before, at or after an instant."""
        ...

    def stamped(self, name: str, op: str, moment: int) -> Condition:
        """That the product was published or updated before, at or after an instant."""
        ...

    def meets(self, area: BaseGeometry) -> Condition:
        """That the footprint meets an area."""
        ...


_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_OVERLAPPING = ("s_intersects", "s_equals", "s_touches", "s_crosses", "s_within", "s_contains", "s_overlaps")
STAMPS = ("published", "updated")


class Filter:
    """Writes comparisons for one archive.

    Args:
        site: How it writes them.
        properties: What it knows, by STAC's names.
    """

    def __init__(self, site: Site, properties: Mapping[str, Property]) -> None:
        self._site = site
        self._properties = properties

    def leaf(self, node: Mapping[str, Any], want: bool) -> Condition:  # noqa: FBT001  # as `Leaf` says
        """The condition that a comparison is true, or that it is false; see `conditions.Leaf`."""
        op, args = str(node.get("op", "")).lower(), node.get("args", [])
        if op in _COMPARISONS and len(args) == 2:
            return self._compared(op, *args, want=want)
        name = _property(args[0]) if args else None
        if name is None:
            return ANYTHING
        if op == "between":
            low, high = (self._compared(each, args[0], value, want=want) for each, value in (
                (">=", args[1]), ("<=", args[2])))  # fmt: skip
            return (self._site.words.both if want else self._site.words.either)([low, high])
        if op == "in" and isinstance(args[1], list):
            return self._among(name, args[0], args[1], want=want)
        if op == "like" and want and name == "id":
            return self._like(args[1])
        if op.startswith("a_") and name in self._properties:
            return self._properties[name].compared(self._site, op, args[1], want=want)
        if op in _OVERLAPPING and want and name == "geometry":
            return self._near(args[1])
        if op.startswith("t_") and want and name == "datetime":
            return self._timed(op, args[1])
        return ANYTHING

    def _compared(self, op: str, left: Any, right: Any, *, want: bool) -> Condition:
        name = _property(left)
        if name is None:
            name, op, right = _property(right), _FLIPPED[op], left
        if name is None or isinstance(right, list):
            return ANYTHING
        if isinstance(right, Mapping):
            return self._at(name, op if want else _NEGATED[op], right)
        if name == "id":
            if not isinstance(right, str):
                return NOTHING
            return self._site.named([right]) if (op == "=") is want and op in ("=", "<>") else ANYTHING
        known = self._properties.get(name)
        return ANYTHING if known is None else known.compared(self._site, op, right, want=want)

    def _among(self, name: str, node: Any, values: Sequence[Any], *, want: bool) -> Condition:
        if name == "id" and want:
            return self._site.named([value for value in values if isinstance(value, str)])
        join = self._site.words.either if want else self._site.words.both
        return join(self._compared("=", node, value, want=want) for value in values)

    def _at(self, name: str, op: str, node: Mapping[str, Any]) -> Condition:
        """A comparison of a time with an instant, or the first one of a day."""
        span = _span(node)
        if span is None or not (name == "datetime" or name in STAMPS):
            return ANYTHING
        if name == "datetime":
            return self._site.starts(op, span.at)
        return self._site.stamped(name, op, span.at)

    def _timed(self, op: str, node: Any) -> Condition:
        """Where the item's time stands to a stretch: exactly where the ends are compared, else near."""
        span = _span(node)
        if span is None:
            return ANYTHING
        if op == "t_after":
            return self._site.starts(">", span.end)
        if op == "t_before":
            return self._site.ends("<", span.start)
        if op == "t_disjoint":
            return self._site.words.either(
                [self._site.starts(">", span.end), self._site.ends("<", span.start)]
            )
        near = self._site.words.both([self._site.starts("<=", span.end), self._site.ends(">=", span.start)])
        return near if op == "t_intersects" else Condition(near.text, exact=near == NOTHING)

    def _near(self, node: Any) -> Condition:
        try:
            area = Box.parse(node["bbox"]).geometry() if "bbox" in node else planar(node)
        except (ValueError, TypeError, KeyError, BadRequest, shapely.errors.ShapelyError):
            return ANYTHING
        near = self._site.meets(area)
        return Condition(near.text, exact=False)

    def _like(self, pattern: object) -> Condition:
        """A pattern on the id: what stands before its first wildcard, or between two `%`."""
        if not isinstance(pattern, str) or "\\" in pattern:
            return ANYTHING
        inner = pattern.strip("%")
        free = "%" not in inner and "_" not in inner
        if free and pattern == inner:
            return self._site.named([pattern])
        begin = pattern.partition("%")[0].partition("_")[0]
        if begin:
            near = self._site.begins(begin)
            exact = free and pattern == f"{begin}%" and "." not in begin  # which may be the file's ending
            return near if exact else Condition(near.text, exact=False)
        if free and inner:
            return Condition(self._site.contains(inner).text, exact=False)
        return EVERYTHING if pattern in ("%", "%%") else ANYTHING


def _property(node: object) -> str | None:
    if isinstance(node, Mapping) and isinstance(node.get("property"), str):
        return plain_name(node["property"])
    return None


def _span(node: object) -> Span | None:
    """The time that a node of CQL2 writes out; None where it does not."""
    try:
        if not isinstance(node, Mapping):
            return None
        if "timestamp" in node:
            return Span.of(node["timestamp"])
        if "date" in node:
            return Span.day(node["date"])
        ends = node.get("interval")
        if not isinstance(ends, list) or not all(isinstance(end, str) for end in ends):
            return None
        first = MIN_INSTANT if ends[0] == ".." else Span.of(ends[0]).start
        last = MAX_INSTANT if ends[1] == ".." else Span.of(ends[1]).end
        return Span(first, last, first)
    except (BadInput, IndexError):
        return None
