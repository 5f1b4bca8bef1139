"""An issuer of tokens for tests, on a real socket: proper ones, and whatever else a test signs."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

EGI = "urn:mace:egi.eu:group:cscale.eu:role=member#aai.egi.eu"
KEYS: dict[str, Any] = {
    "RSA": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "P-256": ECKey.generate_key("P-256", {"kid": "p256"}),
    "P-384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "P-521": ECKey.generate_key("P-521", {"kid": "p521"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
"""Somebody else's key, under the name of the issuer's."""
KEY_OF = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}


@dataclass(frozen=True)
class Asked:
    """A question that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, list[str]]


@dataclass(frozen=True)
class Says:
    """An answer."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def published(*keys: Any) -> dict[str, Any]:
    """A JWK set of public keys."""
    return dict(KeySet(list(keys)).as_dict(private=False))


class OwnIssuer:
    """An issuer: what it answers, by path, is `pages`, to be changed at will."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[Asked] = []
        self.active: dict[str, dict[str, Any]] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self.pages: dict[str, Callable[[Asked], Says]] = {
            "/.well-known/openid-configuration": lambda _: Says(self.document()),
            "/jwks": lambda _: Says(published(*KEYS.values())),
            "/introspect": self._introspect,
            "/userinfo": self._userinfo,
        }

    def document(self, **changes: Any) -> dict[str, Any]:
        found = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "introspection_endpoint": f"{self.url}/introspect",
            "userinfo_endpoint": f"{self.url}/userinfo",
        }
        return found | changes

    def says(self, path: str, body: object, status: int = 200, **headers: str) -> None:
        """Answer always the same at a path."""
        self.pages[path] = lambda _: Says(body, status, headers)

    def count(self, path: str) -> int:
        return sum(each.path == path for each in self.asked)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good token; None takes one away."""
        now = int(time.time())
        found = {
            "iss": self.url,
            "sub": "u-1",
            "aud": "cscale",
            "iat": now,
            "exp": now + 600,
            "scope": "openid",
            "entitlements": [EGI],
        } | changes
        return {name: value for name, value in found.items() if value is not None}

    def token(self, algorithm: str = "RS256", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A signed token; a header's None takes a name away."""
        key = KEYS[KEY_OF[algorithm]]
        return signed(self.claims(**claims), {"kid": key.kid, **(header or {})}, algorithm, key)

    def _introspect(self, asked: Asked) -> Says:
        expected = base64.b64encode(b"hub:geheim").decode()
        if asked.headers.get("authorization") != f"Basic {expected}":
            return Says({"error": "invalid_client"}, 401)
        token = asked.form["token"][0]
        return Says({"active": True, **self.active[token]} if token in self.active else {"active": False})

    def _userinfo(self, asked: Asked) -> Says:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        return Says(self.people[token]) if token in self.people else Says({"error": "invalid_token"}, 401)


def signed(
    claims: Mapping[str, Any] | bytes, header: Mapping[str, Any], algorithm: str = "RS256", key: Any = None
) -> str:
    """A token in the compact form."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    told = {name: value for name, value in {"alg": algorithm, "typ": "at+jwt", **header}.items() if value}
    return with_header(json.dumps(told).encode(), payload, told.get("alg", algorithm), key or KEYS["RSA"])


def with_header(header: bytes, payload: bytes, algorithm: str, key: Any) -> str:
    """A token with a header as it is, signed properly."""
    content = f"{coded(header)}.{coded(payload)}"
    signature = jws.JWSRegistry.algorithms[algorithm].sign(content.encode(), key)
    return f"{content}.{coded(signature)}"


def coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@contextmanager
def issuing() -> Iterator[OwnIssuer]:
    """An issuer under way."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            self._answer(parse_qs(raw.decode()))

        def _answer(self, form: Mapping[str, list[str]]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, form)
            issuer.asked.append(asked)
            page = issuer.pages.get(self.path)
            said = Says({}, 404) if page is None else page(asked)
            self.send_response(said.status)
            if isinstance(said.body, Iterator):
                self._endless(said.body)
                return
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            for name, value in {"content-length": str(len(body)), **said.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _endless(self, parts: Iterator[bytes]) -> None:
            self.send_header("connection", "close")
            self.end_headers()
            with suppress(ConnectionError):
                for part in parts:
                    self.wfile.write(part)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer = OwnIssuer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
