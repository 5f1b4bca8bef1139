"""CQL2's temporal operators against Allen's relations, its spatial ones against shapely."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import mapping

from cscale.stac.cql2 import compile_filter, parse


def evaluate(text: str, properties: Mapping[str, Any] | None = None, **members: Any) -> bool | None:
    item = {"id": "i", "collection": "c", "geometry": None, "properties": properties or {}} | members
    return compile_filter(parse(text, "cql2-text"))(item)


# Time


SECONDS = [f"2020-06-01T00:00:0{second}Z" for second in range(10)]
ALLEN = {
    "before": (1, 2, 4, 6), "after": (4, 6, 1, 2), "meets": (1, 4, 4, 6), "metby": (4, 6, 1, 4),
    "overlaps": (1, 5, 3, 7), "overlappedby": (3, 7, 1, 5), "starts": (1, 3, 1, 6),
    "startedby": (1, 6, 1, 3), "during": (2, 4, 1, 6), "contains": (1, 6, 2, 4), "finishes": (3, 6, 1, 6),
    "finishedby": (1, 6, 3, 6), "equals": (1, 6, 1, 6),
}  # fmt: skip
SYMMETRIC = {"before": "after", "meets": "metby", "overlaps": "overlappedby", "starts": "startedby",
             "during": "contains", "finishes": "finishedby", "equals": "equals"}  # fmt: skip


def related(name: str, a: int, b: int, c: int, d: int) -> bool | None:
    text = f"t_{name}(interval('{SECONDS[a]}', '{SECONDS[b]}'), interval(p, q))"
    return evaluate(text, {"p": SECONDS[c], "q": SECONDS[d]})


@pytest.mark.parametrize("relation", ALLEN)
def test_each_of_allens_relations_is_its_own(relation: str) -> None:
    held = {name for name in [*ALLEN, "intersects", "disjoint"] if related(name, *ALLEN[relation])}
    assert held == {relation, "disjoint" if relation in ("before", "after") else "intersects"}


stretches = st.tuples(st.integers(0, 8), st.integers(1, 9)).filter(lambda two: two[0] < two[1])


@settings(deadline=None)
@given(stretches, stretches)
def test_two_stretches_have_one_relation_and_its_converse_the_other_way(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    held = [name for name in ALLEN if related(name, *one, *other)]
    assert len(held) == 1
    converse = SYMMETRIC | {there: here for here, there in SYMMETRIC.items()}
    assert [name for name in ALLEN if related(name, *other, *one)] == [converse[held[0]]]
    shared = set(range(one[0], one[1] + 1)) & set(range(other[0], other[1] + 1))
    assert related("intersects", *one, *other) is bool(shared)
    assert related("disjoint", *one, *other) is (not shared)


def test_a_day_is_a_stretch_and_the_last_day_of_an_interval_belongs_to_it() -> None:
    noon = {"datetime": "2020-06-30T12:00:00Z"}
    assert evaluate("t_intersects(datetime, DATE('2020-06-30'))", noon) is True
    assert evaluate("t_during(datetime, INTERVAL('2020-06-01', '2020-06-30'))", noon) is True
    assert evaluate("t_after(datetime, DATE('2020-06-29'))", noon) is True
    assert evaluate("t_after(datetime, DATE('2020-06-30'))", noon) is False
    assert evaluate("t_before(datetime, INTERVAL('2020-07-01', '..'))", noon) is True
    assert evaluate("datetime > DATE('2020-06-30')", noon) is True, (
        "compared as an instant, a day is its start"
    )


def test_an_item_with_start_and_end_is_a_stretch_that_stands_at_its_datetime() -> None:
    stretch = {
        "datetime": None,
        "start_datetime": "2020-06-01T00:00:00Z",
        "end_datetime": "2020-06-30T00:00:00Z",
    }
    assert evaluate("t_intersects(datetime, DATE('2020-06-15'))", stretch) is True
    assert evaluate("t_contains(datetime, DATE('2020-06-15'))", stretch) is True
    assert evaluate("datetime = TIMESTAMP('2020-06-01T00:00:00Z')", stretch) is True
    assert evaluate("datetime is null", stretch) is False
    within = stretch | {"datetime": "2020-06-10T00:00:00Z"}
    assert evaluate("datetime = TIMESTAMP('2020-06-10T00:00:00Z')", within) is True
    assert evaluate("t_contains(datetime, DATE('2020-06-09'))", within) is True
    assert evaluate("datetime is null", {"datetime": "soon"}) is True
    assert evaluate("t_intersects(datetime, DATE('2020-06-15'))", {}) is None


# Space


SHAPES = {
    "point": shapely.Point(5, 5), "corner": shapely.Point(0, 0),
    "line": shapely.LineString([(-5, 5), (15, 5)]), "edge": shapely.LineString([(0, 0), (0, 10)]),
    "square": shapely.box(0, 0, 10, 10), "inner": shapely.box(2, 2, 8, 8),
    "beside": shapely.box(10, 0, 20, 10), "over": shapely.box(5, 5, 15, 15),
    "far": shapely.box(50, 50, 60, 60), "points": shapely.MultiPoint([(5, 5), (55, 55)]),
    "lines": shapely.MultiLineString([[(0, 5), (10, 5)], [(0, 6), (1, 6)]]),
    "areas": shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(50, 50, 51, 51)]),
}  # fmt: skip
SPATIAL = ["intersects", "disjoint", "equals", "touches", "crosses", "within", "contains", "overlaps"]


@pytest.mark.parametrize("name", SPATIAL)
def test_spatial_operators_agree_with_shapely(name: str) -> None:
    for one, other in product(SHAPES.values(), SHAPES.values()):
        expected = bool(getattr(shapely, name)(one, other))
        assert evaluate(f"s_{name}(geometry, {other.wkt})", geometry=mapping(one)) is expected
        assert evaluate(f"s_{name}({one.wkt}, geometry)", geometry=mapping(other)) is expected
        assert evaluate(f"s_{name}(geometry, {other.wkt})", geometry=None) is None


def test_spatial_operators_hold_over_the_antimeridian() -> None:
    def asked(text: str, geometry: shapely.Geometry, **members: Any) -> bool | None:
        return evaluate(text, geometry=mapping(geometry), **members)

    east, west = shapely.Point(179, 0), shapely.Point(-179, 0)
    for point in (east, west):
        assert asked("s_intersects(geometry, BBOX(170,-10,-170,10))", point) is True
        assert asked("s_within(geometry, BBOX(170,-10,190,10))", point) is True
        assert (
            asked("s_within(geometry, POLYGON((170 -10, 190 -10, 190 10, 170 10, 170 -10)))", point) is True
        )
        assert asked("s_disjoint(geometry, BBOX(-170,-10,170,10))", point) is True
        assert asked("s_disjoint(geometry, LINESTRING(181 5, 175 5))", point) is True
    for written in (
        shapely.box(170, -10, 190, 10),
        shapely.MultiPolygon([shapely.box(170, -10, 180, 10), shapely.box(-180, -10, -170, 10)]),
    ):
        assert asked("s_equals(geometry, BBOX(170,-10,-170,10))", written) is True
        assert asked("s_contains(geometry, POINT(-175 0))", written) is True
        assert asked("s_contains(geometry, BBOX(175,-5,-175,5))", written) is True
        assert asked("s_overlaps(geometry, BBOX(175,-5,-160,5))", written) is True
        assert asked("s_disjoint(geometry, POINT(0 0))", written) is True
    naive = shapely.Polygon([(170, -10), (-170, -10), (-170, 10), (170, 10)])
    assert asked("s_intersects(geometry, POINT(0 0))", naive) is True
    assert asked("s_intersects(geometry, POINT(0 0))", naive, bbox=[170, -10, -170, 10]) is False
    assert asked("s_equals(geometry, BBOX(170,-10,-170,10))", naive, bbox=[170, -10, -170, 10]) is True
