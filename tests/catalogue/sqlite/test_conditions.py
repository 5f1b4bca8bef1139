"""Filters in SQL: whatever columns answer is what the plain evaluation answers, unknown included."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue.queryables import COLUMNS
from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.catalogue.sqlite.conditions import split
from cscale.catalogue.sqlite.schema import connect
from cscale.identity import ANONYMOUS
from cscale.stac import cql2
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.testing.archives import MOMENTS, items, plain_item
from cscale.testing.searches import filters
from tests.catalogue.conftest import Opened, put

NUMBERS = [0, -0.0, 10, 10.0, 10.5, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1e300, 5e-324, -1e-9]
WORDS = ["", "10", "a", "A", "é", "e\u0301", "雲", "😀", "\uffff", "a\x00b", "it's", '"', "%", "sentinel-2a"]
OTHERS: list[Any] = [True, False, None, [], ["a"], {"a": 1}]
BEYOND = [2**63, 2**64, -(2**63) - 1]  # no number of SQLite's
NAMES = ["eo:cloud_cover", "gsd", "platform", "product:type"]


def stored() -> st.SearchStrategy[Item]:
    """An item of any values, whatever their names suggest."""
    values = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(NAMES, st.sampled_from(NUMBERS + WORDS + OTHERS))
    )
    ids = st.sampled_from([word for word in WORDS if word and "\x00" not in word])
    return st.builds(
        lambda item_id, moment, drawn: plain_item(id=item_id, properties={"datetime": moment} | drawn),
        ids,
        st.sampled_from(MOMENTS),
        values,
    )


def in_columns() -> st.SearchStrategy[cql2.Expression]:
    """A filter on what has a column, and on the edges of what has."""
    number, word = st.sampled_from(NUMBERS + BEYOND), st.sampled_from(WORDS)
    name = st.sampled_from([*NAMES, "properties.gsd", "id"]).map(lambda each: {"property": each})
    moment = st.sampled_from(MOMENTS).map(lambda text: {"timestamp": text})
    order = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    value = number | word | st.booleans()
    plain = st.one_of(
        st.tuples(order, st.tuples(name, value)),
        st.tuples(order, st.tuples(value, name)),
        st.tuples(order, st.tuples(st.just({"property": "datetime"}), moment)),
        st.tuples(st.just("in"), st.tuples(name, st.lists(value, min_size=1, max_size=3))),
        st.tuples(st.just("between"), st.tuples(name, number, number)),
        st.tuples(st.just("between"), st.tuples(st.just({"property": "datetime"}), moment, moment)),
        st.tuples(st.just("isNull"), st.tuples(name)),
    ).map(_op)
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)).map(_op),
            inner.map(lambda one: _op(("not", [one]))),
        ),
        max_leaves=6,
    )


def _op(drawn: tuple[str, Sequence[Any]]) -> dict[str, Any]:
    return {"op": drawn[0], "args": list(drawn[1])}


def answers(held: Sequence[Item], expression: cql2.Expression) -> list[bool | None]:
    """What SQL, and on what remains the evaluator, say of each item."""
    conditions, rest = split(expression, COLUMNS)
    where = " AND ".join(sql for sql, _ in conditions) or "1"
    values = [value for _, bound in conditions for value in bound]
    accepts = cql2.compile_filter(rest) if rest else lambda _: True
    with TemporaryDirectory() as directory:
        path = Path(directory, "catalogue.sqlite")
        with writing(path) as writer:
            for item in held:
                writer.put(item)
        connection = connect(path)
        told = dict(connection.execute(f"SELECT i.id, {where} FROM item i", values).fetchall())
        connection.close()
    return [_all([{0: False, 1: True}.get(told[item["id"]]), accepts(item)]) for item in held]


def _all(truths: Sequence[bool | None]) -> bool | None:
    return False if False in truths else (None if None in truths else True)


@given(st.lists(stored(), min_size=1, max_size=8, unique_by=lambda item: item["id"]), in_columns())
def test_columns_say_what_the_evaluator_says(held: list[Item], expression: cql2.Expression) -> None:
    accepts = cql2.compile_filter(expression)
    assert answers(held, expression) == [accepts(item) for item in held]


@settings(max_examples=50)
@given(items().map(lambda drawn: list({item["id"]: item for item in drawn}.values())), filters())
def test_any_filter_splits_without_loss(held: list[Item], expression: cql2.Expression) -> None:
    accepts = cql2.compile_filter(expression)
    assert answers(held, expression) == [accepts(item) for item in held]


@pytest.mark.parametrize(
    "text",
    [
        "eo:cloud_cover < 10",
        "10 > eo:cloud_cover",
        "platform = 'sentinel-2a' and properties.gsd in (10, 20)",
        "not (gsd between 10 and 20) or platform is null",
        "datetime >= TIMESTAMP('2020-06-01T00:00:00Z') and id <> 'x'",
    ],
)
def test_the_usual_filters_are_answered_by_columns_alone(text: str) -> None:
    conditions, rest = split(cql2.parse(text, "cql2-text"), COLUMNS)
    assert conditions
    assert rest is None


@pytest.mark.parametrize(
    "text",
    ["test = 1", "platform like 's%'", "collection = 'one'", "gsd = platform", "gsd = true", "gsd + 1 = 2"],
)
def test_what_has_no_column_remains(text: str) -> None:
    conditions, rest = split(cql2.parse(text, "cql2-text"), COLUMNS)
    assert conditions == []
    assert rest is not None


def deep(depth: int) -> cql2.Expression:
    inner = _op(("=", [{"property": "gsd"}, 10]))
    for _ in range(depth):
        inner = _op(("not", [inner]))
    return inner


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(_op((op, [_op((">", [{"property": "gsd"}, n])) for n in range(1500)])), id=f"1500 {op}")
        for op in ("and", "or")
    ]
    + [pytest.param(deep(depth), id=f"{depth} deep") for depth in (5, 20, 45)]
    + [pytest.param(_op(("in", [{"property": "gsd"}, list(range(8000))])), id="in 8000")],
)
async def test_no_filter_is_too_much_for_sqlite(
    expression: cql2.Expression, path: Path, opened: Opened
) -> None:
    held = [plain_item(id=f"{gsd}", properties={"datetime": MOMENTS[0], "gsd": gsd}) for gsd in (10, 2000)]
    put(path, *held)
    accepts = cql2.compile_filter(expression)
    source: SqliteCatalogue = opened()
    page = await source.search(ANONYMOUS, SearchRequest(filter=expression))
    assert [item.id for item in page.items] == [item["id"] for item in held if accepts(item)]


def test_this_sqlite_compares_whole_numbers_with_others_exactly() -> None:
    """The columns lean on it."""
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT ? = ?, ? < ?", [2**53 + 1, 2.0**53, 2**53, 2.0**53 + 2]).fetchone() == (
        0,
        1,
    )
    connection.close()


@pytest.mark.parametrize(
    ("text", "accepted"),
    [("true AND gsd = 1", True), ("false AND gsd = 1", False), ("gsd = 1 AND (true AND false)", False)],
)
def test_a_literal_among_conditions_is_neither_lost_nor_an_error(text: str, accepted: bool) -> None:
    conditions, rest = split(cql2.parse(text, "cql2-text"), COLUMNS)
    assert len(conditions) == 1
    assert rest is not None
    assert cql2.compile_filter(rest)({"properties": {"gsd": 1}}) is accepted
