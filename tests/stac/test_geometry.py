"""Boxes and geometries, against shapely on a map that runs on beyond the antimeridian."""

import math
from itertools import pairwise
from typing import Any

import numpy
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import mapping, shape

from cscale.stac.geometry import Box, bounds_of, planar

quarters = st.integers(-540 * 4, 540 * 4).map(lambda quarter: quarter / 4)  # exact in binary
latitudes = st.integers(-89 * 4, 89 * 4).map(lambda quarter: quarter / 4)
heights = st.floats(-1e4, 1e5)


def shifted(geometry: shapely.Geometry, turns: int) -> shapely.Geometry:
    return shapely.transform(geometry, lambda xy: xy + numpy.array([360.0 * turns, 0.0]))


def naive(geometry: shapely.Geometry) -> dict[str, Any]:
    """A geometry as careless software writes it: each longitude within -180 to 180, nothing cut."""
    written: dict[str, Any] = mapping(
        shapely.transform(geometry, lambda xy: numpy.column_stack(((xy[:, 0] + 180) % 360 - 180, xy[:, 1])))
    )
    return written


def same(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    """Whether two geometries cover the same, but for what rounding makes of a cut edge."""
    return bool(
        shapely.symmetric_difference(one, other).area < 1e-9 and shapely.hausdorff_distance(one, other) < 1e-6
    )


def folded(area: shapely.Geometry) -> shapely.Geometry:
    """The oracle: an area that runs on, cut into turns of the globe, each moved onto the map."""
    maps = [(turn, shapely.box(-180 + 360 * turn, -90, 180 + 360 * turn, 90)) for turn in range(-2, 3)]
    pieces = [shifted(shapely.intersection(area, one), -turn) for turn, one in maps]
    return shapely.union_all([piece for piece in pieces if piece.area])


@st.composite
def polygons(draw: st.DrawFn, west: int = -539, east: int = 539) -> shapely.Polygon:
    """A convex polygon narrower than half the globe."""
    left = draw(st.integers(west, east - 2))
    right = draw(st.integers(left + 2, min(left + 178, east)))
    corners = st.tuples(st.integers(left, right), st.integers(-88, 88))
    points = draw(st.lists(corners, min_size=3, max_size=6, unique=True))
    hull = shapely.MultiPoint(points).convex_hull
    return hull if hull.geom_type == "Polygon" else shapely.box(left, -10, right, 10)


@st.composite
def crossing(draw: st.DrawFn) -> shapely.Polygon:
    """A convex polygon over the antimeridian."""
    points = draw(
        st.tuples(
            *(st.tuples(st.integers(100, 178), st.integers(-80, 80)) for _ in range(2)),
            *(st.tuples(st.integers(182, 250), st.integers(-80, 80)) for _ in range(2)),
        )
    )
    hull = shapely.MultiPoint(points).convex_hull
    spans = hull.geom_type == "Polygon" and hull.bounds[2] - hull.bounds[0] < 180
    return hull if spans else shapely.box(175, -5, 186, 7)


@settings(deadline=None)
@given(polygons())
def test_a_geometry_that_runs_beyond_180_is_folded_onto_the_map(polygon: shapely.Polygon) -> None:
    read = planar(mapping(polygon))
    assert same(read, folded(polygon))
    assert read.geom_type in ("Polygon", "MultiPolygon"), "no stray line where it only touches the edge"


@settings(deadline=None)
@given(crossing(), st.integers(0, 1))
def test_a_geometry_over_the_antimeridian_is_cut_when_its_box_says_so(
    polygon: shapely.Polygon, deep: int
) -> None:
    west, south, east, north = polygon.bounds
    bbox = [west, south, 0, east - 360, north, 9] if deep else [west, south, east - 360, north]
    assert same(planar(naive(polygon), bbox), folded(polygon))


@settings(deadline=None)
@given(crossing())
def test_what_is_cut_already_stays_as_it_is(polygon: shapely.Polygon) -> None:
    cut = folded(polygon)
    west, south, east, north = polygon.bounds
    assert same(planar(mapping(cut), [west, south, east - 360, north]), cut)
    assert same(planar(mapping(cut)), cut)


@settings(deadline=None)
@given(crossing(), polygons(-90, 90))
def test_only_the_parts_that_cross_are_cut(over: shapely.Polygon, plain: shapely.Polygon) -> None:
    both = {"type": "GeometryCollection", "geometries": [naive(over), mapping(plain), {
        "type": "GeometryCollection", "geometries": [naive(over)]}]}  # fmt: skip
    west, south, east, north = over.bounds
    read = planar(both, [west, south, east - 360, north])
    assert same(read, shapely.union(folded(over), plain))


def test_a_wide_geometry_is_not_cut_unless_its_box_says_so() -> None:
    wide = shapely.box(-170, 0, 170, 10)
    assert same(planar(mapping(wide)), wide)
    assert same(planar(mapping(wide), [-170, 0, 170, 10]), wide)
    with_one_beyond = shapely.MultiPolygon([wide, shapely.box(175, 20, 185, 30)])
    assert same(planar(mapping(with_one_beyond)), folded(with_one_beyond))


def test_an_area_that_only_touches_the_antimeridian_leaves_no_line_there() -> None:
    for beside in (
        shapely.box(180, 0, 190, 10),
        shapely.box(-200, 0, -180, 10),
        shapely.box(170, 0, 180, 10),
    ):
        read = planar(mapping(beside))
        assert read.geom_type == "Polygon"
        assert read.area == beside.area


def test_a_hole_over_the_antimeridian_stays_a_hole() -> None:
    ring = shapely.box(170, -10, 190, 10) - shapely.box(176, -4, 184, 4)
    for read in (planar(mapping(ring)), planar(naive(ring), [170, -10, -170, 10])):
        assert same(read, folded(ring))
        assert not shapely.intersects(read, shapely.Point(-178, 0))


def test_lines_and_points_are_cut_as_areas_are() -> None:
    line = shapely.LineString([(170, 0), (190, 10)])
    cut = shapely.MultiLineString([[(170, 0), (180, 5)], [(-180, 5), (-170, 10)]])
    assert shapely.equals(planar(mapping(line)), cut)
    assert shapely.equals(planar(naive(line), [170, 0, -170, 10]), cut), (
        "straight on the map (RFC 7946, 3.1.1)"
    )
    points = shapely.MultiPoint([(170, 0), (190, 1), (-185, 2), (180, 3)])
    assert shapely.equals(
        planar(mapping(points)), shapely.MultiPoint([(170, 0), (-170, 1), (175, 2), (180, 3)])
    )
    assert planar({"type": "Point", "coordinates": [179, 5, 1000]}).wkt == "POINT (179 5)"


def test_a_ring_drawn_across_the_whole_map_is_cut_before_it_is_mended() -> None:
    # as it is written it crosses itself; as it is meant it does not
    meant = shapely.Polygon([(176, 0), (184, 0), (184, 8), (177, 8), (183, 4)])
    assert meant.is_valid
    assert not shape(naive(meant)).is_valid
    assert same(planar(naive(meant), [176, 0, -176, 8]), folded(meant))


@pytest.mark.parametrize(
    "coordinates",
    [
        [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]],  # a bow tie
        [[[0, 0], [10, 0], [10, 10], [0, 10]]],  # not closed
        [[[0, 0], [0, 10], [10, 10], [10, 0], [0, 0]]],  # clockwise
        [[[5, 5], [5, 5], [5, 5], [5, 5]]],  # a point
        [[[0, 0], [5, 5], [10, 10], [0, 0]]],  # a line
        [
            [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]],
            [[20, 20], [21, 20], [21, 21], [20, 20]],
        ],  # a hole outside
        [[[175, 0], [185, 10], [185, 0], [175, 10], [175, 0]]],  # a bow tie over the antimeridian
    ],
)
def test_areas_that_are_not_valid_are_mended(coordinates: list[Any]) -> None:
    read = planar({"type": "Polygon", "coordinates": coordinates})
    assert read.is_valid
    assert not read.is_empty
    assert shapely.equals(read.envelope, read.envelope & shapely.box(-180, -90, 180, 90))


POINT = {"type": "Point", "coordinates": [1, 2]}


@pytest.mark.parametrize(
    "geometry",
    [
        {}, {"type": None}, {"type": 5}, {"type": []}, {"type": {}},
        {"type": "point", "coordinates": [1, 2]}, {"type": "Circle", "coordinates": [1, 2]},
        {"type": "LinearRing", "coordinates": [[0, 0], [1, 0], [1, 1]]},
        {"type": "Feature", "geometry": POINT}, {"type": "Point"}, {"type": "Point", "coordinates": None},
        {"type": "Point", "coordinates": []}, {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": 5}, {"type": "Point", "coordinates": "12"},
        {"type": "Point", "coordinates": {"x": 1, "y": 2}}, {"type": "Point", "coordinates": [None, 2]},
        {"type": "Point", "coordinates": ["a", "b"]}, {"type": "Point", "coordinates": [math.nan, 2]},
        {"type": "Point", "coordinates": [math.inf, 2]}, {"type": "Point", "coordinates": [10**400, 2]},
        {"type": "Point", "coordinates": [1, 91]}, {"type": "Point", "coordinates": [541, 0]},
        {"type": "Point", "coordinates": [0, -90.01]}, {"type": "Point", "coordinates": [[[1, 2]]] * 2},
        {"type": "LineString", "coordinates": [[1, 2]]},
        {"type": "LineString", "coordinates": [[1, 2], [3]]}, {"type": "Polygon", "coordinates": [[]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": {"0": 1}}, {"type": "Polygon", "coordinates": [{"a": 1}]},
        {"type": "MultiPoint", "coordinates": [1, 2]}, {"type": "MultiPolygon", "coordinates": [[]]},
        {"type": "MultiPolygon", "coordinates": [5]}, {"type": "GeometryCollection"},
        {"type": "GeometryCollection", "geometries": []}, {"type": "GeometryCollection", "geometries": 5},
        {"type": "GeometryCollection", "geometries": [5]},
        {"type": "GeometryCollection", "geometries": [{"type": "Circle"}]},
        {"type": "GeometryCollection", "geometries": [None]},
    ],
)  # fmt: skip
def test_what_is_no_geometry_on_the_globe_is_a_value_error(geometry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        planar(geometry)


def test_a_collection_nested_without_end_is_a_value_error() -> None:
    nested: dict[str, Any] = POINT
    for _ in range(5000):
        nested = {"type": "GeometryCollection", "geometries": [nested]}
    with pytest.raises(ValueError, match="not a GeoJSON geometry"):
        planar(nested)


numbers = st.floats(-600, 600) | st.integers(-200, 200) | st.just(10**400) | st.just(math.nan)
json = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=8,
)
positions = st.lists(st.floats(-200, 200) | st.integers(-200, 200), min_size=2, max_size=3)
nests = st.recursive(positions, lambda inner: st.lists(inner, max_size=5), max_leaves=12)
types = st.sampled_from(["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"])
geometries = st.recursive(
    st.fixed_dictionaries({"type": types, "coordinates": nests | json}),
    lambda inner: st.fixed_dictionaries({
        "type": st.just("GeometryCollection"), "geometries": st.lists(inner, max_size=3) | json}),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None, max_examples=250)
@given(geometries, json | st.lists(numbers, min_size=4, max_size=4))
def test_any_json_is_a_valid_flat_geometry_on_the_map_or_a_value_error(
    geometry: dict[str, Any], bbox: object
) -> None:
    try:
        read = planar(geometry, bbox)
    except ValueError:
        return
    assert read.is_valid
    assert not read.is_empty
    assert not read.has_z
    west, south, east, north = read.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90


@pytest.mark.parametrize(
    "bbox", [5, "1234", [1, 2], ["a", 0, "b", 0], {"0": 1}, [None] * 4, [[], 0, [], 0], True]
)
def test_an_items_box_that_is_none_is_passed_over(bbox: object) -> None:
    wide = shapely.box(-170, 0, 170, 10)
    assert same(planar(mapping(wide), bbox), wide)


@pytest.mark.parametrize("pole", [90, -90])
def test_a_ring_around_a_pole_holds_the_pole(pole: int) -> None:
    latitude = math.copysign(75, pole)
    ring = [(longitude, latitude + (longitude % 7)) for longitude in (-150, -60, 30, 120)]
    for way in (ring, ring[::-1]):
        written = {"type": "Polygon", "coordinates": [[*way, way[0]]]}
        read = planar(written, [170, min(latitude, pole), -170, max(latitude, pole)])
        assert read.is_valid
        for longitude in range(-175, 180, 10):
            assert shapely.contains(read, shapely.Point(longitude, math.copysign(85, pole)))
            assert not shapely.intersects(read, shapely.Point(longitude, math.copysign(60, pole)))


def test_a_track_around_the_globe_keeps_all_its_length() -> None:
    track = shapely.LineString([(15 * step, math.sin(step) * 60) for step in range(12)])
    west, east = track.bounds[0], track.bounds[2]
    assert planar(naive(shifted(track, 0)), [west, -60, east, 60]).length == pytest.approx(track.length)
    around = shapely.LineString([(170 + 20 * step, step % 3) for step in range(40)])
    read = planar(naive(around), [170, 0, -170, 2])
    turns = shapely.union_all([shifted(around, -turn) for turn in range(4)])
    on_the_map = shapely.intersection(turns, shapely.box(-180, -90, 180, 90))
    assert read.length == pytest.approx(on_the_map.length)


# The box around a geometry


@settings(deadline=None)
@given(polygons(-360, 360))
def test_the_box_around_one_area_is_the_box_of_its_sides(polygon: shapely.Polygon) -> None:
    beside = shapely.transform(polygon, lambda xy: xy + 0.25)  # no side on the antimeridian: it has two names
    assert bounds_of(planar(mapping(beside))).numbers() == Box.parse(beside.bounds).numbers()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-180, 180), st.integers(-90, 90)), min_size=1, max_size=6))
def test_the_box_around_points_is_the_narrowest_that_holds_them(points: list[tuple[int, int]]) -> None:
    around = bounds_of(shapely.MultiPoint(points))
    assert all(
        any(west <= x <= east and south <= y <= north for west, south, east, north in around.parts())
        for x, y in points
    )
    width = (around.east - around.west) % 360 if around.west > around.east else around.east - around.west
    longitudes = sorted({x for x, _ in points})
    gaps = [b - a for a, b in pairwise(longitudes)]
    assert width == 360 - max([360 - (longitudes[-1] - longitudes[0]), *gaps])


def test_islands_on_both_sides_of_the_antimeridian_have_a_narrow_box() -> None:
    fiji = shapely.MultiPolygon([shapely.box(177, -19, 179, -17), shapely.box(-179.5, -18, -179, -16)])
    assert bounds_of(fiji).numbers() == [177, -19, -179, -16]


def test_a_part_within_another_makes_no_gap() -> None:
    parts = [shapely.box(-170, 0, 100, 1), shapely.Point(0, 0), shapely.Point(175, 0)]
    assert bounds_of(shapely.GeometryCollection(parts)).numbers() == [175, 0, 100, 1]
