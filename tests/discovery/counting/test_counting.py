"""Counts over many sites are those of all their copies counted in one place."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.discovery import SourcePage
from cscale.discovery.counting import SITES, Counting, Told
from cscale.discovery.hub.translation import speaks_of_collections
from cscale.errors import SiteError, SiteTimeout
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.aggregation.words import KINDS
from cscale.stac.evaluation import matcher
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.testing import archives
from cscale.testing.aggregates import aggregate_requests
from tests.discovery.counting.sites import Held

ALL = frozenset({"collections", "ids", "bbox", "intersects", "datetime", "filter", "q", "sortby"})
NAMES: tuple[dict[str, str], ...] = (
    {},
    {"sentinel-2-l2a": "S2_L2A"},
    {"one": "two", "two": "one"},
    {"one": "a|b"},
)


@st.composite
def federations(draw: st.DrawFn) -> list[Held]:
    """Three sites; some of their items are copies of each other's."""
    shared = draw(archives.items(max_size=4))
    sites = []
    for site in ("alpha", "beta", "gamma"):
        own = {
            (each["collection"], each["id"]): each for each in [*shared, *draw(archives.items(max_size=4))]
        }
        sites.append(
            Held(
                site,
                list(own.values()),
                draw(st.sampled_from(NAMES)),
                draw(st.sampled_from(("itself", "wire", "no", "other"))),
                draw(st.sampled_from((1, 2, 1000))),
                draw(st.sampled_from((frozenset[str](), frozenset({"filter", "ids"}), ALL))),
            )
        )
    return sites


async def counted(
    sites: Sequence[Held], request: AggregateRequest, **told: Any
) -> tuple[AggregationCollection, list[Told]]:
    counting = Counting(ANONYMOUS, request, **told)
    answers = await asyncio.gather(
        *(
            counting.count(
                site.id, site.source(), site.words(request.search), site.shown(request.search.collections)
            )
            for site in sites
        )
    )
    return counting.answer({"federation:missing": []}), answers


def bodies(found: AggregationCollection) -> dict[str, Any]:
    return {each.name: each.body() for each in found.aggregations}


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(federations(), aggregate_requests())
def test_the_counts_are_those_of_all_copies(sites: list[Held], request: AggregateRequest) -> None:
    if speaks_of_collections(request.search.filter):
        request = replace(request, search=replace(request.search, filter=None))
    found, told = asyncio.run(counted(sites, request))
    every = [item for site in sites for item in site.items]
    expected = bodies(aggregate(every, request))
    got = bodies(found)
    of_sites = got.pop(SITES)
    assert list(got) == list(request.names)
    step = got.get("datetime_frequency", {}).get("interval")
    if request.step is None and step == "year" and any(site.counts == "other" for site in sites):
        expected = bodies(aggregate(every, replace(request, step=step)))  # one counts by no shorter steps
    assert got == expected
    accepts = matcher(request.search)
    matching = {site.id: sum(map(accepts, site.items)) for site in sites}
    frequencies = {each["key"]: each["frequency"] for each in of_sites["buckets"]}
    assert frequencies == {site: n for site, n in matching.items() if n}
    assert found.extra == {"federation:counts": "copies", "federation:missing": []}
    assert [each.partial for each in told] == [None] * 3
    assert all(each.rejected == each.unasked == 0 for each in told)


def scenes(number: int, **properties: Any) -> list[Item]:
    moments = [f"2020-{1 + at % 12:02}-{1 + at // 12 % 28:02}T00:00:00Z" for at in range(number)]
    return [
        archives.plain_item(id=f"s{at}", properties={"datetime": moment, **properties})
        for at, moment in enumerate(moments)
    ]


def count(sites: Sequence[Held], *names: str, **told: Any) -> tuple[dict[str, Any], list[Told]]:
    request = AggregateRequest(SearchRequest(), names or tuple(KINDS))
    found, answers = asyncio.run(counted(sites, request, **told))
    return bodies(found), answers


def test_a_site_that_does_not_count_is_read_up_to_the_budget() -> None:
    sites = [Held("alpha", scenes(30), {}), Held("beta", scenes(250), {}, "no", page=20)]
    found, (first, second) = count(sites, "total_count", "datetime_frequency", budget=100)
    assert found["total_count"]["value"] == 130
    assert found[SITES]["buckets"] == [
        {"key": "beta", "data_type": "string", "frequency": 100},
        {"key": "alpha", "data_type": "string", "frequency": 30},
    ]
    assert first.partial is None
    assert second.partial == "it does not count; only 100 of its 250 items were looked at"
    found, (_, second) = count(sites, "total_count", "datetime_frequency", budget=250)
    assert (found["total_count"]["value"], second.partial) == (280, None)


def test_the_number_that_a_site_tells_of_its_matches_is_believed_where_all_it_sends_is_right() -> None:
    found, (told,) = count([Held("beta", scenes(250), {}, "no", page=20)], "total_count", budget=40)
    assert (found["total_count"]["value"], told.partial) == (250, None)
    assert found[SITES]["buckets"] == [{"key": "beta", "data_type": "string", "frequency": 250}]
    leaving = Held("beta", scenes(250), {}, "no", page=20, leaves=frozenset({"filter"}))
    found, (told,) = count([leaving], "total_count", budget=40)
    assert (found["total_count"]["value"], told.partial) == (
        40,
        "it does not count; only 40 of its items were looked at",
    )


class Broken:
    """Gives some pages of a site, then what it is told to."""

    def __init__(self, pages: Sequence[SourcePage | SiteError]) -> None:
        self._pages = list(pages)

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        page = self._pages[int(token or 0)]
        if isinstance(page, SiteError):
            raise page
        return page

    async def collections(self, caller: Caller) -> Any:
        raise NotImplementedError

    async def queryables(self, caller: Caller, collection_id: str | None) -> Any:
        raise NotImplementedError

    def item_url(self, collection_id: str, item_id: str) -> str:
        raise NotImplementedError

    def collection_url(self, collection_id: str) -> str:
        raise NotImplementedError


def raws(*items: Any) -> list[msgspec.Raw]:
    return [msgspec.Raw(item if isinstance(item, bytes) else msgspec.json.encode(item)) for item in items]


def count_broken(
    pages: Sequence[SourcePage | SiteError], search: SearchRequest | None = None
) -> tuple[dict[str, Any], Told]:
    async def run() -> tuple[dict[str, Any], Told]:
        request = AggregateRequest(search or SearchRequest(), ("total_count", "collection_frequency"))
        counting = Counting(ANONYMOUS, request)
        shown = {"one": "one"}.get
        told = await counting.count("alpha", Broken(pages), request.search, shown)
        return bodies(counting.answer()), told

    return asyncio.run(run())


def test_what_was_counted_before_a_site_broke_off_is_told_as_partial() -> None:
    pages: list[SourcePage | SiteError] = [SourcePage(raws(*scenes(3)), "1")]
    found, told = count_broken([*pages, SiteTimeout("no answer within 2 s")])
    assert found["total_count"]["value"] == 3
    assert told.partial == "it does not count; only 3 of its items were counted: no answer within 2 s"
    with pytest.raises(SiteTimeout, match="within 2 s"):
        count_broken([SiteTimeout("no answer within 2 s")])


def test_a_site_that_gives_one_page_for_ever_is_not_read_for_ever() -> None:
    found, told = count_broken([SourcePage(raws(*scenes(3)), "0")])
    assert found["total_count"]["value"] == 6
    assert told.partial is not None
    assert "came before" in told.partial


def test_what_is_no_item_or_was_not_asked_for_is_left_out_and_told() -> None:
    good = scenes(1)[0]
    wrong: list[Any] = [
        b"[]", b"{", b'{"type":"Feature"}', good | {"id": ""}, good | {"id": 7}, good | {"properties": []},
        good | {"properties": {}}, good | {"properties": {"datetime": "soon"}},
    ]  # fmt: skip
    page = SourcePage(
        raws(good, *wrong, good | {"collection": "three"}),
        rejected=2,
        missing=["inner"],
        harvested_at="2026-01-01T00:00:00Z",
    )
    found, told = count_broken([page])
    assert found["total_count"]["value"] == 1
    assert (told.rejected, told.unasked, told.missing) == (len(wrong) + 2, 1, {"inner"})
    assert told.harvested_at == "2026-01-01T00:00:00Z"
    search = SearchRequest(ids=("s1",))
    found, told = count_broken([SourcePage(raws(*scenes(3)))], search)
    assert (found["total_count"]["value"], told.unasked) == (1, 2)
    found, told = count_broken([SourcePage(raws(*scenes(3)), left=frozenset({"ids"}))], search)
    assert (found["total_count"]["value"], told.unasked) == (1, 0)


def test_members_of_a_hub_are_counted_under_their_own_names() -> None:
    inside = [Held("beta", scenes(3), {}), Held("gamma", scenes(2), {}, "no")]

    class Inner:
        async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
            counting = Counting(caller, request)
            for each in inside:
                await counting.count(each.id, each.source(), request.search, each.shown(None))
            return counting.answer({"federation:missing": ["delta"]})

    class Member(Broken, Inner):
        pass

    async def run() -> tuple[dict[str, Any], Told]:
        counting = Counting(ANONYMOUS, AggregateRequest(SearchRequest(), ("total_count",)))
        told = await counting.count("inner", Member([]), SearchRequest(), lambda name: name)
        return bodies(counting.answer()), told

    found, told = asyncio.run(run())
    assert found["total_count"]["value"] == 5
    frequencies = {each["key"]: each["frequency"] for each in found[SITES]["buckets"]}
    assert frequencies == {"inner/beta": 3, "inner/gamma": 2}
    assert told.missing == {"delta"}


def test_items_that_were_read_already_are_added() -> None:
    counting = Counting(ANONYMOUS, AggregateRequest(SearchRequest(), ("total_count", "datetime_frequency")))
    counting.add("alpha", scenes(30))
    counting.add("beta", scenes(3))
    found = bodies(counting.answer())
    assert found["total_count"]["value"] == 33
    assert {each["key"]: each["frequency"] for each in found[SITES]["buckets"]} == {"alpha": 30, "beta": 3}
    assert found["datetime_frequency"]["interval"] == "month"
