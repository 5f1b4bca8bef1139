"""The flows: what of OAuth 2.0 and OpenID Connect the issuer speaks, over Authlib."""

import logging
import secrets
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc6749.errors import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.models import AuthorizationCodeMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc8628 import DeviceCodeGrant, DeviceCredentialDict
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import OpenIDCode, OpenIDToken

from cscale.identity.issuer.config import TOKEN_EXCHANGE
from cscale.identity.issuer.endpoints import BY_ANY, BY_SECRET, DeviceEndpoint, Introspection, Revocation
from cscale.identity.issuer.keys import ALGORITHM
from cscale.identity.issuer.tokens import Issued, Known, Tokens

logging.getLogger("authlib").setLevel(logging.INFO)  # below that it writes whole tokens

_LONGEST_STATE = 2_000


class Server(AuthorizationServer):
    """The flows over the issuer's tokens."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(query_client=tokens.client)
        self.tokens = tokens
        self.scopes_supported = tokens.supported()
        self.register_token_generator("default", self._make)
        self.register_grant(Code, [_IdToken(tokens), _Pkce()])
        self.register_grant(Device, [_DeviceIdToken(tokens)])
        for grant in (Refresh, ClientCredentials, Exchange):
            self.register_grant(grant)
        for endpoint in (DeviceEndpoint, Revocation, Introspection):
            self.register_endpoint(endpoint(self))
        self.register_extension(lambda server: _Issuer(server, tokens.config.issuer.url))

    def _make(
        self,
        grant_type: str,
        client: Known,
        user: str | None = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,  # noqa: FBT001  # as Authlib calls it
    ) -> dict[str, Any]:
        holder = client.settings if user is None else self.tokens.config.users[user]
        granted = self.tokens.granted(scope, holder)
        access, seconds = self.tokens.access(client, user, granted)
        made = {"token_type": "Bearer", "access_token": access, "expires_in": seconds, "scope": granted}
        if include_refresh_token:
            made["refresh_token"] = secrets.token_urlsafe(32)
        return made

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        """Remember what was just made, in the family that it belongs to."""
        tokens = self.tokens
        origin = request.refresh_token or request.authorization_code
        family = origin["family"] if origin else tokens.new_family()
        tokens.prolong(family)
        about = {
            "client_id": request.client.client_id,
            "user": request.user,
            "scope": token["scope"],
            "family": family,
            "aud": token.pop("_audience", tokens.config.audience),
        }
        tokens.remember("access", token["access_token"], token["expires_in"], **about)
        if refresh := token.get("refresh_token"):
            tokens.remember("refresh", refresh, tokens.config.lifetimes.refresh, **about)


class _Issuer(IssuerParameter):
    """Who answers, in every answer that goes by way of the browser (RFC 9207)."""

    def __init__(self, server: Server, url: str) -> None:
        self._url = url
        self(server)

    def get_issuer(self) -> str:
        return self._url


class _Kept(dict[str, Any], AuthorizationCodeMixin):
    """An authorization code and what it was given for."""

    @property
    def code_challenge(self) -> str | None:
        return self.get("code_challenge")

    @property
    def code_challenge_method(self) -> str | None:
        return self.get("code_challenge_method")

    def get_redirect_uri(self) -> str:
        return str(self["redirect_uri"])

    def get_scope(self) -> str:
        return str(self["scope"])

    def get_nonce(self) -> str | None:
        return self.get("nonce")

    def get_auth_time(self) -> int:
        return int(self["auth_time"])

    def get_acr(self) -> str | None:
        return None

    def get_amr(self) -> list[str] | None:
        return ["pwd"]


class Code(grants.AuthorizationCodeGrant):
    """Authorization code (RFC 6749 4.1): once only; used again, all that came of it is revoked."""

    TOKEN_ENDPOINT_AUTH_METHODS = BY_ANY

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Keep a code with what the request said."""
        tokens, data = self.server.tokens, request.payload.data
        about = {
            "code": code,
            "client_id": request.client.client_id,
            "redirect_uri": request.payload.redirect_uri,
            "scope": request.scope,
            "user": request.user,
            "auth_time": getattr(request, "auth_time", None) or int(time.time()),
            "nonce": data.get("nonce"),
            "code_challenge": data.get("code_challenge"),
            "code_challenge_method": data.get("code_challenge_method"),
            "family": tokens.new_family(),
        }
        tokens.records.put("code", code, about, tokens.config.lifetimes.code)

    def query_authorization_code(self, code: str, client: Known) -> _Kept | None:
        """A code that was given to this client and not used yet."""
        tokens = self.server.tokens
        if used := tokens.records.get("used", code):
            tokens.revoke(used["family"])
            return None
        found = tokens.records.get("code", code)
        return _Kept(found) if found and found["client_id"] == client.client_id else None

    def delete_authorization_code(self, authorization_code: _Kept) -> None:
        """It was used; that it was is remembered for as long as what came of it lives."""
        tokens, code = self.server.tokens, authorization_code["code"]
        tokens.records.drop("code", code)
        tokens.records.put(
            "used", code, {"family": authorization_code["family"]}, tokens.config.lifetimes.refresh
        )

    def authenticate_user(self, authorization_code: _Kept) -> str | None:
        """Who logged in for it."""
        name: str = authorization_code["user"]
        return name if self.server.tokens.user(name) else None


class _Pkce(CodeChallenge):
    """PKCE (RFC 7636): S256 only, for every client. One without a challenge is sent away at the start."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012  # as the base class has it

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """See `CodeChallenge`."""
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is needed: code_challenge with code_challenge_method=S256")
        if len(data.get("state") or "") > _LONGEST_STATE or len(data.get("nonce") or "") > _LONGEST_STATE:
            raise InvalidRequestError("state or nonce is too long")
        super().validate_code_challenge(grant, redirect_uri)


class _ByKeys(OpenIDToken):
    """ID tokens by the ring of keys."""

    tokens: Tokens

    def resolve_client_private_key(self, client: Known) -> Any:
        return self.tokens.keys.signing()

    def get_encode_header(self, client: Known) -> dict[str, Any]:
        return {"alg": ALGORITHM, "kid": self.tokens.keys.signing().kid}

    def get_client_claims(self, client: Known) -> dict[str, Any]:
        now, lifetimes = int(time.time()), self.tokens.config.lifetimes
        claims = {"iss": self.tokens.config.issuer.url, "aud": client.client_id}
        return {**claims, "iat": now, "exp": now + lifetimes.access}

    def generate_user_info(self, user: str, scope: str) -> dict[str, Any]:
        return self.tokens.about(user, scope)


class _IdToken(_ByKeys, OpenIDCode):
    def __init__(self, tokens: Tokens) -> None:
        super().__init__(require_nonce=False)
        self.tokens = tokens

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False  # a code is good once, so its nonce is


class _DeviceIdToken(_ByKeys):
    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens


class Refresh(grants.RefreshTokenGrant):
    """Refresh (RFC 6749 6) with rotation: a token that comes twice was stolen, so its family is revoked."""

    TOKEN_ENDPOINT_AUTH_METHODS = BY_ANY
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
        """A refresh token that is good."""
        tokens = self.server.tokens
        found: Issued | None = tokens.find(refresh_token)
        if found is None or found["kind"] != "refresh" or not found.check_client(self.request.client):
            return None
        if found.get("used"):
            tokens.revoke(found["family"])
        if found.is_revoked() or found.get("used"):
            return None
        found["token"] = refresh_token
        return found

    def authenticate_user(self, refresh_token: Issued) -> str | None:
        """Whose it is, if they are still known."""
        name = refresh_token.get_user()
        return name if self.server.tokens.user(name) else None

    def revoke_old_credential(self, refresh_token: Issued) -> None:
        """It was used."""
        self.server.tokens.records.change("refresh", refresh_token["token"], used=True)


class ClientCredentials(grants.ClientCredentialsGrant):
    """A service as itself (RFC 6749 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = BY_SECRET


class Exchange(grants.BaseGrant, grants.TokenEndpointMixin):
    """Token exchange (RFC 8693): a user's token for one that another service takes, not to outlive it."""

    GRANT_TYPE = TOKEN_EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS = BY_SECRET
    _ACCESS = "urn:ietf:params:oauth:token-type:access_token"

    def validate_token_request(self) -> None:
        """See RFC 8693 2.1."""
        client = self.authenticate_token_endpoint_client()
        self.request.client = client
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("The client may not exchange tokens")
        form = self.request.form
        if form.get("subject_token_type") != self._ACCESS or not form.get("subject_token"):
            raise InvalidRequestError("subject_token must be an access token, and say so")
        if form.get("audience") not in client.settings.audiences:
            raise InvalidRequestError(
                "audience is none that this client may exchange for", error="invalid_target"
            )
        found = self.server.tokens.find(form["subject_token"])
        if found is None or found["kind"] != "access" or found.is_revoked() or found["user"] is None:
            raise InvalidGrantError("subject_token is not, or no longer, good")
        self.request.credential = found
        scope = form.get("scope") or found.get_scope()
        if not {*scope.split()} <= {*found.get_scope().split()}:
            raise InvalidScopeError()
        self.request.exchanged_scope = scope

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """See RFC 8693 2.2; who acts stands in `act`."""
        tokens, found, client = self.server.tokens, self.request.credential, self.request.client
        actor = {"sub": client.client_id} | ({"act": found["act"]} if found.get("act") else {})
        audience, scope = self.request.form["audience"], self.request.exchanged_scope
        access, seconds = tokens.access(
            client, found["user"], scope, audience=audience, until=found["exp"], act=actor
        )
        about = {"client_id": client.client_id, "user": found["user"], "family": found["family"]}
        tokens.remember("access", access, seconds, **about, scope=scope, aud=audience, act=actor)
        answer = {
            "access_token": access,
            "issued_token_type": self._ACCESS,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": scope,
        }
        return 200, answer, self.TOKEN_RESPONSE_HEADER


class Device(DeviceCodeGrant):
    """The device's half of RFC 8628."""

    TOKEN_ENDPOINT_AUTH_METHODS = BY_ANY

    def query_device_credential(self, device_code: str) -> DeviceCredentialDict | None:
        """What is known of a device code."""
        found = self.server.tokens.records.get("device", device_code)
        return None if found is None else DeviceCredentialDict(found)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        """What the user decided."""
        found = self.server.tokens.records.get("user_code", user_code)
        if found is None or "approved" not in found:
            return None
        return found["user"], found["approved"]

    def should_slow_down(self, credential: DeviceCredentialDict) -> bool:
        """Whether it asks more often than it was told; each time it is to wait 5 s longer."""
        tokens, now = self.server.tokens, time.time()
        interval = credential.get("interval", tokens.config.lifetimes.interval)
        early = now - credential.get("asked", 0) < interval - 0.1  # what a network adds or takes
        tokens.records.change(
            "device", credential["device_code"], asked=now, interval=interval + (5 if early else 0)
        )
        return bool(early)

    def create_token_response(self) -> tuple[int, dict[str, Any], Any]:
        """The tokens, once: the code is then used."""
        found: tuple[int, dict[str, Any], Any] = super().create_token_response()
        records, credential = self.server.tokens.records, self.request.credential
        records.drop("device", credential["device_code"])
        records.drop("user_code", credential["user_code"])
        return found
