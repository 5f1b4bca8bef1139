"""`cscale migrate` brings a site's catalogue up to date."""

from pathlib import Path

import msgspec
import pytest
import typer
import zstandard
from typer.testing import CliRunner

from cscale.app import SiteConfig
from cscale.cli.migrate import migrate
from cscale.errors import BadConfiguration
from cscale.settings import load
from cscale.testing.archives import MOMENTS, plain_item
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

OLD = Path(__file__).parents[1] / "catalogue" / "migrations" / "format1.sqlite.zst"
_app = typer.Typer()
_app.command()(migrate)


def configured(folder: Path, state: str, **more: object) -> Path:
    config = folder / "site.yaml"
    about = {"id": "alpha", "title": "Alpha", "url": "http://127.0.0.1:8311"}
    config.write_bytes(msgspec.json.encode({"site": about, "state": state, **more}))
    return config


def done(config: Path) -> list[str]:
    told = CliRunner().invoke(_app, ["--config", str(config), "--json"], catch_exceptions=False)
    assert told.exit_code == 0
    lines: list[str] = msgspec.json.decode(told.stdout)["done"]
    return lines


def test_a_catalogue_of_the_first_format(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "catalogue.sqlite").write_bytes(
        zstandard.ZstdDecompressor().decompress(OLD.read_bytes())
    )
    config = configured(tmp_path, "./state")
    store = load(config, SiteConfig).store
    with pytest.raises(BadConfiguration, match="cscale migrate --config"):
        store.source(data_url="https://example.org/data", secret=b"s")
    assert [line.partition(":")[0] for line in done(config)] == ["format 2"]
    store.source(data_url="https://example.org/data", secret=b"s").close()
    told = CliRunner().invoke(_app, ["--config", str(config)])
    assert told.stdout == "up to date\n"


def test_a_property_that_is_configured_later(tmp_path: Path, postgres_url: str) -> None:
    with load(configured(tmp_path, postgres_url), SiteConfig).store.writing() as writer:
        writer.put(plain_item(properties={"datetime": MOMENTS[0], "my:count": 7}))
    config = configured(tmp_path, postgres_url, queryables={"my:count": "number"})
    assert done(config) == ["column my:count: filled from 1 items"]
    assert done(config) == []
