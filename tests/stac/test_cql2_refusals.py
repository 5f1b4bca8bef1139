"""CQL2 from hostile and careless callers: every filter is one that can be evaluated, or a `BadRequest`."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import BadRequest
from cscale.stac import cql2
from cscale.stac.cql2 import compile_filter, parse

# What is refused


@pytest.mark.parametrize("text", [
    "", " ", "a", "a +", "a + 1", "5", "'x'", "null", "a =", "= 1", "a == 1", "a = 1 b", "a = 1;",
    "a = 1 and", "not", "a in ()", "a = null", "not 5", "not 'x'", "not (a + 1)", "(1, 2)", "a = 1 and 5",
    "a = 1 or 'x'", "a = (1, 2)", "a < POINT(1 1)", "a between 1 and (1, 2)", "a like 5", "5 like 'x'",
    "a like b + 1", "casei(5) = 'x'", "casei(a, b) = 'x'", "casei() = 'x'", "accenti(true) = 'x'",
    "a + 'x' = 1", "a + true = 1", "a = b + (c = 1)", "foo(a)", "foo(a) = 1",
    "buffer(geometry, 10) is null", "avg(a) < 4", "a_contains(a)", "s_intersects(geometry)",
    "s_intersects(geometry, 5)", "s_intersects(geometry, 'POINT(1 1)')",
    "s_intersects(geometry, DATE('2020-01-01'))", "s_intersects(geometry, POINT(1 1), 5)",
    "s_intersects(geometry, POINT(600 0))", "s_intersects(geometry, POINT(0 91))",
    "s_intersects(geometry, POLYGON EMPTY)", "s_intersects(geometry, POLYGON((0 0, 1 1)))",
    "s_intersects(geometry, BBOX(1,2,3))", "s_intersects(geometry, BBOX(0,5,1,4))",
    "s_intersects(geometry, BBOX(a,0,1,1))", "s_near(geometry, POINT(1 1))", "t_after(datetime, 5)",
    "t_after(datetime, '2020-01-01')", "t_after(datetime, POINT(1 1))",
    "t_after(datetime, DATE('2020-13-01'))", "t_after(datetime, DATE('2020-01-01T00:00:00Z'))",
    "t_after(datetime, DATE('soon'))", "t_after(datetime, TIMESTAMP('2020-01-01'))",
    "t_after(datetime, TIMESTAMP('soon'))", "t_after(datetime, DATE(a))",
    "t_after(datetime, INTERVAL('2020-01-01'))", "t_after(datetime, INTERVAL('x', '..'))",
    "t_after(datetime, INTERVAL('..', 'x'))", "t_after(datetime, INTERVAL(a, 'x'))",
    "t_after(datetime, INTERVAL('2021-01-01', '2020-01-01'))", "t_after(datetime, INTERVAL(1, 2))",
    "t_meets(datetime)", "datetime > TIMESTAMP('soon')", "a = 1e400", "a = -1e400", "a in (1, 1e400)",
    "a = 'x", 'a" = 1', "a = 1\x00", "\ud800 = 1", "s_intersects(geometry, POINT(" + "1" * 1000 + " 2))",
    "a = \"b\"\"", "((a = 1)", "(a = 1))", "a = $1", "a = :x",
])  # fmt: skip
def test_a_bad_text_is_a_bad_request_that_names_the_parameter(text: str) -> None:
    with pytest.raises(BadRequest, match=r"^filter: (?!filter)"):
        parse(text, "cql2-text")


def with_op(op: Any, *args: Any) -> dict[str, Any]:
    return {"op": op, "args": list(args)}


A: Mapping[str, Any] = {"property": "a"}


@pytest.mark.parametrize("expression", [
    None, 5, 1.5, "", "a = 1", "{", "[]", "5", "null", [], {}, A, {"op": "="}, {"args": []},
    {"op": None, "args": []}, {"op": "=", "args": None}, {"op": "=", "args": {}},
    {"op": ["="], "args": [A, 1]}, with_op("="), with_op("=", A), with_op("=", A, 1, 2),
    with_op("=", A, None), with_op("=", A, {}), with_op("=", A, [1]), with_op("=", A, {"x": 1}),
    with_op("=", {"property": 5}, 1), with_op("=", {"property": None}, 1), with_op("and"),
    with_op("and", 5), with_op("or", A, "x"), with_op("not"), with_op("not", 5), with_op("not", A, A),
    with_op("+", A, 1), with_op("nope", A, 1), with_op("", A, 1), with_op("in", A, 5), with_op("in", A),
    with_op("in", A, "abc"), with_op("in", [A], [1]), with_op("between", A, 1), with_op("like", A, 5),
    with_op("isNull"), with_op("isNull", A, A), with_op("casei", "x"), with_op("=", A, {"date": "x"}),
    with_op("=", A, {"date": 5}), with_op("=", A, {"timestamp": None}), with_op("=", A, {"timestamp": {}}),
    with_op("t_after", A, {"interval": []}), with_op("t_after", A, {"interval": ["..", "..", ".."]}),
    with_op("t_after", A, {"interval": 5}), with_op("t_after", A, {"interval": [None, ".."]}),
    with_op("t_after", A, {"interval": [["x"], ".."]}), with_op("s_within", A, {"bbox": []}),
    with_op("s_within", A, {"bbox": [1, 2, 3, "4"]}), with_op("s_within", A, {"type": "Point"}),
    with_op("s_within", A, {"type": 5}),
    with_op("s_within", A, {"type": "Point", "coordinates": ["1", "2"]}),
    with_op("s_within", A, {"type": "Point", "coordinates": [1]}),
    with_op("s_within", A, {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}),
    with_op("=", A, 10**400), with_op("=", A, 10**4000), with_op("=", A, float("nan")),
    with_op("=", A, float("inf")), with_op("=", A, float("-inf")), with_op("=", A, ...),
    {"filter": with_op("=", A, 1)},
], ids=lambda one: repr(one)[:50])  # fmt: skip
def test_bad_json_is_a_bad_request_that_names_the_parameter(expression: object) -> None:
    with pytest.raises(BadRequest, match=r"^filter: (?!filter)"):
        parse(expression, "cql2-json")


@pytest.mark.parametrize("language", ["", "sql", "CQL2-TEXT", "cql2"])
def test_a_language_that_is_not_known_is_refused(language: str) -> None:
    with pytest.raises(BadRequest, match=r"^filter-lang: "):
        parse("a = 1", language)


def test_an_operator_is_known_in_any_case_and_has_one_name() -> None:
    for op in ("isNull", "isnull", "ISNULL"):
        assert parse(with_op(op, A), "cql2-json") == with_op("isNull", A)
    assert parse("T_FINISHEDBY(a, b)", "cql2-text")["op"] == "t_finishedBy"
    assert parse("a_containedby(a, ('x'))", "cql2-text")["op"] == "a_containedBy"


def test_true_and_false_are_filters_and_objects_like_any_other() -> None:
    for written, truth in (("true", True), ("FALSE", False), ("not true", False), ("(true)", True)):
        for parsed in (parse(written, "cql2-text"), parse(parse(written, "cql2-text"), "cql2-json")):
            assert isinstance(parsed["op"], str)
            assert compile_filter(parsed)({}) is truth
    assert compile_filter(parse(True, "cql2-json"))({}) is True


# Caps


def test_a_filter_has_at_most_sixteen_kilobytes() -> None:
    def of(size: int, letter: str = "x") -> str:
        return "a = '" + letter * ((size - 6) // len(letter.encode())) + "'"

    assert parse(of(cql2.MAX_BYTES), "cql2-text")
    for long in (of(cql2.MAX_BYTES + 1), of(cql2.MAX_BYTES + 4, "é"), of(10_000_000)):
        with pytest.raises(BadRequest, match="longer than 16384 bytes"):
            parse(long, "cql2-text")
    with pytest.raises(BadRequest, match="longer than 16384 bytes"):
        parse(with_op("=", A, "x" * cql2.MAX_BYTES), "cql2-json")


@pytest.mark.parametrize("text", [
    " or ".join(f"a = {number}" for number in range(200)),
    "a in (" + ",".join(str(-number) for number in range(2000)) + ")",
    "a in (" + ",".join(f"'({number}'" for number in range(1000)) + ")",
    "s_intersects(geometry, POLYGON((" + ",".join(f"{-x / 10} {-x / 20}" for x in range(800)) + ",0 0)))",
    "a = '" + "(" * 5000 + "'", 'a = "' + "(" * 5000 + '"', "a = '''(''" + ")" * 100 + "'",
    "((((((((a = 1))))))))", "(((a = 1 and (b = 2 or (c = 3 and (d = 4 or not (e = 5)))))))",
    "casei(accenti(casei(a))) = casei(accenti(casei('x')))",
], ids=range(10))  # fmt: skip
def test_what_an_honest_caller_asks_is_within_the_caps(text: str) -> None:
    assert parse(text, "cql2-text")


def deep(levels: int) -> dict[str, Any]:
    node = with_op("=", A, 1)
    for _ in range(levels):
        node = with_op("not", node)
    return node


def test_a_filter_is_at_most_fifty_deep() -> None:
    assert parse(deep(48), "cql2-json")
    for levels in (50, 60, 500, 3000):
        with pytest.raises(BadRequest, match=r"^filter: "):
            parse(deep(levels), "cql2-json")
    with pytest.raises(BadRequest, match="nested deeper than 50"):
        parse("a = " + "+".join("a" * 60), "cql2-text")


HOSTILE = {
    "brackets": "(" * 1600 + "a = 1" + ")" * 1600,
    "brackets that a text closes": "(a=')' and " * 1000 + "a=1" + ")" * 1000,
    "brackets that texts hide": "a = '" + ")" * 2000 + "' and " + "(" * 1600,
    "brackets that a name closes": '("a)"=1 and ' * 1000 + "a=1" + ")" * 1000,
    "open brackets": "(" * 40,
    "an error in brackets": "(" * 30 + "a =" + ")" * 30,
    "arrays in arrays": "(" * 30 + "1" + ",2)" * 30,
    "arrays in brackets": "a in (" + "(" * 30,
    "long and deep": "(" * 15 + ",".join(["1"] * 7000),
    "long text and deep": "(" * 18 + "'" + "x" * 15000 + "',",
    "equals": "=".join("a" * 8000),
    "less": "<".join("a" * 8000),
    "names like keywords": "<".join(["or"] * 5000),
    "paths like keywords": "=".join(["a.or"] * 3000),
    "minus": "a = " + "-" * 16000 + "b",
    "minus and space": "a = " + "- " * 8000 + "b",
    "minus numbers": "a = 1" + "-1" * 8000,
    "plus": "a = " + "+".join("a" * 8000),
    "not": "not " * 4000 + "a = 1",
    "not in brackets": "not(" * 3000 + "a = 1" + ")" * 3000,
    "notnot": "not" * 5000 + " a = 1",
    "like": "a" + " like a" * 2300,
    "in": "a" + " in a" * 3200,
    "numbers in numbers": "1" + "in 1" * 4000,
    "likes without space": "1" + "like 1" * 2700,
    "functions": "casei(" * 2000 + "a" + ")" * 2000,
    "geometry": "polygon(" * 2000,
    "collections": "s_intersects(geometry, " + "geometrycollection(" * 800,
    "coordinates": "s_intersects(geometry, polygon((" + "1 2," * 4000,
    "quotes": "a = " + "'" * 16001,
    "names": '"' * 16001,
    "spaces": "a" + " " * 16000 + "= 1",
    "digits": "a = " + "1" * 16000,
    "json": "[" * 16000,
}
SURVIVED = """
import json, sys
from cscale.errors import BadRequest
from cscale.stac.cql2 import parse
for name, text in json.load(sys.stdin).items():
    print(name, flush=True)
    for language in ("cql2-text", "cql2-json"):
        try:
            parse(text, language)
        except BadRequest as error:
            assert str(error).startswith("filter: "), error
print("survived")
"""


def test_no_text_ends_the_process_or_keeps_it_for_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SURVIVED], input=msgspec.json.encode(HOSTILE), capture_output=True, timeout=120
    )
    assert done.stdout.split(b"\n")[-2] == b"survived", (done.stdout[-100:], done.stderr[-500:])


json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4) | st.sampled_from(["..",
    "2020-01-01", "Point"]),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.sampled_from(["op", "args", "property", "date", "timestamp", "interval", "bbox",
    "type", "coordinates"]), inner, max_size=3)
    | st.builds(with_op, st.sampled_from([*sorted(cql2._OPERATORS), "AND", "nope"]), inner, inner)
    | st.builds(lambda op, one: with_op(op, one), st.sampled_from(["not", "isNull", "casei", "and"]), inner),
    max_leaves=12,
)  # fmt: skip
tokens = st.sampled_from([
    *"()',\"=<>+-*/^%.;", "a", "'x'", "1", "-1.5", "1e9", "and", "or", "not", "in", "like", "between",
    "is null", "div", "casei(", "POINT(1 1)", "BBOX(1,2,3,4)", "DATE('2020-01-01')", "INTERVAL('..',a)",
    "t_after(", "s_within(", "true", "null", "geometry", "datetime", " ", "\n", "é", "\x00",
])  # fmt: skip


item_values = st.dictionaries(
    st.just("a"), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(tokens, max_size=14).map(" ".join)
    | st.lists(tokens, max_size=10).map("".join)
    | st.text(max_size=20),
    item_values,
)
def test_any_text_is_a_filter_or_a_bad_request(text: str, properties: dict[str, Any]) -> None:
    try:
        parsed = parse(text, "cql2-text")
    except BadRequest:
        return
    assert compile_filter(parsed)({"properties": properties}) in (True, False, None)
    assert parse(msgspec.json.decode(msgspec.json.encode(parsed)), "cql2-json") == parsed


@settings(deadline=None, max_examples=300)
@given(json, st.dictionaries(st.sampled_from(["id", "geometry", "bbox", "properties"]), json))
def test_any_json_is_a_filter_or_a_bad_request_and_any_item_is_told_of(
    expression: Any, item: dict[str, Any]
) -> None:
    try:
        accepts = compile_filter(parse(expression, "cql2-json"))
    except BadRequest:
        return
    assert accepts(item) in (True, False, None)
