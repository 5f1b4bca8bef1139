"""Searches to try a source with: every parameter, every kind of filter, any order."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from cscale.stac import cql2, times
from cscale.stac.geometry import Box
from cscale.stac.search import NEWEST_FIRST, SearchRequest, SortField
from cscale.stac.text import read_terms
from cscale.testing.archives import (
    COLLECTIONS,
    HEIGHTS,
    IDS,
    LATITUDES,
    LONGITUDES,
    MOMENTS,
    MOMENTS_IN_ORDER,
    PROPERTIES,
    geometries,
)

LIMITS = (1, 2, 3, 7, 100)
TERMS = (
    "sentinel-2",
    "Cluj",
    "EO",
    "earth observation",
    "cluj cluj",
    "2",
    "lines of",
    "STRASSE_1",
    "nowhere",
)
"""Free text: what items hold, also over the end of a line, and what they do not."""
SORTED_BY = ("datetime", "id", "collection", *PROPERTIES, "test:deep.value", "nowhere")


def requests() -> st.SearchStrategy[SearchRequest]:
    """A search by any of the parameters, by few at a time so that it finds something."""
    return st.builds(
        _request,
        st.lists(st.sampled_from([*_PARAMETERS, "filter", "filter"]).flatmap(_parameter), max_size=2),
        sortby=st.just(NEWEST_FIRST) | orders(),
        limit=st.sampled_from(LIMITS),
    )


def terms() -> st.SearchStrategy[tuple[str, ...]]:
    """Free text of one term or two, in normal form."""
    drawn = st.lists(st.sampled_from(TERMS), min_size=1, max_size=2)
    return drawn.map(read_terms)


def orders() -> st.SearchStrategy[tuple[SortField, ...]]:
    """By one to three fields, any of them, both ways."""
    field = st.builds(SortField, st.sampled_from(SORTED_BY), st.booleans())
    return st.lists(field, min_size=1, max_size=3, unique_by=lambda each: each.name).map(tuple)


def boxes() -> st.SearchStrategy[Box]:
    """A box; also a point, a line, one over the antimeridian, one with heights."""
    west_and_east = st.tuples(st.sampled_from(LONGITUDES), st.sampled_from(LONGITUDES))
    south_and_north = _pair(LATITUDES)
    heights = st.none() | _pair(HEIGHTS)
    return st.builds(_box, west_and_east, south_and_north, heights)


def filters() -> st.SearchStrategy[cql2.Expression]:
    """A CQL2 expression: comparison, in, between, like, isNull, in space, in time, on lists; and, or, not."""
    plain = st.one_of(_comparisons(), _in_and_between(), _texts(), _spatial(), _temporal(), _of_lists())
    some = plain | _joined(plain)
    return plain | _joined(some)


def _joined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3)).map(_op),
        parts.map(lambda one: {"op": "not", "args": [one]}),
    )


def _request(
    parameters: Sequence[dict[str, Any]], *, sortby: tuple[SortField, ...], limit: int
) -> SearchRequest:
    asked = {name: value for each in parameters for name, value in each.items()}
    if "bbox" in asked:
        asked.pop("intersects", None)
    return SearchRequest(**asked, sortby=sortby, limit=limit)


def _pair(values: Sequence[float]) -> st.SearchStrategy[list[float]]:
    return st.tuples(st.sampled_from(values), st.sampled_from(values)).map(sorted)


def _box(
    west_and_east: tuple[float, float], south_and_north: list[float], heights: list[float] | None
) -> Box:
    (west, east), (south, north) = west_and_east, south_and_north
    if heights is None:
        return Box.parse([west, south, east, north])
    return Box.parse([west, south, heights[0], east, north, heights[1]])


def _intervals() -> st.SearchStrategy[times.Interval]:
    ends = st.lists(st.sampled_from(MOMENTS_IN_ORDER), min_size=2, max_size=2)
    closed = ends.map(lambda two: "/".join(sorted(two, key=MOMENTS_IN_ORDER.index)))
    one = st.sampled_from(MOMENTS)
    texts = st.one_of(one, closed, one.map(lambda end: f"{end}/.."), one.map(lambda end: f"/{end}"))
    return texts.map(times.Interval.parse)


def _parameter(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return _PARAMETERS[name].map(lambda drawn: {name: drawn})


def _names(known: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from([*known, "nowhere"]), min_size=1, max_size=4, unique=True).map(tuple)


def _op(drawn: tuple[str, Sequence[Any]]) -> dict[str, Any]:
    return {"op": drawn[0], "args": list(drawn[1])}


def _named(name: str) -> dict[str, str]:
    return {"property": name}


_ORDERS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
_NUMBERS = st.sampled_from([0, 10, 10.5, -1, 100, 2**53, 9.3e18, -9.3e18])
_WORDS = st.sampled_from(["sentinel-2a", "SENTINEL-2A", "10", "", "2020-06-02T00:00:00Z", "a", "sud_100%"])
_NAMES = st.sampled_from([*PROPERTIES, "test:deep.value", "properties.gsd", "nowhere", "id", "collection"])
_INSTANTS = st.sampled_from(MOMENTS).map(lambda text: {"timestamp": text}) | st.just({"date": "2020-06-01"})
_PROPERTY = _NAMES.map(_named)


def _comparisons() -> st.SearchStrategy[Any]:
    value = st.one_of(_NUMBERS, _WORDS, st.booleans(), _PROPERTY)
    sums = st.tuples(st.sampled_from(["+", "-", "*", "/"]), st.tuples(_PROPERTY, _NUMBERS)).map(_op)
    return st.one_of(
        st.tuples(_ORDERS, st.tuples(_PROPERTY, value)).map(_op),
        st.tuples(_ORDERS, st.tuples(_NUMBERS | _WORDS, _PROPERTY)).map(_op),
        st.tuples(_ORDERS, st.tuples(sums, _NUMBERS)).map(_op),
        st.tuples(_ORDERS, st.tuples(st.just(_named("datetime")), _INSTANTS)).map(_op),
    )


def _in_and_between() -> st.SearchStrategy[Any]:
    several = st.lists(_NUMBERS, min_size=1, max_size=3) | st.lists(_WORDS, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("in"), st.tuples(_PROPERTY, several)).map(_op),
        st.tuples(st.just("between"), st.tuples(_PROPERTY, _NUMBERS, _NUMBERS)).map(_op),
        st.tuples(st.just("isNull"), st.tuples(_PROPERTY | st.just(_named("geometry")))).map(_op),
    )


def _texts() -> st.SearchStrategy[Any]:
    patterns = st.sampled_from(["%", "sentinel-2_", "%2A", "s%100\\%", "", "_"])
    folded = st.sampled_from(["casei", "accenti"])
    return st.one_of(
        st.tuples(st.just("like"), st.tuples(_PROPERTY, patterns)).map(_op),
        st.builds(
            lambda fold, left, right: _op(("=", [_op((fold, [left])), _op((fold, [right]))])),
            folded,
            _PROPERTY,
            _WORDS,
        ),
    )


def _spatial() -> st.SearchStrategy[Any]:
    relations = ["intersects", "disjoint", "within", "contains", "touches", "overlaps", "crosses", "equals"]
    place = geometries() | boxes().map(lambda box: {"bbox": [box.west, box.south, box.east, box.north]})
    return st.tuples(
        st.sampled_from([f"s_{relation}" for relation in relations]),
        st.tuples(st.just(_named("geometry")), place),
    ).map(_op)


def _temporal() -> st.SearchStrategy[Any]:
    relations = ["after", "before", "contains", "disjoint", "during", "equals", "finishes", "intersects",
                 "meets", "metBy", "overlaps", "startedBy", "starts"]  # fmt: skip
    ends = st.lists(st.sampled_from(MOMENTS_IN_ORDER), min_size=2, max_size=2)
    closed = ends.map(lambda two: sorted(two, key=MOMENTS_IN_ORDER.index))
    half = st.sampled_from(MOMENTS).map(lambda moment: [moment, ".."])
    stretch = (closed | half).map(lambda two: {"interval": two})
    return st.tuples(
        st.sampled_from([f"t_{relation}" for relation in relations]),
        st.tuples(st.just(_named("datetime")), stretch),
    ).map(_op)


def _of_lists() -> st.SearchStrategy[Any]:
    relations = st.sampled_from(["a_equals", "a_contains", "a_containedBy", "a_overlaps"])
    tags = st.sampled_from([["a"], ["a", "b"], ["c"]])
    return st.tuples(relations, st.tuples(st.just(_named("test:tags")), tags)).map(_op)


_PARAMETERS: dict[str, st.SearchStrategy[Any]] = {
    "collections": _names(COLLECTIONS),
    "ids": _names(IDS),
    "bbox": boxes(),
    "intersects": geometries(),
    "datetime": _intervals(),
    "filter": filters(),
    "q": terms(),
}
