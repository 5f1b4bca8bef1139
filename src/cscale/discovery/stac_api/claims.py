"""What a site says of itself on its landing page: which parts of a search it claims to evaluate."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

_PART = re.compile(r"(?:item-search/?#|/extensions/)(sort|filter|query|free-text)\b")
_CLASS = re.compile(r"/cql2/[^/]+/conf/([a-z0-9-]+)$")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a site claims.

    Attributes:
        told: Whether it has said anything of what it conforms to.
        search: Whether it is sure that items can be searched there.
        parts: Of `sort`, `filter`, `query` and `free-text`, those that it evaluates.
        classes: The conformance classes of CQL2 that it knows, by their last name.
        children: Where its collections stand if it does not list them.
    """

    told: bool = False
    search: bool = False
    parts: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    children: Sequence[str] = ()

    @classmethod
    def of(cls, told: Sequence[object]) -> "Claims":
        """Read the conformance classes of a site."""
        texts = [each for each in told if isinstance(each, str)]
        return cls(
            told=True,
            search=any("item-search" in each for each in texts),
            parts=frozenset(match[1] for each in texts for match in _PART.finditer(each)),
            classes=frozenset(_current(match[1]) for each in texts for match in _CLASS.finditer(each)),
        )

    @property
    def filters(self) -> bool:
        """Whether it evaluates CQL2; earlier drafts of the language are another one."""
        return "filter" in self.parts and bool(self.classes)


class _Landing(msgspec.Struct):
    claims: Any = msgspec.field(name="conformsTo", default=None)
    links: Any = None


_LANDING = msgspec.json.Decoder(_Landing)


def read_claims(landing: bytes, conformance: bytes = b"{}") -> Claims:
    """What a landing page claims, or, where it says nothing, the page `/conformance`.

    Args:
        landing: The answer of the site's root.
        conformance: The answer of `/conformance`.

    Raises:
        msgspec.DecodeError: If one of them is no JSON object.
        UnicodeDecodeError: If it is no text.
        RecursionError: If it is nested too deep.
    """
    page = _LANDING.decode(landing)
    claims = page.claims if isinstance(page.claims, list) else _LANDING.decode(conformance).claims
    links = [link for link in page.links if isinstance(link, dict)] if isinstance(page.links, list) else []
    read = Claims.of(claims) if isinstance(claims, list) else Claims()
    return replace(
        read,
        search=read.search or any(x.get("rel") == "search" for x in links),
        children=[x["href"] for x in links if x.get("rel") == "child" and isinstance(x.get("href"), str)],
    )


def _current(name: str) -> str:
    """A class by the name that it has in the final version of CQL2."""
    kind = next((kind for kind in ("spatial", "temporal", "array") if kind in name), None)
    return name.replace("operators", "functions") if kind else name
