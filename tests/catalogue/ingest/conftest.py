"""Files handed in to a catalogue of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cscale.archive.folders import Folders
from cscale.catalogue import SqliteStore
from cscale.catalogue.ingest import Options, Report, ingest
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item, read_body
from cscale.stac.search import SearchRequest
from cscale.testing.archives import plain_item
from tests.catalogue.conftest import Opened

Take = Callable[..., Report]
SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder that the site serves as `/data/scenes`."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def take(path: Path, data: Path) -> Callable[..., Report]:
    def take_in(*paths: Path, **options: Any) -> Report:
        return ingest(SqliteStore(path.parent), paths, Options(Folders({"scenes": data}), **options))

    return take_in


def write(path: Path, *values: Any) -> Path:
    """JSON, or one value a line where there are several."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\n".join(value if isinstance(value, bytes) else msgspec.json.encode(value) for value in values)
    )
    return path


async def held(opened: Opened) -> dict[str, Item]:
    page = await opened().search(ANONYMOUS, SearchRequest(limit=1000))
    return {item.id: read_body(item.body) for item in page.items}


def with_asset(href: str, **members: Any) -> Item:
    return plain_item(assets={"data": {"href": href} | members})


async def the_asset(opened: Opened) -> dict[str, Any]:
    [item] = (await held(opened)).values()
    asset: dict[str, Any] = item["assets"]["data"]
    return asset
