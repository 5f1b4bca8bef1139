"""The service's side takes the embedded issuer's tokens, and none that the issuer revoked or never made."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cscale.identity.refusals import TokenRefused
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens.verifier import Verifier
from tests.identity.issuer.served import HUB, MEMBER, SERVICE, Issuer


@pytest.fixture
async def verifier(issuer: Issuer, tmp_path: Path) -> AsyncIterator[Verifier]:
    """It asks the issuer about each token, each time."""
    secret = tmp_path / "secret"
    secret.write_text(SERVICE[1])
    asked: dict[str, Any] = {"client_id": SERVICE[0], "client_secret_file": secret, "introspect": "always"}
    named = {"issuer": issuer.url, "audience": ["cscale"], "delay": 0, **asked}
    found = Verifier(IdentityConfig.model_validate({"issuers": [named]}), b"a secret of the service" * 2)
    yield found
    await found.close()


async def test_a_login_is_known_with_its_entitlements(issuer: Issuer, verifier: Verifier) -> None:
    caller = await verifier.verify(issuer.tokens()["access_token"])
    assert caller.subject is not None
    assert MEMBER in caller.entitlements
    assert (await verifier.verify(issuer.tokens("bob")["access_token"])).entitlements == frozenset()


async def test_a_service_is_known(issuer: Issuer, verifier: Verifier) -> None:
    token = issuer.token(SERVICE, grant_type="client_credentials").json["access_token"]
    assert (await verifier.verify(token)).subject is not None


async def test_what_was_revoked_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    tokens = issuer.tokens()
    await verifier.verify(tokens["access_token"])
    issuer.revoke(tokens["refresh_token"])
    with pytest.raises(TokenRefused):
        await verifier.verify(tokens["access_token"])


async def test_id_tokens_and_tokens_for_others_are_refused(issuer: Issuer, verifier: Verifier) -> None:
    tokens = issuer.tokens()
    exchanged = issuer.token(
        HUB,
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=tokens["access_token"],
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        audience="gamma",
    ).json["access_token"]
    for token in (tokens["id_token"], tokens["refresh_token"], exchanged):
        with pytest.raises(TokenRefused):
            await verifier.verify(token)
