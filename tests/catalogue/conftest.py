"""A catalogue of one's own for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cscale.archive.folders import Folders
from cscale.catalogue import SqliteCatalogue, writing
from cscale.catalogue.ingest import Options, Report, ingest
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item, read_body
from cscale.stac.search import SearchRequest
from cscale.testing.archives import plain_item

Opened = Callable[..., SqliteCatalogue]
Take = Callable[..., Report]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.sqlite"


@pytest.fixture
def opened(path: Path) -> Iterator[Opened]:
    """Opens the catalogue; it is closed at the end."""
    sources: list[SqliteCatalogue] = []

    def open_it(data_url: str = "https://example.org/data", secret: bytes = b"s") -> SqliteCatalogue:
        sources.append(SqliteCatalogue(path, data_url=data_url, secret=secret))
        return sources[-1]

    yield open_it
    for source in sources:
        source.close()


def put(path: Path, *items: Item) -> None:
    with writing(path) as writer:
        for item in items:
            writer.put(item)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder that the site serves as `/data/scenes`."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def take(path: Path, data: Path) -> Callable[..., Report]:
    def take_in(*paths: Path, **options: Any) -> Report:
        return ingest(path, paths, Options(Folders({"scenes": data}), **options))

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
