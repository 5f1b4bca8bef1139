"""The issuer's addresses: a WSGI application."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from flask import Flask, Response, jsonify, request

from cscale.identity.issuer.config import IssuerSettings
from cscale.identity.issuer.flows import Server
from cscale.identity.issuer.keys import Keys
from cscale.identity.issuer.pages import Pages
from cscale.identity.issuer.records import Records, Throttle
from cscale.identity.issuer.tokens import Tokens

_LONGEST_BODY = 64 * 1024
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_CONFIDENTIAL = ["client_secret_basic", "client_secret_post"]
_CLAIMS = ("sub", "name", "preferred_username", "email", "eduperson_entitlement", "groups")
_REPEATED = ("client_id", "redirect_uri", "response_type", "grant_type", "code_challenge_method")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def issuer_app(config: IssuerSettings) -> Flask:
    """The issuer as a WSGI application.

    Args:
        config: Its users, clients and lifetimes.
    """
    lifetimes = config.lifetimes
    records = Records(config.state)
    keys = Keys(config.state, lifetimes.key, keep_for=lifetimes.access + 60)
    return _Web(Tokens(config, keys, records)).app


class _Web:
    """The addresses over the flows."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.server = Server(tokens)
        self.throttle = Throttle()
        self.pages = Pages(tokens, self.throttle)
        self.app = Flask("cscale.identity.issuer", static_folder=None)
        self.app.config.update(MAX_CONTENT_LENGTH=_LONGEST_BODY, MAX_FORM_PARTS=0)
        self.app.before_request(self._only_here)
        self.app.after_request(_with_headers)
        self.app.register_error_handler(OAuth2Error, self._refused)
        self._route()

    def _route(self) -> None:
        get: list[tuple[str, Callable[..., Any]]] = [
            ("/.well-known/openid-configuration", self.discovery),
            ("/.well-known/oauth-authorization-server", self.discovery),
            ("/jwks", self.jwks),
            ("/userinfo", self.userinfo),
            ("/authorize", self.authorize),
            ("/device", self.pages.device),
            ("/", self.pages.front),
        ]
        post: list[tuple[str, Callable[..., Any]]] = [
            ("/token", self.token),
            ("/revoke", lambda: self._endpoint("revocation")),
            ("/introspect", lambda: self._endpoint("introspection")),
            ("/device_authorization", lambda: self._endpoint("device_authorization")),
            ("/userinfo", self.userinfo),
            ("/authorize", self.authorize),
            ("/login", self.pages.login),
            ("/logout", self.pages.logout),
            ("/device", self.pages.decide),
        ]
        for method, routes in (("GET", get), ("POST", post)):
            for path, answer in routes:
                self.app.add_url_rule(path, f"{method} {path}", answer, methods=[method])

    def _only_here(self) -> Response | None:
        """Refuse a foreign `Host`: a name bound to this machine could read the pages in a browser."""
        try:
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        except ValueError:
            host = None
        if host not in _LOOPBACK and host != urlsplit(self.tokens.config.issuer.url).hostname:
            return Response("this is not that host\n", 421, mimetype="text/plain")
        sent = request.headers.get("authorization", "")
        if sent.lower().startswith("basic") and (
            request.authorization is None or not re.fullmatch(r"(?i)basic [A-Za-z0-9+/]+=*", sent)
        ):
            return _bad_request("Authorization: Basic cannot be read")
        for name in _REPEATED:  # these come back in errors, which are plain ASCII (RFC 6749 5.2)
            for value in request.values.getlist(name):
                if not re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{0,2000}", value):
                    return _bad_request(f"{name} holds what it may not, or is too long")
        return None

    def _refused(self, error: OAuth2Error) -> Response:
        """A request that is not in order, without sending the browser anywhere."""
        said = error.description or error.error
        return self.pages.page(
            "This cannot be done", f"The program that sent you here asked wrongly: {said}", 400
        )

    def discovery(self) -> Response:
        """OpenID Connect Discovery 1.0 and RFC 8414."""
        url, known = self.tokens.config.issuer.url, self.tokens.config.clients.values()
        told = {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "device_authorization_endpoint": f"{url}/device_authorization",
            "userinfo_endpoint": f"{url}/userinfo",
            "jwks_uri": f"{url}/jwks",
            "revocation_endpoint": f"{url}/revoke",
            "introspection_endpoint": f"{url}/introspect",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": sorted({grant for each in known for grant in each.grant_types}),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [*_CONFIDENTIAL, "none"],
            "revocation_endpoint_auth_methods_supported": [*_CONFIDENTIAL, "none"],
            "introspection_endpoint_auth_methods_supported": _CONFIDENTIAL,
            "scopes_supported": self.tokens.supported(),
            "claims_supported": [*_CLAIMS],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return jsonify(told)

    def jwks(self) -> Response:
        """The public keys."""
        return jsonify(keys=self.tokens.keys.published())

    def userinfo(self) -> Response | tuple[Response, int, dict[str, str]]:
        """OpenID Connect Core 5.3."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        found = self.tokens.find(token) if kind.lower() == "bearer" else None
        good = found is not None and found["kind"] == "access" and not found.is_revoked()
        if found is None or not good or self.tokens.user(found["user"]) is None:
            return jsonify(error="invalid_token"), 401, {"www-authenticate": 'Bearer error="invalid_token"'}
        if "openid" not in found.get_scope().split():
            return jsonify(error="insufficient_scope"), 403, {}
        return jsonify(self.tokens.about(found["user"], found.get_scope()))

    def authorize(self) -> Any:
        """The authorization endpoint: who is not logged in logs in, then says yes or no."""
        session = self.pages.session()
        if request.method == "POST":
            self.pages.check(session)
        user = session.user
        try:
            grant = self.server.get_consent_grant(end_user=user)
        except OAuth2Error as error:
            if error.redirect_uri is None:  # not known to be the client's: the browser stays here
                raise
            return self._back(error)
        prompts = request.args.get("prompt", "").split()
        again = "login" in prompts and not session.fresh
        if user is None or again:
            return self.pages.ask_login(session, f"/authorize?{request.query_string.decode('latin-1')}")
        client = grant.client
        # RFC 8252 8.6: anyone can say that they are a certain native app
        asks = client.settings.secret is None or "consent" in prompts
        decision = request.form.get("decision") if request.method == "POST" else None
        if asks and decision is None:
            if "none" in prompts:
                return self._back(_consent_required(grant))
            return self.pages.ask_consent(session, client.client_id, grant.request.payload.scope or "")
        grant.request.auth_time = session.since
        allowed = user if not asks or decision == "allow" else None
        self.pages.used(session)
        return self.server.create_authorization_response(grant_user=allowed, grant=grant)

    def _back(self, error: OAuth2Error) -> Response:
        """Send an error back to a client, which is known to be at that address."""
        response: Response = self.server.handle_error_response(None, error)
        iss = urlencode({"iss": self.tokens.config.issuer.url})
        response.headers["location"] += f"&{iss}"  # RFC 9207
        return response

    def token(self) -> Response | tuple[Response, int, dict[str, str]]:
        """The token endpoint. One request at a time: a code or a token is good for one of them."""
        asking = f"client {_client_id()}"
        if wait := self.throttle.wait(asking):
            said = {"error": "invalid_client", "error_description": "too many wrong secrets"}
            return jsonify(said), 429, {"retry-after": str(int(wait) + 1)}
        with self.tokens.records.lock:
            response: Response = self.server.create_token_response()
        if response.status_code == 401:
            self.throttle.wrong(asking)
        return response

    def _endpoint(self, name: str) -> Response:
        with self.tokens.records.lock:
            response: Response = self.server.create_endpoint_response(name)
        return response


def _bad_request(said: str) -> Response:
    response = jsonify(error="invalid_request", error_description=said)
    response.status_code = 400
    return response


def _consent_required(grant: Any) -> OAuth2Error:
    return OAuth2Error(
        error="consent_required",
        redirect_uri=grant.redirect_uri,
        state=grant.request.payload.state,
    )


def _client_id() -> str:
    named = request.authorization.username if request.authorization else None
    return (named or request.form.get("client_id") or "")[:64]


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
