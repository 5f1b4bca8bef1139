"""The pages: forms from elsewhere, planted sessions, guesses, and addresses from elsewhere do nothing."""

import pytest

from tests.identity.issuer.browsing import Browser, Page, pkce
from tests.identity.issuer.served import HUB_BACK, Issuer


def ask(issuer: Issuer, browser: Browser, **changes: str) -> Page:
    return browser.get(issuer.authorize(pkce()[1], **changes))


def without(page: Page, **changes: str) -> dict[str, str]:
    return {name: value for name, value in (page.forms[-1][2] | changes).items() if value}


@pytest.mark.parametrize("csrf", ["", "made-up"])
def test_a_login_form_from_elsewhere_logs_nobody_in(issuer: Issuer, csrf: str) -> None:
    browser = Browser()
    page = ask(issuer, browser)
    form = without(page, csrf=csrf, name="alice") | {"password": "alice-pw"}
    assert browser.post(f"{issuer.url}/login", form).status == 403
    assert "Nobody is logged in" in browser.get(issuer.url + "/").text


def test_one_browsers_form_is_not_anothers(issuer: Issuer) -> None:
    mine, others = Browser(), Browser()
    page = ask(issuer, mine)
    ask(issuer, others)
    form = without(page, name="alice") | {"password": "alice-pw"}
    assert others.post(f"{issuer.url}/login", form).status == 403
    assert Browser().post(f"{issuer.url}/login", form).status == 403


def test_consent_is_not_given_by_a_form_from_elsewhere(issuer: Issuer) -> None:
    browser = Browser()
    page = browser.log_in(ask(issuer, browser))
    action = issuer.url + page.forms[-1][1]
    for csrf in ("", "made-up"):
        answer = browser.post(action, {"csrf": csrf, "decision": "allow"})
        assert answer.status == 403
        assert "location" not in answer.headers
    decided = browser.get(f"{action}&decision=allow")  # an address alone decides nothing
    assert decided.status == 200


def test_logging_out_takes_a_form_of_our_own(issuer: Issuer) -> None:
    browser = Browser()
    browser.log_in(ask(issuer, browser))
    assert browser.post(f"{issuer.url}/logout", {"csrf": "made-up"}).status == 403
    front = browser.get(f"{issuer.url}/")
    assert "Logged in as alice" in front.text
    browser.submit(front)
    assert "Nobody is logged in" in browser.get(f"{issuer.url}/").text


def test_a_planted_session_is_worth_nothing_after_the_login(issuer: Issuer) -> None:
    attacker, victim = Browser(), Browser()
    ask(issuer, attacker)
    victim.cookies = dict(attacker.cookies)
    victim.log_in(ask(issuer, victim))
    assert victim.cookies != attacker.cookies
    assert "Nobody is logged in" in attacker.get(f"{issuer.url}/").text
    assert "Logged in as alice" in victim.get(f"{issuer.url}/").text


def test_a_session_id_that_we_did_not_make_is_not_taken_up(issuer: Issuer) -> None:
    browser = Browser()
    ask(issuer, browser)
    name = next(iter(browser.cookies))
    browser.cookies[name] = "chosen-by-somebody"
    page = ask(issuer, browser)
    assert browser.cookies[name] != "chosen-by-somebody"
    assert browser.log_in(page).status == 200


def test_the_cookie_is_for_this_service_only_and_no_script_reads_it(issuer: Issuer) -> None:
    cookie = ask(issuer, Browser()).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_pages_are_not_framed_kept_or_told_of(issuer: Issuer) -> None:
    headers = ask(issuer, Browser()).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "flow", ["https://evil.example/", "//evil.example", "/\\evil.example", "made-up", "../x"]
)
def test_a_login_leads_nowhere_but_into_this_service(issuer: Issuer, flow: str) -> None:
    browser = Browser()
    page = ask(issuer, browser)
    done = browser.submit(page, flow=flow, name="alice", password="alice-pw")
    assert done.headers["location"] == "/"


@pytest.mark.parametrize("name", ["next", "return_to", "redirect", "then"])
def test_no_parameter_says_where_a_login_leads(issuer: Issuer, name: str) -> None:
    browser = Browser()
    page = browser.get(f"{issuer.url}/device?user_code=ABCD-EFGH&{name}=https://evil.example/")
    done = browser.submit(page, name="alice", password="alice-pw")
    assert done.headers["location"] == "/device?user_code=ABCD-EFGH"


def test_wrong_names_and_wrong_passwords_are_answered_alike(issuer: Issuer) -> None:
    said = set()
    for name, password in (("nobody", "x"), ("bob", "x"), ("", ""), ("bob" * 100, "x" * 500)):
        browser = Browser()
        done = browser.submit(ask(issuer, browser), name=name, password=password)
        assert done.status == 401
        assert "location" not in done.headers
        said.add(done.text.partition("<form")[0])
    assert len(said) == 1


def test_who_guesses_is_slowed_down(issuer: Issuer) -> None:
    browser = Browser()
    page = ask(issuer, browser)
    statuses = []
    for _ in range(8):
        page = browser.submit(page, name="Mallory", password="x")
        statuses.append(page.status)
    assert statuses[:5] == [401] * 5
    assert 429 in statuses
    assert int(page.headers["retry-after"]) >= 1
    others = Browser()
    assert others.log_in(ask(issuer, others)).status == 200  # nobody else is


def test_names_are_shown_as_text(issuer: Issuer) -> None:
    browser = Browser()
    hostile = '"><script>alert(1)</script>'
    page = browser.log_in(ask(issuer, browser, state=hostile, scope="openid", nonce=hostile))
    assert "<script>" not in page.text
    done = browser.submit(page, decision="allow")
    assert done.query["state"] == hostile


def test_a_header_cannot_be_smuggled_through_what_is_sent_back(issuer: Issuer) -> None:
    browser = Browser()
    page = browser.log_in(ask(issuer, browser, state="a\r\nset-cookie: b=c"))
    done = browser.submit(page, decision="allow")
    assert done.query["state"] == "a\r\nset-cookie: b=c"
    assert "b" not in browser.cookies


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9", "[::1", ""])
def test_a_foreign_name_for_this_machine_is_not_answered(issuer: Issuer, host: str) -> None:
    answer = Browser().get(f"{issuer.url}/authorize", host=host)
    assert answer.status in (400, 421)


def test_a_long_body_is_refused(issuer: Issuer) -> None:
    answer = Browser().post(f"{issuer.url}/token", {"grant_type": "x" * 200_000})
    assert answer.status == 413


def test_a_login_for_one_client_serves_the_next(issuer: Issuer) -> None:
    browser = Browser()
    browser.log_in(ask(issuer, browser))
    assert ask(issuer, browser, client_id="hub", redirect_uri=HUB_BACK).status == 302
