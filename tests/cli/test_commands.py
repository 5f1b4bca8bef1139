"""The commands as a user runs them, in processes of their own, against real servers."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pytest
import rasterio
from rasterio.transform import from_origin

from tests.ports import free_port

CSCALE = str(Path(sys.executable).with_name("cscale"))


def cscale(*arguments: str, code: int = 0, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [CSCALE, *arguments], capture_output=True, text=True, cwd=cwd, timeout=120, check=False
    )
    assert done.returncode == code, (
        f"cscale {' '.join(arguments)} ended with {done.returncode}: {done.stderr}"
    )
    return done


@dataclass
class Federated:
    """Two sites and a hub, as a provider sets them up."""

    folder: Path
    hub: str
    sites: list["subprocess.Popen[str]"]


def serve(role: str, config: Path) -> "subprocess.Popen[str]":
    server = subprocess.Popen(
        [CSCALE, "serve", role, "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stderr is not None
    for line in server.stderr:
        if "Ctrl-C ends it" in line:
            return server
    raise AssertionError(f"cscale serve {role} ended before it listened")


def write_scene(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint16", "crs": "EPSG:32635"}
    with rasterio.open(path, "w", **profile, transform=from_origin(300000, 5000000, 10, 10)) as file:
        file.write(numpy.full((1, 8, 8), value, "uint16"))


@pytest.fixture(scope="module")
def federated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federated]:
    folder = tmp_path_factory.mktemp("federated")
    members: list[dict[str, Any]] = []
    servers = []
    for site, days in {"alpha": ["20200601", "20200611"], "beta": ["20200611", "20200621"]}.items():
        url = f"http://127.0.0.1:{free_port()}"
        for day in days:
            write_scene(folder / site / "data" / f"scene_{day}.tif", int(day[-2:]))
        config = folder / f"{site}.yaml"
        config.write_text(
            json.dumps(
                {
                    "site": {"id": site, "url": url},
                    "state": site,
                    "data": {"d": f"{site}/data"},
                    "policies": {"default": {"data": {"access": "open"}}},
                }
            )
        )
        cscale("ingest", str(folder / site / "data"), "--config", str(config), "--collection", f"{site}-own")
        servers.append(serve("site", config))
        members.append(
            {
                "id": site,
                "endpoints": [{"kind": "stac-api", "url": f"{url}/stac"}],
                "collections": {"scenes": f"{site}-own"},
                "timeout": 5,
            }
        )
    hub = f"http://127.0.0.1:{free_port()}"
    config = folder / "hub.yaml"
    config.write_text(json.dumps({"federation": {"id": "fed", "url": hub}, "state": "hub", "sites": members}))
    servers.append(serve("hub", config))
    yield Federated(folder, hub, servers)
    for server in servers:
        os.killpg(server.pid, signal.SIGCONT)
        server.terminate()
        server.wait(20)
        assert server.stderr is not None
        server.stderr.close()


def test_search_finds_each_product_once_and_names_who_holds_it(federated: Federated) -> None:
    found = json.loads(cscale("search", "--hub", federated.hub, "--json").stdout)
    assert [item["id"] for item in found["features"]] == [
        "scene_20200621",
        "scene_20200611",
        "scene_20200601",
    ]
    held = [[place["site"] for place in item["federation:sites"]] for item in found["features"]]
    assert held == [["beta"], ["alpha", "beta"], ["alpha"]]
    assert found["federation:missing"] == []


def test_search_shows_a_table_and_writes_geojson(federated: Federated, tmp_path: Path) -> None:
    file = tmp_path / "found.geojson"
    done = cscale(
        "search", "--hub", federated.hub, "--geojson", str(file), "--sortby", "+datetime", "--limit", "2"
    )
    lines = done.stdout.splitlines()
    assert "scene_20200601" in lines[1]
    assert "alpha, beta" in lines[2]
    assert "there are more" in done.stderr
    assert [item["id"] for item in json.loads(file.read_text())["features"]] == [
        "scene_20200601",
        "scene_20200611",
    ]


def test_search_asks_with_every_option(federated: Federated) -> None:
    done = cscale(
        "search", "--hub", federated.hub, "--collections", "scenes", "--bbox", "24,45,25,46",
        "--datetime", "2020-06-11", "--filter", "id LIKE 'scene%'", "--json",
    )  # fmt: skip
    assert [item["id"] for item in json.loads(done.stdout)["features"]] == ["scene_20200611"]


def test_get_downloads_and_verifies(federated: Federated, tmp_path: Path) -> None:
    done = cscale("get", "scene_20200601", "data", "--hub", federated.hub, "--to", str(tmp_path), "--json")
    result = json.loads(done.stdout)["assets"][0]
    assert result["verified"] == "sha256"
    original = federated.folder / "alpha" / "data" / "scene_20200601.tif"
    assert Path(result["path"]).read_bytes() == original.read_bytes()


def test_get_says_what_there_is_instead(federated: Federated, tmp_path: Path) -> None:
    done = cscale("get", "scene_20200601", "B99", "--hub", federated.hub, "--to", str(tmp_path), code=1)
    assert "it has data" in done.stderr
    done = cscale("get", "nothing", "--hub", federated.hub, "--to", str(tmp_path), code=1)
    assert "finds no item 'nothing'" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["search"],
        ["get", "scene_20200601", "data", "--to", "TMP"],
        ["ingest", "DATA", "--config", "CONFIG", "--collection", "alpha-own"],
    ],
)
def test_on_a_terminal_commands_show_progress_and_end_well(
    federated: Federated, tmp_path: Path, command: list[str]
) -> None:
    alpha = federated.folder / "alpha"
    places = {"TMP": str(tmp_path), "DATA": str(alpha / "data"), "CONFIG": str(alpha.with_suffix(".yaml"))}
    ours, theirs = pty.openpty()
    environment = os.environ | {"CSCALE_HUB": federated.hub, "TERM": "xterm"}
    done = subprocess.run(
        [CSCALE, *(places.get(word, word) for word in command)],
        stderr=theirs, stdout=subprocess.DEVNULL, env=environment, timeout=120, check=False,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0, shown
    assert "Traceback" not in shown


def test_sites_lists_the_members(federated: Federated) -> None:
    listed = json.loads(cscale("sites", "list", "--hub", federated.hub, "--json").stdout)["sites"]
    assert [site["id"] for site in listed] == ["alpha", "beta"]
    assert "scenes (alpha-own there)" in cscale("sites", "list", "--hub", federated.hub).stdout


def test_a_site_that_is_silent_is_named_and_the_exit_code_is_3(federated: Federated) -> None:
    os.killpg(federated.sites[1].pid, signal.SIGSTOP)
    try:
        done = cscale("search", "--hub", federated.hub, "--json", code=3)
    finally:
        os.killpg(federated.sites[1].pid, signal.SIGCONT)
    found = json.loads(done.stdout)
    assert found["federation:missing"] == ["beta"]
    assert [item["id"] for item in found["features"]] == ["scene_20200611", "scene_20200601"]
    assert "missing from this answer: beta" in done.stderr


def test_a_wrong_filter_is_refused_with_the_reason(federated: Federated) -> None:
    done = cscale("search", "--hub", federated.hub, "--filter", "cloud <", code=1)
    assert "filter" in done.stderr


def test_a_hub_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = cscale("search", "--hub", f"http://127.0.0.1:{free_port()}", code=1)
    assert "is it the address of a hub?" in done.stderr


def test_wrong_usage_is_code_2() -> None:
    assert "Usage" in cscale("search", "--limit", "0", code=2).stderr
    assert "four or six numbers" in cscale("search", "--bbox", "a,b", code=2).stderr


def test_ingest_again_changes_nothing_and_what_is_refused_is_named(
    federated: Federated, tmp_path: Path
) -> None:
    config = federated.folder / "alpha.yaml"
    data = federated.folder / "alpha" / "data"
    again = cscale("ingest", str(data), "--config", str(config), "--collection", "alpha-own", "--json")
    assert json.loads(again.stdout)["items"] == {"unchanged": 2}
    write_scene(tmp_path / "scene_20200701.tif", 1)
    done = cscale("ingest", str(tmp_path), "--config", str(config), "--collection", "alpha-own", code=1)
    assert "none of the folders under `data`" in done.stderr


def test_remove_takes_items_out_and_says_which_were_not_there(federated: Federated, tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text(
        json.dumps({"site": {"id": "s", "url": "http://127.0.0.1:8399"}, "state": "s", "data": {"d": "data"}})
    )
    write_scene(tmp_path / "data" / "scene_20200601.tif", 1)
    cscale("ingest", str(tmp_path / "data"), "--config", str(config), "--collection", "c")
    done = cscale("remove", "scene_20200601", "absent", "--config", str(config), "--json", code=1)
    assert json.loads(done.stdout) == {"removed": 1, "absent": ["absent"]}


def test_a_configuration_that_does_not_fit_is_refused_by_place(tmp_path: Path) -> None:
    config = tmp_path / "site.yaml"
    config.write_text("site: {id: UPPER, url: nowhere}\nstate: x\nsurprise: 1\n")
    done = cscale("serve", "site", "--config", str(config), code=1)
    assert "site.id" in done.stderr
    assert "surprise" in done.stderr
    missing = cscale("serve", "hub", "--config", str(tmp_path / "absent.yaml"), code=1)
    assert "No such file" in missing.stderr


@pytest.mark.parametrize(
    "command", ["demo", "serve", "ingest", "remove", "export", "migrate", "search", "get", "sites list"]
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert re.search("[Ee]xample:", cscale(*command.split(), "--help").stdout)
