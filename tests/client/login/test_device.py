"""Login by a code on another device, against both issuers."""

import asyncio
import threading
from pathlib import Path

import pytest

from cscale.client.login import Credentials, Keeper, LoginFailed, Shown, log_in
from cscale.client.login.asking import asking
from cscale.client.login.device import by_device
from cscale.client.login.provider import provider_of
from tests.client.login.places import Hub, Place, hub
from tests.scripted import Request, answer, scripted


async def test_a_login_is_asked_for_where_the_hub_says_and_kept(
    place: Place, trusting: Hub, keeper: Keeper
) -> None:
    seen: list[Shown] = []

    def show(shown: Shown) -> None:
        seen.append(shown)
        threading.Timer(0.5, place.by_code, [shown]).start()  # it is asked for before

    login = await log_in(trusting.url, "device", show, keeper=keeper)
    assert login.issuer == place.issuer
    assert login.client_id == place.client_id
    assert login.hubs == [trusting.url]
    assert login.claims["sub"] == "alice"
    assert login.name.startswith("Alice")
    assert any("role=member" in group for group in login.groups)
    assert seen[0].url.startswith(place.issuer)
    token = await Credentials(trusting.url, keeper).token_for(trusting.url + "/stac")
    assert token is not None
    assert token not in repr(login)
    assert keeper.logins()[0].hubs == [trusting.url]


async def test_a_refusal_on_the_page_ends_it(place: Place, trusting: Hub, keeper: Keeper) -> None:
    with pytest.raises(LoginFailed, match="refused on the page"):
        await log_in(
            trusting.url, "device", lambda shown: void(place.by_code(shown, allow=False)), keeper=keeper
        )
    assert keeper.logins() == []


def void(_page: object) -> None:
    """For what a callback need not return."""


async def test_nobody_comes_in_time(tmp_path: Path, keeper: Keeper) -> None:
    from tests.identity.issuer.served import issuing

    with issuing(tmp_path, lifetimes={"device": 2, "interval": 1}) as issuer, hub() as running:
        running.trusts(Place(issuer.url, "cscale", "embedded"))
        with pytest.raises(LoginFailed, match="in time"):
            await log_in(running.url, "device", lambda _shown: None, keeper=keeper)


async def test_it_asks_less_often_when_told_to(embedded: Place) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        """In a hurry: the issuer says so."""
        pauses.append(seconds)
        if len(pauses) == 4:
            embedded.by_code(shown[0])

    shown: list[Shown] = []
    async with asking() as web:
        provider = await provider_of(web, embedded.issuer)
        tokens = await by_device(web, provider, "cscale", "openid", shown.append, pause)
    assert "access_token" in tokens
    assert pauses[0] == 1
    assert pauses[1] == 1  # the first answer was that it is pending
    assert pauses[2] == pauses[1] + 5
    assert pauses[3] == pauses[2] + 5


async def test_a_break_in_the_line_is_waited_out() -> None:
    asked: list[str] = []

    def respond(request: Request) -> bytes | None:
        url = server.url
        if request.path == "/device":
            given = {
                "device_code": "d",
                "user_code": "u",
                "verification_uri": f"{url}/page",
                "interval": 0.01,
            }
            return answer(given)
        if request.path == "/token":
            asked.append(request.body.decode())
            return b"" if len(asked) < 3 else answer({"access_token": "a", "token_type": "Bearer"})
        names = ("token", "device_authorization")
        paths = {f"{name}_endpoint": f"{url}/{name.partition('_')[0]}" for name in names}
        return answer({"issuer": url, **paths})

    async with scripted(respond) as server, asking() as web:
        provider = await provider_of(web, server.url)
        tokens = await by_device(web, provider, "cscale", "openid", lambda _: None)
    assert tokens["access_token"] == "a"
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ({}, "no code"),
        ({"user_code": "u", "device_code": "d"}, "no code"),
        ({"user_code": "u", "verification_uri": "https://a.example/"}, "no code"),
        ({"user_code": "u", "device_code": "d", "verification_uri": "http://a.example/"}, "https"),
        ({"user_code": "u", "device_code": "d", "verification_uri": "file:///etc/passwd"}, "https"),
        (
            {
                "user_code": "u",
                "device_code": "d",
                "verification_uri": "https://a.example/",
                "verification_uri_complete": "javascript:alert(1)",
            },
            "https",
        ),
    ],
)
async def test_codes_that_cannot_be_are_not_shown(codes: dict[str, str], words: str) -> None:
    def respond(request: Request) -> bytes | None:
        if request.method == "POST":
            return answer(codes)
        url = server.url
        return answer(
            {"issuer": url, "token_endpoint": f"{url}/t", "device_authorization_endpoint": f"{url}/d"}
        )

    shown: list[Shown] = []
    async with scripted(respond) as server, asking() as web:
        provider = await provider_of(web, server.url)
        with pytest.raises(LoginFailed, match=words):
            await by_device(web, provider, "cscale", "openid", shown.append)
    assert shown == []


async def test_ctrl_c_leaves_nothing(embedded: Place, keeper: Keeper) -> None:
    with hub() as running:
        running.trusts(embedded)
        task = asyncio.ensure_future(log_in(running.url, "device", lambda _: None, keeper=keeper))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert keeper.logins() == []
