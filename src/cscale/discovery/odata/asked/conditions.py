"""Conditions in another query language, each of which holds at least where ours does.

An archive evaluates less than CQL2. A filter becomes the narrowest condition that can be written there
and still holds for every item that matches; whether it holds for no other is carried along. CQL2's logic
has three values and the archives' two, so `not` is never passed on: what must be false is asked for as
such, down to the comparisons.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cscale.stac.cql2 import Expression


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in an archive's language.

    Attributes:
        text: As it is written there; True and False where nothing has to be asked.
        exact: Whether it holds for nothing but what is asked for.
    """

    text: str | bool
    exact: bool = True


EVERYTHING = Condition(True)
NOTHING = Condition(False)
ANYTHING = Condition(True, exact=False)
"""What cannot be asked there at all."""

Leaf = Callable[[Mapping[str, Any], bool], Condition]
"""From a comparison, and whether it must be true or false, to the condition that it is so."""


@dataclass(frozen=True, slots=True)
class Words:
    """How an archive joins conditions."""

    all: str
    any: str

    def both(self, parts: Iterable[Condition]) -> Condition:
        """That all hold."""
        known = list(parts)
        if any(part == NOTHING for part in known):
            return NOTHING
        texts = [part.text for part in known if part.text is not True]
        exact = all(part.exact for part in known)
        if False in texts:
            return Condition(False, exact)
        return Condition(self._joined(self.all, [str(text) for text in texts]) or True, exact)

    def either(self, parts: Iterable[Condition]) -> Condition:
        """That any holds."""
        known = list(parts)
        if any(part == EVERYTHING for part in known):
            return EVERYTHING
        exact = all(part.exact for part in known)
        texts = [part.text for part in known if part.text is not False]
        if True in texts:
            return Condition(True, exact)
        return Condition(self._joined(self.any, [str(text) for text in texts]) or False, exact)

    @staticmethod
    def _joined(word: str, texts: list[str]) -> str:
        distinct = list(dict.fromkeys(texts))
        return distinct[0] if len(distinct) == 1 else f" {word} ".join(f"({text})" for text in distinct)

    def filter(self, node: Expression, leaf: Leaf, *, want: bool = True) -> Condition:
        """The condition that an expression is true, or that it is false.

        Args:
            node: CQL2 as JSON, as `cql2.parse` gives it.
            leaf: Writes a comparison.
            want: Whether the expression must be true or false; unknown is neither.
        """
        op, args = str(node.get("op", "")).lower(), node.get("args", [])
        if op == "not" and is_operation(args[0]):
            return self.filter(args[0], leaf, want=not want)
        if op not in ("and", "or"):
            return leaf(node, want)
        join = self.both if (op == "and") is want else self.either
        return join(self.filter(each, leaf, want=want) if is_operation(each) else ANYTHING for each in args)


def is_operation(node: object) -> bool:
    """Whether a node of CQL2 is an operation."""
    return isinstance(node, Mapping) and "op" in node
