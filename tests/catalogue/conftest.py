"""A catalogue of one's own for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.stac.items import Item

Opened = Callable[..., SqliteCatalogue]


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
