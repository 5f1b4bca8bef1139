"""Who can log somebody in, and for whom: what issuers and hubs tell of themselves."""

from typing import Any

import msgspec

from cscale.client.login.asking import Web
from cscale.client.login.words import LoginFailed, origin_of, plain

_STANDARD = ("openid", "profile", "email", "offline_access")
_SCOPES = (*_STANDARD, "entitlements", "eduperson_entitlement")
_MOST_MEMBERS = 1_000


class Provider(msgspec.Struct, frozen=True):
    """An issuer's metadata (OpenID Connect Discovery 1.0, RFC 8414), what of it is used here."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None
    scopes_supported: list[str] | None = None
    code_challenge_methods_supported: list[str] | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    def scope(self, wanted: list[str]) -> str:
        """What to ask for: what is wanted, and who the user is; of that, what the issuer knows."""
        asked = dict.fromkeys([*_SCOPES, *wanted])
        known = _STANDARD if self.scopes_supported is None else self.scopes_supported
        return " ".join(each for each in asked if each in known or each in wanted)


class Resource(msgspec.Struct, frozen=True):
    """What a service says of the logins that it takes (RFC 9728).

    Attributes:
        resource: Its address.
        authorization_servers: The issuers it trusts, the preferred one first.
        scopes_supported: What a token for it should be good for.
        cscale_clients: By issuer, the client id under which `cscale` is registered there.
    """

    resource: str
    authorization_servers: list[str] = []
    scopes_supported: list[str] = []
    cscale_clients: dict[str, str] = {}


async def provider_of(web: Web, issuer: str) -> Provider:
    """An issuer's metadata.

    Raises:
        LoginFailed: If there is none, or it is another's, or leads out of TLS.
    """
    issuer = issuer.strip().rstrip("/")
    origin = origin_of(issuer)
    if origin is None:
        raise LoginFailed(f"{plain(issuer)!r} is no issuer: its address begins with https://")
    path = issuer[len(origin) :] if issuer.lower().startswith(origin) else ""
    places = (
        f"{issuer}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )
    status, answer = 0, dict[str, Any]()
    for place in places:
        status, answer = await web.get(place)
        if status == 200:
            break
    try:
        provider = msgspec.convert(answer, Provider)
    except msgspec.ValidationError:
        raise LoginFailed(
            f"{issuer} is no issuer: {places[0]} answers {status}, without its metadata"
        ) from None
    if provider.issuer.rstrip("/") != issuer:  # else one could speak for another
        raise LoginFailed(
            f"{issuer} calls itself {plain(provider.issuer)!r}; name that with --issuer if you trust it"
        )
    for name in provider.__struct_fields__:
        url = getattr(provider, name)
        if name.endswith("_endpoint") and url is not None and origin_of(url) is None:
            raise LoginFailed(f"{issuer}: its {name} is not on https: {plain(url)!r}")
    return provider


async def resource_of(web: Web, url: str) -> Resource | None:
    """What a service says of the logins that it takes; None if it says nothing.

    Args:
        web: What asks.
        url: Its address; what is asked is its origin.

    Raises:
        LoginFailed: If it says what cannot be.
    """
    origin = origin_of(url)
    if origin is None:
        return None
    status, answer = await web.get(f"{origin}/.well-known/oauth-protected-resource")
    if status != 200:
        return None
    try:
        resource = msgspec.convert(answer, Resource)
    except msgspec.ValidationError as error:
        raise LoginFailed(f"{origin} describes its logins wrongly: {plain(error)}") from None
    if origin_of(resource.resource) != origin:  # RFC 9728 3.3: else it could speak for another
        raise LoginFailed(f"{origin} describes the logins of {plain(resource.resource)!r}, which is not it")
    return resource


async def members_of(web: Web, hub: str) -> frozenset[str]:
    """The origins of a hub's members: those that it vouches for. None where it lists none."""
    _, answer = await web.get(f"{hub}/sites")
    sites = answer.get("sites")
    found = set()
    for site in sites[:_MOST_MEMBERS] if isinstance(sites, list) else []:
        endpoints = site.get("endpoints") if isinstance(site, dict) else None
        for endpoint in endpoints if isinstance(endpoints, list) else []:
            url = endpoint.get("url") if isinstance(endpoint, dict) else None
            found.add(origin_of(url) if isinstance(url, str) else None)
    return frozenset(each for each in found if each is not None)
