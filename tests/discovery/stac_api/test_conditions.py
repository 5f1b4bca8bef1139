"""What of a filter a site can be asked: never less than matches, and the same when it is read again."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.discovery.stac_api.claims import Claims
from cscale.discovery.stac_api.conditions import as_query, said
from cscale.discovery.stac_api.writing import number, text_of
from cscale.stac import cql2, stacql
from tests.discovery.stac_api.members import ALL
from tests.discovery.stac_api.test_walks import filters, op, properties

CLASSES = sorted(Claims.of(ALL).classes)
QUIET = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.sampled_from(["eo:cloud_cover", "a b", "x", "select", "s2:tile", 'say "x"'])
VALUES = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=8),
)
comparisons = st.builds(
    lambda name, operator, value: op(operator, {"property": name}, value),
    NAMES,
    st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
    VALUES,
)


@QUIET
@given(filters)
def test_text_is_the_same_filter_when_it_is_read_again(drawn: Any) -> None:
    expression = cql2.parse(drawn, "cql2-json")
    text = text_of(expression)
    assert text is not None
    assert cql2.parse(text, "cql2-text") == expression


@QUIET
@given(comparisons)
def test_text_that_is_not_understood_is_not_written(drawn: Any) -> None:
    text = text_of(drawn)
    if text is not None:
        name, value = drawn["args"][0]["property"], drawn["args"][1]
        again = cql2.parse(text, "cql2-text")
        assert (again["op"], again["args"][0]["property"]) == (drawn["op"], name)
        if isinstance(value, str):
            assert again["args"][1] == value
        else:
            assert text.endswith(f" {number(value)}")
    else:
        assert '"' in str(drawn)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_keep_all_their_digits(value: float) -> None:
    text = number(value)
    assert "e" not in text.lower()
    assert type(value)(text if isinstance(value, int) else float(text)) == value


@pytest.mark.parametrize(
    "expression",
    [
        op("=", {"property": "platform"}, "it's"),
        op("<", {"property": "eo:cloud_cover"}, 5.25),
        op("in", {"property": "a b"}, [1, 2]),
        op("t_after", {"property": "datetime"}, {"timestamp": "2020-01-01T00:00:00Z"}),
        op("s_intersects", {"property": "geometry"}, {"type": "Point", "coordinates": [1.5, 2.0]}),
        op("not", op("like", {"property": "x"}, "a%")),
    ],
)
def test_usual_filters_have_a_text(expression: Any) -> None:
    assert text_of(cql2.parse(expression, "cql2-json")) is not None


@QUIET
@given(filters, st.frozensets(st.sampled_from(CLASSES)), st.lists(properties, max_size=5))
def test_what_is_said_of_a_filter_leaves_nothing_out(
    drawn: Any, classes: frozenset[str], held: list[dict[str, Any]]
) -> None:
    sent, whole = said(drawn, Claims(parts=frozenset({"filter"}), classes=classes))
    for told in held:
        one = {"id": "a", "geometry": None, "properties": told}
        matches = cql2.compile_filter(drawn)(one) is True
        passes = sent is None or cql2.compile_filter(sent)(one) is True
        assert passes if matches else (not whole or sent is None or not passes)


@QUIET
@given(filters, st.lists(properties, max_size=5))
def test_a_query_leaves_nothing_out(drawn: Any, held: list[dict[str, Any]]) -> None:
    query, whole = as_query(drawn)
    for told in held:
        one = {"id": "a", "geometry": None, "properties": told}
        matches = cql2.compile_filter(drawn)(one) is True
        passes = query is None or cql2.compile_filter(stacql.translate(query))(one) is True
        assert passes if matches else (not whole or not passes)


def test_a_query_says_simple_comparisons() -> None:
    cloud, platform = {"property": "properties.eo:cloud_cover"}, {"property": "platform"}
    simple = op(
        "and",
        op("<=", cloud, 5),
        op("and", op(">", cloud, 1.5), op("in", platform, ["a", "b"]), op("like", platform, "s2%")),
    )
    expected = {"eo:cloud_cover": {"lte": 5, "gt": 1.5}, "platform": {"in": ["a", "b"], "startsWith": "s2"}}
    assert as_query(simple) == (expected, True)


@pytest.mark.parametrize(
    "beyond",
    [
        op("or", op("=", {"property": "a"}, 1), op("=", {"property": "b"}, 1)),
        op("<", {"property": "a"}, 4),
        op("<>", {"property": "b"}, 4),
        op("like", {"property": "a"}, "a%b%"),
        op("like", {"property": "a"}, "a_%"),
        op("=", {"property": "id"}, "x"),
        op("=", {"property": "a"}, {"timestamp": "2020-01-01T00:00:00Z"}),
        op("=", {"property": "a"}, {"property": "b"}),
        op("=", 5, {"property": "a"}),
    ],
)
def test_what_a_query_cannot_say_is_said_to_be_missing(beyond: Any) -> None:
    query, whole = as_query(op("and", op("<", {"property": "a"}, 5), beyond))
    assert query is not None
    assert query["a"]["lt"] == 5
    assert not whole


@pytest.mark.parametrize(
    ("claims", "parts", "classes"),
    [
        (["https://api.stacspec.org/v1.0.0-beta.5/item-search#sort"], {"sort"}, set()),
        (["https://api.stacspec.org/v1.0.0-beta.1/item-search/#query"], {"query"}, set()),
        (["https://api.stacspec.org/v1.0.0-rc.2/item-search#filter:basic-cql"], {"filter"}, set()),
        (["http://www.opengis.net/spec/cql2/0.0/conf/array-operators"], set(), {"array-functions"}),
        (["http://stacspec.org/spec/api/1.0.0-beta.1/extensions/sort"], {"sort"}, set()),
        (["https://api.stacspec.org/v1.0.0/ogcapi-features#sort", 5, None], set(), set()),
    ],
)  # fmt: skip
def test_claims_are_read_whatever_their_version(
    claims: list[Any], parts: set[str], classes: set[str]
) -> None:
    read = Claims.of(claims)
    assert set(read.parts) == parts
    assert set(read.classes) == classes
