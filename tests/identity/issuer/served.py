"""The embedded issuer as a process of its own, for tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.identity.issuer.browsing import Browser, Page, pkce
from tests.ports import free_port

BACK = "http://127.0.0.1:5555/callback"
HUB_BACK = "http://127.0.0.1:8300/login/callback"
MEMBER = "urn:mace:example.org:group:scenes:role=member#aai.example.org"
SERVICE = ("service", "service-secret")
HUB = ("hub", "hub-secret")
_MAIN = """
import sys
from pathlib import Path
from cscale.identity.issuer import IssuerSettings, serve
from cscale.settings import load
config = load(Path(sys.argv[1]), IssuerSettings)
serve(config, sys.argv[2], int(sys.argv[3]), lambda: print("ready", flush=True))
"""


def settings(url: str, **changes: Any) -> dict[str, Any]:
    """A configuration with two users, in different groups, and a client of each kind."""
    return {
        "issuer": {"url": url, "title": "Log in"},
        "users": {
            "alice": {
                "password": "alice-pw",
                "name": "Alice <A>",
                "email": "alice@example.org",
                "entitlements": [MEMBER],
                "groups": ["scenes"],
                "scopes": ["storage.read:/scenes"],
            },
            "bob": {"password": "bob-pw"},
        },
        "clients": {
            "cscale": {"redirects": ["http://127.0.0.1/callback", "http://[::1]/callback"]},
            "hub": {
                "secret": HUB[1],
                "redirects": [HUB_BACK],
                "grants": ["authorization_code", "refresh_token", "token_exchange"],
                "audiences": ["gamma"],
            },
            "service": {
                "secret": SERVICE[1],
                "grants": ["client_credentials"],
                "entitlements": ["urn:example:service"],
                "scopes": ["storage.read:/"],
            },
        },
        "lifetimes": {"interval": 1},
        **changes,
    }


@dataclass
class Issuer:
    """An issuer under way."""

    url: str
    config: Path
    process: "subprocess.Popen[str] | None" = None
    browser: Browser = field(default_factory=Browser)

    def start(self) -> None:
        port = self.url.rpartition(":")[2]
        command = [sys.executable, "-c", _MAIN, str(self.config), "127.0.0.1", port]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", "the issuer ended before it took requests"

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(10)

    def authorize(self, challenge: str, **changes: str | None) -> str:
        """The address that a client sends the browser to."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "cscale",
            "redirect_uri": BACK,
            "scope": "openid profile email entitlements",
            "state": "some state",
            "nonce": "some nonce",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{self.url}/authorize?{urlencode({k: v for k, v in asked.items() if v is not None})}"

    def code(
        self, name: str = "alice", browser: Browser | None = None, /, **changes: str | None
    ) -> tuple[str, str]:
        """A code, as a person gets it who logs in and allows it; and its verifier."""
        verifier, challenge = pkce()
        browser = browser or Browser()
        page = browser.log_in(browser.get(self.authorize(challenge, **changes)), name)
        if page.status == 200:
            page = browser.submit(page, decision="allow")
        assert page.status == 302, page.text
        return page.query["code"], verifier

    def token(self, secret: tuple[str, str] | None = None, /, **form: str) -> Page:
        return Browser().post(f"{self.url}/token", form, secret)

    def exchange(self, code: str, verifier: str, **changes: str) -> Page:
        form = {"client_id": "cscale", "redirect_uri": BACK, "code": code, "code_verifier": verifier}
        return self.token(grant_type="authorization_code", **(form | changes))

    def tokens(self, name: str = "alice", **changes: str | None) -> dict[str, Any]:
        """The tokens of somebody who logs in."""
        answer = self.exchange(*self.code(name, **changes))
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def refresh(self, token: str, **changes: str) -> Page:
        return self.token(
            grant_type="refresh_token", **({"client_id": "cscale", "refresh_token": token} | changes)
        )

    def introspect(self, token: str, secret: tuple[str, str] = SERVICE) -> dict[str, Any]:
        answer = Browser().post(f"{self.url}/introspect", {"token": token}, secret)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json
        return found

    def userinfo(self, token: str) -> Page:
        return Browser().get(f"{self.url}/userinfo", authorization=f"Bearer {token}")

    def revoke(self, token: str, **changes: str) -> Page:
        return Browser().post(f"{self.url}/revoke", {"token": token, "client_id": "cscale"} | changes)


@contextmanager
def issuing(folder: Path, **changes: Any) -> Iterator[Issuer]:
    """An issuer of `settings`, until the block ends."""
    url = f"http://127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "issuer.yaml"
    config.write_text(json.dumps(settings(url, **changes)))
    issuer = Issuer(url, config)
    issuer.start()
    try:
        yield issuer
    finally:
        if issuer.process is not None and issuer.process.poll() is None:
            issuer.stop()
