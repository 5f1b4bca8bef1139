"""Whatever a site sends, identities are told and nothing breaks."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.products import Identity, identify, identify_name, matches, resolve, span_of
from cscale.discovery.products.collections import canonical, why_apart
from cscale.discovery.products.reading import CLUES, FORMS, NAMES
from tests.discovery.products.making import PRODUCTS, Made

ANY = st.text(st.characters(codec=None, categories=None, exclude_categories=()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=8,
)
EXAMPLES = st.sampled_from([form.example for form in FORMS])
CUT = st.builds(lambda text, at, more: text[:at] + more, EXAMPLES, st.integers(0, 80), ANY)
TEXT = ANY | EXAMPLES | CUT
KNOWN = (*NAMES, *CLUES, "s2:datatake_id", "s2:product_type", "s2:processing_baseline", "datetime", "custom")
PROPERTIES = st.dictionaries(st.sampled_from(KNOWN), TEXT | JSON, max_size=5)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "id": TEXT | JSON,
        "collection": JSON | st.sampled_from(("sentinel-2-l2a", "SENTINEL1_GRD")),
        "properties": PROPERTIES | JSON,
        "assets": st.dictionaries(ANY, JSON | st.fixed_dictionaries({"href": TEXT | JSON}), max_size=3)
        | JSON,
    },
)


@given(ITEMS, st.none() | ANY, st.none() | st.just("custom") | ANY)
def test_any_item_has_an_identity(item: dict[str, Any], collection: str | None, named: str | None) -> None:
    found = identify(item, collection, named)
    assert isinstance(found.product, str)
    assert identify(item, collection, named) == found
    assert all(isinstance(part, str) for part in found.version)
    span = span_of(found)
    assert span is None or span[0] <= span[1]
    assert matches(found, found)
    assert len(resolve([found, found])) == 2


@given(TEXT)
def test_any_text_is_a_name_or_none(text: str) -> None:
    found = identify_name(text)
    assert found is None or isinstance(found, Identity)
    span_of(text)
    assert canonical(text) is None or canonical(canonical(text) or "") == canonical(text)
    why_apart(text)


@given(ITEMS, PRODUCTS)
def test_properties_of_any_kind_do_not_change_what_a_name_tells(item: dict[str, Any], made: Made) -> None:
    found = identify({**item, "id": made.name})
    assert (found.product, found.acquisition, found.name) == identify(made.items[0])[:3]


def test_ids_as_long_as_an_answer_are_read_at_once() -> None:
    for text in ("S2A_" * 100_000, ".zip" * 100_000, "/" * 400_000, "urn:" * 100_000, "%" * 100_000):
        assert identify({"id": text, "properties": {"title": text}}).partial is None
        assert identify_name(text) is None
        assert span_of(text) is None
        assert canonical(text) is None


def test_numbers_are_ids_too() -> None:
    assert identify({"id": 7}) != identify({"id": 8})
    assert identify({"id": json.loads("1" * 4000)}).product == "/"
    assert identify({"id": float("nan")}).product
