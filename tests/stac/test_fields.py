"""`fields` picked from bytes, against picking from plain dicts."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cscale.stac.answers.fields import picked, picker
from cscale.stac.search import Fields

names = st.sampled_from(
    ["id", "type", "collection", "properties", "assets", "a", "a.b", "é", 'q"', "a b", ""]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(names, values, max_size=6)
paths = st.lists(names.filter(bool), min_size=1, max_size=3).map(".".join)
wanted = st.builds(Fields, st.frozensets(paths, max_size=3), st.frozensets(paths, max_size=3))


def plainly(item: dict[str, Any], include: frozenset[str], exclude: frozenset[str], *always: str) -> Any:
    kept = {}
    for name, value in item.items():
        inside = frozenset(path[len(name) + 1 :] for path in include if path.startswith(f"{name}."))
        outside = frozenset(path[len(name) + 1 :] for path in exclude if path.startswith(f"{name}."))
        shown = name not in exclude and (not include or name in include or name in always)
        if shown:
            is_cut = outside and isinstance(value, dict)
            kept[name] = plainly(value, frozenset(), outside) if is_cut else value
        elif inside and isinstance(value, dict):
            kept[name] = plainly(value, inside, outside)
    return kept


@given(objects, wanted)
def test_what_is_picked_from_bytes_is_picked_from_the_object(item: dict[str, Any], fields: Fields) -> None:
    expected = plainly(item, fields.include, fields.exclude, "type", "id", "collection")
    got = picked(msgspec.json.encode(item), fields)
    assert msgspec.json.encode(msgspec.json.decode(got)) == msgspec.json.encode(
        msgspec.json.decode(msgspec.json.encode(expected))
    )


@given(st.lists(objects, min_size=2, max_size=4), wanted)
def test_one_picker_is_good_for_many_items(many: list[dict[str, Any]], fields: Fields) -> None:
    pick = picker(fields)
    for item in [*many, *many]:
        body = msgspec.json.encode(item)
        assert pick(body) == picked(body, fields)


def test_what_is_kept_stays_the_bytes_it_was() -> None:
    item = b'{"id":"a","properties":{"x":1.50,"y":"\\u00e9"} , "assets" :{"b":{"c":1e3}}}'
    assert picked(item, Fields(exclude=frozenset({"assets"}))) == (
        b'{"id":"a","properties":{"x":1.50,"y":"\\u00e9"}}'
    )
    assert picked(item, Fields(include=frozenset({"properties.x", "assets.b.c"}))) == (
        b'{"id":"a","properties":{"x":1.50},"assets":{"b":{"c":1e3}}}'
    )


def test_more_names_than_are_remembered() -> None:
    pick = picker(Fields(exclude=frozenset({"n7"})))
    item = {f"n{number}": number for number in range(2500)}
    assert json.loads(pick(msgspec.json.encode(item))) == {k: v for k, v in item.items() if k != "n7"}
