"""Who sent a token: checked by signature or by asking its issuer, once, and remembered for a while."""

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from cscale.identity.caller import Caller
from cscale.identity.refusals import IssuerUnavailable, TokenRefused
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens import claims as claimed
from cscale.identity.tokens.asking import IssuerHttp
from cscale.identity.tokens.issuer import Issuer
from cscale.identity.tokens.jose import is_jwt, taken_apart
from cscale.identity.tokens.remembered import Remembered
from cscale.net.guard import Guard

log = logging.getLogger("cscale.identity")

_MOST = 4096
_LONGEST = 300.0  # seconds after which a token that is not asked about is verified anew, for keys do change
_OPENEO = re.compile(r"([a-z]+)/([A-Za-z0-9_-]*)/(.*)", re.DOTALL)


class Verifier:
    """Checks tokens of several issuers.

    Args:
        config: Whose tokens are taken.
        secret: That of the service; makes pseudonyms.
        http: Connections; closed with the verifier. Own ones where left out, which reach public addresses
            and those of the issuers.
        pause: Seconds between two readings of an issuer's keys at least.
    """

    def __init__(
        self, config: IdentityConfig, secret: bytes, http: IssuerHttp | None = None, pause: float = 5.0
    ) -> None:
        self._config = config
        self._secret = secret
        self._http = http or IssuerHttp(Guard(each.issuer for each in config.issuers))
        self._issuers = {each.issuer: Issuer(each, self._http, pause) for each in config.issuers}
        self._providers = {
            each.config.provider: each for each in self._issuers.values() if each.config.provider is not None
        }
        self._good: Remembered[Caller] = Remembered(_MOST)
        self._bad: Remembered[str] = Remembered(_MOST)
        self._under_way: dict[bytes, asyncio.Task[Caller]] = {}

    def known(self, credentials: str) -> Caller | None:
        """Whose token it is, if that has been found out; quick, and asks nobody."""
        return self._still_good(self._good.key(credentials))

    async def verify(self, credentials: str) -> Caller:
        """Whose token it is.

        Args:
            credentials: What stands after `Bearer`: a token, or `oidc/<provider>/<token>` as openEO has it.

        Raises:
            TokenRefused: If it is not accepted; says why.
            IssuerUnavailable: If that cannot be found out at this moment.
        """
        key = self._good.key(credentials)
        found = self._still_good(key)
        if found is not None:
            return found
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._verified(credentials, key))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is under way, and close the connections."""
        for task in tuple(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        for issuer in self._issuers.values():
            await issuer.close()
        await self._http.close()

    def _still_good(self, key: bytes) -> Caller | None:
        found = self._good.get(key)
        if found is None or self._is_over(found):
            return None
        return found

    def _is_over(self, caller: Caller) -> bool:
        return caller.expires is not None and time.time() >= caller.expires + self._config.skew

    def _finished(self, key: bytes, task: "asyncio.Task[Caller]") -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # it has been seen, also where nobody waits any more

    async def _verified(self, credentials: str, key: bytes) -> Caller:
        token, provider = _openeo(credentials)
        issuer = None if provider is None else self._providers.get(provider)
        if provider is not None and issuer is None:
            raise TokenRefused(f"oidc/{provider}/: no such provider here")
        if is_jwt(token):
            return await self._of_jwt(token, issuer, key)
        return await self._of_opaque(token, issuer, key)

    async def _of_jwt(self, token: str, wanted: Issuer | None, key: bytes) -> Caller:
        jwt = taken_apart(token)
        name = jwt.claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise TokenRefused("the token's issuer (iss) is not accepted here")
        if wanted is not None and issuer is not wanted:
            raise TokenRefused("the token is not one of the provider that it is said to be of")
        claimed.check_kind(jwt)
        if claimed.check_times(jwt.claims, time.time(), self._config.skew) is None:
            raise TokenRefused("the token does not say when it ends (exp)")
        claimed.check_use(jwt.claims, issuer.config)
        await issuer.check_signature(jwt)
        claims: Mapping[str, Any] = jwt.claims
        if issuer.config.introspect == "always":
            told = await self._introspected(token, issuer, key)
            if told.get("sub", claims.get("sub")) != claims.get("sub"):
                raise TokenRefused("the issuer says that the token is somebody else's")
            claims = {**claims, **{name: told[name] for name in claimed.ENTITLEMENTS if name in told}}
        return await self._remembered(claims, token, issuer, key)

    async def _of_opaque(self, token: str, wanted: Issuer | None, key: bytes) -> Caller:
        asked = [each for each in self._issuers.values() if each.config.introspect != "never"]
        if wanted is not None:
            asked = [each for each in asked if each is wanted]
        if not asked:
            raise TokenRefused("the token is no JWT, and this service asks no issuer about others")
        if len(asked) > 1:  # asking all of them would show it to those whose it is not
            raise TokenRefused("the token does not say whose it is: send it as oidc/<provider>/<token>")
        issuer = asked[0]
        claims = await self._introspected(token, issuer, key)
        claimed.check_times(claims, time.time(), self._config.skew)
        claimed.check_use(claims, issuer.config)
        return await self._remembered(claims, token, issuer, key)

    async def _introspected(self, token: str, issuer: Issuer, key: bytes) -> Mapping[str, Any]:
        """What the issuer says of a token; a refusal is remembered as long as an acceptance.

        Raises:
            TokenRefused: If it is not active, or of another issuer.
            IssuerUnavailable: If the issuer does not say.
        """
        refused = self._bad.get(key)
        if refused is not None:
            raise TokenRefused(refused)
        try:
            told = await issuer.introspected(token)
        except TokenRefused as error:
            self._bad.put(key, str(error), issuer.config.delay)
            raise
        if told.get("iss", issuer.config.issuer) != issuer.config.issuer:
            raise TokenRefused("the token is another issuer's")
        return told

    async def _remembered(self, claims: Mapping[str, Any], token: str, issuer: Issuer, key: bytes) -> Caller:
        config = issuer.config
        seconds = _LONGEST if config.introspect == "never" else config.delay
        held = claims
        if config.userinfo and not claimed.says_what_is_held(claims):
            held = await self._told_of_bearer(claims, token, issuer)
            seconds = min(seconds, config.delay)
        entitlements = claimed.entitlements(held, config)
        caller = claimed.caller(claims, entitlements, token, config.issuer, self._secret)
        if seconds > 0:
            self._good.put(key, caller, seconds)
        return caller

    async def _told_of_bearer(
        self, claims: Mapping[str, Any], token: str, issuer: Issuer
    ) -> Mapping[str, Any]:
        """What userinfo says, about the same subject; nothing where it says nothing."""
        if "openid" not in claimed.scopes(claims):
            return {}  # userinfo is for logins of OpenID Connect only
        try:
            told = await issuer.userinfo(token)
        except IssuerUnavailable as error:
            log.warning("issuer %s: a caller goes on without entitlements: %s", issuer.config.issuer, error)
            return {}
        if told is None or not isinstance(told.get("sub"), str) or told["sub"] != claims.get("sub"):
            return {}
        return told


def _openeo(credentials: str) -> tuple[str, str | None]:
    """The token, and the provider that openEO's form names.

    Raises:
        TokenRefused: If the form is that of HTTP Basic logins, or none.
    """
    found = _OPENEO.fullmatch(credentials)
    if found is None:
        return credentials, None
    method, provider, token = found.groups()
    if method == "basic":
        raise TokenRefused("basic//: logins by name and password are not possible here; use oidc/")
    if method != "oidc" or not provider or not token:
        raise TokenRefused("openEO's form of a token is oidc/<provider>/<token>", "invalid_request")
    return token, provider
