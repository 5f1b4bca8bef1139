"""Free text: words, terms and where they are looked for."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import BadRequest
from cscale.stac.search import from_json, from_query
from cscale.stac.text import MAX_TERM, MAX_TERMS, holds, normal, read_terms, words_of, words_of_collection

texts = st.text("aAbé_ß1 ,.|-\n%'\u0301", max_size=12)


def item(**properties: Any) -> dict[str, Any]:
    return {"id": "an id", "properties": properties, "assets": {"title": "asset"}}


def found(term: str, **properties: Any) -> bool:
    return holds(words_of(item(**properties)), read_terms(term))


def test_words_stand_in_sequence_in_one_text() -> None:
    told = {
        "title": "Sentinel-2 over Cluj",
        "description": "by night",
        "keywords": ["Earth Observation", "EO"],
    }
    for term in (
        "sentinel 2",
        "SENTINEL-2",
        "over cluj",
        "Cluj!",
        "earth  observation",
        "eo",
        "nowhere,night",
    ):
        assert found(term, **told), term
    for term in (
        "sentinel cluj",
        "cluj by",
        "observation eo",
        "sentine",
        "luj",
        "2 sentinel",
        "an id",
        "asset",
    ):
        assert not found(term, **told), term


def test_case_and_composition_do_not_matter() -> None:
    assert found("STRASSE", title="Straße")
    assert found("e\u0301te\u0301", title="\u00c9T\u00c9")
    assert found("雲", keywords=["雲"])


def test_what_is_no_text_is_passed_over() -> None:
    for odd in (None, 5, {"a": "b"}, [["a"]], [None], True):
        assert words_of(item(title=odd, description=odd, keywords=odd)) == ""
    assert words_of({"properties": None}) == ""
    assert words_of(item(keywords="EO")) == " eo "


def test_a_collection_is_found_by_its_id_too() -> None:
    collection = {"id": "sentinel-2-l2a", "title": "Scenes", "description": "of Romania", "keywords": ["EO"]}
    assert words_of_collection(collection) == " sentinel 2 l2a | scenes | of romania | eo "


@given(texts, texts)
def test_a_term_is_found_where_its_words_are(text: str, term: str) -> None:
    def words(of: str) -> list[str]:
        return re.findall(r"\w+", normal(of))

    there, wanted = words(text), words(term)
    if wanted:
        expected = any(there[at : at + len(wanted)] == wanted for at in range(len(there)))
        assert holds(words_of(item(title=text)), [normal(term)]) is expected


@given(st.text())
def test_a_normal_form_is_its_own(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    assert "|" not in normal(text)


@given(st.lists(st.text(max_size=8), max_size=4))
def test_terms_read_twice_are_the_same(terms: list[str]) -> None:
    try:
        read = read_terms(terms)
    except BadRequest:
        return
    assert read_terms(list(read)) == read
    request = from_json({"q": terms})
    assert from_json(request.body()) == request


def test_a_url_and_a_body_say_the_same() -> None:
    by_url = from_query([("q", "EO, Earth Observation,eo")])
    assert by_url == from_json({"q": ["EO", "Earth Observation"]}) == from_json({"q": "EO,Earth Observation"})
    assert by_url.q == ("eo", "earth observation")


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "!?",
        "eo,!",
        [],
        [""],
        [5],
        ["a", None],
        {},
        5,
        True,
        ["a"] * (MAX_TERMS + 1),
        "a" * (MAX_TERM + 1),
    ],
)
def test_what_holds_no_word_is_refused_by_name(value: Any) -> None:
    with pytest.raises(BadRequest, match=r"^q: "):
        from_json({"q": value})
