"""What a change makes of what is there."""

from typing import Any

import pytest

from cscale.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from cscale.stac.transaction.changes import (
    creation,
    merge_patch,
    patch,
    removal,
    replacement,
)

# The test cases of RFC 7386, appendix A
MERGED: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "part", "expected"), MERGED)
def test_patches_merge_as_the_rfc_says(target: Any, part: Any, expected: Any) -> None:
    before = repr(target)
    assert merge_patch(target, part) == expected
    assert repr(target) == before, "what was there was changed in place"


def test_a_patch_nested_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(BadRequest, match="deeper"):
        merge_patch({}, deep)


def tags(thing: dict[str, Any]) -> frozenset[str]:
    return frozenset({f'"{thing["v"]}"', f'"{thing["v"]}-gzip"'})


def test_what_is_made_must_not_be_there() -> None:
    assert creation({"v": 1}, "it")(None) == {"v": 1}
    with pytest.raises(Conflict, match="it is here already"):
        creation({"v": 1}, "it")({"v": 0})


@pytest.mark.parametrize("condition", [None, "*", '"1"', '"0", "1"', '"1-gzip"'])
def test_what_is_changed_must_be_there_as_it_was_seen(condition: str | None) -> None:
    there = {"v": 1, "a": 2}
    assert replacement({"v": 2}, "it", condition, tags)(there) == {"v": 2}
    assert patch({"v": 2}, "it", condition, tags)(there) == {"v": 2, "a": 2}
    assert removal("it", condition, tags)(there) is None
    for change in (replacement({}, "it", condition, tags), removal("it", condition, tags)):
        with pytest.raises(NotFound, match="it is not here"):
            change(None)


@pytest.mark.parametrize("condition", ['"2"', 'W/"1"', "1", "", '"1" "2"'])
def test_what_has_changed_since_is_not_changed(condition: str) -> None:
    for change in (
        replacement({}, "it", condition, tags),
        patch({}, "it", condition, tags),
        removal("it", condition, tags),
    ):
        with pytest.raises(PreconditionFailed, match="has changed"):
            change({"v": 1})
