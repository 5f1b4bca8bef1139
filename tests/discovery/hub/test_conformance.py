"""The hub keeps the promises of every source: one archive's items, spread over three sites that page on."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.discovery import Hub, Site
from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.net.http import HttpPool
from cscale.stac.items import Collection, Item, own_links
from cscale.stac.source import ItemSource
from cscale.testing.items import ItemSourceTests
from tests.discovery.federations import Local, member
from tests.federated import Service, federation

PAGES = {"alpha": 1, "beta": 2, "gamma": 1000}
"""The sites, and the longest page each gives."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Service]]:
    with federation(tmp_path_factory.mktemp("federation")) as running:
        services = {name: running.site(name) for name in PAGES}
        running.await_started()
        yield services


class HubTests(ItemSourceTests):
    def same_item(self, expected: Item, got: Item) -> bool:
        """A hub tells where each copy lies, and links to it."""
        shown = {name: value for name, value in got.items() if name not in ADDED}
        shown["links"] = [link for link in own_links(got) if link["rel"] != "alternate"]
        return super().same_item(expected, shown)


ADDED = ("federation:sites", "federation:policy")
"""What a federation, and a site with its policy, say beside an item's own members."""


class TestOverArchivesInThisProcess(HubTests):
    examples = 10

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sites = []
            for rank, (name, page) in enumerate(PAGES.items()):
                path = folder / f"{name}.sqlite"
                with writing(path) as writer:
                    for collection in collections:
                        writer.put_collection(collection)
                    for item in items[rank :: len(PAGES)]:
                        writer.put(item)
                catalogue = SqliteCatalogue(path, data_url="http://site.test/data", secret=b"s")
                stack.callback(catalogue.close)
                sites.append(Site(rank, member(name), Local(catalogue, page)))
            yield Hub(sites, secret=b"hub")


class TestOverSitesOnSockets(HubTests):
    examples = 4
    services: Mapping[str, Service]

    @pytest.fixture(autouse=True)
    def over(self, services: Mapping[str, Service]) -> None:
        self.services = services

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        http, sites = HttpPool(), []
        for rank, (name, service) in enumerate(self.services.items()):
            service.ingest(items[rank :: len(PAGES)], collections)
            endpoint = Endpoint(kind="stac-api", url=service.stac)
            sites.append(Site(rank, member(name), StacApi(endpoint, http)))
        try:
            yield Hub(sites, secret=b"hub")
        finally:
            await http.close()
