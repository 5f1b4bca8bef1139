"""Authorization code with PKCE: what a client gets, and what nobody else does."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.identity.issuer.browsing import Browser, pkce
from tests.identity.issuer.served import BACK, HUB, HUB_BACK, MEMBER, Issuer, issuing


def test_a_login_gives_tokens_that_are_signed_and_say_who_it_is(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    keys = KeySet.import_key_set(Browser().get(f"{issuer.url}/jwks").json)
    access = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"])
    assert access.header["typ"] == "at+jwt"
    assert access.claims["iss"] == issuer.url
    assert access.claims["aud"] == "cscale"
    assert access.claims["sub"] == "alice"
    assert access.claims["eduperson_entitlement"] == [MEMBER]
    identity = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    assert identity["aud"] == "cscale"
    assert identity["nonce"] == "some nonce"
    assert identity["name"] == "Alice <A>"
    assert identity["eduperson_entitlement"] == [MEMBER]
    assert tokens["token_type"] == "Bearer"
    assert issuer.userinfo(tokens["access_token"]).json["email"] == "alice@example.org"


def test_discovery_names_what_there_is(issuer: Issuer) -> None:
    told = Browser().get(f"{issuer.url}/.well-known/openid-configuration").json
    assert told["issuer"] == issuer.url
    assert told["code_challenge_methods_supported"] == ["S256"]
    for name, url in told.items():
        if name.endswith(("_endpoint", "_uri")):
            assert url.startswith(issuer.url)
            assert Browser().get(url).status != 404


def test_a_public_client_is_allowed_or_denied_by_the_person(issuer: Issuer) -> None:
    browser = Browser()
    asked = browser.log_in(browser.get(issuer.authorize(pkce()[1])))
    assert "Allow cscale?" in asked.text
    denied = browser.submit(asked, decision="deny")
    assert denied.query["error"] == "access_denied"
    assert denied.query["state"] == "some state"
    assert "code" not in denied.query
    again = browser.get(issuer.authorize(pkce()[1]))  # logged in already: asked for consent only
    assert "Allow cscale?" in again.text
    allowed = browser.submit(again, decision="allow").query
    assert allowed["state"] == "some state"
    assert allowed["iss"] == issuer.url


def test_a_known_client_needs_no_second_yes(issuer: Issuer) -> None:
    browser = Browser()
    url = issuer.authorize(pkce()[1], client_id="hub", redirect_uri=HUB_BACK)
    done = browser.log_in(browser.get(url))
    assert done.status == 302
    assert done.location.startswith(f"{HUB_BACK}?")


def test_who_is_logged_in_is_asked_again_when_the_client_wants_it(issuer: Issuer) -> None:
    browser = Browser()
    url = issuer.authorize(pkce()[1], client_id="hub", redirect_uri=HUB_BACK, prompt="login")
    assert browser.log_in(browser.get(url)).status == 302
    asked = browser.get(url)
    assert asked.status == 200
    assert "Password" in asked.text


@pytest.mark.parametrize(("logged_in", "error"), [(False, "login_required"), (True, "consent_required")])
def test_without_a_page_nothing_is_given_that_a_page_must_ask_for(
    issuer: Issuer, logged_in: bool, error: str
) -> None:
    browser = Browser()
    if logged_in:
        browser.log_in(browser.get(issuer.authorize(pkce()[1])))
    query = browser.get(issuer.authorize(pkce()[1], prompt="none")).query
    assert query["error"] == error
    assert query["state"] == "some state"
    assert query["iss"] == issuer.url


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "short"},
    ],
)
def test_a_request_without_pkce_by_s256_is_sent_back(issuer: Issuer, changes: dict[str, str | None]) -> None:
    query = Browser().get(issuer.authorize(pkce()[1], **changes)).query
    assert query["error"] == "invalid_request"
    assert "code" not in query


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:5555/other",
        "http://127.0.0.1:5555/callback?more=1",
        "http://127.0.0.1:5555/callback#fragment",
        "http://127.0.0.1:5555/callback/../other",
        "http://127.0.0.1:5555@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost:5555/callback",
        "https://127.0.0.1:5555/callback",
        "https://evil.example/callback",
        "http://127.0.0.1:5555\\@evil.example/callback",
        "http://127.0.0.1:555555/callback",
        "http://127.0.0.1:5555/callback%0d%0aset-cookie:a=b",
        "//evil.example/callback",
        "javascript:alert(1)",
        HUB_BACK,
        "",
        None,
        "http://127.0.0.1:5555/cällback",
    ],
)
def test_nobody_is_sent_anywhere_but_where_the_client_is(issuer: Issuer, redirect_uri: str | None) -> None:
    browser = Browser()
    for name in (None, "alice"):
        if name:
            browser.log_in(browser.get(issuer.authorize(pkce()[1])))
        answer = browser.get(issuer.authorize(pkce()[1], redirect_uri=redirect_uri))
        assert answer.status == 400
        assert "location" not in answer.headers
        assert "evil" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("port", ["1", "5555", "65535"])
def test_a_native_program_is_found_on_any_port(issuer: Issuer, port: str) -> None:
    browser = Browser()
    back = f"http://127.0.0.1:{port}/callback"
    asked = browser.log_in(browser.get(issuer.authorize(pkce()[1], redirect_uri=back)))
    assert urlsplit(browser.submit(asked, decision="allow").location).netloc == f"127.0.0.1:{port}"


def test_only_its_own_client_gets_a_code_that_is_named_exactly(issuer: Issuer) -> None:
    code, verifier = issuer.code()
    wrong = [
        issuer.exchange(code, "w" * 64),
        issuer.exchange(code, ""),
        issuer.exchange(code, verifier, redirect_uri=BACK + "2"),
        issuer.exchange(code, verifier, client_id="hub"),
        issuer.token(
            HUB, grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=BACK
        ),
        issuer.exchange(code + "x", verifier),
    ]
    assert [each.status in (400, 401) for each in wrong] == [True] * len(wrong)
    assert all("access_token" not in each.json for each in wrong)
    assert issuer.exchange(code, verifier).status == 200


def test_a_code_that_comes_twice_ends_what_came_of_it(issuer: Issuer) -> None:
    code, verifier = issuer.code()
    tokens = issuer.exchange(code, verifier).json
    assert issuer.userinfo(tokens["access_token"]).status == 200
    assert issuer.exchange(code, verifier).json["error"] == "invalid_grant"
    assert issuer.userinfo(tokens["access_token"]).status == 401
    assert issuer.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_of_many_at_once_one_gets_the_tokens(issuer: Issuer) -> None:
    code, verifier = issuer.code()
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(
            each.status for each in pool.map(lambda _: issuer.exchange(code, verifier), range(8))
        )
    assert statuses == [200] + [400] * 7


def test_a_code_expires(tmp_path: Path) -> None:
    with issuing(tmp_path, lifetimes={"code": 1}) as brief:
        code, verifier = brief.code()
        time.sleep(1.2)
        assert brief.exchange(code, verifier).json["error"] == "invalid_grant"
