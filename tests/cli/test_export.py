"""`cscale export`: a site's catalogue in a file, and in another site."""

import json
from pathlib import Path
from typing import Any

import pytest

from cscale.testing.archives import collections, plain_item
from tests.cli.test_commands import cscale


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two sites; the first holds two collections, and an item with a file of its own."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.bin").write_bytes(b"content")
    for name in ("a", "b"):
        config: dict[str, Any] = {"site": {"id": name, "url": f"https://{name}.example.org"}, "state": name}
        (tmp_path / f"{name}.yaml").write_text(json.dumps(config | {"data": {"scenes": "data"}}))
    own = plain_item(id="own", assets={"data": {"href": "data/x.bin"}})
    values = [collections()[0], own, plain_item(id="z", collection="two")]
    (tmp_path / "items.ndjson").write_text("\n".join(map(json.dumps, values)))
    cscale("ingest", "items.ndjson", "--config", "a.yaml", cwd=tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", ["ndjson", "parquet"])
def test_out_of_one_site_into_another(site: Path, suffix: str) -> None:
    said = json.loads(
        cscale("export", "--config", "a.yaml", "--out", f"x.{suffix}", "--json", cwd=site).stdout
    )
    assert (said["items"], said["collections"]) == (2, 2)
    assert said["bytes"] == (site / f"x.{suffix}").stat().st_size
    cscale("ingest", f"x.{suffix}", "--config", "b.yaml", cwd=site)
    for name in ("a", "b"):
        cscale("export", "--config", f"{name}.yaml", "--out", f"{name}.ndjson", cwd=site)
    exported = (site / "a.ndjson").read_bytes()
    assert b"https://a.example.org/data/scenes/x.bin" in exported
    assert (site / "b.ndjson").read_bytes() == exported


def test_what_is_asked(site: Path) -> None:
    cscale("export", "--config", "a.yaml", "--out", "x", "--format", "ndjson", "-c", "two", cwd=site)
    lines = [json.loads(line) for line in (site / "x").read_text().splitlines()]
    assert [(line["type"], line["id"]) for line in lines] == [("Collection", "two"), ("Feature", "z")]
    nothing = ("--datetime", "1900-01-01T00:00:00Z", "--bbox", "0,0,1,1")
    said = cscale("export", "--config", "a.yaml", "--out", "y.ndjson", *nothing, cwd=site).stdout
    assert "items: 0, collections: 2" in said


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--out", "x"], 2, "which format"),
        (["--out", "x.ndjson", "--format", "csv"], 2, "which format"),
        (["--out", "x.ndjson", "-c", "one,two"], 2, "one each"),
        (["--out", "x.ndjson", "-c", "three"], 1, "no collection"),
        (["--out", "x.ndjson", "--bbox", "1,2"], 1, "bbox"),
        (["--out", "nowhere/x.ndjson"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_exported(site: Path, arguments: list[str], code: int, reason: str) -> None:
    said = " ".join(cscale("export", "--config", "a.yaml", *arguments, cwd=site, code=code).stderr.split())
    assert reason in said
    assert not list(site.glob("x*"))
    assert not list(site.glob(".x*"))
