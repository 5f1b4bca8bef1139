"""Login in a browser, against both issuers, and what must not pass for one."""

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cscale.client.login import Keeper, LoginFailed, Shown, log_in
from tests.client.login.places import Hub, Place, hub
from tests.identity.issuer.browsing import Browser
from tests.scripted import Request, answer, scripted


def back(shown: Shown) -> str:
    """Where the browser is to come back to."""
    return parse_qs(urlsplit(shown.url).query)["redirect_uri"][0]


def asked(shown: Shown) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(shown.url).query).items()}


async def test_a_login_in_the_browser_is_kept(place: Place, trusting: Hub, keeper: Keeper) -> None:
    seen: list[Shown] = []

    def show(shown: Shown) -> None:
        seen.append(shown)
        page = Browser().get(place.by_browser(shown).location)
        assert page.status == 200
        assert "close this page" in page.text
        assert page.headers["referrer-policy"] == "no-referrer"

    login = await log_in(trusting.url, "browser", show, keeper=keeper)
    assert login.claims["sub"] == "alice"
    assert any("role=member" in group for group in login.groups)
    sent = asked(seen[0])
    assert sent["code_challenge_method"] == "S256"
    assert sent["redirect_uri"].startswith("http://127.0.0.1:")
    assert len(sent["state"]) >= 43
    assert len(sent["nonce"]) >= 43
    with pytest.raises(OSError, match="refused"):
        Browser().get(back(seen[0]))  # nobody listens any more


async def test_what_does_not_carry_our_state_is_turned_away_and_waited_on(
    place: Place, trusting: Hub, keeper: Keeper
) -> None:
    turned: list[int] = []

    def show(shown: Shown) -> None:
        right = place.by_browser(shown).location
        browser, there, state = Browser(), back(shown), asked(shown)["state"]
        queries = ["", "&state=", f"&state={state[:-1]}", "&state=x&state=y", f"&state={state}&state={state}"]
        turned.extend(browser.get(f"{there}?code=stolen{query}").status for query in queries)
        turned.append(browser.get(right.replace("/callback", "/other")).status)
        turned.append(browser.get(right, host="evil.example").status)
        turned.append(browser.post(right, {}).status)
        browser.get(right)

    login = await log_in(trusting.url, "browser", show, keeper=keeper)
    assert turned == [400, 400, 400, 400, 400, 404, 421, 404]
    assert login.claims["sub"] == "alice"


async def failing(place: Place, keeper: Keeper, show: Callable[[Shown], Any]) -> str:
    with hub() as running:
        running.trusts(place)
        with pytest.raises(LoginFailed) as caught:
            await log_in(running.url, "browser", lambda shown: show(shown) and None, keeper=keeper)
    assert keeper.logins() == []
    return str(caught.value)


async def test_a_refusal_is_told(embedded: Place, keeper: Keeper) -> None:
    def show(shown: Shown) -> None:
        Browser().get(embedded.by_browser(shown, allow=False).location)

    assert "access_denied" in await failing(embedded, keeper, show)


async def test_a_code_of_somebody_else_is_not_taken(place: Place, keeper: Keeper) -> None:
    """Injected into our own login, with the right state: PKCE tells."""
    stolen: list[str] = []

    def other(shown: Shown) -> None:
        query = parse_qs(urlsplit(place.by_browser(shown, "bob").location).query)
        stolen.append(query["code"][0])
        Browser().get(f"{back(shown)}?error=given_up&state={asked(shown)['state']}&iss={place.issuer}")

    def mine(shown: Shown) -> None:
        url = f"{back(shown)}?code={stolen[0]}&state={asked(shown)['state']}&iss={place.issuer}"
        Browser().get(url)

    assert "given_up" in await failing(place, keeper, other)
    assert "invalid_grant" in await failing(place, keeper, mine)


@pytest.mark.parametrize("iss", ["http://127.0.0.1:9", "", None])
async def test_another_issuers_answer_is_not_taken(place: Place, keeper: Keeper, iss: str | None) -> None:
    def show(shown: Shown) -> None:
        query = parse_qs(urlsplit(place.by_browser(shown).location).query)
        mixed = "" if iss is None else f"&iss={iss}"
        Browser().get(f"{back(shown)}?code={query['code'][0]}&state={query['state'][0]}{mixed}")

    assert "in the place of" in await failing(place, keeper, show)


async def test_an_issuer_without_pkce_by_s256_is_not_gone_to(keeper: Keeper) -> None:
    def respond(request: Request) -> bytes | None:
        ends = {name: f"{server.url}/{name}" for name in ("token_endpoint", "authorization_endpoint")}
        return answer({"issuer": server.url, "code_challenge_methods_supported": ["plain"], **ends})

    shown: list[Shown] = []
    async with scripted(respond) as server:
        with pytest.raises(LoginFailed, match="PKCE"):
            await log_in(server.url, "browser", shown.append, issuer=server.url, client_id="x", keeper=keeper)
    assert shown == []


async def test_an_id_token_of_another_request_is_not_taken(embedded: Place, keeper: Keeper) -> None:
    """The code of a request with another nonce, which came with our own challenge."""

    def show(shown: Shown) -> None:
        url = shown.url.replace(f"nonce={asked(shown)['nonce']}", "nonce=another")
        assert url != shown.url
        Browser().get(embedded.by_browser(Shown(shown.issuer, url)).location)

    assert "nonce" in await failing(embedded, keeper, show)


async def test_a_hostile_browser_does_not_stop_it(embedded: Place, keeper: Keeper) -> None:
    def show(shown: Shown) -> None:
        port = urlsplit(back(shown)).port
        for sent in (b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 20_000, b"GET /callback?%ff HTTP/1.1\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(sent)
        Browser().get(embedded.by_browser(shown).location)

    with hub() as running:
        running.trusts(embedded)
        login = await log_in(running.url, "browser", show, keeper=keeper)
    assert login.claims["sub"] == "alice"
