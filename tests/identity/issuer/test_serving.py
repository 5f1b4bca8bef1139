"""Where the issuer listens, what its configuration may say, and that nothing sent to it breaks it."""

import string
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cscale.errors import BadConfiguration
from cscale.identity.issuer import IssuerSettings, serve
from cscale.settings import load
from tests.identity.issuer.browsing import Browser
from tests.identity.issuer.served import Issuer, settings
from tests.ports import free_port


def config(folder: Path, **changes: Any) -> IssuerSettings:
    path = folder / "issuer.yaml"
    path.write_text(yaml.safe_dump(settings("http://127.0.0.1:9", **changes)))
    return load(path, IssuerSettings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.1", "example.org", "127.1"])
def test_it_listens_on_this_machine_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadConfiguration, match="this machine only"):
        serve(config(tmp_path), host, free_port())


def test_it_does_not_share_a_port(issuer: Issuer, tmp_path: Path) -> None:
    port = int(issuer.url.rpartition(":")[2])
    with pytest.raises(BadConfiguration, match=str(port)):
        serve(config(tmp_path), "127.0.0.1", port)


def test_passwords_and_secrets_are_not_shown(tmp_path: Path) -> None:
    shown = repr(config(tmp_path))
    for secret in ("alice-pw", "bob-pw", "hub-secret", "service-secret"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clients": {"x": {"grants": ["client_credentials"]}}}, "need a secret"),
        ({"clients": {"x": {"redirects": ["javascript:alert(1)"]}}}, "no address"),
        ({"clients": {"x": {"redirects": ["https://a.example/#f"]}}}, "no address"),
        ({"clients": {"x": {"grants": ["password"]}}}, "grants"),
        ({"issuer": {"url": "http://127.0.0.1:9/path?x=1"}}, "issuer.url"),
        ({"users": {"a b": {"password": "x"}}}, "users"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadConfiguration, match=words):
        config(tmp_path, **changes)


PLACES = [
    "/authorize",
    "/token",
    "/revoke",
    "/introspect",
    "/device_authorization",
    "/userinfo",
    "/device",
    "/login",
    "/logout",
    "/jwks",
    "/",
]
NAMES = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "grant_type",
    "scope",
    "state",
    "nonce",
    "prompt",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "refresh_token",
    "token",
    "token_type_hint",
    "device_code",
    "user_code",
    "subject_token",
    "subject_token_type",
    "audience",
    "csrf",
    "name",
    "password",
    "response_mode",
    "request",
    "claims",
    "max_age",
]
KNOWN = [
    "cscale",
    "hub",
    "hub-secret",
    "service",
    "code",
    "S256",
    "http://127.0.0.1/callback",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "openid",
    "none",
    "login",
    "access_token",
    "form_post",
    "x" * 43,
]
VALUES = st.sampled_from(KNOWN) | st.text(st.characters(codec="utf-8"), max_size=30)
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "cookie", "content-type", "x-forwarded-host"]),
    st.text(string.printable.replace("\r", "").replace("\n", "").replace("\x0b", ""), max_size=40)
    | st.sampled_from(["Basic aHViOmh1Yi1zZWNyZXQ=", "Basic /w==", "Basic OjpiOg", "Bearer eyJ.x.y"]),
    max_size=2,
)


@given(
    method=st.sampled_from(["GET", "POST"]),
    place=st.sampled_from(PLACES),
    fields=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8),
    headers=HEADERS,
    in_query=st.booleans(),
)
def test_nothing_that_is_sent_breaks_it(
    issuer: Issuer, method: str, place: str, fields: dict[str, str], headers: dict[str, str], in_query: bool
) -> None:
    url = issuer.url + place + (f"?{urlencode(fields)}" if in_query else "")
    sent = {name: value.strip() for name, value in headers.items()}
    answer = Browser().send(method, url, None if in_query or method == "GET" else fields, sent)
    assert answer.status < 500, answer.text
    if "location" in answer.headers:
        assert answer.location.startswith(("http://127.0.0.1/callback?", issuer.url))


@pytest.mark.parametrize(
    "sent", ["Basic 0w==", "Basic\t0w==", "basic  0w==", "Basic", "Basic ", "Basic x", "BASIC 0w"]
)
def test_a_secret_that_is_no_text_is_refused(issuer: Issuer, sent: str) -> None:
    for place in ("/token", "/revoke", "/introspect", "/device_authorization", "/userinfo"):
        answer = Browser().send("POST", issuer.url + place, {}, {"authorization": sent})
        assert answer.status in (400, 401)


def test_many_at_once_are_answered(issuer: Issuer) -> None:
    seen: list[int] = []

    def ask() -> None:
        seen.append(Browser().get(f"{issuer.url}/jwks").status)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [200] * 40
