"""Tokens lie in the system's keyring where there is one that works."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cscale.client.login import Keeper
from tests.client.login.test_keeping import ISSUER, login

keyring: Any = pytest.importorskip("keyring", reason="the keyring library is optional, and not here")
backend: Any = pytest.importorskip("keyring.backend")
errors: Any = pytest.importorskip("keyring.errors")


class FileRing(backend.KeyringBackend):  # type: ignore[misc]
    """A keyring, as the system's would be, in a file; can be locked."""

    priority: ClassVar[float] = 5

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.path.write_text(json.dumps(self._all() | {f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._all()
        if kept.pop(f"{service}/{username}", None) is None:
            raise errors.PasswordDeleteError("there is none")
        self.path.write_text(json.dumps(kept))

    def _all(self) -> dict[str, str]:
        if self.locked:
            raise errors.KeyringLocked("it is locked")
        found: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return found


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[FileRing]:
    """A keyring, as the system has one."""
    before = keyring.get_keyring()
    found = FileRing(tmp_path / "ring.json")
    keyring.set_keyring(found)
    yield found
    keyring.set_keyring(before)


def test_tokens_lie_in_the_keyring_if_there_is_one(ring: FileRing, keeper: Keeper, tmp_path: Path) -> None:
    keeper.save(login())
    (path,) = (tmp_path / "home").rglob("*.json")
    assert b"a-token" not in path.read_bytes()
    assert b"r-token" not in path.read_bytes()
    assert "r-token" in ring.path.read_text()
    found = keeper.load(ISSUER, "cscale")
    assert found is not None
    assert found.tokens == login().tokens
    keeper.remove(ISSUER, "cscale")
    assert "r-token" not in ring.path.read_text()


def test_a_keyring_that_is_locked_is_done_without(ring: FileRing, keeper: Keeper) -> None:
    ring.locked = True
    keeper.save(login())
    found = keeper.load(ISSUER, "cscale")
    assert found is not None
    assert found.tokens == login().tokens


def test_a_keyring_that_was_locked_since_means_to_log_in_again(ring: FileRing, keeper: Keeper) -> None:
    keeper.save(login())
    ring.locked = True
    found = keeper.load(ISSUER, "cscale")
    assert found is not None
    assert found.tokens is None
    keeper.remove(ISSUER, "cscale")
    assert keeper.logins() == []
