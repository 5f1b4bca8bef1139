"""Providers of EODAG: a STAC API that is one, and all that can be wrong with one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cscale.errors import BadConfiguration, BadCursor, SiteError
from cscale.identity import ANONYMOUS
from cscale.stac.evaluation import matcher
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.times import Interval
from tests.discovery.eodag.providers import a_stac_api, at_creodias, source, source_of
from tests.discovery.odata.walking import items_of, walked
from tests.federated import Service, federation
from tests.ports import free_port
from tests.scripted import answer, scripted
from tests.stac.served import collections, scenes

# EODAG's use of a library of its own, which would fail in it if warnings were errors.
pytestmark = pytest.mark.filterwarnings("ignore:A `Slice:DeprecationWarning")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with federation(tmp_path_factory.mktemp("site")) as running:
        alpha = running.site("alpha")
        alpha.ingest(scenes(), collections())
        running.await_started()
        yield alpha


async def test_its_collections_are_its_own(site: Service, tmp_path: Path) -> None:
    with source(tmp_path, "ours", a_stac_api(site.stac)) as eodag:
        told, missing = await eodag.collections(ANONYMOUS)
    assert [each["id"] for each in told] == ["named", "scenes"]
    assert {each["type"] for each in told} == {"Collection"}
    assert [each["title"] for each in told] == ["All of named", "All of scenes"]
    assert list(missing) == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"datetime": Interval.parse("2020-06-01T00:00:00Z/2020-06-10T00:00:00Z")},
        {"datetime": Interval.parse("../2020-05-25T00:00:00Z")},
        {"intersects": {"type": "Point", "coordinates": [10.5, 10.5]}},
        {"filter": {"op": "<=", "args": [{"property": "eo:cloud_cover"}, 20]}},
    ],
    ids=["all", "days", "before", "place", "clouds"],
)
@pytest.mark.parametrize("descending", [True, False])
async def test_all_that_matches_comes_in_order(
    site: Service, tmp_path: Path, asked: dict[str, Any], descending: bool
) -> None:
    order = (SortField("datetime", descending=descending),)
    request = SearchRequest(collections=("scenes",), limit=7, sortby=order, **asked)
    with source(tmp_path, "ours", a_stac_api(site.stac)) as eodag:
        pages = await walked(eodag, request)
    found = items_of(pages)
    names = [item["id"] for item in found]
    assert len(names) == len(set(names))
    assert {item["id"] for item in scenes() if matcher(request)(item)} <= set(names)
    assert len(names) == 60 if not asked else len(names) < 60
    times = [item["properties"]["datetime"] for item in found]
    assert times == sorted(times, reverse=descending)
    assert all("sortby" not in page.left for page in pages)
    assert sum(page.rejected for page in pages) == 0


async def test_items_are_what_the_site_has(site: Service, tmp_path: Path) -> None:
    held = {item["id"]: item for item in scenes()}
    with source(tmp_path, "ours", a_stac_api(site.stac)) as eodag:
        found = items_of(await walked(eodag, SearchRequest(limit=20)))
        page = await eodag.search(ANONYMOUS, SearchRequest(collections=("elsewhere",)), None)
    assert (list(page.features), page.token) == ([], None)
    assert {item["id"] for item in found} == set(held)
    for item in found:
        was = held[item["id"]]
        assert item["collection"] == was["collection"]
        assert item["geometry"]["type"] == was["geometry"]["type"]
        assert item["properties"]["eo:cloud_cover"] == was["properties"]["eo:cloud_cover"]
        assert was["assets"]["red"]["href"] in {asset["href"] for asset in item["assets"].values()}
        assert all(link["href"].startswith("http") for link in item["links"])


async def test_several_collections_come_without_order(site: Service, tmp_path: Path) -> None:
    request = SearchRequest(collections=("scenes", "named"), limit=50)
    with source(tmp_path, "ours", a_stac_api(site.stac)) as eodag:
        pages = await walked(eodag, request)
    assert len(items_of(pages)) == len(scenes())
    assert all("sortby" in page.left for page in pages)


@pytest.mark.parametrize("token", ["", "7", "[]", '["elsewhere"]', '["scenes", 7]', "[" * 10_000])
async def test_tokens_of_others_are_refused(site: Service, tmp_path: Path, token: str) -> None:
    with source(tmp_path, "ours", a_stac_api(site.stac)) as eodag, pytest.raises(BadCursor):
        await eodag.search(ANONYMOUS, SearchRequest(collections=("scenes",)), token)


@pytest.mark.parametrize(
    "body",
    [
        answer({"detail": "no"}, 500),
        answer({"detail": "no"}, 403),
        answer(b"<html>down</html>"),
        b"",
    ],
    ids=["failed", "forbidden", "page", "nothing"],
)
async def test_answers_that_are_none_are_site_errors(tmp_path: Path, body: bytes) -> None:
    async with scripted(lambda request: body) as server:
        told = at_creodias(server.url)
        with source(tmp_path, "creodias", told) as eodag, pytest.raises(SiteError, match="creodias"):
            await eodag.search(ANONYMOUS, SearchRequest(collections=("S2_MSI_L1C",)), None)
        assert server.asked


@pytest.mark.parametrize(("value", "rejected"), [("none", 1), ([7], 1), ([{}], 1), ([], 0)])
async def test_records_that_are_none_are_left_out(tmp_path: Path, value: object, rejected: int) -> None:
    async with scripted(lambda request: answer({"value": value})) as server:
        with source(tmp_path, "creodias", at_creodias(server.url)) as eodag:
            page = await eodag.search(ANONYMOUS, SearchRequest(collections=("S2_MSI_L1C",)), None)
    assert list(page.features) == []
    assert page.rejected == rejected


async def test_nobody_there_is_a_site_error(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    search = SearchRequest(collections=("S2_MSI_L1C",))
    with (
        source(tmp_path, "creodias", at_creodias(address)) as eodag,
        pytest.raises(SiteError, match="Connection refused"),
    ):
        await eodag.search(ANONYMOUS, search, None)
    with (
        source(tmp_path, "ours", a_stac_api(address)) as eodag,
        pytest.raises(SiteError, match="which collections"),
    ):
        await eodag.search(ANONYMOUS, search, None)


async def test_a_provider_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="no provider 'nobody'"):
        await source_of("eodag://nobody", tmp_path).collections(ANONYMOUS)
    with pytest.raises(SiteError, match=r"missing\.yml"):
        await source_of(f"{tmp_path.as_uri()}/missing.yml#ours", tmp_path).collections(ANONYMOUS)


@pytest.mark.parametrize("url", ["eodag://", "eodag:creodias", "https://a.test/", "file:///etc/eodag.yml"])
def test_an_address_must_name_a_provider(url: str) -> None:
    with pytest.raises(BadConfiguration, match="names no provider"):
        source_of(url, None)


ALONE = """
import asyncio, socket, sys
def no(*arguments): raise AssertionError("it dials")
socket.socket.connect = socket.getaddrinfo = no
from cscale.discovery.eodag import Eodag
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
source = Eodag(Endpoint.model_construct(kind="eodag", url="eodag://creodias"), HttpPool())
assert "eodag" not in sys.modules
print(source.item_url("S2_MSI_L2A", "a/b"))
collections, _ = asyncio.run(source.collections(ANONYMOUS))
print(len(collections), "S2_MSI_L2A" in {each["id"] for each in collections})
"""


def test_it_dials_nobody_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", ALONE], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "eodag://creodias/S2_MSI_L2A/a%2Fb"
    assert int(second.split()[0]) > 50
    assert second.endswith("True")
    assert list(home.iterdir()) == []
