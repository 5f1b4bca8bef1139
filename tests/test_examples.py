"""The configurations in `examples/` can be used as they are, also where no archive can be reached."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cscale.app import HubConfig
from cscale.settings import load
from cscale.stac.items import Item
from tests.discovery.federations import MORNING, feature
from tests.federated import Federation, ask, federation, member

EXAMPLE = Path(__file__).parents[1] / "examples" / "europe.yaml"

# Loaded by each Python process that has it on its path: nothing but this machine is there.
NO_NETWORK = """
import ipaddress, socket

_connect, _connect_ex, _lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

def _is_here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in (None, "", "localhost", b"localhost")

def _check(self, address):
    if isinstance(address, tuple) and not _is_here(str(address[0])):
        raise OSError(101, "Network is unreachable")

def connect(self, address):
    _check(self, address)
    return _connect(self, address)

def connect_ex(self, address):
    _check(self, address)
    return _connect_ex(self, address)

def getaddrinfo(host, *more, **named):
    if not _is_here(host):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _lookup(host, *more, **named)

socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = connect, connect_ex, getaddrinfo
"""


@pytest.fixture
def without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started reach this machine only."""
    folder = tmp_path / "no-network"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))


@pytest.fixture
def running(tmp_path: Path, without_network: None) -> Iterator[Federation]:
    with federation(tmp_path) as services:
        yield services


def members() -> list[dict[str, Any]]:
    sites: list[dict[str, Any]] = yaml.safe_load(EXAMPLE.read_text())["sites"]
    return sites


def test_the_example_is_a_configuration() -> None:
    config = load(EXAMPLE, HubConfig)
    assert {"cdse", "eodc", "terrascope", "creodias", "earth-search", "planetary-computer"} <= {
        site.id for site in config.sites
    }
    assert config.state == EXAMPLE.parent / "europe"
    for site in config.sites:
        assert site.title
        assert all(endpoint.url.startswith("https://") for endpoint in site.endpoints)


def test_each_address_says_whether_it_was_tried() -> None:
    lines = EXAMPLE.read_text().splitlines()
    sites = [line for line in lines if re.match(r"  - id: ", line)]
    assert len(sites) == len(members())
    assert all(
        re.search(r"# from its documentation; (not tried yet|tried on \d{4}-\d\d-\d\d)$", s) for s in sites
    )


def test_a_hub_starts_where_none_of_them_can_be_reached(running: Federation) -> None:
    hub = running.hub("hub", members())
    running.await_started()
    assert ask(f"{hub.url}/health").status == 200
    got = ask(f"{hub.stac}/search", "POST", {"limit": 3})
    assert got.status == 502, got.body
    told = {site["id"]: site for site in got.json["federation"]["sites"]}
    assert set(told) == {site["id"] for site in members()}
    assert {site["state"] for site in told.values()} <= {"error", "timeout"}
    assert all(site["reason"] for site in told.values())


def test_one_that_can_be_reached_answers_for_itself(running: Federation) -> None:
    local = running.site("local")
    held: list[Item] = [feature(name, "sentinel-2-l2a", MORNING, {}) for name in ("a", "b")]
    running.await_started()
    local.ingest(held)
    hub = running.hub("hub", [*members(), member(local, "local")])
    running.await_started()
    got = ask(f"{hub.stac}/search", "POST", {"limit": 3})
    assert got.status == 200, got.body
    assert {item["id"] for item in got.json["features"]} == {"a", "b"}
    assert set(got.json["federation:missing"]) == {site["id"] for site in members()}
    told = {site["id"]: site["state"] for site in got.json["federation"]["sites"]}
    assert told.pop("local") == "ok"
    assert set(told) == {site["id"] for site in members()}
