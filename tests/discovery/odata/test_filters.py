"""Filters as archives are asked them: what they hold for, without a server between."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.discovery.odata.asked.conditions import Condition
from cscale.discovery.odata.asked.filters import Filter
from cscale.discovery.odata.asked.places import parts_of
from cscale.discovery.odata.csc import Csc
from cscale.discovery.odata.dhus import Dhus
from cscale.discovery.odata.products import item_of
from cscale.discovery.opensearch.solr import Solr
from cscale.errors import BadInput
from cscale.stac.cql2 import compile_filter, parse
from cscale.stac.geometry import Box, planar
from cscale.testing.searches import boxes
from tests.discovery.odata.archive import as_hub
from tests.discovery.odata.drawn import filters, records
from tests.discovery.odata.language import Record, parsed
from tests.discovery.opensearch.archive import entry, solr

FORMS: dict[str, tuple[Any, Callable[[Record], Any], Callable[[str], Callable[[Record], bool]]]] = {
    "csc": (Csc(), lambda record: record, lambda text: parsed(text, version=4)),
    "dhus": (Dhus(), as_hub, lambda text: parsed(text, version=2)),
    "solr": (Solr(), entry, solr),
}
ENDED = {"csc": ("", ".SAFE", ".zip"), "dhus": ("",), "solr": ("",)}


def compared(form: str, held: Sequence[Record], expression: Any) -> tuple[Condition, int]:
    """Check what a filter becomes against what it means; the condition, and for how many it holds."""
    site, told, language = FORMS[form]
    matches = compile_filter(expression)
    condition = site.words.filter(expression, Filter(site, site.properties).leaf)
    test = language(condition.text) if isinstance(condition.text, str) else lambda _: condition.text
    number = 0
    for record in held:
        read = site.record(msgspec.Raw(msgspec.json.encode(told(record))))
        try:
            item = item_of(site.product(read, "https://a.test", ()))
        except BadInput:  # a product whose name does not tell this archive's collection
            continue
        wanted, found = matches(item) is True, test(record)
        assert found or not wanted, f"{condition} loses {item}"
        assert wanted or not condition.exact or not found, f"{condition} is not exact: {item}"
        number += found
    return condition, number


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=250)
@given(st.data(), filters())
def test_what_a_filter_becomes_holds_wherever_the_filter_does(
    form: str, data: st.DataObject, expression: Any
) -> None:
    compared(form, data.draw(records(ENDED[form])), expression)


def record(**values: Any) -> Record:
    types = {str: "String", int: "Integer", float: "Double"}
    attributes = [
        {"@odata.type": f"#OData.CSC.{types[type(value)]}Attribute", "Name": name, "Value": value}
        for name, value in values.items()
    ]
    times = "2020-08-08T01:03:11.024000Z"
    return {
        "Id": "05edf2bb-d103-49f1-a677-9e474138d84f",
        "Name": "S2A_MSIL1C_x",
        "S3Path": "/eodata/Sentinel-2/x",
        "ContentDate": {"Start": times, "End": times},
        "PublicationDate": times,
        "ModificationDate": times,
        "GeoFootprint": None,
        "Attributes": attributes,
        "Assets": [],
    }


HELD = [
    record(),
    *(record(cloudCover=value) for value in (0.0, 9.5, 10.0, 10.5, 100.0, 101.0)),
    *(record(relativeOrbitNumber=value) for value in (1, 9, 10, 11, 0)),
    *(record(orbitDirection=value) for value in ("ASCENDING", "DESCENDING", "sideways")),
    *(record(polarisationChannels=value) for value in ("VV", "VV&VH", "HH")),
    *(record(cloudCover=5.0, orbitDirection="ASCENDING"), ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("eo:cloud_cover < 10", 3),
        ("10 > eo:cloud_cover", 3),
        ("10 < eo:cloud_cover", 2),
        ("eo:cloud_cover <= 10", 4),
        ("NOT eo:cloud_cover > 10", 4),
        ("eo:cloud_cover <> 10", 5),
        ("NOT eo:cloud_cover = 10", 5),
        ("eo:cloud_cover BETWEEN 9.5 AND 10.5", 3),
        ("NOT eo:cloud_cover BETWEEN 9.5 AND 10.5", 3),
        ("eo:cloud_cover IN (10, 100)", 2),
        ("NOT eo:cloud_cover IN (10, 100)", 4),
        ("sat:relative_orbit < 10", 2),
        ("sat:relative_orbit < 10.5", 3),
        ("sat:relative_orbit > 9.5", 2),
        ("sat:relative_orbit = 9.5", 0),
        ("sat:relative_orbit <> 9.5", 4),
        ("sat:orbit_state <> 'ascending'", 1),
        ("NOT sat:orbit_state = 'descending'", 2),
        ("a_contains(sar:polarizations, ('VV'))", 2),
        ("NOT a_contains(sar:polarizations, ('VV'))", 1),
        ("eo:cloud_cover < 10 AND sat:orbit_state = 'ascending'", 1),
        ("NOT (eo:cloud_cover >= 10 OR sat:orbit_state = 'descending')", 1),
        ("NOT (eo:cloud_cover >= 10 AND sat:orbit_state = 'ascending')", 4),
        ("platform = 'sentinel-2a'", len(HELD)),
        ("NOT platform <> 'sentinel-2a'", len(HELD)),
        ("published > TIMESTAMP('2020-08-08T01:03:11.023Z')", len(HELD)),
        ("datetime < TIMESTAMP('2020-08-08T01:03:11.024Z')", 0),
        ("id = 'S2A_MSIL1C_x'", len(HELD)),
        ("id LIKE 'S2A%'", len(HELD)),
    ],
)
def test_what_the_archive_can_tell_it_is_asked_exactly(text: str, number: int) -> None:
    condition, found = compared("csc", HELD, parse(text, "cql2-text"))
    assert condition.exact
    assert found == number


@pytest.mark.parametrize(
    "text",
    [
        "title = 'x'",
        "eo:cloud_cover IS NULL",
        "product:type LIKE 'S2%'",
        "product:type <> 'S2MSI1C'",
        "eo:cloud_cover + 1 < 10",
        "eo:cloud_cover < sat:relative_orbit",
        "CASEI(product:type) = CASEI('s2msi1c')",
        "published = '2020-08-08T01:03:11.024000Z'",
        "NOT S_INTERSECTS(geometry, POINT(0 0))",
        "id LIKE '%.SA%'",
        "eo:cloud_cover < 10 AND title = 'x'",
        "eo:cloud_cover < 10 OR title = 'x'",
    ],
)
def test_what_the_archive_cannot_tell_is_left(text: str) -> None:
    condition, _ = compared("csc", HELD, parse(text, "cql2-text"))
    assert not condition.exact


@given(boxes())
def test_an_area_is_asked_for_in_parts_that_hold_it_and_a_margin(box: Box) -> None:
    area = box.geometry()
    parts = parts_of(area)
    if parts is None:
        assert shapely.area(area) > 0.9 * 360 * 180
        return
    assert 0 < len(parts) <= 12
    together = shapely.union_all(parts)
    assert together.covers(area)
    for west, south, east, north in (part.bounds for part in parts):
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
        assert east - west < 100
    assert together.distance(shapely.Point(box.west, box.south)) == 0


def test_an_area_at_the_antimeridian_is_asked_for_on_both_sides() -> None:
    parts = parts_of(Box.parse([179, 0, 180, 1]).geometry())
    assert parts is not None
    assert sorted(round(part.bounds[0]) for part in parts) == [-180, 179]


def test_an_area_of_many_corners_is_asked_for_by_few() -> None:
    island = shapely.Point(10, 50).buffer(3, quad_segs=500)
    parts = parts_of(planar(msgspec.json.decode(shapely.to_geojson(island))))
    assert parts is not None
    assert sum(len(shapely.get_coordinates(part)) for part in parts) < 200
    assert shapely.union_all(parts).covers(island)
