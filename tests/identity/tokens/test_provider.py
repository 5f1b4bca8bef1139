"""Tokens of a real OpenID provider (npm's oidc-provider): signed ones, opaque ones, revoked ones."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cscale.identity.refusals import TokenRefused
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens import Verifier
from tests.peers.oidc.running import logged_in, posted, provider

SERVICE = ("service", "auch-geheim")
MEMBERS = "urn:mace:egi.eu:group:cscale.eu"
HYDROLOGY = "urn:mace:egi.eu:group:cscale.eu:hydrology"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as url:
        yield url


@pytest.fixture
def asking(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secret").write_text(SERVICE[1])
    return {"client_id": SERVICE[0], "client_secret_file": tmp_path / "secret", "delay": 0.3}


@asynccontextmanager
async def verifying(issuer: str, **config: Any) -> AsyncIterator[Verifier]:
    listed = [{"issuer": issuer, "audience": ["urn:cscale:api", "urn:cscale:opaque"]} | config]
    verifier = Verifier(IdentityConfig.model_validate({"issuers": listed}), b"s" * 32)
    try:
        yield verifier
    finally:
        await verifier.close()


async def of_service(issuer: str, resource: str) -> str:
    form = {"grant_type": "client_credentials", "scope": "compute", "resource": resource}
    return str((await posted(f"{issuer}/token", form, SERVICE))["access_token"])


async def test_a_person_who_logged_in(issuer: str) -> None:
    tokens = await logged_in(issuer, "alice", "openid entitlements", "urn:cscale:api")
    async with verifying(issuer) as verifier:
        caller = await verifier.verify(tokens["access_token"])
        with pytest.raises(TokenRefused):
            await verifier.verify(tokens["id_token"])
        with pytest.raises(TokenRefused):
            await verifier.verify(tokens["refresh_token"])
    assert (caller.subject, caller.issuer) == ("alice", issuer)
    assert caller.holds([MEMBERS])
    assert not caller.holds([HYDROLOGY])


async def test_what_only_userinfo_tells(issuer: str, asking: dict[str, Any]) -> None:
    tokens = await logged_in(issuer, "bob", "openid entitlements")
    async with verifying(issuer, introspect="opaque", clients="cli", **asking) as verifier:
        caller = await verifier.verify(tokens["access_token"])
    assert caller.subject == "bob"
    assert caller.holds([HYDROLOGY])
    assert caller.holds([MEMBERS]), "members of a subgroup are members of the group"
    async with verifying(issuer, introspect="opaque", **asking) as verifier:
        with pytest.raises(TokenRefused, match="whom it is for"):
            await verifier.verify(tokens["access_token"])


@pytest.mark.parametrize("resource", ["urn:cscale:api", "urn:cscale:opaque"])
async def test_a_service_of_its_own(issuer: str, asking: dict[str, Any], resource: str) -> None:
    token = await of_service(issuer, resource)
    async with verifying(issuer, introspect="opaque", **asking) as verifier:
        caller = await verifier.verify(token)
    assert caller.subject == "service"
    assert "compute" in caller.scopes


async def test_a_token_for_another_service(issuer: str, asking: dict[str, Any]) -> None:
    token = await of_service(issuer, "urn:elsewhere:api")
    async with verifying(issuer, **asking) as verifier:
        with pytest.raises(TokenRefused, match="not meant for this service"):
            await verifier.verify(token)


async def test_a_revoked_token_is_refused_within_the_delay(issuer: str, asking: dict[str, Any]) -> None:
    token = await of_service(issuer, "urn:cscale:opaque")
    async with verifying(issuer, introspect="opaque", **asking) as verifier:
        await verifier.verify(token)
        await posted(f"{issuer}/token/revocation", {"token": token}, SERVICE)
        await asyncio.sleep(asking["delay"])
        with pytest.raises(TokenRefused, match="revoked"):
            await verifier.verify(token)
