"""An issuer that the tests of this folder share."""

from collections.abc import Iterator

import pytest

pytest.importorskip("authlib", reason="the embedded issuer needs authlib and flask")
pytest.importorskip("flask", reason="the embedded issuer needs authlib and flask")

from tests.identity.issuer.served import Issuer, issuing


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuing(tmp_path_factory.mktemp("issuer")) as running:
        yield running
