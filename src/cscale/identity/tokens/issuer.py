"""An issuer of tokens, as it is asked: where it answers, its keys, what it says of a token and its bearer."""

import asyncio
import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from cscale.errors import SiteError
from cscale.identity.refusals import IssuerUnavailable, TokenRefused
from cscale.identity.settings import TrustedIssuer
from cscale.identity.tokens.asking import PATIENCE, IssuerHttp
from cscale.identity.tokens.jose import Jwt, json_object
from cscale.identity.tokens.keys import PublicKey, algorithm_of, candidates, is_signed, kid_of, public_keys
from cscale.identity.tokens.renewed import Renewed

log = logging.getLogger("cscale.identity")

_FRESH, _STALE = 600.0, 6 * 3600.0
_PAUSE = 5.0
_AT_ONCE = 8  # questions about tokens that are under way
_ENDPOINTS = ("introspection_endpoint", "userinfo_endpoint")


@dataclass(frozen=True, slots=True)
class Known:
    """What an issuer publishes of itself (OpenID Connect Discovery 1.0).

    Attributes:
        document: The discovery document.
        keys: Its public keys.
    """

    document: Mapping[str, Any]
    keys: tuple[PublicKey, ...]


class Issuer:
    """One issuer.

    Discovery document and keys are read again every ten minutes, and at once (every five seconds at most)
    when a token names a key that is not known. While the issuer is away, what was read last serves for six
    hours.

    Args:
        config: Its configuration.
        http: Connections.
        pause: Seconds between two readings at least.
    """

    def __init__(self, config: TrustedIssuer, http: IssuerHttp, pause: float = _PAUSE) -> None:
        self.config = config
        self._http = http
        self._known = Renewed(self._load, fresh=_FRESH, stale=_STALE, pause=pause)
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._credentials = _basic(config)

    async def known(self) -> Known:
        """What it publishes of itself.

        Raises:
            IssuerUnavailable: If it cannot be read.
        """
        return await self._known.get()

    async def check_signature(self, jwt: Jwt) -> None:
        """Refuse a token that this issuer has not signed.

        Raises:
            TokenRefused: If it has not, or not in a way that is accepted.
            IssuerUnavailable: If its keys cannot be read.
        """
        algorithm, kid = algorithm_of(jwt, self.config.algorithms), kid_of(jwt)
        keys = candidates((await self._known.get()).keys, kid, algorithm)
        if not keys:
            anew = await self._known.anew()
            keys = candidates(anew.keys if anew else (), kid, algorithm)
        if not keys:
            raise TokenRefused("the token is signed with a key that its issuer does not publish")
        if not is_signed(jwt, algorithm, keys):
            raise TokenRefused("the token's signature is wrong")

    async def introspected(self, token: str) -> Mapping[str, Any]:
        """What the issuer says of a token at this moment (RFC 7662).

        Raises:
            TokenRefused: If it is not active.
            IssuerUnavailable: If the issuer does not say.
        """
        url = await self._endpoint("introspection_endpoint")
        form = {"token": token, "token_type_hint": "access_token"}
        headers = {}
        if self._credentials is not None:
            headers["authorization"] = self._credentials
        elif self.config.client_id is not None:
            form["client_id"] = self.config.client_id
        told = await self._asked(url, form, headers, "introspection")
        if told is None:
            raise IssuerUnavailable("the issuer does not tell this service of tokens; see its log")
        if told.get("active") is not True:
            raise TokenRefused("the token is not active: it has ended or was revoked")
        return told

    async def userinfo(self, token: str) -> Mapping[str, Any] | None:
        """What the issuer tells of a token's subject (OpenID Connect Core 5.3); None if it does not.

        Raises:
            IssuerUnavailable: If it does not answer.
        """
        if "userinfo_endpoint" not in (await self._known.get()).document:
            return None
        url = await self._endpoint("userinfo_endpoint")
        return await self._asked(url, None, {"authorization": f"Bearer {token}"}, "userinfo")

    async def close(self) -> None:
        """Give up what is under way."""
        await self._known.close()

    async def _endpoint(self, name: str) -> str:
        url = (await self._known.get()).document.get(name)
        if not isinstance(url, str):
            raise IssuerUnavailable(f"the issuer publishes no {name}")
        return url

    async def _asked(
        self, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str], what: str
    ) -> Mapping[str, Any] | None:
        try:
            async with asyncio.timeout(2 * PATIENCE), self._asking:
                answer = await self._http.ask(url, form, headers)
        except TimeoutError:
            raise IssuerUnavailable(f"{what}: too many questions wait for the issuer") from None
        except SiteError as error:
            raise IssuerUnavailable(f"{what}: {error}") from None
        if answer.status >= 500 or answer.status == 429:
            raise IssuerUnavailable(f"{what}: it answered {answer.status}")
        if answer.status != 200:
            log.warning("issuer %s: %s answered %d", self.config.issuer, what, answer.status)
            return None
        try:
            return json_object(answer.body, what)
        except TokenRefused as error:
            log.warning("issuer %s: %s", self.config.issuer, error)
            return None

    async def _load(self) -> Known:
        """Read the discovery document and the keys.

        Raises:
            IssuerUnavailable: If either cannot be read, or is another issuer's.
        """
        issuer = self.config.issuer
        document = await self._document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise self._unusable("its discovery document is another issuer's")
        for name in ("jwks_uri", *_ENDPOINTS):
            url = document.get(name)
            if url is not None and not self._may_answer(url):
                raise self._unusable(f"its {name} is no https address")
        if "jwks_uri" not in document:
            raise self._unusable("its discovery document names no jwks_uri")
        keys = public_keys(await self._document(document["jwks_uri"]))
        if not keys:
            raise self._unusable("it publishes no key that can be used")
        return Known(document, keys)

    async def _document(self, url: str) -> Mapping[str, Any]:
        try:
            answer = await self._http.ask(url)
            if answer.status != 200:
                raise self._unusable(f"{url} answered {answer.status}")
            return json_object(answer.body, url)
        except (SiteError, TokenRefused) as error:
            raise self._unusable(f"{url}: {error}") from None

    def _may_answer(self, url: object) -> bool:
        """Whether an address is one that this issuer's answers may come from: https, or http where it is."""
        schemes = ("https://", "http://") if self.config.issuer.startswith("http://") else ("https://",)
        return isinstance(url, str) and url.startswith(schemes) and url.isascii() and url.isprintable()

    def _unusable(self, why: str) -> IssuerUnavailable:
        log.warning("issuer %s cannot be used: %s", self.config.issuer, why[:300])
        return IssuerUnavailable("the token's issuer cannot be asked for its keys; see this service's log")


def _basic(config: TrustedIssuer) -> str | None:
    """How this service says who it is (RFC 6749 2.3.1); None for a client without a secret."""
    secret = config.client_secret()
    if config.client_id is None or secret is None:
        return None
    pair = f"{quote_plus(config.client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
