"""Whatever dialect a site speaks, a walk through its source gives what matches, each item once."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.errors import SiteError
from cscale.identity import ANONYMOUS
from cscale.stac.evaluation import matcher
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest, from_json
from tests.discovery.stac_api.dialects import PAGING, Dialect, Speaker, place
from tests.discovery.stac_api.members import item, member

MOMENTS = tuple(f"2020-05-2{day}T10:00:00{zone}" for day in range(5) for zone in ("Z", "+01:00"))
PLATFORMS = ("sentinel-2a", "sentinel-2b", "it's 50%")

dialects = st.builds(
    Dialect,
    methods=st.sampled_from([("GET", "POST"), ("GET",), ("POST",)]),
    refusal=st.sampled_from([400, 404, 405, 415, 501]),
    paging=st.sampled_from(PAGING),
    cap=st.sampled_from([1, 2, 3, 100]),
    too_long=st.booleans(),
    version=st.sampled_from(["0.9.0", "1.0.0-beta.2", "1.0.0", "1.1.0"]),
    claims=st.frozensets(st.sampled_from(["sortby", "filter", "query", "q"])),
    told=st.sampled_from([True, True, True, False]),
    strict=st.booleans(),
    foreign=st.sampled_from([200, 400, 404]),
    nothing=st.sampled_from([200, 200, 204, 404]),
    links=st.sampled_from(["whole", "relative", "proxied"]),
    more=st.booleans(),
)
properties = st.fixed_dictionaries(
    {"datetime": st.sampled_from(MOMENTS)},
    optional={
        "eo:cloud_cover": st.sampled_from([0, 5, 5.5, 90]),
        "platform": st.sampled_from(PLATFORMS),
        "title": st.sampled_from(["Snow on hills", "sea"]),
    },
)
held = st.lists(
    st.builds(
        lambda name, collection, x, told: item(
            name,
            collection=collection,
            properties=told,
            geometry={"type": "Point", "coordinates": [x, 1.0]},
            bbox=[x, 1.0, x, 1.0],
        ),
        st.sampled_from("abcdefg"),
        st.sampled_from(["c", "d-1"]),
        st.sampled_from([0.0, 1.5, 20.0]),
        properties,
    ),
    min_size=1,
    max_size=9,
    unique_by=lambda each: (each["collection"], each["id"]),
)


def op(name: str, *args: Any) -> dict[str, Any]:
    return {"op": name, "args": list(args)}


CLOUD, PLATFORM = {"property": "eo:cloud_cover"}, {"property": "platform"}
simple = st.sampled_from(
    [
        op("<", CLOUD, 6),
        op(">=", CLOUD, 5.5),
        op("=", PLATFORM, "it's 50%"),
        op("<>", PLATFORM, "sentinel-2a"),
        op("in", PLATFORM, ["sentinel-2a", "x"]),
        op("like", PLATFORM, "sent%"),
        op("like", PLATFORM, "%2b"),
        op("isNull", CLOUD),
        op("between", CLOUD, 1, 10),
        op("=", {"property": "id"}, "a"),
        op("s_intersects", {"property": "geometry"}, {"type": "Point", "coordinates": [1.5, 1.0]}),
        op("t_after", {"property": "datetime"}, {"timestamp": "2020-05-21T09:30:00Z"}),
        op("=", op("casei", PLATFORM), "SENTINEL-2A"),
    ]
)
filters = st.recursive(
    simple,
    lambda some: (
        st.tuples(some, some).map(lambda two: op("and", *two))
        | st.tuples(some, some).map(lambda two: op("or", *two))
        | some.map(lambda one: op("not", one))
    ),
    max_leaves=4,
)
sorts = st.sampled_from(
    [
        None,
        None,
        [{"field": "datetime", "direction": "asc"}],
        [{"field": "id", "direction": "desc"}],
        [{"field": "eo:cloud_cover", "direction": "asc"}, {"field": "id", "direction": "asc"}],
    ]
)
areas = st.sampled_from(
    [{}, {}, {"bbox": [0, 0, 2, 2]}, {"intersects": {"type": "Point", "coordinates": [20, 1]}}]
)
searches = st.builds(
    lambda area, told: from_json({**told, **area}),
    areas,
    st.fixed_dictionaries(
        {"limit": st.sampled_from([1, 2, 7, 1000])},
        optional={
            "collections": st.lists(st.sampled_from(["c", "d-1", "zz"]), min_size=1, max_size=3),
            "ids": st.lists(st.sampled_from("abcz"), min_size=1, max_size=3),
            "datetime": st.sampled_from(["2020-05-21T00:00:00Z/..", "../2020-05-20T09:30:00Z"]),
            "filter": filters,
            "q": st.sampled_from(["snow", "sea,snow on", "lake"]),
            "sortby": sorts,
        },
    ),
)


def _left(request: SearchRequest, left: frozenset[str]) -> dict[str, Any]:
    """The parts of a search that a site has not evaluated, but for the order."""
    return {name: getattr(request, name) for name in left - {"sortby"}}


async def walked(items: list[Item], dialect: Dialect, request: SearchRequest) -> tuple[list[Item], bool, int]:
    """What a walk gives, whether it is in the order asked for, and how many requests it took."""
    found, in_order, token = [], True, None
    async with member(Speaker(items, dialect)) as (source, server):
        for _ in range(100):
            page = await source.search(ANONYMOUS, request, token)
            accepts = matcher(SearchRequest(**_left(request, page.left)))
            assert not page.rejected
            read = [msgspec.json.decode(each) for each in page.features]
            found += [each for each in read if accepts(each)]
            in_order = in_order and "sortby" not in page.left
            token = page.token
            if token is None:
                return found, in_order, len(server.asked)
            assert len(token) < 1000
        raise AssertionError("it never ends")


def named(items: list[Item]) -> list[tuple[str, str]]:
    return sorted((each["collection"], each["id"]) for each in items)


def check(items: list[Item], dialect: Dialect, request: SearchRequest) -> None:
    found, ordered, _ = asyncio.run(walked(items, dialect, request))
    assert named(found) == named(list(filter(matcher(request), items)))
    if ordered and (dialect.told or "sortby" in dialect.claims):
        places = [place(each, request) for each in found]
        assert places == sorted(places)
    for each in found:
        assert each["type"] == "Feature"
        assert len(each["bbox"]) == 4
        assert each["stac_version"][0] == "1"
        assert all("://" in link["href"] for link in each["links"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(held, dialects, searches)
def test_a_walk_gives_what_matches(items: list[Item], dialect: Dialect, request: SearchRequest) -> None:
    check(items, dialect, request)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(held, dialects, searches)
def test_a_walk_gives_what_matches_often(items: list[Item], dialect: Dialect, request: SearchRequest) -> None:
    check(items, dialect, request)


MANY = [item(f"{n:02}", properties={"datetime": f"2020-05-20T10:00:{n:02}Z"}) for n in range(23)]


@pytest.mark.parametrize("paging", PAGING)
@pytest.mark.parametrize("methods", [("GET", "POST"), ("GET",), ("POST",)])
async def test_all_of_a_long_walk_comes_in_order(paging: str, methods: tuple[str, ...]) -> None:
    dialect = Dialect(methods=methods, paging=paging, cap=5)
    request = from_json({"limit": 10, "sortby": [{"field": "id", "direction": "asc"}]})
    if paging == "token-get" and methods == ("POST",):
        dialect = Dialect(methods=("GET", "POST"), paging=paging, cap=5)
    found, ordered, asked = await walked(MANY, dialect, request)
    assert [each["id"] for each in found] == [each["id"] for each in MANY]
    assert ordered
    assert asked <= 5 + 1 + 1, "five pages, the landing page, a method refused"


@pytest.mark.parametrize("paging", ["offset", "page"])
async def test_an_empty_page_is_the_last_where_pages_are_counted(paging: str) -> None:
    found, _, asked = await walked(MANY, Dialect(paging=paging, cap=5, more=True), from_json({"limit": 5}))
    assert (len(found), asked) == (23, 5 + 1 + 1), "five pages, an empty one, the landing page"


async def test_a_site_that_goes_round_in_circles_is_found_out() -> None:
    class Round(Speaker):
        def _next(self, method: str, told: Any, end: int, size: int) -> dict[str, Any]:
            return {"href": f"/stac/search?page={end // size % 3 + 1}&limit={size}"}

    async with member(Round(MANY, Dialect(methods=("GET",), cap=5))) as (source, server):

        async def walk() -> None:
            token = None
            for _ in range(50):
                token = (await source.search(ANONYMOUS, from_json({}), token)).token

        with pytest.raises(SiteError, match="came before"):
            await walk()
    assert len(server.asked) < 9
