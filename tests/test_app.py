"""Sites and hubs are put together from their configuration, or refuse to start and say why."""

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cscale.app import HubConfig, SiteConfig, hub_app, site_app
from cscale.errors import BadConfiguration
from cscale.settings import load
from tests.federated import Federation, ask, federation, member

SITE = {"site": {"id": "alpha", "url": "http://127.0.0.1:8311"}, "state": "./state"}
MEMBER = {"id": "alpha", "endpoints": [{"kind": "stac-api", "url": "http://127.0.0.1:8311/stac"}]}
HUB = {"federation": {"id": "demo", "url": "http://127.0.0.1:8300"}, "state": "./hub", "sites": [MEMBER]}


def written(folder: Path, config: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


def started(folder: Path, config: dict[str, Any]) -> None:
    """Put a service together, without serving it."""
    if "site" in config:
        site_app(load(written(folder, config), SiteConfig))
    else:
        hub_app(load(written(folder, config), HubConfig))


@pytest.mark.parametrize("config", [SITE, HUB])
def test_a_service_keeps_its_state_beside_its_configuration(tmp_path: Path, config: dict[str, Any]) -> None:
    started(tmp_path, config)
    secret = tmp_path / config["state"] / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    first = secret.read_bytes()
    started(tmp_path, config)
    assert secret.read_bytes() == first, "cursors would not outlive a restart"


def test_a_property_that_has_no_column_yet_is_named(tmp_path: Path) -> None:
    started(tmp_path, SITE)
    site = load(written(tmp_path, _site(queryables={"test:level": "number"})), SiteConfig)
    assert site.without_column() == ["test:level"]
    site.store.migrate()
    assert site.without_column() == []


def _site(**told: Any) -> dict[str, Any]:
    return {**SITE, **told}


def _hub(**told: Any) -> dict[str, Any]:
    return {**HUB, "sites": [{**MEMBER, **told}]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    (_site(colour="red"), "colour: "),
    (_site(queryables={"eo:cloud_cover": "string"}), "eo:cloud_cover is a number in every catalogue"),
    (_site(queryables={"test:a": "date"}), "queryables"),
    (_site(site={"id": "Alpha", "url": "http://a"}), r"site\.id: "),
    (_site(site={"id": "al pha", "url": "http://a"}), r"site\.id: "),
    (_site(site={"id": "", "url": "http://a"}), r"site\.id: "),
    (_site(site={"id": "alpha"}), r"site\.url: Field required"),
    (_site(site={"id": "alpha", "url": "ftp://a"}), r"site\.url: "),
    (_site(site={"id": "alpha", "url": "http://a b/"}), r"site\.url: "),
    (_site(site={"id": "alpha", "url": "http://a:99999"}), r"site\.url: "),
    (_site(data={"scenes": "./nowhere"}), r"nowhere"),
    (_site(data={"../up": "."}), r"\.\./up"),
    (_site(policies={"S2": {"data": {"access": "closed"}}}), r"policies\.S2\.data\.access: "),
    (_site(policies={"S2": {"retention": {"kind": "rolling"}}}), "days goes with kind: rolling"),
    (_hub(id="Alpha"), r"sites\.0\.id: "),
    (_hub(id="a|b"), r"sites\.0\.id: "),
    (_hub(colour="red"), r"sites\.0\.colour: "),
    (_hub(endpoints=[]), r"sites\.0\.endpoints: "),
    (
        _hub(endpoints=[{"kind": "openeo", "url": "http://a"}]),
        "site alpha: none .* stac-api",
    ),
    (_hub(endpoints=[{"kind": "stac-api", "url": "a"}]), r"sites\.0\.endpoints\.0\.url: "),
    (_hub(timeout=0), r"sites\.0\.timeout: "),
    (_hub(timeout="soon"), r"sites\.0\.timeout: "),
    (_hub(collections={"a|b": "c"}), "no bar"),
    (_hub(collections={"a": "c", "b": "c"}), "two ids of the federation mean one collection"),
    (_hub(discovery="daily"), r"sites\.0\.discovery: "),
    ({**HUB, "sites": [MEMBER, MEMBER]}, "site ids must differ; twice: alpha"),
]


@pytest.mark.parametrize(("config", "said"), REFUSED)
def test_a_configuration_that_cannot_be_kept_is_refused(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadConfiguration, match=said):
        started(tmp_path, config)


def test_open_access_may_be_declared(tmp_path: Path) -> None:
    policy = {"data": {"access": "open", "licence": "CC0-1.0"}, "retention": {"kind": "rolling", "days": 90}}
    started(tmp_path, _site(policies={"default": policy, "S2": {"metadata": "open"}}))


def test_a_hub_without_members_has_nothing_and_is_no_failure(tmp_path: Path) -> None:
    with federation(tmp_path) as running:
        hub = running.hub("hub", [])
        running.await_started()
        assert ask(f"{hub.stac}/search?strict=true").json["features"] == []
        assert ask(f"{hub.stac}/collections").json["collections"] == []
        assert ask(f"{hub.url}/sites").json == {"sites": []}


def served(config: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cscale", "serve", "site", "--config", str(config), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with federation(tmp_path_factory.mktemp("services")) as both:
        site = both.site("alpha")
        both.hub("hub", [member(site, "alpha", title="Alpha archive", timeout=3)])
        both.await_started()
        yield both


def test_a_port_in_use_is_told_in_a_sentence(running: Federation, tmp_path: Path) -> None:
    said = served(written(tmp_path, SITE), "--port", str(running["alpha"].port))
    assert said.returncode == 1
    assert f"port {running['alpha'].port}: Address already in use" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_bad_configuration_is_told_in_a_sentence(tmp_path: Path) -> None:
    said = served(written(tmp_path, _site(colour="red")))
    assert said.returncode == 1
    assert "config.yaml: colour: " in said.stderr
    assert "Traceback" not in said.stderr


def test_a_state_that_cannot_be_kept_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    said = served(written(tmp_path, SITE))
    assert said.returncode == 1
    assert "state" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_service_tells_what_it_is(running: Federation) -> None:
    assert ask(f"{running['alpha'].url}/health").json["id"] == "alpha"
    assert ask(f"{running['hub'].url}/health").json["status"] == "ok"
    (site,) = ask(f"{running['hub'].url}/sites").json["sites"]
    assert (site["id"], site["title"], site["timeout"]) == ("alpha", "Alpha archive", 3)
    assert b"Alpha archive" in ask(running["hub"].url).body
    assert ask(f"{running['alpha'].url}/sites").status == 404


@pytest.mark.parametrize("path", ["/nowhere", "/stacks", "/health/", "/data", "//", "/%2e%2e/"])
@pytest.mark.parametrize("name", ["alpha", "hub"])
def test_what_is_not_here_is_told_in_json(running: Federation, name: str, path: str) -> None:
    got = ask(running[name].url + path)
    assert (got.status, got.headers["content-type"]) == (404, "application/json")
    assert got.json["description"]


def test_an_error_of_our_own_is_in_the_log_and_not_in_the_answer(tmp_path: Path) -> None:
    with federation(tmp_path) as broken:
        site = broken.site("alpha")
        broken.await_started()
        for path in (tmp_path / "alpha").glob("catalogue.sqlite*"):
            path.write_bytes(b"no database at all " * 1000)
        got = ask(f"{site.stac}/search")
        assert (got.status, got.json["code"]) == (500, "InternalError")
        assert str(tmp_path) not in got.json["description"]
        log = site.log.read_text()
        assert "GET '/stac/search' failed" in log
        assert "file is not a database" in log
        assert ask(f"{site.url}/health").status == 200
