"""Searches at archives that evaluate OpenSearch, against the plain meaning on all their items."""

import asyncio
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.discovery.odata.products import item_of
from cscale.discovery.opensearch import OpenSearch
from cscale.discovery.opensearch.forms import read_answer
from cscale.discovery.opensearch.onda import Onda
from cscale.discovery.opensearch.records import product_of
from cscale.discovery.opensearch.solr import Solr
from cscale.errors import BadInput
from cscale.federation import Endpoint
from cscale.net.http import HttpPool
from cscale.stac.evaluation import matcher
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.stac.times import Interval
from tests.discovery.odata.drawn import records, requests
from tests.discovery.odata.language import Record
from tests.discovery.odata.test_paging import record as plain
from tests.discovery.odata.walking import check, walked
from tests.discovery.opensearch.archive import _SPACES, Archive, Hub, atom, entry, feature, onda, served


def items(archive: Archive | Hub) -> list[Item]:
    """All that an archive holds, as items."""
    found = []
    for record in archive.records:
        try:
            if isinstance(archive, Hub):
                form: Solr = Onda() if archive.path != "/dhus/search" else Solr()
                shown = onda(record) if isinstance(form, Onda) else entry(record)
                told = form.record(msgspec.Raw(msgspec.json.encode(shown)))
                assert told is not None
                found.append(item_of(form.product(told, archive.url, ())))
                continue
        except BadInput:
            continue
        body = msgspec.json.encode({"features": [feature(record)]})
        if archive.media == "application/atom+xml":
            body = f"<feed {_SPACES}>{atom(record)}</feed>".encode()
        (flat,) = read_answer(body, "Mine").records
        assert flat is not None
        found.append(item_of(product_of(flat)))
    return found


async def searched(archive: Archive | Hub, request: SearchRequest) -> None:
    http = HttpPool()
    async with served(archive):
        source = OpenSearch(Endpoint(kind="opensearch", url=archive.url), http)
        try:
            pages = await walked(source, request)
        finally:
            await http.close()
    check(pages, items(archive), request)


PLAIN = records(endings=("",))


@settings(max_examples=100)
@given(PLAIN, requests(), st.sampled_from((1, 2, 3, 100)))
def test_a_search_at_a_data_hub_finds_what_it_means(
    held: Sequence[Record], request: SearchRequest, most: int
) -> None:
    asyncio.run(searched(Hub(held, most=most), request))


@settings(max_examples=100)
@given(PLAIN, requests(), st.sampled_from((1, 2, 3, 100)))
def test_a_search_at_onda_finds_what_it_means(
    held: Sequence[Record], request: SearchRequest, most: int
) -> None:
    asyncio.run(searched(Hub(held, most=most, path="/dias-catalogue"), request))


@settings(max_examples=150)
@given(
    PLAIN,
    requests(),
    st.builds(
        dict,
        media=st.sampled_from(("application/geo+json", "application/atom+xml")),
        paging=st.sampled_from((("startIndex",), ("startPage",), ("startIndex", "startPage"))),
        sorts=st.booleans(),
        most=st.sampled_from((2, 3, 100)),
    ),
)
def test_a_search_at_a_described_archive_finds_what_it_means(
    held: Sequence[Record], request: SearchRequest, form: dict[str, object]
) -> None:
    asyncio.run(searched(Archive(held, **form), request))  # type: ignore[arg-type]


def test_what_begins_before_a_stretch_of_time_is_found_where_a_site_looks_within_it_only() -> None:
    held = [plain(1, "2020-01-01T23:59:00Z"), plain(2, "2020-01-03T00:00:00Z")]
    held[0]["ContentDate"]["End"] = "2020-01-02T00:01:00Z"
    for text, wanted in (
        ("2020-01-02T00:00:00Z", ["S2A_MSIL1C_00001"]),
        ("2020-01-02T00:02:00Z/2020-01-04T00:00:00Z", ["S2A_MSIL1C_00002"]),
    ):
        request = SearchRequest(datetime=Interval.parse(text))
        archive = Archive(held, within=True)
        asyncio.run(searched(archive, request))
        found = [item["id"] for item in items(archive) if matcher(request)(item)]
        assert found == wanted
