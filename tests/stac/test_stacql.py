"""The `query` parameter: what it says in CQL2, against the same in plain Python."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import BadRequest
from cscale.stac.evaluation import matcher
from cscale.stac.items import Item
from cscale.stac.search import from_json, from_query
from cscale.testing.archives import PROPERTIES, items

NUMBERS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "neq": operator.ne, "lt": operator.lt, "lte": operator.le, "gt": operator.gt,
    "gte": operator.ge,
}  # fmt: skip
TEXTS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
}
NAMES = ("eo:cloud_cover", "platform", "gsd", "test:count", "title", "nowhere")
scalars = st.sampled_from(
    [0, 10, 10.5, 2**53, "sentinel-2a", "10", "", "süd_100%", "%", "_", "\\", True, False]
)
parts = st.sampled_from(["sentinel", "2a", "", "%", "_1", "s_d", "süd", "\\", "S", "100%"])


def conditions() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.tuples(st.sampled_from(sorted(NUMBERS)), scalars).filter(_ordered),
        st.tuples(st.sampled_from(sorted(TEXTS)), parts),
        st.tuples(st.just("in"), st.lists(scalars, min_size=1, max_size=3)),
    ).map(lambda drawn: dict([drawn]))


def _ordered(drawn: tuple[str, Any]) -> bool:
    """CQL2 compares truth values for equality alone."""
    return drawn[0] in ("eq", "neq") or not isinstance(drawn[1], bool)


queries = st.dictionaries(
    st.sampled_from([*NAMES, "properties.gsd"]),
    st.lists(conditions(), min_size=1, max_size=2).map(
        lambda many: {k: v for each in many for k, v in each.items()}
    ),
    min_size=1,
    max_size=2,
)


def plainly(item: Item, query: dict[str, Any]) -> bool:
    """The meaning of a query, written down without CQL2."""
    for name, operators in query.items():
        value = item["properties"].get(name.removeprefix("properties."))
        for operator_name, wanted in operators.items():
            if not _holds(value, operator_name, wanted):
                return False
    return True


def _holds(value: Any, operator_name: str, wanted: Any) -> bool:
    if operator_name in TEXTS:
        return isinstance(value, str) and TEXTS[operator_name](value, wanted)
    if operator_name == "in":
        return any(_comparable(value, each) and value == each for each in wanted)
    return _comparable(value, wanted) and NUMBERS[operator_name](value, wanted)


def _comparable(value: Any, wanted: Any) -> bool:
    kinds = [(bool,), (int, float), (str,)]
    kind = [[k for k in kinds if type(each) in k] for each in (value, wanted)]
    return bool(kind[0]) and kind[0] == kind[1]


@given(items(max_size=20), queries)
def test_a_query_means_what_it_says(held: list[Item], query: dict[str, Any]) -> None:
    accepts = matcher(from_json({"query": query}))
    assert [accepts(item) for item in held] == [plainly(item, query) for item in held]


@given(items(max_size=20), queries, queries)
def test_a_query_and_a_filter_must_both_hold(
    held: list[Item], query: dict[str, Any], other: dict[str, Any]
) -> None:
    expression = from_json({"query": other}).filter
    accepts = matcher(from_json({"query": query, "filter": expression}))
    assert [accepts(item) for item in held] == [
        plainly(item, query) and plainly(item, other) for item in held
    ]


@given(queries)
def test_a_query_is_passed_on_as_a_filter(query: dict[str, Any]) -> None:
    request = from_json({"query": query})
    assert "query" not in request.body()
    assert from_json(request.body()) == request


def test_in_a_url_it_is_json_beside_a_text_filter() -> None:
    read = from_query([("query", '{"gsd":{"lt":20}}'), ("filter", "platform = 'a'")])
    by_body = {"query": {"gsd": {"lt": 20}}, "filter": "platform = 'a'", "filter-lang": "cql2-text"}
    assert read == from_json(by_body)
    assert read.filter is not None
    assert len(read.filter["args"]) == 2


def test_times_are_compared_as_times() -> None:
    later = {"type": "Feature", "properties": {"datetime": "2020-06-01T12:30:00+02:00"}}
    for query, expected in (
        ({"eq": "2020-06-01T10:30:00Z"}, True),
        ({"gt": "2020-06-01T11:00:00Z"}, False),
        ({"in": ["2020-06-01T10:30:00.000Z"]}, True),
    ):
        assert matcher(from_json({"query": {"datetime": query}}))(later) is expected


REFUSED: list[Any] = [
    [], {}, "a", 5, {"gsd": 10}, {"gsd": {}}, {"gsd": {"like": "a"}}, {"": {"eq": 1}}, {"gsd": {"in": []}},
    {"gsd": {"in": "abc"}}, {"gsd": {"in": [None]}}, {"gsd": {"eq": None}}, {"gsd": {"eq": [1]}},
    {"gsd": {"eq": {}}}, {"platform": {"contains": 5}}, {"datetime": {"lt": "yesterday"}},
    {"gsd": {"lt": 10**400}}, {"datetime": {"lt": 5}}, {"properties.": {"eq": 1}},
    {f"p{number}": {"eq": 1} for number in range(101)},
]  # fmt: skip


@pytest.mark.parametrize("query", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(query: Any) -> None:
    with pytest.raises(BadRequest, match=r"^query: "):
        from_json({"query": query})


def test_no_json_in_a_url_is_refused() -> None:
    for text in ("gsd<10", "", "[]", "{", "[" * 100_000):
        with pytest.raises(BadRequest, match=r"^query: "):
            from_query([("query", text)])


def test_every_property_that_the_kit_draws_can_be_asked_for() -> None:
    for name in PROPERTIES:
        assert from_json({"query": {name: {"eq": 1}}}).filter == {"op": "=", "args": [{"property": name}, 1]}
