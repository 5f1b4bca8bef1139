"""What issuers and hubs tell of themselves, and what of it is not believed."""

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.client.login import Keeper, LoginFailed, log_in, origin_of
from cscale.client.login.asking import asking
from cscale.client.login.provider import members_of, provider_of, resource_of
from cscale.client.login.words import plain, tokens_of
from tests.client.login.places import Place, hub
from tests.scripted import Request, answer, scripted


async def test_both_issuers_are_understood(place: Place) -> None:
    async with asking() as web:
        for named in (place.issuer, place.issuer + "/"):
            provider = await provider_of(web, named)
            assert provider.issuer == place.issuer
            assert provider.device_authorization_endpoint
            assert {"openid", "entitlements"} <= set(provider.scope([]).split())
            assert "eduperson_entitlement" not in provider.scope([]) or place.kind == "embedded"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "https://other.example"}, "calls itself"),
        ({"issuer": 5}, "no issuer"),
        ({"token_endpoint": None}, "no issuer"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "not on https"),
        ({"device_authorization_endpoint": "http://192.168.0.1/d"}, "not on https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "not on https"),
    ],
)
async def test_metadata_that_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    def respond(request: Request) -> bytes | None:
        told = {"issuer": server.url, "token_endpoint": f"{server.url}/token"} | changes
        return answer({name: value for name, value in told.items() if value is not None})

    async with scripted(respond) as server, asking() as web:
        with pytest.raises(LoginFailed, match=words):
            await provider_of(web, server.url)


@pytest.mark.parametrize(
    "sent",
    [
        answer(b"<html>"),
        answer({"issuer": "x"}, 500),
        answer([1]),
        answer(b"[" * 100_000),
        answer({}, 302, location="https://elsewhere.example/"),
        b"",
        b"HTTP/1.1 200 So\r\ncontent-length: 5000000\r\n\r\n" + b" " * 5_000_000,
    ],
)
async def test_what_is_no_issuer_is_said_to_be_none(sent: bytes) -> None:
    async with scripted(lambda _: sent) as server, asking() as web:
        with pytest.raises(LoginFailed, match=server.url):
            await provider_of(web, server.url)
        assert {request.path for request in server.asked} <= {
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
        }


@pytest.mark.parametrize("issuer", ["http://issuer.example", "ftp://x", "", "file:///etc", "issuer.example"])
async def test_an_issuer_is_reached_by_https(issuer: str) -> None:
    async with asking() as web:
        with pytest.raises(LoginFailed, match="https"):
            await provider_of(web, issuer)


async def test_an_issuer_with_a_path_and_only_rfc_8414(keeper: Keeper) -> None:
    def respond(request: Request) -> bytes | None:
        if request.path != "/.well-known/oauth-authorization-server/realms/a":
            return answer({}, 404)
        return answer({"issuer": f"{server.url}/realms/a", "token_endpoint": f"{server.url}/t"})

    async with scripted(respond) as server, asking() as web:
        assert (await provider_of(web, f"{server.url}/realms/a")).token_endpoint == f"{server.url}/t"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"resource": "https://other.example"}, "which is not it"),
        ({"resource": 5}, "wrongly"),
        ({"authorization_servers": ["x"]}, "wrongly"),
    ],
)
async def test_a_hub_speaks_for_itself_only(told: dict[str, Any], words: str, keeper: Keeper) -> None:
    with hub() as running:
        running.told["/.well-known/oauth-protected-resource"] = told
        with pytest.raises(LoginFailed, match=words):
            await log_in(running.url, "device", lambda _: None, keeper=keeper)


async def test_a_hub_that_names_no_issuer_leaves_it_to_the_user(embedded: Place, keeper: Keeper) -> None:
    with hub() as running:
        with pytest.raises(LoginFailed, match="--issuer"):
            await log_in(running.url, "device", lambda _: None, keeper=keeper)
        running.told["/.well-known/oauth-protected-resource"] = "https://elsewhere.example/"
        with pytest.raises(LoginFailed, match="--issuer"):
            await log_in(running.url, "device", lambda _: None, keeper=keeper)
        login = await log_in(running.url, "device", embedded.show, issuer=embedded.issuer, keeper=keeper)
        assert login.hubs == [running.url]


async def test_a_hub_on_plain_http_elsewhere_gets_no_login(keeper: Keeper) -> None:
    with pytest.raises(LoginFailed, match="no token"):
        await log_in(
            "http://hub.example", "device", lambda _: None, issuer="https://x.example", keeper=keeper
        )


async def test_what_a_hub_wants_is_asked_for(embedded: Place, keeper: Keeper) -> None:
    with hub() as running:
        running.trusts(embedded, scopes_supported=["storage.read:/scenes"])
        login = await log_in(running.url, "device", embedded.show, keeper=keeper)
    assert login.tokens is not None
    assert "storage.read:/scenes" in login.tokens.scope.split()


async def test_the_members_of_a_hub_are_read_whatever_it_says() -> None:
    with hub() as running, hub() as site:
        async with asking() as web:
            assert await members_of(web, running.url) == frozenset()
            running.lists(site)
            assert await members_of(web, running.url) == {site.url}
            odd: list[Any] = [
                5,
                None,
                {},
                {"endpoints": 5},
                {"endpoints": [5, {"url": 5}, {"url": "http://x"}]},
            ]
            for sites in (5, None, odd):
                running.told["/sites"] = {"sites": sites}
                assert await members_of(web, running.url) == frozenset()
            assert await resource_of(web, "http://elsewhere.example") is None


def test_a_hub_is_named_by_its_origin() -> None:
    assert origin_of("HTTPS://Hub.Example:443/stac?x#y") == "https://hub.example"
    assert origin_of("http://127.0.0.1:8300/") == "http://127.0.0.1:8300"
    assert origin_of("http://[::1]:80/") == "http://[::1]"
    assert origin_of("http://localhost") == "http://localhost"
    assert origin_of("http://127.0.0.1.example/") is None


@given(st.text(max_size=60) | st.from_regex(r"https?://[^\s]{0,40}", fullmatch=True))
def test_an_origin_is_one_that_may_have_a_token(url: str) -> None:
    found = origin_of(url)
    if found is not None:
        assert found.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))
        assert origin_of(found) == found


@given(
    st.dictionaries(
        st.sampled_from(
            ["access_token", "token_type", "expires_in", "refresh_token", "scope", "refresh_expires_in"]
        ),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("Bearer"),
    )
)
def test_any_answer_gives_tokens_that_can_be_sent_or_an_error(answered: dict[str, Any]) -> None:
    try:
        tokens = tokens_of(answered, "https://issuer.example")
    except LoginFailed:
        return
    assert tokens.access
    assert not set(tokens.access) & set(" \r\n\t\0")
    if tokens.expires_at is not None:
        assert tokens.renew_at is not None
        assert tokens.renew_at <= tokens.expires_at


@given(st.text())
def test_what_others_say_is_one_printable_line(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= 300
    assert all(letter.isprintable() for letter in shown)


async def test_errors_hold_nothing_that_was_sent() -> None:
    secret = "-".join(("the", "secret"))
    async with asking() as web:
        with pytest.raises(LoginFailed) as caught:
            await web.post(f"http://127.0.0.1:9/token?x={secret}", {"refresh_token": secret}, ("id", secret))
    shown = "".join(traceback.format_exception(caught.value))
    assert "http://127.0.0.1:9/token" in shown
    assert secret not in shown
    assert caught.value.__context__ is None


async def test_what_an_issuer_repeats_of_a_token_is_not_said(embedded: Place) -> None:
    async with asking() as web:
        provider = await provider_of(web, embedded.issuer)
        status, said = await web.post(
            provider.token_endpoint, {"refresh_token": "abc", "client_id": "cscale"}
        )
    assert status == 400
    assert "abc" not in str(said)
