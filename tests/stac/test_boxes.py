"""Boxes, against shapely on a map that runs on beyond the antimeridian."""

import math

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import BadRequest
from cscale.stac.geometry import Box

quarters = st.integers(-540 * 4, 540 * 4).map(lambda quarter: quarter / 4)  # exact in binary
latitudes = st.integers(-89 * 4, 89 * 4).map(lambda quarter: quarter / 4)
heights = st.floats(-1e4, 1e5)


@settings(deadline=None)
@given(quarters, st.integers(0, 360 * 4), latitudes, st.integers(0, 720), quarters, latitudes)
def test_a_box_holds_what_lies_between_its_sides_however_they_are_written(
    west: float, width: int, south: float, height: int, longitude: float, latitude: float
) -> None:
    east, north = west + width / 4, min(south + height / 4, 90)
    if east > 540:
        west, east = west - 360, east - 360
    box = Box.parse([west, south, east, north])
    at = (longitude + 180) % 360 - 180
    inside = south <= latitude <= north and any(west <= at + 360 * turns <= east for turns in range(-3, 4))
    held = [
        part[0] <= x <= part[2] and part[1] <= latitude <= part[3]
        for part in box.parts()
        for x in ({-180.0, 180.0} if at == -180 else {at})
    ]
    assert any(held) == inside
    area = shapely.union_all([shapely.MultiPoint([(p[0], p[1]), (p[2], p[3])]) for p in box.parts()])
    assert shapely.intersects(box.geometry(), area), "corners belong to the box"
    sides = [shapely.Point(x, latitude) for x in ((-180, 180) if at == -180 else (at,))]
    assert any(bool(shapely.intersects(box.geometry(), each)) for each in sides) == inside


@settings(deadline=None)
@given(st.lists(st.floats(-540, 540), min_size=2, max_size=2), st.lists(latitudes, min_size=2, max_size=2),
       st.none() | st.lists(heights, min_size=2, max_size=2))  # fmt: skip
def test_a_box_survives_being_written_and_read(
    sides: list[float], levels: list[float], layers: list[float] | None
) -> None:
    (west, east), (south, north) = sides, sorted(levels)
    bottom, top = sorted(layers) if layers else (None, None)
    numbers = [west, south, east, north] if layers is None else [west, south, bottom, east, north, top]
    box = Box.parse(numbers)
    assert Box.parse(box.numbers()) == box
    assert -180 <= box.west <= 180
    assert -180 <= box.east <= 180
    assert all(-180 <= part[0] <= part[2] <= 180 for part in box.parts())
    assert (box.bottom, box.top) == (bottom, top)


@pytest.mark.parametrize(
    ("numbers", "parts"),
    [
        ([170, -10, -170, 10], [(170, -10, 180, 10), (-180, -10, -170, 10)]),  # RFC 7946, 5.2
        ([170, -10, 190, 10], [(170, -10, 180, 10), (-180, -10, -170, 10)]),
        ([-190, -10, -170, 10], [(170, -10, 180, 10), (-180, -10, -170, 10)]),
        ([530, -10, -530, 10], [(170, -10, 180, 10), (-180, -10, -170, 10)]),
        ([-180, -90, 180, 90], [(-180, -90, 180, 90)]),
        ([0, -90, 360, 90], [(-180, -90, 180, 90)]),
        ([-540, -90, 540, 90], [(-180, -90, 180, 90)]),
        ([190, 0, 200, 1], [(-170, 0, -160, 1)]),
        ([10, 20, 10, 20], [(10, 20, 10, 20)]),
        ([180, 0, -170, 1], [(180, 0, 180, 1), (-180, 0, -170, 1)]),
        ([10, 20, -5, 11, 21, 90], [(10, 20, 11, 21)]),
    ],
)
def test_a_box_has_the_parts_of_the_standard(numbers: list[float], parts: list[tuple[float, ...]]) -> None:
    assert Box.parse(numbers).parts() == parts


@pytest.mark.parametrize(
    "numbers",
    [
        None, "", "1,2,3,4", "1234", 5, {}, {"west": 1}, True, [], [1, 2, 3], [1, 2, 3, 4, 5], [1] * 7,
        [1, 2, 3, "4"], [1, 2, 3, None], [1, 2, 3, True], [1, 2, 3, [4]], [[1, 2, 3, 4]], [1, 2, 3, 4 + 0j],
        [math.nan, 0, 1, 1], [0, 0, math.inf, 1], [0, -math.inf, 1, 1], [0, 0, 10**400, 1],
        [-(10**400), 0, 1, 1], [0, 10, 1, 5], [0, -91, 1, 0], [0, 0, 1, 90.5], [-541, 0, 1, 1],
        [0, 0, 541, 1], [0, 0, 10, 1, 1, 5], [0, 0, math.nan, 1, 1, 5], [0, 0, 0, 1, 1, None],
    ],
)  # fmt: skip
def test_a_bad_box_is_a_bad_request_that_names_the_parameter(numbers: object) -> None:
    with pytest.raises(BadRequest, match=r"^bbox: "):
        Box.parse(numbers)


def test_a_box_without_width_is_a_point_or_a_line_and_still_meets_what_is_there() -> None:
    field = shapely.box(0, 0, 20, 20)
    for numbers, kind in (
        ([10, 10, 10, 10], "Point"),
        ([10, 5, 10, 15], "LineString"),
        ([5, 9, 15, 9], "LineString"),
    ):
        area = Box.parse(numbers).geometry()
        assert area.geom_type == kind
        assert area.is_valid
        assert shapely.intersects(area, field)
        assert shapely.within(area, field)
        assert not shapely.intersects(area, shapely.box(0, 0, 4, 4))


@settings(deadline=None)
@given(st.lists(heights, min_size=2, max_size=2), st.lists(heights, min_size=2, max_size=2))
def test_heights_meet_where_they_overlap_and_what_has_none_is_everywhere(
    one: list[float], other: list[float]
) -> None:
    (bottom, top), (low, high) = sorted(one), sorted(other)
    box = Box(0, 0, 1, 1, bottom, top)
    assert box.meets_heights(low, high) == (max(bottom, low) <= min(top, high))
    assert box.meets_heights(None, None)
    assert Box(0, 0, 1, 1).meets_heights(low, high)
