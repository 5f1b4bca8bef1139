"""Searches at an archive that evaluates OData, against the plain meaning of the request on all its items."""

import asyncio
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.discovery.odata import OData
from cscale.discovery.odata.csc import Record as Told
from cscale.discovery.odata.csc import product_of
from cscale.discovery.odata.dhus import Dhus
from cscale.discovery.odata.products import item_of
from cscale.errors import BadInput
from cscale.federation import Endpoint
from cscale.net.http import HttpPool
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from tests.discovery.odata.archive import Archive, as_hub, served
from tests.discovery.odata.drawn import records, requests
from tests.discovery.odata.language import Record
from tests.discovery.odata.walking import check, walked


def items(archive: Archive) -> list[Item]:
    """All that an archive holds, as items."""
    if archive.version == 4:
        told = [msgspec.convert(record, Told) for record in archive.records]
        return [item_of(product_of(each, archive.url, ())) for each in told]
    found = []
    for record in archive.records:
        read = Dhus.record(msgspec.Raw(msgspec.json.encode(as_hub(record))))
        assert read is not None
        try:
            found.append(item_of(Dhus.product(read, archive.url, ())))
        except BadInput:
            continue
    return found


async def searched(archive: Archive, request: SearchRequest) -> None:
    http = HttpPool()
    async with served(archive):
        source = OData(Endpoint(kind="odata", url=archive.url), http)
        try:
            pages = await walked(source, request)
        finally:
            await http.close()
    check(pages, items(archive), request)


@settings(max_examples=150)
@given(records(), requests(), st.sampled_from((1, 2, 3, 1000)))
def test_a_search_at_a_copernicus_archive_finds_what_it_means(
    held: Sequence[Record], request: SearchRequest, most: int
) -> None:
    asyncio.run(searched(Archive(held, most=most), request))


@settings(max_examples=100)
@given(records(endings=("",)), requests(), st.sampled_from((1, 2, 3, 1000)))
def test_a_search_at_a_data_hub_finds_what_it_means(
    held: Sequence[Record], request: SearchRequest, most: int
) -> None:
    asyncio.run(searched(Archive(held, version=2, most=most), request))
