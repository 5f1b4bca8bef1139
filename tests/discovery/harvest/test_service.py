"""Harvests as an operator and a hub run them: by the command, in the background, over sockets."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cscale.discovery.harvest import Harvested, Kept, Rhythm, Shelf, harvest, keep_harvesting, shelf_of
from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest
from tests.discovery.harvest.sites import Archive, as_kept, harvested, kept_items
from tests.discovery.harvest.test_changes import scene
from tests.federated import Federation, federation, member
from tests.scripted import Request, answer, scripted


def command(*arguments: str, code: int = 0) -> str:
    """What `cscale harvest` says."""
    done = subprocess.run(
        [sys.executable, "-m", "cscale", "harvest", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Federation]:
    with federation(tmp_path) as found:
        yield found


def test_the_command(running: Federation, tmp_path: Path) -> None:
    site = running.site("alpha")
    site.ingest([scene(n) for n in range(50)])
    running.await_started()
    gone = {"id": "gone", "endpoints": [{"kind": "stac-api", "url": "http://127.0.0.1:1/stac"}]}
    config = tmp_path / "hub.yaml"
    about = {"id": "hub", "url": "http://127.0.0.1:8300"}
    sites = [member(site, "alpha"), gone]
    config.write_text(json.dumps({"federation": about, "state": "./hub", "sites": sites}))

    def run(*arguments: str, code: int = 0) -> Any:
        return json.loads(command("--config", str(config), "--once", *arguments, "--json", code=code))

    first = run("--site", "alpha")["sites"]
    assert first[0]["items"]["added"] == 50
    assert first[0]["errors"] == []
    site.ingest([scene(n) for n in range(52)])
    again = run("--site", "alpha", "--site", "gone", code=3)["sites"]
    assert again[0]["items"]["added"] == 2
    assert "no connection" in again[1]["errors"][0]
    run("--site", "gone", code=1)
    assert "no site nobody in this hub" in run("--site", "nobody", code=1)["description"]
    said = command("--config", str(config), "--once", "--site", "alpha")
    assert said.startswith("alpha: ")
    assert "unchanged" in said


async def test_a_page_that_is_garbled_costs_its_stretch_of_time_only(folder_shelf: Shelf) -> None:
    scenes = [scene(n) for n in range(40)]

    def respond(request: Request) -> bytes:
        if request.path.endswith("/collections"):
            return answer({"collections": [{"id": "c"}]})
        if request.method != "POST":
            claims = [f"https://api.stacspec.org/v1.0.0/item-search{part}" for part in ("", "#sort")]
            return answer({"conformsTo": claims, "links": []})
        start, _, end = request.json.get("datetime", "/").partition("/")
        found = [item for item in scenes if _within(item["properties"]["datetime"], start, end)]
        if ids := request.json.get("ids"):
            found = [item for item in found if item["id"] in ids]
        if request.json.get("sortby", [{}])[0].get("direction") == "desc":
            found.reverse()
        page = found[: request.json["limit"]]
        if garbled and request.json["limit"] > 1 and scenes[17] in page:
            return answer(b'{"type": "FeatureCollection", "features": [{"type": "Feat')
        return answer({"type": "FeatureCollection", "features": page, "numberMatched": len(found)})

    garbled = True
    async with scripted(respond) as server:
        http = HttpPool()
        source = StacApi(Endpoint(kind="stac-api", url=server.url), http)
        kept = Kept(source, folder_shelf, look=0)
        site = harvested(source, folder_shelf, most=20)
        try:
            report = await harvest(site)
            assert "its answer is not what STAC API says" in report.counts.errors[0]
            found = await kept_items(kept)
            assert 0 < len(found) < 40
            partial = (await kept.search(ANONYMOUS, SearchRequest(), None)).partial
            assert partial is not None
            assert "its answer is not what STAC API says" in partial
            garbled = False
            assert (await harvest(site)).counts.errors == []
            assert await kept_items(kept) == {("c", item["id"]): as_kept(item) for item in scenes}
        finally:
            kept.close()
            await http.close()


def _within(moment: str, start: str, end: str) -> bool:
    return (start in ("", "..") or moment >= start) and (end in ("", "..") or moment <= end)


async def test_a_service_harvests_in_its_rhythm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cscale.harvest")
    archive = Archive(tmp_path / "site.sqlite")
    archive.hold([scene(n) for n in range(5)])
    here = shelf_of(tmp_path / "hub", "alpha")
    kept = Kept(archive, here, look=0)
    site = Harvested("alpha", "x", archive, here, Rhythm(interval=0, rotation=0))
    broken = Archive(tmp_path / "broken.sqlite")
    broken.fails_after = 0
    other = Harvested("broken", "x", broken, shelf_of(tmp_path / "hub", "broken"))
    service = asyncio.create_task(keep_harvesting([other, site], look=0.01))
    try:
        for held in (5, 7, 3):
            archive.hold([scene(n) for n in range(held)])
            while len(await kept_items(kept)) != held:
                assert not service.done()
                await asyncio.sleep(0.01)
    finally:
        service.cancel()
        with suppress(asyncio.CancelledError):
            await service
        kept.close()
        archive.close()
        broken.close()
    assert "harvest of alpha: 5 added" in caplog.text
    assert "harvest of broken: no items, 0 removed, 0 rejected; it fails as the test wants" in caplog.text
