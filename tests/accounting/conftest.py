"""Books of one's own for each test, on both databases."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cscale.accounting.ledger import Ledger
from tests.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "site"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def opened(state: Path | str) -> Iterator[Callable[[], Ledger]]:
    ledgers: list[Ledger] = []

    def open_it() -> Ledger:
        ledgers.append(Ledger(state, "alpha"))
        return ledgers[-1]

    yield open_it
    for each in ledgers:
        each.close()
