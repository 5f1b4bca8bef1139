"""Verifiers for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens import Verifier
from tests.identity.issuing import OwnIssuer

SECRET = b"s" * 32


@asynccontextmanager
async def verifying(*issuers: OwnIssuer, pause: float = 5.0, **config: Any) -> AsyncIterator[Verifier]:
    more = {"entitlements": "*"} if len(issuers) > 1 else {}
    listed = [{"issuer": each.url, "audience": "cscale", **more, **config} for each in issuers]
    verifier = Verifier(IdentityConfig.model_validate({"issuers": listed}), SECRET, pause=pause)
    try:
        yield verifier
    finally:
        await verifier.close()


async def forgotten(verifier: Verifier, token: str) -> None:
    for _ in range(400):
        if verifier.known(token) is None:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the token is taken for good still")
