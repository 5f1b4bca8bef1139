"""XML of products: read whole, within bounds, without any of the ways in which XML reaches out."""

import re
from collections.abc import Callable, Iterator
from math import isfinite
from typing import TypeVar
from xml.etree.ElementTree import Element, ParseError, fromstring

from cscale.errors import BadInput

_T = TypeVar("_T", int, float)
_MARKS = 2_000_000
_DEPTH = 200
_DECLARED = re.compile(r"\s*<\?xml[^>]*\?>")


def parse_xml(data: bytes, place: str) -> "Node":
    """Read an XML document.

    A document type declaration is refused, and with it all entities but XML's own five. The text is
    decoded here, as UTF-8, so that no other encoding hides one.

    Args:
        data: The document.
        place: Which it is, for messages.

    Raises:
        BadInput: If it is not XML, is not UTF-8, or is deeper or fuller than metadata are.
    """
    try:
        text = data.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise BadInput(
                f"{place}: declares a document type, which metadata do not; check where it is from"
            )
        if text.count("<") > _MARKS:
            raise BadInput(f"{place}: more than {_MARKS} marks, more than metadata have")
        root = fromstring(_DECLARED.sub("", text, count=1))  # noqa: S314 - nothing is declared in it
    except (ParseError, ValueError) as error:
        raise BadInput(f"{place}: not XML that can be read ({error}); get the product again") from error
    level, depth = [root], 0
    while level := [child for element in level for child in element]:
        depth += 1
        if depth > _DEPTH:
            raise BadInput(f"{place}: nested deeper than {_DEPTH}, deeper than metadata are")
    return Node(root, place)


def local(element: Element) -> str:
    """An element's name without its namespace; versions of the formats differ in these."""
    return element.tag.rpartition("}")[2]


class Node:
    """An element, asked by the local names of what is beneath it.

    Args:
        element: The element.
        place: Which document it is of, for messages.
    """

    __slots__ = ("_beneath", "element", "place")

    def __init__(self, element: Element, place: str) -> None:
        self.element = element
        self.place = place
        self._beneath: dict[str, list[Element]] | None = None

    def _named(self, name: str) -> list[Element]:
        if self._beneath is None:  # one walk answers all questions that follow
            self._beneath = {}
            for element in self.element.iter():
                if element is not self.element:
                    self._beneath.setdefault(local(element), []).append(element)
        return self._beneath.get(name, [])

    def all(self, path: str) -> Iterator["Node"]:
        """All elements beneath by a path: names of descendants, each somewhere beneath the last."""
        first, _, rest = path.partition("/")
        for found in self._named(first):
            node = Node(found, self.place)
            if rest:
                yield from node.all(rest)
            else:
                yield node

    def first(self, path: str) -> "Node | None":
        """The first of them."""
        return next(self.all(path), None)

    def children(self) -> Iterator["Node"]:
        """The elements right beneath it."""
        return (Node(child, self.place) for child in self.element)

    @property
    def name(self) -> str:
        """Its own local name."""
        return local(self.element)

    @property
    def text(self) -> str:
        """Its text, without space around."""
        return (self.element.text or "").strip()

    def attribute(self, name: str) -> str | None:
        """An attribute without a namespace; None where absent or empty."""
        return (self.element.get(name) or "").strip() or None

    def find(self, path: str) -> str | None:
        """The text of the first element by a path; None where there is none, or it is empty."""
        node = self.first(path)
        return (node.text or None) if node else None

    def need(self, path: str) -> str:
        """The text of the first element by a path.

        Raises:
            BadInput: If there is none.
        """
        text = self.find(path)
        if text is None:
            raise BadInput(f"{self.place}: lacks {path}, which is needed; get the product again")
        return text

    def number(self, path: str) -> float | None:
        """A number by a path; None where there is none.

        Raises:
            BadInput: If what is there is no number.
        """
        return self._as(path, read_number)

    def whole(self, path: str) -> int | None:
        """A whole number by a path; None where there is none.

        Raises:
            BadInput: If what is there is no whole number.
        """
        return self._as(path, read_whole)

    def _as(self, path: str, read: Callable[[str], _T]) -> _T | None:
        text = self.find(path)
        if text is None:
            return None
        try:
            return read(text)
        except ValueError as error:
            raise BadInput(f"{self.place}: {path} is {text[:80]!r}, not a number") from error


def read_number(text: str) -> float:
    """A finite number.

    Raises:
        ValueError: If it is none.
    """
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:80]!r} is not finite")
    return number


def read_whole(text: str) -> int:
    """A whole number of at most 18 digits.

    Raises:
        ValueError: If it is none.
    """
    if len(text) > 18:
        raise ValueError("too many digits")
    return int(text)
