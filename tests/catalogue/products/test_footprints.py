"""Rings on the sphere as areas on the map."""

import math

import numpy
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from shapely.geometry import shape

from cscale.catalogue.products.footprints import check_ring, footprint, read_ring
from cscale.errors import BadInput
from cscale.stac.geometry import Box, Coordinates

DEGREES = math.pi / 180


def around(longitude: float, latitude: float, radius: float, corners: int = 72) -> Coordinates:
    """A circle on the sphere, counter-clockwise as seen from above; all in degrees."""
    turns = numpy.linspace(0, 2 * math.pi, corners, endpoint=False)[::-1]
    here, far = latitude * DEGREES, radius * DEGREES
    north = numpy.arcsin(
        numpy.clip(math.sin(here) * math.cos(far) + math.cos(here) * math.sin(far) * numpy.cos(turns), -1, 1)
    )
    east = numpy.arctan2(
        numpy.sin(turns) * math.sin(far) * math.cos(here),
        math.cos(far) - math.sin(here) * numpy.sin(north),
    )
    longitudes = (longitude + east / DEGREES + 180) % 360 - 180
    return numpy.column_stack((longitudes, north / DEGREES))


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Degrees between two places on the sphere."""
    (a, b), (c, d) = ((x * DEGREES, y * DEGREES) for x, y in (one, other))
    inner = math.sin(b) * math.sin(d) + math.cos(b) * math.cos(d) * math.cos(a - c)
    return math.acos(max(-1.0, min(1.0, inner))) / DEGREES


def drawn(*rings: Coordinates) -> tuple[shapely.Geometry, list[float]]:
    geometry, bbox = footprint([check_ring(ring, "here") for ring in rings], "here")
    return shape(geometry), bbox


@given(
    st.floats(-180, 179.9),
    st.floats(-89.5, 89.5),
    st.floats(2, 40),
    st.lists(st.tuples(st.floats(-180, 180), st.floats(-89.9, 89.9)), min_size=1, max_size=20),
    st.booleans(),
)
def test_what_is_within_a_circle_on_the_sphere_is_within_its_area_on_the_map(
    longitude: float, latitude: float, radius: float, places: list[tuple[float, float]], backwards: bool
) -> None:
    # an edge that runs through a pole, or nearly, may be drawn on either side of it
    assume(abs(90 - abs(latitude) - radius) > 3)
    ring = around(longitude, latitude, radius)
    area, bbox = drawn(ring[::-1] if backwards else ring)
    assert area.is_valid
    assert -180 <= area.bounds[0] <= area.bounds[2] <= 180
    assert all(part.exterior.is_ccw for part in shapely.get_parts(area))
    box = Box.parse(bbox).geometry().buffer(1e-5)
    assert box.covers(area)
    for place in [*places, (longitude, latitude)]:
        away = distance(place, (longitude, latitude))
        if abs(away - radius) > radius * 0.15:  # corners on a sphere and lines on a map differ
            assert area.intersects(shapely.Point(place)) == (away < radius)


@given(st.floats(-180, 179.9), st.integers(0, 71), st.booleans())
def test_where_a_ring_begins_and_how_it_turns_does_not_matter(
    longitude: float, by: int, turned: bool
) -> None:
    ring = around(longitude, 20, 15)
    rolled = numpy.roll(ring, by, axis=0)
    one, other = drawn(ring), drawn(rolled[::-1] if turned else rolled)
    assert one[0].symmetric_difference(other[0]).area < 1e-3
    assert one[1] == pytest.approx(other[1], abs=1e-5)


def test_an_area_over_the_antimeridian_is_cut_and_its_box_runs_eastwards() -> None:
    text = "65.7 180 65.67 178.65 66.65 178.47 66.69 180 66.71 -179.04 65.72 -178.97 65.7 180"
    area, bbox = drawn(read_ring(text, "here"))
    assert area.geom_type == "MultiPolygon"
    assert bbox == [178.47, 65.67, -178.97, 66.71]
    assert shapely.get_num_geometries(area) == 2
    assert area.area == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("edge", [180, -180])
def test_corners_on_the_antimeridian_may_be_written_as_of_either_side(edge: int) -> None:
    area, bbox = drawn(numpy.array([(edge, 0.0), (179.0, 0.0), (179.0, 1.0), (edge, 1.0)]))
    assert area.geom_type == "Polygon"
    assert bbox == [179, 0, 180, 1]
    area, bbox = drawn(numpy.array([(edge, 0.0), (-179.0, 0.0), (-179.0, 1.0), (edge, 1.0)]))
    assert area.geom_type == "Polygon"
    assert bbox == [-180, 0, -179, 1]
    area, bbox = drawn(numpy.array([(179.0, 0.0), (edge, 0.0), (-179.0, 0.0), (-179.0, 1.0), (179.0, 1.0)]))
    assert bbox == [179, 0, -179, 1]
    assert area.area == pytest.approx(2)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_area_around_a_pole_reaches_it(sign: int) -> None:
    ring = numpy.array([(longitude, sign * 80.0) for longitude in range(-175, 180, 10)])
    area, bbox = drawn(ring)
    assert bbox == [-180, *((80, 180, 90) if sign > 0 else (-90, 180, -80))]
    assert area.area == pytest.approx(3600)


def test_an_area_around_both_poles_has_them_and_not_the_rest() -> None:
    """The day side of an orbit: 25 degrees wide, from beyond one pole to beyond the other."""
    left = [(-12.5, float(latitude)) for latitude in range(-80, 81, 5)]
    right = [(12.5, float(latitude)) for latitude in range(80, -81, -5)]
    north = [(-60.0, 84.0), (-120.0, 84.0), (180.0, 82.0), (120.0, 84.0), (60.0, 84.0)]
    south = [(-longitude, -latitude) for longitude, latitude in north]
    area, bbox = drawn(numpy.array(left + north + right + south))
    assert bbox == [-180, -90, 180, 90]
    for inside in ((0, 0), (0, 89.9), (100, 89.9), (0, -89.9), (-170, -89.9), (10, 40)):
        assert area.covers(shapely.Point(inside))
    for outside in ((90, 0), (-90, 0), (180, 0), (90, 70), (-100, -70)):
        assert not area.intersects(shapely.Point(outside))


def test_many_areas_are_one_footprint() -> None:
    area, bbox = drawn(around(179, 0, 1.5), around(-178, 0, 1), around(-150, 5, 1))
    assert shapely.get_num_geometries(area) == 3 + 1  # the first one is cut
    assert bbox == pytest.approx([177.5, -1.5, -149, 6], abs=0.02)


def test_a_track_without_width_is_a_line() -> None:
    area, bbox = drawn(numpy.array([(179.0, 0.0), (-179.0, 2.0)]))
    assert area.geom_type == "MultiLineString"
    assert bbox == [179, 0, -179, 2]


def test_a_ring_is_read_as_latitude_and_longitude_with_commas_or_without() -> None:
    closed = read_ring("46.1,8.4 46.3,9.4 45.2,9.7 46.1,8.4", "here")
    assert sorted(closed.tolist()) == [[8.4, 46.1], [9.4, 46.3], [9.7, 45.2]]
    assert sorted(read_ring(" 46.1 8.4\n46.3 9.4 45.2 9.7 ", "here").tolist()) == sorted(closed.tolist())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1 2 3",
        "a b",
        "1 2",
        "1 2 1 2",
        "91 0 0 0 1 1",
        "0 400 1 1 2 2",
        "nan 0 1 1 2 2",
        "inf 0 1 1 2 2",
    ],
)
def test_what_is_no_ring_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadInput, match="here: "):
        read_ring(text, "here")


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), min_size=1, max_size=12))
def test_whatever_ring_is_drawn_is_valid_or_refused(places: list[tuple[float, float]]) -> None:
    text = " ".join(f"{latitude!r} {longitude!r}" for latitude, longitude in places)
    try:
        area, bbox = drawn(read_ring(text, "here"))
    except BadInput:
        return
    assert area.is_valid
    assert not area.is_empty
    assert -180 <= area.bounds[0] <= area.bounds[2] <= 180
    assert Box.parse(bbox).geometry().buffer(1e-5).covers(area)
