"""Places to log in at, and a home of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cscale.client.login import Keeper
from tests.client.login.places import Hub, Place, hub
from tests.peers.oidc.running import provider


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tester has in their environment does not count."""
    for name in ("CSCALE_TOKEN", "CSCALE_CLIENT_ID", "CSCALE_CLIENT_SECRET", "CSCALE_ISSUER", "CSCALE_HUB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    pytest.importorskip("authlib", reason="the embedded issuer needs authlib and flask")
    from tests.identity.issuer.served import issuing

    with issuing(tmp_path_factory.mktemp("issuer")) as issuer:
        yield Place(issuer.url, "cscale", "embedded")


@pytest.fixture(scope="module")
def npm() -> Iterator[Place]:
    with provider() as url:
        yield Place(url, "cli", "npm")


@pytest.fixture(params=["embedded", "npm"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each issuer in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def trusting(place: Place) -> Iterator[Hub]:
    """A hub that trusts the place."""
    with hub() as running:
        running.trusts(place)
        yield running
