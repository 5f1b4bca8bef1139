"""What a described archive is asked for."""

import pytest

from cscale.discovery.opensearch.description import read_description
from cscale.discovery.opensearch.query import parameters_of
from cscale.stac.search import from_json
from tests.discovery.opensearch.archive import Archive

ADDRESS = "https://archive.test/os/description.xml"


def asked(body: dict[str, object], **form: object) -> tuple[dict[str, str], frozenset[str]]:
    template = read_description(Archive([], **form).description.encode(), ADDRESS)  # type: ignore[arg-type]
    parameters, left = parameters_of(from_json(body), template)
    return dict(parameters), left


def test_a_description_tells_how_the_site_is_asked() -> None:
    template = read_description(Archive([]).description.encode(), ADDRESS)
    assert template.url == "https://archive.test/search"
    assert template.fixed == (("lang", "en"),)
    assert template.names == {
        "count": "n",
        "time:start": "from",
        "time:end": "to",
        "geo:geometry": "g",
        "geo:box": "b",
        "eo:cloudCover": "cc",
        "startIndex": "startIndex",
    }
    assert template.title == "Mine"


def test_prefixes_and_further_parameters_are_read_as_the_description_declares_them() -> None:
    body = b"""<os:OpenSearchDescription xmlns:os="http://a9.com/-/spec/opensearch/1.1/"
      xmlns:p="http://a9.com/-/spec/opensearch/extensions/parameters/1.0/"
      xmlns:when="http://a9.com/-/opensearch/extensions/time/1.0/"
      xmlns:earth="http://a9.com/-/opensearch/extensions/eo/1.0/">
      <os:Url type="application/atom+xml" template="https://archive.test/atom?a={when:start}"/>
      <os:Url type="application/json" indexOffset="0" rel="results"
        template="https://archive.test/os?f=json&amp;dtstart={when:start?}">
        <p:Parameter name="c" value="{count?}" maxInclusive="500"/>
        <p:Parameter name="pi" value="{earth:parentIdentifier}">
          <p:Option value="EO:1"/><p:Option value="EO:2"/></p:Parameter></os:Url>
      <os:Url type="application/json" rel="collection" template="https://archive.test/no"/>
    </os:OpenSearchDescription>"""
    template = read_description(body, ADDRESS)
    assert (template.url, template.media) == ("https://archive.test/os", "application/json")
    assert template.names == {"time:start": "dtstart", "count": "c", "eo:parentIdentifier": "pi"}
    assert (template.first, template.most, template.collections) == ((0, 1), 500, ("EO:1", "EO:2"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("eo:cloud_cover <= 10", "[0,10]"),
        ("10 >= eo:cloud_cover", "[0,10]"),
        ("eo:cloud_cover > 20", "[20,100]"),
        ("20 < eo:cloud_cover AND eo:cloud_cover < 30 AND gsd = 5", "[20,30]"),
        ("eo:cloud_cover BETWEEN 5 AND 7.5", "[5,7.5]"),
        ("eo:cloud_cover = 5", "[5,5]"),
        ("eo:cloud_cover < 10 OR gsd = 5", None),
        ("NOT eo:cloud_cover < 10", None),
        ("eo:cloud_cover < gsd", None),
        ("eo:cloud_cover <> 10", None),
    ],
)
def test_cloud_cover_is_asked_for_where_a_filter_bounds_it(text: str, wanted: str | None) -> None:
    parameters, left = asked({"filter": text, "filter-lang": "cql2-text"})
    assert parameters.get("cc") == wanted
    assert "filter" in left


def test_a_stretch_of_time_is_asked_for_with_a_day_around() -> None:
    parameters, left = asked({"datetime": "2020-01-02T00:00:00Z/2020-01-03T00:00:00Z"})
    assert (parameters["from"], parameters["to"]) == ("2020-01-01T00:00:00.000Z", "2020-01-04T00:00:00.000Z")
    assert left == {"datetime", "sortby"}


def test_a_place_is_asked_for_in_one_part_or_by_the_box_around() -> None:
    parameters, _ = asked({"bbox": [10, 45, 11, 46]})
    assert parameters["g"].startswith("POLYGON ((")
    parameters, _ = asked({"bbox": [-100, 45, 100, 46]})
    assert parameters["b"] == "-100.1500,44.8500,100.1500,46.1500"
    parameters, left = asked({"bbox": [-180, -90, 180, 90]})
    assert not parameters.keys() & {"b", "g"}
    assert "bbox" in left


@pytest.mark.parametrize(
    ("sortby", "sorts", "wanted"),
    [
        ([{"field": "datetime", "direction": "desc"}], True, "start,time,0"),
        ([{"field": "datetime", "direction": "asc"}], True, "start,time,1"),
        ([{"field": "datetime", "direction": "asc"}], False, None),
        ([{"field": "id", "direction": "asc"}], True, None),
        ([{"field": "datetime", "direction": "asc"}, {"field": "id", "direction": "asc"}], True, None),
    ],
)
def test_an_order_by_time_is_asked_for_where_the_site_sorts(sortby: object, sorts: bool, wanted: str) -> None:
    parameters, left = asked({"sortby": sortby}, sorts=sorts)
    assert parameters.get("sort") == wanted
    assert ("sortby" in left) is (wanted is None)
