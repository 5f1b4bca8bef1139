"""Which token goes where: to the hub that one logged in for, and to members that the hub vouches for.

A token is worth as much as a password to whoever receives it. So it goes to the hub's own origin; to a site
only if the hub lists it as a member *and* the site itself says that it takes tokens of that issuer; and
never over plain http to another machine.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cscale.client.login.asking import Unreachable, Web, asking, refusal
from cscale.client.login.claims import issuer_in
from cscale.client.login.keeping import Keeper
from cscale.client.login.provider import Provider, members_of, provider_of, resource_of
from cscale.client.login.words import Login, LoginFailed, LoginNeeded, Tokens, is_token, origin_of, tokens_of


@dataclass(frozen=True, slots=True)
class _Proof:
    """What can be shown for one hub."""

    issuer: str | None
    token: Callable[[], Awaitable[str]]


class Credentials:
    """The tokens for a hub and its members: of `CSCALE_TOKEN`, else of a service, else of a login.

    A service names itself by `CSCALE_CLIENT_ID` and `CSCALE_CLIENT_SECRET`, and where the hub names no
    issuer, by `CSCALE_ISSUER`.

    Args:
        hub: The hub's address.
        keeper: Where logins are kept.
    """

    def __init__(self, hub: str, keeper: Keeper | None = None) -> None:
        self._hub = origin_of(hub)
        self._keeper = keeper or Keeper()
        self._own: Tokens | None = None  # a service's
        self._members: frozenset[str] | None = None
        self._vouched: dict[tuple[str, str], bool] = {}
        self._one = asyncio.Lock()

    async def token_for(self, url: str) -> str | None:
        """The token to send to an address; None: send none.

        Raises:
            LoginNeeded: If there was a login, and it is over.
            LoginFailed: If what is configured cannot be used.
        """
        origin = origin_of(url)
        if origin is None:
            return None
        async with self._one:
            proof = await self._proof(origin)
            if proof is None or not await self._goes_to(origin, proof.issuer):
                return None
            return await proof.token()

    async def _proof(self, origin: str) -> _Proof | None:
        if given := os.environ.get("CSCALE_TOKEN", "").strip():
            if not is_token(given):
                raise LoginFailed("CSCALE_TOKEN is no bearer token")
            return _Proof(issuer_in(given), lambda: _value(given))
        if client_id := os.environ.get("CSCALE_CLIENT_ID"):
            issuer = await self._service_issuer()
            return _Proof(issuer, lambda: self._service(issuer, client_id))
        logins = await asyncio.to_thread(self._keeper.logins)
        for place in (origin, self._hub):
            for login in logins:
                if place in login.hubs:
                    return _Proof(login.issuer, lambda login=login: renewed(self._keeper, login))  # type: ignore[misc]
        return None

    async def _goes_to(self, origin: str, issuer: str | None) -> bool:
        """Whether a token of an issuer goes to an origin."""
        if origin == self._hub:
            return True
        if issuer is None:
            return False
        logins = await asyncio.to_thread(self._keeper.logins)
        if any(login.issuer == issuer and origin in login.hubs for login in logins):
            return True  # the user logged in for it
        known = self._vouched.get((origin, issuer))
        if known is None:
            known = await self._is_vouched(origin, issuer)
            self._vouched[origin, issuer] = known
        return known

    async def _is_vouched(self, origin: str, issuer: str) -> bool:
        if self._hub is None:
            return False
        async with asking() as web:
            try:
                if self._members is None:
                    self._members = await members_of(web, self._hub)
                if origin not in self._members:
                    return False
                resource = await resource_of(web, origin)
            except LoginFailed:  # it cannot be seen: then it gets none
                return False
        trusted = () if resource is None else resource.authorization_servers
        return issuer.rstrip("/") in [each.rstrip("/") for each in trusted]

    async def _service_issuer(self) -> str:
        if named := os.environ.get("CSCALE_ISSUER"):
            return named
        async with asking() as web:
            resource = await resource_of(web, self._hub) if self._hub else None
        if resource is None or not resource.authorization_servers:
            raise LoginFailed("CSCALE_CLIENT_ID is set, but the hub names no issuer: set CSCALE_ISSUER")
        return resource.authorization_servers[0]

    async def _service(self, issuer: str, client_id: str) -> str:
        secret = os.environ.get("CSCALE_CLIENT_SECRET")
        if not secret:
            raise LoginFailed("CSCALE_CLIENT_ID is set, but CSCALE_CLIENT_SECRET is not")
        if self._own is None or not self._own.fresh:
            async with asking() as web:
                provider = await provider_of(web, issuer)
                self._own = await _as_service(web, provider, client_id, secret)
        return self._own.access


async def _value(token: str) -> str:
    return token


async def _as_service(web: Web, provider: Provider, client_id: str, secret: str) -> Tokens:
    """Client credentials (RFC 6749 4.4)."""
    methods = provider.token_endpoint_auth_methods_supported
    form = {"grant_type": "client_credentials"}
    if "client_secret_post" in methods and "client_secret_basic" not in methods:
        sent = form | {"client_id": client_id, "client_secret": secret}
        status, answer = await web.post(provider.token_endpoint, sent)
    else:
        status, answer = await web.post(provider.token_endpoint, form, (client_id, secret))
    if status != 200:
        raise refusal(provider.issuer, status, answer)
    return tokens_of(answer, provider.issuer)


async def renewed(keeper: Keeper, login: Login) -> str:
    """The access token of a login, a new one where the old one is about to end.

    However many processes ask at once, one of them asks the issuer: a refresh token that is used twice
    counts as stolen, and would end the login.

    Args:
        keeper: Where it is kept.
        login: Which one.

    Raises:
        LoginNeeded: If the login is over.
        LoginFailed: If the issuer cannot be asked, and the old token is no longer good.
    """
    issuer, client_id = login.issuer, login.client_id
    kept = await asyncio.to_thread(keeper.load, issuer, client_id)
    if kept is not None and kept.tokens is not None and kept.tokens.fresh:
        return kept.tokens.access
    async with keeper.alone(issuer, client_id):
        kept = await asyncio.to_thread(keeper.load, issuer, client_id)  # it may have been done meanwhile
        if kept is None or kept.tokens is None:
            raise _over(login)
        if kept.tokens.fresh:
            return kept.tokens.access
        # an interrupt must not come between the issuer's answer and its keeping
        work = asyncio.ensure_future(_refreshed(keeper, kept, kept.tokens))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work], timeout=5)
            raise


async def _refreshed(keeper: Keeper, login: Login, old: Tokens) -> str:
    if old.refresh is None:
        if old.good:
            return old.access
        raise _over(login)
    try:
        async with asking() as web:
            provider = await provider_of(web, login.issuer)
            form = {"grant_type": "refresh_token", "refresh_token": old.refresh, "client_id": login.client_id}
            status, answer = await web.post(provider.token_endpoint, form)
    except Unreachable:
        if old.good:
            return old.access  # it is renewed ahead of its end: there is time to try again
        raise
    if status != 200:
        if answer.get("error") != "invalid_grant":
            if old.good:
                return old.access
            raise refusal(login.issuer, status, answer)
        login.tokens = None
        await asyncio.to_thread(keeper.save, login)
        raise _over(login)
    login.tokens = tokens_of(answer, login.issuer, old)
    await asyncio.to_thread(keeper.save, login)
    return login.tokens.access


def _over(login: Login) -> LoginNeeded:
    hub = f" --hub {login.hubs[0]}" if login.hubs else ""
    again = f"log in again: cscale login{hub}; or go on without: cscale logout{hub}"
    return LoginNeeded(f"the login at {login.issuer} is over; {again}")


async def token_for(url: str, hub: str | None = None) -> str | None:
    """The token to send to an address, see `Credentials.token_for`.

    Args:
        url: Where a request goes.
        hub: The hub that vouches for it; the address itself where left out.
    """
    return await Credentials(hub or url).token_for(url)
