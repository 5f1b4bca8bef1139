"""Free text: which words an item or a collection speaks of, and whether a term is among them.

A word is a run of letters, digits and underscores, without regard to case. A term of several words
holds where they stand one after the other in one text; no term reaches from one text into the next.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from cscale.errors import BadRequest

_WORD = re.compile(r"\w+")
_BETWEEN_TEXTS = " | "  # no word holds a bar

MAX_TERMS = 50
MAX_TERM = 200
"""The longest term, in characters."""


def normal(text: str) -> str:
    """A text's words, as they are compared, with one space between."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", folded)))


def words_of(item: Mapping[str, Any]) -> str:
    """What free text finds an item by: its `title`, `description` and `keywords`, of its properties.

    Returns:
        The words with a space before and after each, and a bar between texts; empty where there are none.
    """
    properties = item.get("properties")
    return _words(properties) if isinstance(properties, Mapping) else ""


def words_of_collection(collection: Mapping[str, Any]) -> str:
    """The same of a collection: its `id`, `title`, `description` and `keywords`."""
    return _words(collection, "id")


def _words(texts: Mapping[str, Any], *more: str) -> str:
    told = [texts.get(name) for name in (*more, "title", "description")]
    keywords = texts.get("keywords")
    told += keywords if isinstance(keywords, list) else [keywords]
    parts = [normal(text) for text in told if isinstance(text, str)]
    joined = _BETWEEN_TEXTS.join(part for part in parts if part)
    return f" {joined} " if joined else ""


def holds(words: str, terms: Iterable[str]) -> bool:
    """Whether any of the terms is among the words that `words_of` gives.

    Args:
        words: As `words_of` gives them.
        terms: In normal form, as `read_terms` gives them.
    """
    return any(f" {term} " in words for term in terms)


def read_terms(value: object) -> tuple[str, ...]:
    """Read the parameter `q`: terms with commas between, or a list of terms; any of them may hold.

    Returns:
        The terms in normal form.

    Raises:
        BadRequest: If a term holds no word, or there are too many, or one is too long.
    """
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadRequest("q: neither text with commas between its terms nor a list of terms")
    given = [part.strip() for part in parts if part.strip()]
    if not given or len(given) > MAX_TERMS or any(len(part) > MAX_TERM for part in given):
        raise BadRequest(f"q: give 1 to {MAX_TERMS} terms of at most {MAX_TERM} characters")
    terms = [normal(part) for part in given]
    for part, term in zip(given, terms, strict=True):
        if not term:
            raise BadRequest(f"q: {part!r} holds no word")
    return tuple(dict.fromkeys(terms))
