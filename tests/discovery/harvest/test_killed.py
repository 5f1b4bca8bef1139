"""Real sites, real processes: harvests that are killed go on, and only one is under way at once."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cscale.discovery.harvest import Kept, Shelf, shelf_of
from cscale.discovery.harvest.keeping.postgresql import site_address
from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest
from tests.discovery.harvest import killed
from tests.discovery.harvest.sites import as_kept, kept_items
from tests.discovery.harvest.test_changes import scene
from tests.federated import Federation, federation
from tests.postgres import fresh, shared_server

ITEMS = 600


@pytest.fixture(params=["folder", "database"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A hub's state."""
    if request.param == "folder":
        yield str(tmp_path / "hub")
        return
    server = shared_server()
    with fresh(server) as url:
        yield url
        schema = site_address(url, "alpha").partition("schema=")[2]
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with federation(tmp_path_factory.mktemp("site")) as running:
        running.site("alpha").ingest([scene(n) for n in range(ITEMS)])
        running.await_started()
        yield running


@contextmanager
def harvesting(
    state: str, url: str, processes: int = 0, then: str = "go"
) -> Iterator["subprocess.Popen[str]"]:
    """A harvest in a process of its own; killed at the end of the block if it has not ended."""
    command = [sys.executable, "-m", killed.__name__, state, url, str(processes), then]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert said(process) == "harvesting"
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def harvested(state: str, url: str) -> str:
    """What a harvest says at its end."""
    with harvesting(state, url) as process:
        return said(process)


def own_shelf(state: str) -> Shelf:
    return shelf_of(state if state.startswith("postgresql://") else Path(state), "alpha")


@pytest.mark.parametrize("seed", range(2))
async def test_a_harvest_that_is_killed_goes_on_where_it_was(state: str, site: Federation, seed: int) -> None:
    moments = random.Random(seed)
    url = site["alpha"].stac
    for _ in range(4):
        with harvesting(state, url, processes=seed):
            await asyncio.sleep(moments.uniform(0, 0.6))
    assert harvested(state, url) == "done"
    http = HttpPool()
    kept = Kept(StacApi(Endpoint(kind="stac-api", url=url), http), own_shelf(state))
    try:
        found = await kept_items(kept)
        for item in found.values():
            assert item.pop("federation:policy")["data"] == "open", "what the site says of it is kept, too"
        assert found == {("c", item["id"]): as_kept(item) for item in map(scene, range(ITEMS))}
        page = await kept.search(ANONYMOUS, SearchRequest(limit=1), None)
        assert page.matched == ITEMS
        assert page.partial is None
        assert kept.item_url("c", "i001") == f"{url}/collections/c/items/i001"
    finally:
        kept.close()
        await http.close()


def test_one_harvester_at_a_time_also_after_one_was_killed(state: str, site: Federation) -> None:
    url = site["alpha"].stac
    with own_shelf(state).alone() as still_alone:
        assert still_alone is not None
        assert still_alone()
        assert harvested(state, url) == "elsewhere"
    with harvesting(state, url, then="stay") as first:
        assert said(first) == "staying"
        assert harvested(state, url) == "elsewhere"
    told = "elsewhere"
    for _ in range(100):  # a database's server takes a moment to notice
        if told == "elsewhere":
            told = harvested(state, url)
    assert told == "done"
