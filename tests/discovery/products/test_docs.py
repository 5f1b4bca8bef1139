"""The page of names says what the code reads, row by row."""

from pathlib import Path

import pytest

from cscale.discovery.products import forms_of, identify_name, place_of, span_of
from cscale.discovery.products.collections import APART, APART_RULES, RULES, SAME
from cscale.discovery.products.reading import CLUES, FORMS, NAMES
from cscale.stac.times import text_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "product-names.md"


def _shown(key: str | None) -> str:
    return f"`{key}`" if key else "not told"


def _rows_of_forms() -> str:
    rows = [
        "| form | example | product key | acquisition key | what is read |",
        "| --- | --- | --- | --- | --- |",
    ]
    for form in FORMS:
        found = identify_name(form.example)
        assert found is not None
        product = "the item's own" if found.partial else _shown(found.product)
        rows.append(
            f"| {form.title} | `{form.example}` | {product} | {_shown(found.acquisition)} | {form.tells} |"
        )
    return "\n".join(rows)


def _rows_of_spans() -> str:
    rows = ["| name | items' datetime lies in |", "| --- | --- |"]
    for form in FORMS:
        span = span_of(form.example)
        when = " to ".join(text_of(end)[:19] + "Z" for end in span) if span else "not told"
        rows.append(f"| `{form.example}` | {when} |")
    return "\n".join(rows)


def _rows_of_places() -> str:
    rows = ["| name | west, south, east, north |", "| --- | --- |"]
    known = {form.example: box for form in FORMS if (box := place_of(form.example))}
    rows += [
        f"| `{name}` | {', '.join(f'{degrees:.2f}' for degrees in box)} |" for name, box in known.items()
    ]
    return "\n".join(rows)


def _list_of_ids() -> str:
    return _list(forms_of("S2A_MSIL2A_20230602T100601_N0509_R022_T32TPS_20230602T162001"))


def _rows_of_collections() -> str:
    rows = ["| shared id | ids of providers |", "| --- | --- |"]
    rows += [
        f"| `{shared}` | {', '.join(f'`{name}`' for name in (shared, *names))} |"
        for shared, names in SAME.items()
    ]
    return "\n".join(rows)


def _rows_of_families() -> str:
    rows = ["| ids | become |", "| --- | --- |"]
    rows += [f"| {_told(form)}, as in `{example}` | {_told(becomes)} |" for form, becomes, example in RULES]
    return "\n".join(rows)


def _rows_of_others() -> str:
    rows = ["| id | why it shares none |", "| --- | --- |"]
    rows += [f"| `{name}` | {reason} |" for name, reason in APART.items()]
    rows += [f"| {_told(form)} | {reason} |" for form, reason in APART_RULES]
    return "\n".join(rows)


def _told(form: str) -> str:
    return f"`{form}`".replace("|", r"\|")


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


PARTS = {
    "forms": _rows_of_forms,
    "names": lambda: _list(NAMES),
    "clues": lambda: _list(CLUES),
    "spans": _rows_of_spans,
    "places": _rows_of_places,
    "ids": _list_of_ids,
    "collections": _rows_of_collections,
    "families": _rows_of_families,
    "others": _rows_of_others,
}


@pytest.mark.parametrize("part", PARTS)
def test_the_page_says_what_the_code_reads(part: str) -> None:
    page = PAGE.read_text()
    start, end = f"<!-- {part} -->\n", f"\n<!-- end of {part} -->"
    assert page.count(start) == page.count(end) == 1
    assert page.partition(start)[2].partition(end)[0] == PARTS[part](), f"{PAGE}: write {part} anew"
