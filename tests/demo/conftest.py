"""The real scenes, where this machine has them or pip can fetch them."""

import os
from pathlib import Path

import pytest

from cscale.demo.romania import fetch
from cscale.errors import SiteError

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cscale"


@pytest.fixture(scope="session")
def wheel() -> Path:
    try:
        return fetch(_CACHE)
    except SiteError as error:
        pytest.skip(f"the real scenes cannot be had here: {error}")
