"""CQL2's `like` against the words of the standard, and against patterns built to blow up."""

import re
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cscale.stac.cql2 import like


@cache
def naive_like(text: str, pattern: str) -> bool:
    """The oracle: the words of the standard, one character at a time, trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return naive_like(text, pattern[1:]) or (bool(text) and naive_like(text[1:], pattern))
    if pattern[0] == "_":
        return bool(text) and naive_like(text[1:], pattern[1:])
    wanted, rest = (
        (pattern[1], pattern[2:]) if pattern[0] == "\\" and len(pattern) > 1 else (pattern[0], pattern[1:])
    )
    return text[:1] == wanted and naive_like(text[1:], rest)


@settings(deadline=None, max_examples=600)
@given(st.text("ab%_\\\n.é", max_size=8), st.text("ab%_\\\n.é", max_size=8))
@example("a\\", "a\\").via("a backslash at the end is a backslash")
def test_like_matches_as_the_words_say(text: str, pattern: str) -> None:
    assert like(text, pattern) is naive_like(text, pattern)


@settings(deadline=None)
@given(st.text(), st.text())
def test_like_takes_any_text_literally_when_it_is_escaped(text: str, other: str) -> None:
    escaped = re.sub(r"([%_\\])", r"\\\1", text)
    assert like(text, escaped)
    assert like(other + text + other, f"%{escaped}%")
    assert like(other, escaped) is (other == text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%a" * 8000 + "b", "a" * 16000),
        ("%" * 16000 + "b", "a" * 16000),
        ("%_" * 8000 + "b", "a" * 16000),
        ("%" + "a" * 8000 + "b", "a" * 16000),
        ("%" + "_a" * 4000 + "b%c", "a" * 16000),
        ("%ab" * 5000 + "%c", "ab" * 8000),
        ("%(a+)+" * 2000, "a" * 16000),
        ("%" + "a%" * 30 + "b", "a" * 100_000),
    ],
    ids=["many", "percents", "any", "long", "mixed", "pairs", "regular", "far"],
)
def test_a_pattern_built_to_blow_up_finishes(pattern: str, text: str) -> None:
    assert like(text, pattern) is False
