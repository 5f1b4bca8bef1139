"""STAC's properties and what an archive calls them, read from its records and written in its filters.

Both ways go by one table, so that a condition holds at the site for the very records whose item it holds
for. A value that the table cannot turn back is left out of the item.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cscale.discovery.odata.asked.conditions import ANYTHING, NOTHING, Condition, Words
from cscale.discovery.odata.products import number_told, text_told


class Dialect(Protocol):
    """How an archive writes the conditions that a property comes down to."""

    words: Words

    def equals(self, attribute: str, value: str) -> Condition:
        """That an attribute is this text."""
        ...

    def within(self, attribute: str, low: float, high: float, *, whole: bool) -> Condition:
        """That an attribute's number lies between these, both included."""
        ...

    def begins(self, prefix: str) -> Condition:
        """That the product's name begins so."""
        ...


class Property(Protocol):
    """A property of items, as an archive knows it."""

    @property
    def name(self) -> str:
        """Its name in STAC."""
        ...

    def read(self, attributes: Mapping[str, Any], product: str) -> Any:
        """Its value by a record's attributes and the product's name; None where there is none."""
        ...

    def compared(self, site: Dialect, op: str, value: object, *, want: bool) -> Condition:
        """That it compares so with a value, or does not."""
        ...

    def schema(self) -> Mapping[str, Any]:
        """Its JSON Schema."""
        ...


_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True)
class Number:
    """A property that is a number within bounds.

    Attributes:
        name: In STAC.
        attribute: At the site.
        low: Its least value; what lies beyond is no value.
        high: Its greatest.
        whole: Whether it is a whole number.
    """

    name: str
    attribute: str
    low: float
    high: float
    whole: bool = True

    def read(self, attributes: Mapping[str, Any], product: str) -> float | None:  # as others
        """See `Property.read`."""
        number = number_told(attributes.get(self.attribute), self.low, self.high)
        if number is None or (self.whole and number != int(number)):
            return None
        return int(number) if self.whole else number

    def compared(self, site: Dialect, op: str, value: object, *, want: bool) -> Condition:
        """See `Property.compared`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return NOTHING  # numbers and others do not compare
        op = op if want else _NEGATED[op]
        return site.words.either(
            site.within(self.attribute, low, high, whole=self.whole)
            for low, high in self._stretches(op, value)
            if low <= high
        )

    def _stretches(self, op: str, value: float) -> Iterable[tuple[float, float]]:
        """The closed stretches of possible values for which a comparison holds."""
        below = self._next(value, -math.inf) if op in ("<", "<>") else value
        above = self._next(value, math.inf) if op in (">", "<>") else value
        if self.whole:
            below, above = _floor(below), _ceil(above)
        if op in ("<", "<=", "<>"):
            yield self.low, min(self.high, below)
        if op in (">", ">=", "<>"):
            yield max(self.low, above), self.high
        if op == "=":
            yield max(self.low, above), min(self.high, below)

    def _next(self, value: float, towards: float) -> float:
        if not self.whole:
            return math.nextafter(value, towards)
        if value != math.floor(value):
            return value
        return value - 1 if towards < 0 else value + 1

    def schema(self) -> Mapping[str, Any]:
        """See `Property.schema`."""
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


def _floor(value: float) -> float:
    return math.floor(value) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return math.ceil(value) if math.isfinite(value) else value


@dataclass(frozen=True)
class Word:
    """A property that is a text.

    Attributes:
        name: In STAC.
        attribute: At the site.
        spellings: The site's words and STAC's.
        others: What other words of the site may look like, kept as they are; None: left out.
        prefix: What STAC puts before such a word.
    """

    name: str
    attribute: str
    spellings: Mapping[str, str] = field(default_factory=dict)
    others: re.Pattern[str] | None = None
    prefix: str = ""

    def read(self, attributes: Mapping[str, Any], product: str) -> str | None:  # as others
        """See `Property.read`."""
        told = text_told(attributes.get(self.attribute))
        if told is None:
            return None
        if told in self.spellings:
            return self.spellings[told]
        return self.prefix + told if self.others is not None and self.others.fullmatch(told) else None

    def compared(self, site: Dialect, op: str, value: object, *, want: bool) -> Condition:
        """See `Property.compared`."""
        if not isinstance(value, str):
            return NOTHING
        op = op if want else _NEGATED[op]
        if op == "=":
            return site.words.either(site.equals(self.attribute, each) for each in self._spelled(value))
        if self.others is not None:
            return ANYTHING
        kept = [told for told, word in self.spellings.items() if _ORDERS[op](word, value)]
        return site.words.either(site.equals(self.attribute, each) for each in kept)

    def _spelled(self, value: str) -> Iterable[str]:
        """How the site may write a value."""
        yield from (told for told, word in self.spellings.items() if word == value)
        plain = value.removeprefix(self.prefix)
        free = self.others is not None and self.others.fullmatch(plain) and text_told(plain)
        if free and plain not in self.spellings and value == self.prefix + plain:
            yield plain

    def schema(self) -> Mapping[str, Any]:
        """See `Property.schema`."""
        known = sorted(set(self.spellings.values()))
        return {"type": "string"} if self.others is not None else {"type": "string", "enum": known}


_ORDERS: Mapping[str, Callable[[str, str], bool]] = {
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True)
class Listed:
    """A property that is a list of texts, as one word of the site tells it.

    Attributes:
        name: In STAC.
        attribute: At the site.
        spellings: The site's words and STAC's lists; other words are left out.
    """

    name: str
    attribute: str
    spellings: Mapping[str, tuple[str, ...]]

    def read(self, attributes: Mapping[str, Any], product: str) -> list[str] | None:  # as others
        """See `Property.read`."""
        told = text_told(attributes.get(self.attribute))
        return list(self.spellings[told]) if told is not None and told in self.spellings else None

    def compared(self, site: Dialect, op: str, value: object, *, want: bool) -> Condition:
        """See `Property.compared`; the operators are those on arrays."""
        if op not in _ARRAYS:
            return NOTHING  # a list is neither equal to a text nor before it
        if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
            return ANYTHING
        asked = set(value)
        kept = [told for told, words in self.spellings.items() if _ARRAYS[op](set(words), asked) is want]
        return site.words.either(site.equals(self.attribute, each) for each in kept)

    def schema(self) -> Mapping[str, Any]:
        """See `Property.schema`."""
        words = sorted({word for words in self.spellings.values() for word in words})
        return {"type": "array", "items": {"type": "string", "enum": words}}


_ARRAYS: Mapping[str, Callable[[set[str], set[str]], bool]] = {
    "a_equals": lambda a, b: a == b,
    "a_contains": lambda a, b: a >= b,
    "a_containedby": lambda a, b: a <= b,
    "a_overlaps": lambda a, b: bool(a & b),
}


@dataclass(frozen=True)
class Named:
    """A property that the beginning of the product's name tells.

    Attributes:
        name: In STAC.
        beginnings: Beginnings of names, none the beginning of another, and the property's values.
    """

    name: str
    beginnings: Mapping[str, str]

    def read(self, attributes: Mapping[str, Any], product: str) -> str | None:  # as others
        """See `Property.read`."""
        return next((word for start, word in self.beginnings.items() if product.startswith(start)), None)

    def compared(self, site: Dialect, op: str, value: object, *, want: bool) -> Condition:
        """See `Property.compared`."""
        if not isinstance(value, str):
            return NOTHING
        op = op if want else _NEGATED[op]
        orders = {"=": lambda a, b: a == b, **_ORDERS}
        kept = [start for start, word in self.beginnings.items() if orders[op](word, value)]
        return site.words.either(site.begins(each) for each in kept)

    def schema(self) -> Mapping[str, Any]:
        """See `Property.schema`."""
        return {"type": "string", "enum": sorted(set(self.beginnings.values()))}
