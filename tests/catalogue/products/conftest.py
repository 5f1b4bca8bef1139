"""Real products, and copies of them to complete, cut and spoil."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cscale.catalogue.products import Product, read_product

NOTHING = b"<imageInformation></imageInformation>"
SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def real() -> Callable[[str], Path]:
    """A real product or item, by its path in the shared data."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{path} is not on this machine; see MANIFEST.md of the shared data")
        return path

    return find


@pytest.fixture
def copied(real: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """A folder's copy, under another name if told."""

    def copy(name: str, called: str | None = None) -> Path:
        source = real(name)
        target = tmp_path / "copies" / (called or source.name)
        shutil.copytree(source, target)
        return target

    return copy


@pytest.fixture
def complete(copied: Callable[..., Path]) -> Callable[[str], Product]:
    """A product with all its files there; those that were missing are empty, or tell nothing."""

    def read(name: str) -> Product:
        path = copied(name)
        for missing in read_product(path).missing:
            (path / missing).parent.mkdir(parents=True, exist_ok=True)
            (path / missing).write_bytes(NOTHING if missing.endswith(".xml") else b"")
        return read_product(path)

    return read
