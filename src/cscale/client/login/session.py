"""Logging in, saying who is logged in, logging out."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from cscale.client.login.asking import Web, asking
from cscale.client.login.browser import by_browser
from cscale.client.login.claims import claims_of
from cscale.client.login.device import by_device
from cscale.client.login.keeping import Keeper
from cscale.client.login.provider import Provider, provider_of, resource_of
from cscale.client.login.using import renewed
from cscale.client.login.words import Login, LoginFailed, LoginNeeded, Shown, origin_of, plain, tokens_of

DEFAULT_CLIENT = "cscale"
"""The client id under which issuers know this program, where a hub names no other."""
Way = Literal["device", "browser"]


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who is logged in.

    Attributes:
        login: The login.
        expires_at: When it ends unless it is renewed, as a Unix time; None: not told.
        renewed_until: Until when it can be renewed; None: not told.
        renewable: Whether it is renewed by itself.
        problem: Why it is of no use, where it is not.
    """

    login: Login
    expires_at: float | None
    renewed_until: float | None
    renewable: bool
    problem: str | None = None


async def log_in(
    hub: str,
    way: Way,
    show: Callable[[Shown], None],
    *,
    issuer: str | None = None,
    client_id: str | None = None,
    keeper: Keeper | None = None,
) -> Login:
    """Log a person in, and keep it.

    Args:
        hub: For which hub or site.
        way: By a code on another device, or in this machine's browser.
        show: Shows where to go; opens the page, where it is the browser.
        issuer: Where; the first that the hub trusts where left out.
        client_id: As which program; what the hub says, or `cscale`, where left out.
        keeper: Where logins are kept.

    Raises:
        LoginFailed: If it does not come about; says why.
    """
    keeper, origin = keeper or Keeper(), origin_of(hub)
    if origin is None:
        raise LoginFailed(f"{plain(hub)!r} gets no token: it is not on https, and not on this machine")
    async with asking() as web:
        resource = await resource_of(web, hub) if issuer is None or client_id is None else None
        trusted = resource.authorization_servers if resource else []
        if issuer is None and not trusted:
            raise LoginFailed(f"{origin} names no issuer to log in at; if you know it: --issuer URL")
        provider = await provider_of(web, issuer or trusted[0])
        named = resource.cscale_clients if resource else {}
        client_id = client_id or named.get(provider.issuer) or DEFAULT_CLIENT
        scope = provider.scope(resource.scopes_supported if resource else [])
        if way == "device":
            answer, nonce = await by_device(web, provider, client_id, scope, show), None
        else:
            answer, nonce = await by_browser(web, provider, client_id, scope, show)
        login = await _login(web, provider, client_id, answer, nonce)
    async with keeper.alone(login.issuer, login.client_id):
        before = await asyncio.to_thread(keeper.load, login.issuer, login.client_id)
        known = before.hubs if before and before.claims.get("sub") == login.claims.get("sub") else []
        login.hubs = [origin, *(each for each in known if each != origin)]
        await asyncio.to_thread(keeper.save, login)
    return login


async def _login(
    web: Web, provider: Provider, client_id: str, answer: dict[str, Any], nonce: str | None
) -> Login:
    tokens = tokens_of(answer, provider.issuer)
    claims: dict[str, Any] = {}
    if nonce is not None or answer.get("id_token") is not None:
        claims = claims_of(
            answer.get("id_token"), provider.issuer, client_id, nonce=nonce, access=tokens.access
        )
    claims = await _more(web, provider, claims, tokens.access)
    return Login(provider.issuer, client_id, claims=claims, at=time.time(), tokens=tokens)


async def _more(web: Web, provider: Provider, claims: dict[str, Any], access: str) -> dict[str, Any]:
    """The claims, with what the userinfo endpoint adds (OpenID Connect Core 5.3)."""
    if provider.userinfo_endpoint is None:
        return claims
    try:
        status, more = await web.get(provider.userinfo_endpoint, access)
    except LoginFailed:
        return claims  # it is only for show
    if status != 200 or not isinstance(more.get("sub"), str):
        return claims
    if claims and more["sub"] != claims["sub"]:  # 5.3.2: somebody else's
        raise LoginFailed(f"{provider.issuer} tells of another user than who logged in; nothing was kept")
    return claims | more


async def who(keeper: Keeper | None = None) -> list[Who]:
    """Who is logged in: what the issuers say now, or what they said, where they cannot be asked."""
    keeper = keeper or Keeper()
    return [await _who(keeper, login) for login in await asyncio.to_thread(keeper.logins)]


async def _who(keeper: Keeper, login: Login) -> Who:
    problem = None
    try:
        access = await renewed(keeper, login)
        async with asking() as web:
            provider = await provider_of(web, login.issuer)
            login.claims = await _more(web, provider, login.claims, access)
    except (LoginFailed, LoginNeeded) as error:
        problem = str(error)
    kept = await asyncio.to_thread(keeper.load, login.issuer, login.client_id)
    tokens = kept.tokens if kept else None
    if tokens is None:
        return Who(login, None, None, renewable=False, problem=problem)
    return Who(login, tokens.expires_at, tokens.refresh_until, tokens.refresh is not None, problem)


async def log_out(keeper: Keeper | None = None, hub: str | None = None) -> list[tuple[Login, str | None]]:
    """Revoke the tokens of logins (RFC 7009) and forget them; each with what kept it from being revoked.

    Args:
        keeper: Where logins are kept.
        hub: Only those for this hub or site.
    """
    keeper = keeper or Keeper()
    origin = None if hub is None else origin_of(hub)
    found = []
    for login in await asyncio.to_thread(keeper.logins):
        if hub is None or origin in login.hubs:
            async with keeper.alone(login.issuer, login.client_id):
                kept = await asyncio.to_thread(keeper.load, login.issuer, login.client_id)
                await asyncio.to_thread(keeper.remove, login.issuer, login.client_id)
                found.append((login, await _revoked(kept or login)))
    return found


async def _revoked(login: Login) -> str | None:
    """Why it could not be revoked."""
    if login.tokens is None:
        return None  # nothing is left of it
    try:
        async with asking() as web:
            provider = await provider_of(web, login.issuer)
            if provider.revocation_endpoint is None:
                return f"{login.issuer} revokes nothing: the last token is good until it expires"
            sent = {"refresh_token": login.tokens.refresh, "access_token": login.tokens.access}
            for kind, token in sent.items():
                form = {"token": token or "", "token_type_hint": kind, "client_id": login.client_id}
                status, _ = await web.post(provider.revocation_endpoint, form) if token else (200, {})
                if status != 200:
                    return f"{login.issuer} did not revoke the {kind.replace('_', ' ')}: it answered {status}"
    except LoginFailed as error:
        return f"not revoked: {error}"
    return None


def last_hub(keeper: Keeper | None = None) -> str | None:
    """The hub of the last login, if there is one."""
    try:
        logins = (keeper or Keeper()).logins()
    except LoginFailed:
        return None  # said where tokens are needed
    return next((login.hubs[0] for login in logins if login.hubs), None)
