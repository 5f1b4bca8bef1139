"""Collections, however a site lists them."""

import json
from pathlib import Path
from typing import Any

import pytest

from cscale.errors import SiteError
from cscale.identity import ANONYMOUS
from tests.discovery.stac_api.members import member
from tests.scripted import Request, answer

PROPER = {
    "type": "Collection",
    "stac_version": "1.0.0",
    "id": "a",
    "description": "A",
    "license": "other",
    "extent": {
        "spatial": {"bbox": [[0, 0, 1, 1]]},
        "temporal": {"interval": [[None, "2020-01-01T00:00:00Z"]]},
    },
    "links": [{"rel": "license", "href": "https://a.test/"}],
}


async def listed(told: object, path: str = "/stac/collections") -> list[Any]:
    async with member(lambda request: answer(told if request.path == path else {}, 200)) as (source, _):
        return list((await source.collections(ANONYMOUS))[0])


async def test_they_are_read_page_by_page() -> None:
    def respond(request: Request) -> bytes:
        if request.path == "/stac/collections":
            told = [{"id": "a"}, {"id": ""}, {"id": 5}, {}, 7, {"id": "a", "title": "twice"}]
            return answer({"collections": told, "links": [{"rel": "next", "href": "collections?page=2"}]})
        assert request.path == "/stac/collections?page=2"
        return answer({"collections": [{"id": "b"}], "federation:missing": ["beta"]})

    async with member(respond) as (source, _):
        found, missing = await source.collections(ANONYMOUS)
    assert ([each["id"] for each in found], missing) == (["a", "b"], ["beta"])
    assert "title" not in found[0]


async def test_a_list_without_end_is_given_up() -> None:
    def respond(request: Request) -> bytes:
        number = int(request.path.partition("page=")[2] or 1)
        links = [{"rel": "next", "href": f"?page={number + 1}"}]
        return answer({"collections": [{"id": "a"}], "links": links})

    async with member(respond) as (source, server):
        with pytest.raises(SiteError, match="more than 100 pages"):
            await source.collections(ANONYMOUS)
    assert len([each for each in server.asked if "search" in each.path or "collections" in each.path]) <= 100


async def test_a_list_that_leads_to_itself_is_given_up() -> None:
    endless = {"collections": [PROPER], "links": [{"rel": "next", "href": "/stac/collections"}]}
    with pytest.raises(SiteError, match="one before it"):
        await listed(endless)


async def test_a_proper_one_stays_as_it_is() -> None:
    assert await listed({"collections": [PROPER]}) == [PROPER]


async def test_a_bare_list_is_one() -> None:
    assert await listed([PROPER]) == [PROPER]


@pytest.mark.parametrize(
    ("extent", "box", "span"),
    [
        (None, [-180, -90, 180, 90], [None, None]),
        ({}, [-180, -90, 180, 90], [None, None]),
        ({"spatial": [0, 1, 2, 3], "temporal": ["2020-01-01T00:00:00Z", None]}, [0, 1, 2, 3],
         ["2020-01-01T00:00:00Z", None]),
        ({"spatial": {"bbox": [0, 1, 2, 3]}, "temporal": {"interval": [None, None]}}, [0, 1, 2, 3],
         [None, None]),
        ({"spatial": {"bbox": [["x"]]}, "temporal": 5}, [-180, -90, 180, 90], [None, None]),
    ],
)  # fmt: skip
async def test_an_old_or_missing_extent_becomes_a_proper_one(extent: Any, box: Any, span: Any) -> None:
    told = {"id": "a", "stac_version": "0.9.0", "stac_extensions": ["eo"], "title": "A", "extent": extent}
    (found,) = await listed({"collections": [told], "links": []})
    assert found["extent"] == {"spatial": {"bbox": [box]}, "temporal": {"interval": [span]}}
    assert (found["type"], found["stac_version"], found["description"]) == ("Collection", "1.0.0", "A")
    assert found["stac_extensions"] == ["https://stac-extensions.github.io/eo/v1.0.0/schema.json"]


async def test_relative_links_become_absolute() -> None:
    links = [{"rel": "self", "href": "collections/a"}, {"rel": "license", "href": "../terms"}]
    (found,) = await listed({"collections": [PROPER | {"links": links}]})
    assert [each["href"].partition("/stac/")[2] for each in found["links"]] == ["collections/a", "terms"]


@pytest.mark.parametrize("status", [200, 404, 501])
async def test_without_a_list_they_are_those_that_the_landing_page_links_to(status: int) -> None:
    children = ["collections/a", "/stac/b.json", "https://127.0.0.1/stac/c", "https://elsewhere.test/d", 5]

    def respond(request: Request) -> bytes:
        if request.path == "/stac/":
            return answer({"links": [{"rel": "child", "href": href} for href in children]})
        if request.path in ("/stac/collections/a", "/stac/b.json"):
            return answer(PROPER | {"id": request.path[-6:]})
        return answer(b"<html>", status)

    async with member(respond) as (source, _):
        found, _missing = await source.collections(ANONYMOUS)
    assert [each["id"] for each in found] == ["ions/a", "b.json"]


async def test_a_site_without_any_says_why() -> None:
    async with member(lambda _: answer({"detail": "gone"}, 404)) as (source, _):
        with pytest.raises(SiteError, match=r"404: .*gone"):
            await source.collections(ANONYMOUS)


@pytest.fixture
def real() -> Any:
    path = Path("../shared/data/discovery/pystac_client/planetary-computer-collection.json")
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return json.loads(path.read_text())


async def test_a_real_collection_stays_as_it_is(real: Any) -> None:
    assert await listed({"collections": [real], "links": []}) == [real]
