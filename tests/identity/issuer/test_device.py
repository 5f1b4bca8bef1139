"""The device flow (RFC 8628): a person with a code, and a program that asks for what came of it."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.identity.issuer.browsing import Browser, Page
from tests.identity.issuer.served import HUB, SERVICE, Issuer, issuing

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def codes(issuer: Issuer) -> dict[str, Any]:
    answer = Browser().post(
        f"{issuer.url}/device_authorization", {"client_id": "cscale", "scope": "openid profile"}
    )
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def poll(issuer: Issuer, given: dict[str, Any], **changes: str) -> dict[str, Any]:
    form = {"client_id": "cscale", "device_code": given["device_code"]} | changes
    found: dict[str, Any] = issuer.token(grant_type=GRANT, **form).json
    return found


def page(given: dict[str, Any], browser: Browser, name: str = "alice") -> Page:
    return browser.log_in(browser.get(given["verification_uri_complete"]), name)


def test_a_device_waits_until_it_is_allowed(issuer: Issuer) -> None:
    given = codes(issuer)
    assert poll(issuer, given)["error"] == "authorization_pending"
    browser = Browser()
    asked = page(given, browser)
    assert given["user_code"] in asked.text
    assert "cscale" in asked.text
    assert poll(issuer, given)["error"] in ("authorization_pending", "slow_down")
    assert browser.submit(asked, decision="allow").status == 200
    tokens = poll(issuer, given)
    assert issuer.userinfo(tokens["access_token"]).json["sub"] == "alice"
    assert tokens["id_token"].count(".") == 2
    assert issuer.refresh(tokens["refresh_token"]).status == 200
    assert "access_token" not in poll(issuer, given)  # once


def test_a_code_can_be_typed(issuer: Issuer) -> None:
    given, browser = codes(issuer), Browser()
    entry = browser.log_in(browser.get(given["verification_uri"]))
    typed = given["user_code"].lower().replace("-", " ")
    asked = browser.submit(entry, user_code=typed)
    browser.submit(asked, decision="allow")
    assert "access_token" in poll(issuer, given)


def test_a_device_that_is_refused_is_told(issuer: Issuer) -> None:
    given, browser = codes(issuer), Browser()
    browser.submit(page(given, browser), decision="deny")
    assert poll(issuer, given)["error"] == "access_denied"


def test_a_device_that_asks_too_often_waits_longer_each_time(issuer: Issuer) -> None:
    given = codes(issuer)
    assert poll(issuer, given)["error"] == "authorization_pending"
    assert poll(issuer, given)["error"] == "slow_down"
    time.sleep(1.5)  # enough before, too soon now
    assert poll(issuer, given)["error"] == "slow_down"


def test_a_device_that_comes_too_late_is_told(tmp_path: Path) -> None:
    with issuing(tmp_path, lifetimes={"device": 1, "interval": 1}) as issuer:
        given, browser = codes(issuer), Browser()
        time.sleep(1.2)
        assert page(given, browser).status == 404
        assert poll(issuer, given)["error"] == "expired_token"


def test_only_the_device_itself_gets_the_tokens(issuer: Issuer) -> None:
    given, browser = codes(issuer), Browser()
    browser.submit(page(given, browser), decision="allow")
    form = {"grant_type": GRANT, "device_code": given["device_code"]}
    for answer in (issuer.token(HUB, **form), issuer.token(SERVICE, **form), issuer.token(**form)):
        assert answer.status in (400, 401)
        assert "access_token" not in answer.json
    assert "error" in poll(issuer, given, device_code=given["user_code"])
    assert "access_token" in poll(issuer, given)


def test_a_decision_takes_a_form_of_our_own_and_a_login(issuer: Issuer) -> None:
    given, browser = codes(issuer), Browser()
    asked = page(given, browser)
    form = {"user_code": given["user_code"], "decision": "allow"}
    assert browser.post(f"{issuer.url}/device", form | {"csrf": "made-up"}).status == 403
    assert browser.post(f"{issuer.url}/device", form).status == 403
    stranger = Browser()
    login = stranger.get(given["verification_uri_complete"])
    csrf = login.forms[-1][2]["csrf"]
    assert stranger.post(f"{issuer.url}/device", form | {"csrf": csrf}).status == 403
    assert poll(issuer, given)["error"] == "authorization_pending"
    assert browser.submit(asked, decision="allow").status == 200


def test_a_decision_is_made_once(issuer: Issuer) -> None:
    given, alice, bob = codes(issuer), Browser(), Browser()
    hers, his = page(given, alice), page(given, bob, "bob")
    alice.submit(hers, decision="allow")
    assert bob.submit(his, decision="deny").status == 404
    assert issuer.userinfo(poll(issuer, given)["access_token"]).json["sub"] == "alice"


def test_codes_cannot_be_guessed_for_long(issuer: Issuer) -> None:
    browser = Browser()
    browser.log_in(browser.get(f"{issuer.url}/device"), "bob")
    statuses = [
        browser.get(f"{issuer.url}/device?user_code=BBBB-BBB{letter}").status for letter in "BCDFGHJK"
    ]
    assert statuses[0] == 404
    assert statuses[-1] == 429


@pytest.mark.parametrize("client", ["hub", "service", "nobody", ""])
def test_other_clients_get_no_codes(issuer: Issuer, client: str) -> None:
    answer = Browser().post(f"{issuer.url}/device_authorization", {"client_id": client})
    assert answer.status in (400, 401)
    assert "device_code" not in answer.json
