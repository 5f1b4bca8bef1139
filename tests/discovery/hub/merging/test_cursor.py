"""Cursors: what goes out comes back, for the search it was made for, and nothing else does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.hub.merging.cursor import Cursor, open_cursor
from cscale.discovery.hub.merging.merge import Product, Rank
from cscale.errors import BadCursor
from cscale.net.signing import Signer
from cscale.stac.evaluation import order_key
from cscale.stac.search import Fields, SearchRequest, SortField

SIGNER = Signer(b"secret", "hub")
SEARCH = SearchRequest(sortby=(SortField("eo:cloud_cover", descending=True), SortField("id")))
TEXTS = st.text(max_size=30)
NUMBERS = st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.tuples(st.none() | NUMBERS | TEXTS, TEXTS)


@st.composite
def cursors(draw: st.DrawFn) -> Cursor:
    values = draw(VALUES)
    product = Product(draw(TEXTS), draw(TEXTS))
    key = order_key(values, SEARCH.sortby)
    rank = Rank(key, product, draw(st.integers(0, 99)), draw(TEXTS), draw(st.integers(-(2**60), 2**60)))
    return Cursor(values, rank, draw(st.dictionaries(st.sampled_from(["alpha", "beta"]), TEXTS)))


CURSOR = Cursor((10.5, "S2A"), Rank(order_key((10.5, "S2A"), SEARCH.sortby), Product("S2A", "c"), 0, "x", 1))


@given(cursors())
def test_a_cursor_comes_back_as_it_went_out(cursor: Cursor) -> None:
    token = cursor.seal(SEARCH, SIGNER)
    assert open_cursor(replace(SEARCH, token=token), SIGNER) == cursor


def test_the_first_page_has_no_cursor() -> None:
    assert open_cursor(SEARCH, SIGNER) is None


@given(cursors(), st.data())
def test_a_changed_cursor_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    token = cursor.seal(SEARCH, SIGNER)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda drawn: drawn != token[at]))
    for changed in (token[:at] + other + token[at + 1 :], token[:at], token + other, other + token):
        with pytest.raises(BadCursor, match="token"):
            open_cursor(replace(SEARCH, token=changed), SIGNER)


@pytest.mark.parametrize("signer", [Signer(b"other", "hub"), Signer(b"secret", "items")])
def test_a_cursor_of_another_service_or_purpose_is_refused(signer: Signer) -> None:
    with pytest.raises(BadCursor):
        open_cursor(replace(SEARCH, token=CURSOR.seal(SEARCH, signer)), SIGNER)


@pytest.mark.parametrize(
    "other",
    [
        replace(SEARCH, collections=("c",)),
        replace(SEARCH, ids=("S2A",)),
        replace(SEARCH, sortby=SEARCH.sortby[::-1]),
        replace(SEARCH, filter={"op": "isNull", "args": [{"property": "gsd"}]}),
        replace(SEARCH, duplicates="keep"),
    ],
)
def test_a_cursor_of_another_search_is_refused(other: SearchRequest) -> None:
    with pytest.raises(BadCursor, match="another search"):
        open_cursor(replace(other, token=CURSOR.seal(SEARCH, SIGNER)), SIGNER)


def test_what_does_not_change_the_walk_may_change_between_pages() -> None:
    token = CURSOR.seal(SEARCH, SIGNER)
    other = replace(SEARCH, limit=500, strict=True, fields=Fields(include=frozenset({"id"})), token=token)
    assert open_cursor(other, SIGNER) == CURSOR


def test_a_cursor_is_small() -> None:
    """As part of an address, it has to fit where 2,000 characters are the limit."""
    name = "S2A_MSIL2A_20200601T092031_N0500_R093_T34TFR_20230430T032012.SAFE"
    rank = Rank(CURSOR.rank.key, Product(name, "sentinel-2-l2a"), 2, name, 1_590_000_000_000_000)
    tokens = dict.fromkeys(("alpha", "beta", "gamma"), "x" * 300)
    assert len(Cursor(CURSOR.values, rank).seal(SEARCH, SIGNER)) < 400
    assert len(Cursor(CURSOR.values, rank, tokens).seal(SEARCH, SIGNER)) < 1700
