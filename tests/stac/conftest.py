"""One federation for all tests of the STAC API; nobody changes it."""

from collections.abc import Iterator

import pytest

from tests.federated import Federation, Service
from tests.stac.served import served


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with served(tmp_path_factory.mktemp("stac")) as started:
        yield started


@pytest.fixture(params=["alpha", "hub"])
def service(request: pytest.FixtureRequest, running: Federation) -> Service:
    return running[request.param]
