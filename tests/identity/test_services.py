"""A site and a hub as services, with the tokens of a real OpenID provider."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.discovery.federations import MORNING, feature
from tests.federated import Federation, Service, ask, federation, member
from tests.peers.oidc.running import logged_in, provider

AUDIENCE = "urn:cscale:api"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as url:
        yield url


@pytest.fixture(scope="module")
def token(issuer: str) -> str:
    told = asyncio.run(logged_in(issuer, "alice", "openid entitlements", AUDIENCE))
    return str(told["access_token"])


@pytest.fixture(scope="module")
def services(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    identity = {"issuer": issuer, "audience": AUDIENCE}
    folder: Path = tmp_path_factory.mktemp("federation")
    with federation(folder) as running:
        site = running.site("alpha", identity=identity)
        site.ingest([feature("P", "c", MORNING, {})])
        running.hub("hub", [member(site, "alpha", token="pass")], identity=identity)
        running.hub("open", [member(site, "alpha", token="pass")])
        running.await_started()
        yield running


@pytest.mark.parametrize("name", ["alpha", "hub"])
@pytest.mark.parametrize("path", ["/stac/search", "/stac/collections", "/stac/collections/c/items/P"])
def test_a_token_of_the_issuer_is_taken_and_none_is_needed(
    services: Federation, token: str, name: str, path: str
) -> None:
    service: Service = services[name]
    for headers in ({}, {"authorization": f"Bearer {token}"}):
        assert ask(f"{service.url}{path}", **headers).status == 200


@pytest.mark.parametrize("name", ["alpha", "hub"])
def test_a_token_that_was_changed_is_refused(services: Federation, token: str, name: str) -> None:
    head, body, signature = token.split(".")
    for bad in (f"{head}.{body}.{signature[::-1]}", f"{head}.{body}.", "x.y.z"):
        got = ask(f"{services[name].stac}/search", authorization=f"Bearer {bad}")
        assert got.status == 401
        assert 'error="invalid_token"' in got.headers["www-authenticate"]


def test_the_token_goes_to_the_site_that_is_to_have_it(services: Federation, token: str) -> None:
    """The site refuses a bad one; a hub that checks nothing hands on what it was sent."""
    assert ask(f"{services['open'].stac}/search", authorization=f"Bearer {token}").status == 200
    got = ask(f"{services['open'].stac}/search", authorization="Bearer x.y.z")
    assert got.status == 502
    assert "401" in got.json["description"]
    for service in ("alpha", "hub", "open"):
        assert token not in services[service].log.read_text()
