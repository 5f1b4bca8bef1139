"""An issuer for each test, and what a service needs to ask it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity.issuing import OwnIssuer, issuing


@pytest.fixture
def issuer() -> Iterator[OwnIssuer]:
    with issuing() as found:
        yield found


@pytest.fixture
def asking(tmp_path: Path) -> dict[str, Any]:
    """How a service that may ask about tokens is configured."""
    (tmp_path / "secret").write_text("geheim\n")
    return {"client_id": "hub", "client_secret_file": tmp_path / "secret"}
