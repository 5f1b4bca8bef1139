"""Which token goes where, and that it is renewed in time, by one process of many."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cscale.client.login import (
    Credentials,
    Keeper,
    Login,
    LoginFailed,
    LoginNeeded,
    log_in,
    log_out,
    token_for,
)
from cscale.client.login.words import Tokens
from tests.client.login.places import Hub, Place, hub
from tests.identity.issuer.browsing import Browser
from tests.scripted import Request, answer, scripted

_ASK = """
import asyncio, sys
from cscale.client.login import Credentials
print(asyncio.run(Credentials(sys.argv[1]).token_for(sys.argv[1])))
"""


@pytest.fixture
def running() -> Iterator[Hub]:
    with hub() as found:
        yield found


@pytest.fixture
def site() -> Iterator[Hub]:
    with hub() as found:
        yield found


def changed(keeper: Keeper, login: Login, **changes: object) -> None:
    """Make the kept tokens older, or others."""
    kept = keeper.load(login.issuer, login.client_id)
    assert kept is not None
    assert kept.tokens is not None
    kept.tokens = msgspec.structs.replace(kept.tokens, **changes)
    keeper.save(kept)


async def logged_in(place: Place, running: Hub, keeper: Keeper) -> Login:
    running.trusts(place)
    return await log_in(running.url, place.way, place.show, keeper=keeper)


async def test_a_token_goes_to_the_hub_and_to_members_it_vouches_for(
    embedded: Place, running: Hub, site: Hub, keeper: Keeper
) -> None:
    await logged_in(embedded, running, keeper)
    running.lists(site)
    site.trusts(embedded)
    credentials = Credentials(running.url, keeper)
    token = await credentials.token_for(f"{running.url}/stac/search")
    assert token is not None
    assert await credentials.token_for(f"{site.url}/data/a.tif") == token


async def test_a_site_gets_none_unless_the_hub_lists_it_and_it_asks_for_it(
    embedded: Place, running: Hub, site: Hub, keeper: Keeper
) -> None:
    await logged_in(embedded, running, keeper)
    site.trusts(embedded)
    assert await Credentials(running.url, keeper).token_for(site.url) is None  # not listed
    running.lists(site)
    site.told.clear()
    assert await Credentials(running.url, keeper).token_for(site.url) is None  # does not ask
    site.trusts(Place("https://other.example", "x", "other"))
    assert await Credentials(running.url, keeper).token_for(site.url) is None  # asks for another's
    site.trusts(embedded, resource="http://127.0.0.1:1")
    assert await Credentials(running.url, keeper).token_for(site.url) is None  # speaks for another
    assert all(sent is None for _, sent in site.seen)


@pytest.mark.parametrize(
    "url",
    [
        "http://hub.example/",
        "http://192.168.0.1/",
        "http://127.0.0.1.example/",
        "http://127.0.0.1:1@hub.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "",
        "http://[",
        "http://127.0.0.1:99999999/",
        "https://other.example/",
    ],
)
async def test_other_addresses_get_none(embedded: Place, running: Hub, keeper: Keeper, url: str) -> None:
    await logged_in(embedded, running, keeper)
    running.lists()
    assert await Credentials(running.url, keeper).token_for(url) is None
    assert await token_for(url) is None


async def test_a_hub_on_plain_http_elsewhere_gets_none_of_the_environment_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CSCALE_TOKEN", "secret")
    assert await Credentials("http://hub.example").token_for("http://hub.example/stac") is None


async def test_a_second_trust_domain_is_asked_for_once_and_remembered(
    embedded: Place, npm: Place, running: Hub, site: Hub, keeper: Keeper
) -> None:
    first = await logged_in(embedded, running, keeper)
    running.lists(site)
    site.trusts(npm)
    credentials = Credentials(running.url, keeper)
    assert await credentials.token_for(site.url) is None
    second = await log_in(site.url, npm.way, lambda shown: npm.show(shown, "bob"), keeper=keeper)
    assert {first.issuer, second.issuer} == {each.issuer for each in keeper.logins()}
    theirs, ours = await credentials.token_for(site.url), await credentials.token_for(running.url)
    assert theirs is not None
    assert ours is not None
    assert theirs != ours
    assert Browser().get(f"{embedded.issuer}/userinfo", authorization=f"Bearer {ours}").json["sub"] == "alice"


async def test_a_token_is_renewed_ahead_of_its_end_unseen(place: Place, running: Hub, keeper: Keeper) -> None:
    login = await logged_in(place, running, keeper)
    credentials = Credentials(running.url, keeper)
    first = await credentials.token_for(running.url)
    assert await credentials.token_for(running.url) == first
    changed(keeper, login, renew_at=time.time() - 1)
    second = await credentials.token_for(running.url)
    assert second not in (None, first)
    changed(keeper, login, renew_at=time.time() - 1, expires_at=time.time() - 1)
    assert await credentials.token_for(running.url) not in (None, first, second)


async def test_of_many_processes_and_tasks_one_renews(place: Place, running: Hub, keeper: Keeper) -> None:
    login = await logged_in(place, running, keeper)
    before = await Credentials(running.url, keeper).token_for(running.url)
    changed(keeper, login, renew_at=time.time() - 1)
    command = [sys.executable, "-c", _ASK, running.url]
    asking = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(4)]
    tasks = [Credentials(running.url, keeper).token_for(running.url) for _ in range(4)]
    tokens = {*await asyncio.gather(*tasks)}
    for process in asking:
        tokens.add((await process.communicate())[0].decode().strip())
        assert process.returncode == 0
    assert len(tokens) == 1
    assert before not in tokens
    changed(keeper, login, renew_at=time.time() - 1)  # had a refresh token come twice, this would fail
    assert await Credentials(running.url, keeper).token_for(running.url) is not None


async def test_a_login_that_the_issuer_ended_is_said_to_be_over(
    place: Place, running: Hub, keeper: Keeper
) -> None:
    login = await logged_in(place, running, keeper)
    changed(keeper, login, renew_at=time.time() - 1, refresh="never given")
    credentials = Credentials(running.url, keeper)
    for _ in range(2):  # and nobody asks the issuer again
        with pytest.raises(LoginNeeded, match=f"cscale login --hub {running.url}"):
            await credentials.token_for(running.url)
    assert keeper.logins()[0].issuer == place.issuer
    await logged_in(place, running, keeper)
    assert await credentials.token_for(running.url) is not None


async def test_an_issuer_that_is_away_does_not_end_a_login(running: Hub, keeper: Keeper) -> None:
    tokens = Tokens("good", "refresh", expires_at=time.time() + 30, renew_at=time.time() - 1)
    login = Login("http://127.0.0.1:9", "cscale", [running.url], tokens=tokens)
    keeper.save(login)
    credentials = Credentials(running.url, keeper)
    assert await credentials.token_for(running.url) == "good"
    changed(keeper, login, expires_at=time.time() - 1)
    with pytest.raises(LoginFailed, match="no connection"):
        await credentials.token_for(running.url)
    kept = keeper.load(login.issuer, login.client_id)
    assert kept is not None
    assert kept.tokens is not None
    assert kept.tokens.refresh == "refresh"


async def test_a_login_without_a_refresh_token_ends_with_its_token(running: Hub, keeper: Keeper) -> None:
    tokens = Tokens("good", None, expires_at=time.time() + 30, renew_at=time.time() - 1)
    login = Login("http://127.0.0.1:9", "cscale", [running.url], tokens=tokens)
    keeper.save(login)
    assert await Credentials(running.url, keeper).token_for(running.url) == "good"
    changed(keeper, login, expires_at=time.time() - 1)
    with pytest.raises(LoginNeeded):
        await Credentials(running.url, keeper).token_for(running.url)


async def test_a_refresh_token_that_is_not_replaced_stays(running: Hub, keeper: Keeper) -> None:
    """As issuers do that rotate none."""
    sent: list[bytes] = []

    def respond(request: Request) -> bytes | None:
        if request.method == "POST":
            sent.append(request.body)
            return answer({"access_token": f"a{len(sent)}", "token_type": "bearer", "expires_in": 0.1})
        return answer({"issuer": server.url, "token_endpoint": f"{server.url}/token"})

    async with scripted(respond) as server:
        old = Tokens("a0", "the-same", expires_at=0.0, renew_at=0.0)
        keeper.save(Login(server.url, "cscale", [running.url], tokens=old))
        credentials = Credentials(running.url, keeper)
        assert await credentials.token_for(running.url) == "a1"
        await asyncio.sleep(0.1)
        assert await credentials.token_for(running.url) == "a2"
    assert all(b"refresh_token=the-same" in each for each in sent)


async def test_a_token_of_the_environment_goes_before_a_login(
    embedded: Place, running: Hub, site: Hub, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logged_in(embedded, running, keeper)
    running.lists(site)
    site.trusts(embedded)
    credentials = Credentials(running.url, keeper)
    ours = await credentials.token_for(running.url)
    monkeypatch.setenv("CSCALE_TOKEN", "opaque-token")
    assert await credentials.token_for(running.url) == "opaque-token"
    assert await credentials.token_for(site.url) is None  # whose it is cannot be seen
    assert ours is not None
    monkeypatch.setenv("CSCALE_TOKEN", ours)
    assert await credentials.token_for(site.url) == ours
    monkeypatch.setenv("CSCALE_TOKEN", "two words\r\nx-other: header")
    with pytest.raises(LoginFailed, match="CSCALE_TOKEN"):
        await credentials.token_for(running.url)


@pytest.mark.parametrize("named", [False, True])
async def test_a_service_logs_itself_in(
    embedded: Place, running: Hub, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if named:
        monkeypatch.setenv("CSCALE_ISSUER", embedded.issuer)
    else:
        running.trusts(embedded)
    monkeypatch.setenv("CSCALE_CLIENT_ID", "service")
    with pytest.raises(LoginFailed, match="CSCALE_CLIENT_SECRET"):
        await Credentials(running.url, keeper).token_for(running.url)
    monkeypatch.setenv("CSCALE_CLIENT_SECRET", "service-secret")
    credentials = Credentials(running.url, keeper)
    token = await credentials.token_for(running.url)
    assert token is not None
    assert await credentials.token_for(running.url) == token
    told = Browser().post(f"{embedded.issuer}/introspect", {"token": token}, ("service", "service-secret"))
    assert told.json["sub"] == "service"
    monkeypatch.setenv("CSCALE_CLIENT_SECRET", "wrong")
    with pytest.raises(LoginFailed, match="invalid_client"):
        await Credentials(running.url, keeper).token_for(running.url)
    assert keeper.logins() == []


async def test_a_service_logs_itself_in_at_the_peer(
    npm: Place, running: Hub, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.trusts(npm)
    monkeypatch.setenv("CSCALE_CLIENT_ID", "service")
    monkeypatch.setenv("CSCALE_CLIENT_SECRET", "auch-geheim")
    assert await Credentials(running.url, keeper).token_for(running.url) is not None


async def test_a_service_at_a_hub_without_an_issuer_is_told_what_to_set(
    running: Hub, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CSCALE_CLIENT_ID", "service")
    with pytest.raises(LoginFailed, match="CSCALE_ISSUER"):
        await Credentials(running.url, keeper).token_for(running.url)


async def test_an_old_refresh_token_ends_the_login_everywhere(
    place: Place, running: Hub, keeper: Keeper, tmp_path: Path
) -> None:
    """A thief uses a copy: whoever comes second ends it for both."""
    login = await logged_in(place, running, keeper)
    kept = keeper.load(login.issuer, login.client_id)
    assert kept is not None
    thief = Keeper(tmp_path / "thief")
    thief.save(kept)
    changed(keeper, login, renew_at=0.0)
    assert await Credentials(running.url, keeper).token_for(running.url) is not None
    changed(thief, login, renew_at=0.0)
    with pytest.raises(LoginNeeded):
        await Credentials(running.url, thief).token_for(running.url)
    changed(keeper, login, renew_at=0.0)
    with pytest.raises(LoginNeeded):
        await Credentials(running.url, keeper).token_for(running.url)


async def test_a_logout_revokes_and_forgets(place: Place, running: Hub, keeper: Keeper) -> None:
    login = await logged_in(place, running, keeper)
    kept = keeper.load(login.issuer, login.client_id)
    ended = await log_out(keeper)
    assert [(each.issuer, problem) for each, problem in ended] == [(place.issuer, None)]
    assert keeper.logins() == []
    assert await Credentials(running.url, keeper).token_for(running.url) is None
    assert kept is not None
    keeper.save(kept)  # had somebody kept a copy, it would be worth nothing
    changed(keeper, login, renew_at=0.0)
    with pytest.raises(LoginNeeded):
        await Credentials(running.url, keeper).token_for(running.url)


async def test_a_logout_without_the_issuer_forgets_and_says_so(running: Hub, keeper: Keeper) -> None:
    login = Login("http://127.0.0.1:9", "cscale", [running.url], tokens=Tokens("a", "b"))
    keeper.save(login)
    assert await log_out(keeper, "http://127.0.0.1:1") == []
    ((_, problem),) = await log_out(keeper, running.url)
    assert problem is not None
    assert "no connection" in problem
    assert keeper.logins() == []
