"""`cscale sites check` as a provider runs it, against real servers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import rasterio
from rasterio.transform import from_origin

from cscale.federation.registry import Registry
from tests.federated import Federation, Service, federation, member
from tests.ports import free_port

CSCALE = str(Path(sys.executable).with_name("cscale"))
TOLD = {"providers": [{"name": "Those Who Keep It", "roles": ["host"]}]}


def sites(*arguments: str, code: int) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [CSCALE, "sites", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, f"ended with {done.returncode}: {done.stdout} {done.stderr}"
    return done


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Federation, Service, Service]]:
    """A site with its data, as a provider sets it up, and a hub over it."""
    folder = tmp_path_factory.mktemp("served")
    data = folder / "scenes"
    for day in range(1, 21):
        _write_scene(data / f"scene_202006{day:02}.tif", day)
    (data / "collection.json").write_text(json.dumps(_collection()))
    port = free_port()
    about = {"id": "alpha", "title": "Alpha", "url": f"http://127.0.0.1:{port}"}
    config = folder / "alpha.yaml"
    told = {"site": about, "state": "./alpha", "data": {"scenes": "./scenes"}}
    config.write_text(json.dumps(told | {"policies": {"default": {"data": {"access": "open"}}}}))
    taken = [CSCALE, "ingest", str(data), "--config", str(config), "--collection", "scenes"]
    subprocess.run(taken, check=True, capture_output=True, timeout=120)
    alpha = Service("site", config, port)
    alpha.start()
    try:
        alpha.await_started()
        with federation(folder) as running:
            policies = {"default": {"data": {"access": "open"}, "retention": {"kind": "complete"}}}
            hub = running.hub("hub", [member(alpha, "alpha", policies=policies)])
            running.await_started()
            yield running, alpha, hub
    finally:
        assert alpha.process is not None
        alpha.process.kill()
        alpha.process.wait()


def _collection() -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": "scenes",
        "description": "Scenes to check",
        "license": "CC0-1.0",
        "extent": {"spatial": {"bbox": [[10, 10, 40, 60]]}, "temporal": {"interval": [[None, None]]}},
        "links": [],
        **TOLD,
    }


def _write_scene(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint16", "crs": "EPSG:32635"}
    place = from_origin(300000 + 100_000 * (value % 2), 5000000, 10, 10)
    with rasterio.open(path, "w", **profile, transform=place) as file:
        file.write(numpy.full((1, 8, 8), value, "uint16"))


Served = tuple[Federation, Service, Service]


def test_our_own_site_passes_wholly(served: Served) -> None:
    _, alpha, hub = served
    shown = sites("check", "--config", str(hub.config), "--site", "alpha", "--json", code=0).stdout
    report = json.loads(shown)
    outcomes = {each["name"]: each["outcome"] for each in report["profile"]["tries"]}
    assert outcomes.pop("tls") == "refused"  # plain http, on this machine
    assert set(outcomes.values()) == {"done"}, outcomes
    assert report["profile"]["leaves"] == []
    assert report["met"] is True
    lines = {each["name"]: each["state"] for each in report["join"]}
    assert lines.pop("login") == "not declared"  # there are none yet
    assert set(lines.values()) == {"met"}, lines
    assert report["url"] == alpha.stac
    assert report["requests"] <= 40


def test_our_own_hub_passes(served: Served) -> None:
    _, _, hub = served
    report = json.loads(sites("check", hub.stac, "--json", code=0).stdout)
    assert report["profile"]["leaves"] == []
    assert report["profile"]["stable"] is True


def test_a_table_shows_what_was_tried_and_what_to_mend(served: Served) -> None:
    _, alpha, _ = served
    shown = sites("check", alpha.stac, code=0).stdout
    for words in ("datetime", "paging", "ranges", "STAC API", "met", "not declared", "to mend"):
        assert words in shown


def test_a_profile_is_kept_in_the_hubs_registry(served: Served) -> None:
    _, alpha, hub = served
    arguments = ("check", alpha.stac, "--config", str(hub.config), "--site", "alpha")
    registry = Registry(hub.config.parent / "hub")
    sites(*arguments, code=0)
    sites(*arguments, "--keep", code=0)
    url, profile = registry.profiles()["alpha"]
    assert url == alpha.stac
    assert profile.ranges is True
    assert profile.checked_at is not None


def test_something_not_met_ends_with_3(served: Served, tmp_path: Path) -> None:
    """A site without its data: its items' assets are not there."""
    running, _, _ = served
    bare = running.site("bare")
    bare.await_started()
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "a",
        "collection": "c",
        "geometry": {"type": "Point", "coordinates": [1, 2]},
        "bbox": [1, 2, 1, 2],
        "properties": {"datetime": "2020-01-01T00:00:00Z"},
        "links": [],
        "assets": {"data": {"href": f"{bare.url}/data/none/a.tif", "type": "image/tiff"}},
    }
    bare.ingest([item])
    report = json.loads(sites("check", bare.stac, "--json", code=3).stdout)
    lines = {each["name"]: each for each in report["join"]}
    assert lines["HTTP access with ranges"]["state"] == "not met"
    assert "404" in lines["HTTP access with ranges"]["said"]
    assert lines["STAC API"]["state"] == "met"
    assert report["met"] is False


def test_a_site_that_is_not_there_ends_with_1() -> None:
    told = sites("check", f"http://127.0.0.1:{free_port()}/stac", code=1).stderr
    assert "no connection" in told
    said = json.loads(sites("check", f"http://127.0.0.1:{free_port()}/stac", "--json", code=1).stdout)
    assert said["code"] == "SiteError"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give the site's address"),
        (("nowhere",), "is no address"),
        (("http://127.0.0.1:9", "--keep"), "--keep needs the hub"),
        (("http://127.0.0.1:9", "--site", "alpha"), "go together"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], words: str) -> None:
    assert words in " ".join(sites("check", *arguments, code=2).stderr.replace("│", " ").split())


def test_unknown_kinds_and_sites_are_named(served: Served) -> None:
    _, alpha, hub = served
    assert "known kinds are" in sites("check", alpha.stac, "--kind", "smoke", code=1).stderr
    told = sites("check", "--config", str(hub.config), "--site", "gamma", code=1).stderr
    assert "no site gamma; there are alpha" in told
