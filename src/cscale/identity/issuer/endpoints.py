"""The endpoints beside the flows: where devices ask for codes, revocation, introspection."""

import time
from typing import Any

from authlib.oauth2.rfc6749.errors import UnauthorizedClientError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint

from cscale.identity.issuer.tokens import Issued, Known

BY_SECRET = ["client_secret_basic", "client_secret_post"]
"""How clients with a secret prove themselves."""
BY_ANY = [*BY_SECRET, "none"]


class DeviceEndpoint(DeviceAuthorizationEndpoint):
    """Where a device asks for its codes."""

    CLIENT_AUTH_METHODS = BY_ANY

    def create_endpoint_response(self, request: Any) -> tuple[int, dict[str, Any], Any]:
        """See RFC 8628 3.1."""
        lifetimes = self.server.tokens.config.lifetimes
        self.EXPIRES_IN, self.INTERVAL = lifetimes.device, lifetimes.interval
        client = self.authenticate_client(request)
        if not client.check_grant_type(DEVICE_CODE_GRANT_TYPE):
            raise UnauthorizedClientError("The client may not use the device flow")
        status, answer, headers = super().create_endpoint_response(request)
        return status, answer, headers

    def get_verification_uri(self) -> str:
        """Where the user goes."""
        return f"{self.server.tokens.config.issuer.url}/device"

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:
        """Keep both codes; each of them expires by itself."""
        records, seconds = self.server.tokens.records, data["expires_in"]
        about = {"client_id": client_id, "scope": scope or ""}
        # asked for after its end it is told so, not that it never was
        until = time.time() + seconds
        kept = {
            **about,
            "device_code": data["device_code"],
            "user_code": data["user_code"],
            "expires_at": until,
        }
        records.put("device", data["device_code"], kept, 2 * seconds + 60)
        records.put("user_code", data["user_code"], about, seconds)


class Revocation(RevocationEndpoint):
    """Revocation (RFC 7009): with a refresh token ends the whole login."""

    CLIENT_AUTH_METHODS = BY_ANY

    def query_token(self, token: str, _hint: str | None) -> Issued | None:
        """What is known of a token."""
        found: Issued | None = self.server.tokens.find(token)
        if found is not None:
            found["token"] = token
        return found

    def revoke_token(self, token: Issued, _request: Any) -> None:
        """Revoke it."""
        tokens = self.server.tokens
        if token["kind"] == "refresh":
            tokens.revoke(token["family"])
        else:
            tokens.records.change("access", token["token"], revoked=True)


class Introspection(IntrospectionEndpoint):
    """Introspection (RFC 7662), for clients with a secret."""

    CLIENT_AUTH_METHODS = BY_SECRET

    def query_token(self, token: str, _hint: str | None) -> Issued | None:
        """What is known of a token."""
        found = self.server.tokens.find(token)
        return None if found is None or found.get("used") else found

    def check_permission(self, token: Issued, client: Known, _request: Any) -> bool:
        """Whether a client may know: of its own refresh tokens, and of all access tokens."""
        return token["kind"] == "access" or token.check_client(client)

    def introspect_token(self, token: Issued) -> dict[str, Any]:
        """What is told."""
        tokens = self.server.tokens
        user = tokens.user(token["user"])
        holder = user or tokens.config.clients[token["client_id"]]
        told = {name: token[name] for name in ("client_id", "scope", "iat", "exp", "aud")}
        named = {"username": token["user"]} if user else {}
        return {
            "active": True,
            "iss": tokens.config.issuer.url,
            "sub": token["user"] or token["client_id"],
            "token_type": "Bearer" if token["kind"] == "access" else "refresh_token",
            "eduperson_entitlement": [*holder.entitlements],
            **named,
            **told,
        }
