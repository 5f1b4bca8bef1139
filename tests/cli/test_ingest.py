"""`cscale ingest`: what it says, and how it ends."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cscale.testing.archives import plain_item
from tests.cli.test_commands import cscale


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    retention = {"kind": "rolling", "days": 30}
    config: dict[str, Any] = {"site": {"id": "a", "url": "https://example.org"}, "state": "state"}
    config |= {"data": {"scenes": "data"}, "policies": {"short": {"retention": retention}}}
    (tmp_path / "site.yaml").write_text(json.dumps(config))
    return tmp_path


def run(site: Path, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    return cscale("ingest", *arguments, "--config", "site.yaml", cwd=site, code=code)


def put(site: Path, name: str, **members: Any) -> Path:
    path = site / "data" / name
    path.write_text(json.dumps(plain_item(**members)))
    return path


def test_what_it_says(site: Path) -> None:
    put(site, "a.json", id="a")
    put(site, "old.json", id="old", collection="short")
    assert "items: 1 added, 1 older than their collection keeps" in run(site, "data").stdout
    said = json.loads(run(site, "data", "--json").stdout)
    assert said | {"seconds": 0} == {
        "items": {"unchanged": 1},
        "collections": {},
        "removed": 0,
        "gone": [],
        "expired": 0,
        "outdated": 1,
        "refused": [],
        "warnings": [],
        "seconds": 0,
    }


def test_refusals_end_with_1_and_are_named(site: Path) -> None:
    put(site, "a.json", id="a")
    (site / "data" / "bad.json").write_text("{")
    done = run(site, "data", code=1)
    assert "1 added" in done.stdout
    assert "refused data/bad.json: not JSON" in done.stderr
    [refused] = json.loads(run(site, "data", "--json", code=1).stdout)["refused"]
    assert refused["input"] == "data/bad.json"


def test_prune_and_its_rehearsal(site: Path) -> None:
    put(site, "a.json", id="a")
    gone = put(site, "b.json", id="b")
    run(site, "data")
    gone.unlink()
    said = run(site, "data", "--prune", "--dry-run").stdout
    assert said.startswith("would be taken, items: 1 unchanged, 1 removed")
    assert "1 removed" in run(site, "data", "--prune").stdout
    assert "removed" not in run(site, "data", "--prune").stdout


def test_an_empty_folder_is_not_pruned_unless_that_is_meant(site: Path) -> None:
    put(site, "a.json", id="a")
    run(site, "data")
    (site / "data" / "a.json").unlink()
    assert "is a disk missing" in run(site, "data", "--prune", code=1).stderr
    assert "1 removed" in run(site, "data", "--prune", "--allow-empty").stdout


@pytest.mark.parametrize(
    "arguments",
    [["--watch", "--dry-run"], ["--poll", "3"], ["--allow-empty"], ["--workers", "0"], ["--quiet", "x"]],
)
def test_options_that_do_not_go_together_are_wrong_usage(site: Path, arguments: list[str]) -> None:
    run(site, "data", *arguments, code=2)


def test_the_help_has_examples_and_says_that_files_stay() -> None:
    said = " ".join(cscale("ingest", "--help").stdout.split())
    for words in ("--watch --prune", "catalog.json", ".SAFE", "items.parquet", "files always stay"):
        assert words in said
