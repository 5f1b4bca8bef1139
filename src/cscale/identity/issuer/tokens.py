"""Tokens and who they are for. A login and all tokens that came of it are a family, revoked together."""

import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin

from cscale.identity.issuer.config import ABOUT_USERS, Client, IssuerSettings, User
from cscale.identity.issuer.keys import Keys
from cscale.identity.issuer.records import Records

_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::\d{1,5})?(/[\w./~-]*)")


@dataclass(frozen=True)
class Known(ClientMixin):
    """A client, as the flows see it."""

    client_id: str
    settings: Client

    def get_client_id(self) -> str:
        """Its id."""
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        """Nothing: a request names where it wants to be sent back to."""
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        """What of a scope it gets; which of it the user has is seen when the token is made."""
        return scope or ""

    def check_redirect_uri(self, uri: str) -> bool:
        """Whether it may be sent back there: exactly there; on loopback to any port (RFC 8252 7.3)."""
        if uri in self.settings.redirects:
            return True
        found = _LOOPBACK.fullmatch(uri)
        return found is not None and found[1] + found[2] in self.settings.redirects

    def check_client_secret(self, secret: str) -> bool:
        """Whether it is its secret."""
        own = self.settings.secret
        return own is not None and hmac.compare_digest(own.get_secret_value().encode(), secret.encode())

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        """Whether it proves itself this way: one with a secret must show it."""
        return (method == "none") == (self.settings.secret is None)

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may ask for this."""
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may use this flow."""
        return grant_type in self.settings.grant_types


class Issued(dict[str, Any], TokenMixin):
    """What is known of a token: `kind`, `client_id`, `user`, `scope`, `family`, `aud`, `iat`, `exp`, ..."""

    def check_client(self, client: Known) -> bool:
        """Whether it was given to this client."""
        return bool(self["client_id"] == client.client_id)

    def get_scope(self) -> str:
        """What it is good for."""
        return str(self["scope"])

    def get_expires_in(self) -> int:
        """For how long it is good, in seconds."""
        return int(self["exp"] - self["iat"])

    def is_expired(self) -> bool:
        """Whether it is over."""
        return bool(self["exp"] <= time.time())

    def is_revoked(self) -> bool:
        """Whether it, or its family, was revoked."""
        return bool(self.get("revoked"))

    def get_user(self) -> str | None:
        """Whose it is; None: the client's own."""
        user: str | None = self["user"]
        return user


class Tokens:
    """Makes tokens and knows what became of them.

    Args:
        config: Users, clients, lifetimes.
        keys: What signs.
        records: What remembers.
    """

    def __init__(self, config: IssuerSettings, keys: Keys, records: Records) -> None:
        self.config = config
        self.keys = keys
        self.records = records

    def client(self, client_id: str | None) -> Known | None:
        """A client by its id."""
        settings = self.config.clients.get(client_id or "")
        return None if settings is None else Known(client_id or "", settings)

    def user(self, name: str | None) -> User | None:
        """A user by the name they log in with."""
        return self.config.users.get(name or "")

    def supported(self) -> list[str]:
        """All scopes that somebody may have."""
        users, clients = self.config.users.values(), self.config.clients.values()
        own = {scope for each in users for scope in each.scopes}
        own |= {scope for each in clients for scope in each.scopes}
        return [*ABOUT_USERS, *sorted(own)]

    def granted(self, scope: str | None, holder: User | Client) -> str:
        """What of an asked scope its holder may have."""
        asked = dict.fromkeys((scope or "").split())
        return " ".join(each for each in asked if each in ABOUT_USERS or each in holder.scopes)

    def about(self, name: str, scope: str) -> dict[str, Any]:
        """The claims on a user that a scope opens (OpenID Connect Core 5.4)."""
        user, scopes = self.config.users[name], scope.split()
        claims: dict[str, Any] = {"sub": name}
        if "profile" in scopes:
            claims |= {"name": user.name or name, "preferred_username": name}
        if "email" in scopes and user.email:
            claims |= {"email": user.email, "email_verified": True}
        if {"profile", "entitlements", "eduperson_entitlement"} & {*scopes}:
            claims |= {"eduperson_entitlement": [*user.entitlements], "groups": [*user.groups]}
        return claims

    def access(
        self,
        client: Known,
        user: str | None,
        scope: str,
        *,
        audience: str | None = None,
        until: float | None = None,
        **more: Any,
    ) -> tuple[str, int]:
        """An access token, a JWT (RFC 9068), and for how many seconds it is good.

        Args:
            client: Who gets it.
            user: Whose it is; None: the client's own.
            scope: What it is good for.
            audience: For whom it is; the configuration's where left out.
            until: It ends then at the latest, as a Unix time.
            more: More claims.
        """
        now = int(time.time())
        end = now + self.config.lifetimes.access
        end = end if until is None else min(end, int(until))
        holder = client.settings if user is None else self.config.users[user]
        claims: dict[str, Any] = {
            "iss": self.config.issuer.url,
            "sub": user or client.client_id,
            "aud": audience or self.config.audience,
            "client_id": client.client_id,
            "scope": scope,
            "iat": now,
            "exp": end,
            "jti": secrets.token_urlsafe(16),
            "eduperson_entitlement": [*holder.entitlements],
            **more,
        }
        if user is not None:
            claims |= {"preferred_username": user, "groups": [*self.config.users[user].groups]}
        return self.keys.signed({"typ": "at+jwt"}, claims), end - now

    def remember(self, kind: str, token: str, seconds: int, **about: Any) -> None:
        """Remember a token: `kind` is `access` or `refresh`."""
        now = int(time.time())
        value = {"kind": kind, "iat": now, "exp": now + seconds, **about}
        self.records.put(kind, token, value, seconds)

    def find(self, token: str) -> Issued | None:
        """What is known of a token, whether it is an access or a refresh token."""
        value = self.records.get("access", token) or self.records.get("refresh", token)
        if value is None:
            return None
        family = self.records.get("family", value["family"])
        return Issued(value, revoked=value.get("revoked") or family is None or family["revoked"])

    def new_family(self) -> str:
        """A name for all tokens that will come of one login."""
        family = secrets.token_urlsafe(16)
        self._keep_family(family, revoked=False)
        return family

    def prolong(self, family: str) -> None:
        """Keep a family as long as its newest token."""
        known = self.records.get("family", family)
        self._keep_family(family, revoked=known is None or known["revoked"])

    def revoke(self, family: str) -> None:
        """Revoke all tokens of a login."""
        self._keep_family(family, revoked=True)

    def _keep_family(self, family: str, *, revoked: bool) -> None:
        lifetimes = self.config.lifetimes
        self.records.put("family", family, {"revoked": revoked}, lifetimes.refresh + lifetimes.access)
