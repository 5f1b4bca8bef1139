"""Items of any age and quality: what becomes of them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.stac_api.mending import mended
from tests.discovery.stac_api.members import item, searched

ADDRESS = "http://a.test/stac/search"
GOOD = item()


def mend(told: Any, asked: tuple[str, ...] = ()) -> Any:
    raw = msgspec.Raw(json.dumps(told).encode())
    found = mended(raw, asked, ADDRESS)
    return None if found is None else msgspec.json.decode(found)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name not in names}


@pytest.mark.parametrize(
    "told",
    [
        GOOD,
        item(stac_version="1.1.0"),
        item(stac_version="9"),
        item(geometry=None, bbox=None),
        item(geometry={"type": "Polygon", "coordinates": [[[0, 0, 5.5], [1, 0, 5], [1, 1, 5], [0, 0, 5.5]]]}),
        item(
            geometry={"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [0, 1]}]}
        ),
        {**without("bbox"), "geometry": None},
        item(properties={"datetime": None, "start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "x"}),
        item(strange={"a": [1, 2**70, 1.0]}, assets={}),
        item(links=[{"rel": "x", "href": "https://a.test"}, 5]),
        item(assets={"a": {"href": "s3://b/c"}, "b": {"href": "urn:x:y"}}),
    ],
)
def test_what_needs_no_mending_stays_the_bytes_that_came(told: Any) -> None:
    for spaces in (None, 3):
        raw = msgspec.Raw(json.dumps(told, indent=spaces).encode())
        assert mended(raw, (), ADDRESS) is raw


@pytest.mark.parametrize("number", [b"1.50", b"1e400", b"123456789012345678901234567890.10"])
def test_what_is_not_mended_of_an_item_stays_as_it_came(number: bytes) -> None:
    told = json.dumps(without("links") | {"strange": 77, "assets": {"a": {"href": "b", "n": 1}}}).encode()
    found = mended(msgspec.Raw(told.replace(b"77", number)), (), ADDRESS)
    assert found is not None
    assert number in bytes(found)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (without("links"), {"links": []}),
        (without("assets"), {"assets": {}}),
        (without("type"), {"type": "Feature"}),
        (without("geometry"), {"geometry": None}),
        (without("bbox"), {"bbox": [1.0, 2.0, 1.0, 2.0]}),
        (item(bbox=None), {"bbox": [1.0, 2.0, 1.0, 2.0]}),
        (without("stac_version"), {"stac_version": "1.0.0", "stac_extensions": []}),
        (
            item(stac_version="0.9.0", stac_extensions=["eo", "https://x.test/y", "odd", 5]),
            {
                "stac_version": "1.0.0",
                "stac_extensions": [
                    "https://stac-extensions.github.io/eo/v1.0.0/schema.json", "https://x.test/y",
                ],
            },
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_filled_in(told: Any, expected: dict[str, Any]) -> None:
    assert mend(told) == {**told, **expected}


def test_a_missing_collection_is_told_by_a_link_or_is_the_only_one_asked_for() -> None:
    linked = without("collection") | {"links": [{"rel": "collection", "href": "../../a%20b"}]}
    assert mend(linked, ("c", "d")) is None
    linked["links"] = [{"rel": "collection", "href": "https://x.test/stac/collections/a%20b"}]
    assert mend(linked, ("c", "d"))["collection"] == "a b"
    assert mend(without("collection"), ("c",))["collection"] == "c"
    assert mend(item(collection=None), ("c",))["collection"] == "c"
    assert mend(without("collection"), ("c", "d")) is None
    assert mend(without("collection")) is None


def test_relative_addresses_become_absolute() -> None:
    assets = {"a": {"href": "../data/a.tif", "x": 1}, "b": {"href": "//files.test/b"}, "c": {"href": "/c"},
              "d": {"href": "https://d.test/"}, "e": {}}  # fmt: skip
    links = [{"rel": "self", "href": "collections/c/items/a"}, {"rel": "x", "href": "y"}, {"rel": "z"}]
    found = mend(item(assets=assets, links=links))
    assert [each.get("href") for each in found["links"]] == [
        "http://a.test/stac/collections/c/items/a",
        "http://a.test/stac/collections/c/items/y",
        None,
    ]
    assert [each.get("href") for each in found["assets"].values()] == [
        "http://a.test/stac/collections/c/data/a.tif",
        "http://files.test/b",
        "http://a.test/c",
        "https://d.test/",
        None,
    ]
    assert found["assets"]["a"]["x"] == 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        [],
        {},
        "x",
        item(type="Item"),
        item(id=""),
        item(id=5),
        item(collection=5),
        item(properties=None),
        item(properties=[]),
        item(properties={}),
        item(properties={"datetime": None, "start_datetime": None}),
        item(properties={"datetime": 5}),
        item(links={}),
        item(assets=[]),
        item(assets=None),
        item(geometry=5),
        item(geometry={}),
        item(geometry={"type": "Blob", "coordinates": [1.0, 2.0]}),
        item(geometry={"type": "Point"}),
        item(geometry={"type": "Polygon", "coordinates": "here"}),
        item(geometry={"type": "Polygon", "coordinates": [[["0", "1"]]]}),
        without("properties"),
        without("id"),
        without("type", "geometry"),
    ],
)
async def test_what_cannot_be_an_item_is_left_out_and_counted(bad: Any) -> None:
    page = await searched({"features": [GOOD, bad, GOOD]})
    assert (len(page.features), page.rejected) == (2, 1)


async def test_an_item_that_is_hostile_harms_no_other() -> None:
    deep = b'{"type":"Feature","links":' + b"[" * 900 + b"]" * 900 + b"}"
    body = b'{"features":[' + json.dumps(GOOD).encode() + b"," + deep + b"]}"
    page = await searched(body)
    assert (len(page.features), page.rejected) == (1, 1)


parts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.sampled_from(["../x", "//[", "http://[", "Feature", "2020-01-01T00:00:00Z"]),
    lambda some: st.lists(some, max_size=3)
    | st.dictionaries(st.sampled_from(["rel", "href", "type", "coordinates", "datetime", "a"]), some),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*GOOD, "stac_extensions"]), parts), st.booleans())
def test_whatever_comes_is_a_proper_item_or_none(odd: dict[str, Any], whole: bool) -> None:
    try:
        told = json.dumps({**(GOOD if whole else {}), **odd}).encode()
    except UnicodeEncodeError:
        return
    found = mended(msgspec.Raw(told), ("c",), ADDRESS)
    if found is not None:
        read = json.loads(bytes(found))
        assert read["type"] == "Feature"
        assert all(isinstance(read[name], str) and read[name] for name in ("id", "collection"))
        assert isinstance(read["properties"], dict)
        assert isinstance(read["links"], list)
        assert isinstance(read["assets"], dict)
        again = mended(found, ("c",), ADDRESS)
        assert again is not None
        assert json.loads(bytes(again)) == read
