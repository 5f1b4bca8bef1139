"""Copies of one product as one item, collections of one name as one; whatever shape they come in."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.discovery.hub.merging.joining import (
    ALTERNATE_ASSETS,
    Answered,
    Held,
    merged,
    prefixed,
    shown_item,
)
from cscale.stac.items import STRUCTURAL, read_body


def held(site: str, assets: Any = None, item_id: str = "own", **members: Any) -> Held:
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "collection": "S2",
        "geometry": None,
        "properties": {"site": site},
        "links": [],
        "assets": assets or {},
    }
    raw = msgspec.Raw(msgspec.json.encode(item | members))
    return Held(site, site.title(), "S2", item_id, f"http://{site}.test/S2/{item_id}", raw)


def joined(*copies: Held) -> dict[str, Any]:
    item = shown_item("P", "sentinel-2-l2a", copies)
    assert (item.id, item.collection) == ("P", "sentinel-2-l2a")
    return read_body(item.body)


def file(href: str, **members: Any) -> dict[str, Any]:
    return {"href": href, **members}


def test_an_item_is_the_preferred_copys_under_the_federations_names() -> None:
    item = joined(held("alpha", item_id="a"), held("beta", item_id="b"))
    assert (item["id"], item["collection"]) == ("P", "sentinel-2-l2a")
    assert item["properties"] == {"site": "alpha"}
    assert item["federation:sites"] == [
        {"site": "alpha", "collection": "S2", "id": "a"},
        {"site": "beta", "collection": "S2", "id": "b"},
    ]
    assert [(link["rel"], link["href"], link["title"]) for link in item["links"]] == [
        ("alternate", "http://alpha.test/S2/a", "This item at Alpha"),
        ("alternate", "http://beta.test/S2/b", "This item at Beta"),
    ]


def test_other_copies_assets_are_alternates_by_key() -> None:
    ours = file("http://alpha.test/red.tif", **{"file:size": 1})
    theirs = file("http://beta.test/r.tif", **{"file:size": 2, "file:checksum": "1220", "raster:bands": []})
    item = joined(held("alpha", {"red": ours}), held("beta", {"red": theirs}))
    alternate = {
        "href": "http://beta.test/r.tif",
        "file:size": 2,
        "file:checksum": "1220",
        "alternate:name": "Beta",
    }
    assert item["assets"] == {"red": {**ours, "alternate": {"beta": alternate}}}
    assert item["stac_extensions"] == [ALTERNATE_ASSETS]


@pytest.mark.parametrize("member", ["bands", "eo:bands"])
def test_other_copies_assets_are_alternates_by_their_only_band(member: str) -> None:
    ours = {"red": file("http://alpha.test/1.tif", bands=[{"name": "B04"}]), "nir": file("2.tif")}
    theirs = {"B04_10m": file("http://beta.test/x.jp2", **{member: [{"name": "B04"}]})}
    assets = joined(held("alpha", ours), held("beta", theirs))["assets"]
    assert assets.keys() == ours.keys()
    assert assets["red"]["alternate"]["beta"]["href"] == "http://beta.test/x.jp2"


def test_other_copies_assets_are_alternates_by_file_name() -> None:
    ours = {"metadata": file("http://alpha.test/a/MTD.xml?signed=1")}
    theirs = {"product_metadata": file("https://beta.test/b/c/MTD.xml")}
    assets = joined(held("alpha", ours), held("beta", theirs))["assets"]
    assert list(assets) == ["metadata"]
    assert assets["metadata"]["alternate"]["beta"]["href"] == "https://beta.test/b/c/MTD.xml"


def test_a_band_at_two_resolutions_is_matched_by_neither() -> None:
    red = [{"name": "B04"}]
    two = {"B04_10m": file("10.tif", bands=red), "B04_20m": file("20.tif", bands=red)}
    one = {"red": file("http://beta.test/red.tif", bands=red)}
    assets = joined(held("alpha", two), held("beta", one))["assets"]
    assert assets == two | {"red": one["red"] | {"federation:site": "beta"}}
    assets = joined(held("beta", one), held("alpha", two))["assets"]
    assert assets == one | {key: asset | {"federation:site": "alpha"} for key, asset in two.items()}


def test_an_asset_of_the_same_key_goes_before_one_of_the_same_band() -> None:
    red = [{"name": "B04"}]
    theirs = {"other": file("http://beta.test/other", bands=red), "red": file("http://beta.test/red")}
    assets = joined(held("alpha", {"red": file("1.tif", bands=red)}), held("beta", theirs))["assets"]
    assert assets["red"]["alternate"]["beta"]["href"] == "http://beta.test/red"
    assert assets["other"] == theirs["other"] | {"federation:site": "beta"}


def test_an_asset_that_the_preferred_copy_lacks_is_added_and_its_site_named() -> None:
    copies = [
        held("alpha", {"red": file("1")}),
        held("beta", {"nir": file("2")}),
        held("gamma", {"nir": file("3")}),
    ]
    assets = joined(*copies)["assets"]
    assert assets["nir"]["federation:site"] == "beta"
    assert assets["nir"]["alternate"]["gamma"]["href"] == "3"
    assert "alternate" not in assets["red"]


def test_a_site_that_holds_a_product_twice_shows_both_copies_assets() -> None:
    copies = [
        held(site, {"red": file(href)}, item_id=href)
        for site, href in (("alpha", "1"), ("beta", "2"), ("beta", "3"))
    ]
    alternates = joined(*copies)["assets"]["red"]["alternate"]
    assert {name: each["href"] for name, each in alternates.items()} == {"beta": "2", "beta:3": "3"}


def test_a_single_copys_assets_are_passed_on_as_they_came() -> None:
    assets = {"red": file("a\u2028.tif", strange=[1, 1.0, None])}
    item = joined(held("alpha", assets))
    assert item["assets"] == assets
    assert "stac_extensions" not in item


def inner_hub() -> Held:
    """A copy at a hub, which holds it at alpha and at beta."""
    places = [{"site": site, "collection": "S2", "id": f"{site} id"} for site in ("alpha", "beta")]
    assets = {
        "red": file("http://alpha.test/red", alternate={"beta": {"href": "http://beta.test/red"}}),
        "nir": file("http://beta.test/nir", **{"federation:site": "beta"}),
    }
    return held("inner", assets, "P", **{"federation:sites": places})


def test_the_sites_of_a_nested_hub_are_named_by_their_way() -> None:
    item = joined(inner_hub())
    assert [place["site"] for place in item["federation:sites"]] == ["inner/alpha", "inner/beta"]
    assert [place["id"] for place in item["federation:sites"]] == ["alpha id", "beta id"]
    assert item["assets"]["nir"]["federation:site"] == "inner/beta"
    assert list(item["assets"]["red"]["alternate"]) == ["inner/beta"]


def test_a_nested_hubs_alternates_stay_alternates() -> None:
    item = joined(held("gamma", {"red": file("http://gamma.test/red")}), inner_hub())
    assert [place["site"] for place in item["federation:sites"]] == ["gamma", "inner/alpha", "inner/beta"]
    hrefs = {name: each["href"] for name, each in item["assets"]["red"]["alternate"].items()}
    assert hrefs == {"inner": "http://alpha.test/red", "inner/beta": "http://beta.test/red"}
    assert item["assets"]["nir"]["federation:site"] == "inner/beta"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a/b", "http://[", "1.tif"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "name", "href"]), inner)
    ),
    max_leaves=4,
)
ASSETS = st.dictionaries(
    st.sampled_from(["red", "nir"]),
    st.dictionaries(
        st.sampled_from(["href", "bands", "eo:bands", "alternate", "federation:site", "type"]), JSON
    ),
)
LINKS = JSON | st.lists(st.dictionaries(st.sampled_from(["rel", "href"]), JSON | st.just("self")))


@given(st.lists(st.tuples(ASSETS, LINKS, JSON, JSON), min_size=1, max_size=3))
def test_hostile_shapes_join_to_an_item_all_the_same(drawn: list[tuple[Any, ...]]) -> None:
    copies = [
        held(site, assets, **{"links": links, "federation:sites": places, "stac_extensions": extensions})
        for site, (assets, links, places, extensions) in zip(("alpha", "beta", "gamma"), drawn, strict=False)
    ]
    item = joined(*copies)
    assert {key for assets, *_ in drawn for key in assets} == item["assets"].keys()
    assert not STRUCTURAL & {str(link.get("rel")) for link in item["links"]}
    assert {place["site"].partition("/")[0] for place in item["federation:sites"]} == {
        each.site for each in copies
    }


def answered(site: str, **members: Any) -> Answered:
    return site, site.title(), {"type": "Collection", "id": "S2", **members}, f"http://{site}.test/S2"


def extent(box: list[float], start: str | None, end: str | None) -> dict[str, Any]:
    return {"spatial": {"bbox": [box]}, "temporal": {"interval": [[start, end]]}}


def test_a_merged_collection_spans_its_members() -> None:
    one = answered(
        "alpha",
        title="",
        description="Ours",
        license="CC0-1.0",
        keywords=["a"],
        summaries={"gsd": [10], "cloud": {"minimum": 0, "maximum": 5}},
        extent=extent([0, 0, 10, 10], "2015-01-01T00:00:00Z", "2018-01-01T00:00:00Z"),
    )
    other = answered(
        "beta",
        title="Theirs",
        license="MIT",
        keywords=["b", "a"],
        summaries={"gsd": [20, 10], "cloud": {"minimum": -1, "maximum": 3}},
        extent=extent([-5, 5, -9, 5, 20, 9], "2016-01-01T00:00:00+01:00", None),
    )
    collection = merged("sentinel-2-l2a", [one, other])
    assert (collection["id"], collection["title"], collection["description"]) == (
        "sentinel-2-l2a",
        "Theirs",
        "Ours",
    )
    assert collection["license"] == "various"
    assert collection["extent"] == extent([-5, 0, 10, 20], "2015-01-01T00:00:00Z", None)
    assert collection["keywords"] == ["a", "b"]
    assert collection["summaries"] == {"gsd": [10, 20], "cloud": {"minimum": -1, "maximum": 5}}
    assert collection["federation:backends"] == ["alpha", "beta"]
    assert [link["href"] for link in collection["links"]] == ["http://alpha.test/S2", "http://beta.test/S2"]


@pytest.mark.parametrize("box", [[170, -10, -170, 10], [0, 0, "1", 1], [True, 0, 1, 1], [0, 0, 1], None])
def test_a_box_that_cannot_be_united_is_the_world(box: Any) -> None:
    body = answered("alpha", extent={"spatial": {"bbox": [box]}})
    assert merged("c", [body])["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]


MEMBERS = ["title", "license", "keywords", "providers", "links", "extent", "summaries", "type"]
EXTENT = st.fixed_dictionaries(
    {
        "spatial": JSON | st.fixed_dictionaries({"bbox": st.lists(JSON)}),
        "temporal": JSON | st.fixed_dictionaries({"interval": st.lists(JSON | st.lists(JSON))}),
    }
)


@given(st.lists(st.dictionaries(st.sampled_from(MEMBERS), JSON | LINKS | EXTENT), min_size=1, max_size=3))
def test_hostile_collections_merge_all_the_same(bodies: list[dict[str, Any]]) -> None:
    members = [answered(site, **body) for site, body in zip(("alpha", "beta", "gamma"), bodies, strict=False)]
    collection = merged("c", members)
    assert msgspec.json.encode(collection)
    assert len(collection["extent"]["spatial"]["bbox"][0]) == 4
    assert len(collection["extent"]["temporal"]["interval"][0]) == 2
    for member in members:
        own = prefixed(f"{member[0]}|S2", member)
        assert own["id"] == f"{member[0]}|S2"
        assert own["links"][-1]["href"] == member[3]
