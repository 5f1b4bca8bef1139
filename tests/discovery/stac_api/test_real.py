"""What real archives have answered, read from a socket."""

import json
from pathlib import Path
from typing import Any

import pytest

from cscale.errors import SiteError
from cscale.identity import ANONYMOUS
from cscale.stac.items import item_geometry, item_times
from cscale.stac.search import SearchRequest, from_json
from tests.discovery.stac_api.members import CORE, SORT, member, searches, site
from tests.scripted import answer

DATA = Path("../shared/data/discovery")
ANSWERS = {
    "stac_search_responses/earthsearch_TestCLISearch.test_filter_inprocess__1.json": (10, 115912757),
    "stac_search_responses/earthsearch_TestCLISearch.test_filter_inprocess__2.json": (10, 115912758),
    "stac_search_responses/planetary_TestItemSearch.test_results_1.json": (10, None),
    "stac_search_responses/planetary_TestItemSearch.test_results_2.json": (10, None),
    "eodc/items.json": (10, 1986116),
    "eodag/earth_search_search.json": (1, 25898765),
    "eodag/geodes_search.json": (1, 37273723),
    "pystac_client/sample-item-collection.json": (10, 324132),
}


def told_by(name: str) -> Any:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    told = json.loads(path.read_text())
    return told.get("response", told)


def local(told: Any) -> Any:
    """An answer with the address of the next page at the site under test."""
    for link in told["links"]:
        if link["rel"] == "next":
            link["href"] = "/stac/" + link["href"].split("/stac/")[-1].removeprefix("v1/").split("/v1/")[-1]
    return told


@pytest.mark.parametrize("name", ANSWERS)
async def test_it_is_read_whole(name: str) -> None:
    told = local(told_by(name))
    async with member(site([*CORE, *SORT], lambda _: answer(told))) as (source, _):
        page = await source.search(ANONYMOUS, SearchRequest(), None)
    count, matched = ANSWERS[name]
    assert (len(page.features), page.rejected, page.matched) == (count, 0, matched)
    for raw, item in zip(page.features, told["features"], strict=True):
        read = json.loads(bytes(raw))
        assert read["stac_version"].startswith("1.")
        assert "-" not in read["stac_version"]
        assert read["collection"] == item["collection"]
        assert read["properties"] == item["properties"]
        assert read["assets"] == item["assets"]
        assert item_times(read)[0] is not None
        assert item_geometry(read) is not None


async def test_earth_searchs_next_page_is_asked_for_as_it_says() -> None:
    told = local(told_by("stac_search_responses/earthsearch_TestCLISearch.test_filter_inprocess__1.json"))
    async with member(site([*CORE, *SORT], lambda _: answer(told))) as (source, server):
        page = await source.search(ANONYMOUS, from_json({"collections": ["a"]}), None)
        with pytest.raises(SiteError, match="came before"):  # it gives the one page that it has
            await source.search(ANONYMOUS, from_json({"collections": ["a"]}), page.token)
    real = json.loads(
        (DATA / "stac_search_responses/earthsearch_TestCLISearch.test_filter_inprocess__2.json").read_text()
    )
    assert searches(server)[1].json == json.loads(real["request"]["body"])


async def test_planetary_computers_next_page_is_asked_for_by_its_token() -> None:
    told = local(told_by("stac_search_responses/planetary_TestItemSearch.test_results_1.json"))
    async with member(site([*CORE, *SORT], lambda _: answer(told))) as (source, server):
        page = await source.search(ANONYMOUS, from_json({"collections": ["naip"]}), None)
        with pytest.raises(SiteError, match="came before"):  # it gives the one page that it has
            await source.search(ANONYMOUS, from_json({"collections": ["naip"]}), page.token)
    real = json.loads(
        (DATA / "stac_search_responses/planetary_TestItemSearch.test_results_2.json").read_text()
    )
    assert page.token is not None
    assert page.token.startswith("t:next:naip:")
    assert searches(server)[1].json.items() >= json.loads(real["request"]["body"]).items()


async def test_old_items_of_a_real_archive_become_proper() -> None:
    told = told_by("eodag/stac_singlefile.json")
    for item in told["features"]:
        item |= {"stac_version": "0.9.0", "stac_extensions": ["eo", "view", "proj"]}
        item["links"] = [{"rel": "self", "href": f"https://a.test/stac/collections/x/items/{item['id']}"}]
        item.pop("bbox", None)
        collection = item.pop("collection")
        item["links"].append({"rel": "collection", "href": f"https://a.test/stac/collections/{collection}"})
    async with member(site(CORE, lambda _: answer({"features": told["features"]}))) as (source, _):
        page = await source.search(ANONYMOUS, SearchRequest(), None)
    assert page.rejected == 0
    for raw in page.features:
        read = json.loads(bytes(raw))
        assert read["collection"].startswith("sentinel-2")
        assert len(read["bbox"]) == 4
        assert len(read["stac_extensions"]) == 3
        assert "eo:cloud_cover" in read["properties"]


async def test_planetary_computers_landing_page_claims_to_search() -> None:
    landing = told_by("pystac_client/planetary-computer-root.json")

    def respond(request: Any) -> bytes:
        return answer(landing) if request.path == "/stac/" else answer({"features": []})

    async with member(respond) as (source, server):
        page = await source.search(
            ANONYMOUS, from_json({"q": "x", "filter": {"op": "isNull", "args": [{"property": "a"}]}}), None
        )
    assert page.left == {"q", "filter"}
    assert searches(server)[0].json == {"limit": 10}
