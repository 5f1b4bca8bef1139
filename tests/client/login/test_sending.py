"""Tokens on their way: to the hub and its members, and along no redirect to anybody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cscale.client import Federation, default_hub
from cscale.client.login import Keeper, Login
from cscale.client.login.words import Tokens
from cscale.errors import CscaleError
from tests.client.login.places import Hub, Place, hub

TOKEN = "a-token"
TRUSTED = Place("https://issuer.example", "cscale", "none")


@pytest.fixture
def running(keeper: Keeper) -> Iterator[Hub]:
    """A hub that somebody logged in for."""
    with hub() as found:
        found.trusts(TRUSTED)
        found.told["/stac/search"] = {"features": [], "links": []}
        keeper.save(Login(TRUSTED.issuer, "cscale", [found.url], at=1.0, tokens=Tokens(TOKEN)))
        yield found


@pytest.fixture
def elsewhere() -> Iterator[Hub]:
    with hub() as found:
        found.told["/file"] = "bytes"
        yield found


def sent(place: Hub, path: str) -> list[str | None]:
    return [token for seen, token in place.seen if seen == path]


def test_the_hub_gets_the_token(running: Hub) -> None:
    with Federation(running.url) as federation:
        federation.search({})
    assert sent(running, "/stac/search") == [f"Bearer {TOKEN}"]


def test_who_is_not_logged_in_sends_none(elsewhere: Hub) -> None:
    elsewhere.told["/stac/search"] = {"features": [], "links": []}
    with Federation(elsewhere.url) as federation:
        federation.search({})
    assert sent(elsewhere, "/stac/search") == [None]


def test_the_last_logins_hub_is_asked_where_none_is_named(
    running: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_hub() == running.url
    monkeypatch.setenv("CSCALE_HUB", "http://127.0.0.1:1")
    assert default_hub() == "http://127.0.0.1:1"


def test_a_member_that_asks_for_it_gets_the_token_with_a_download(
    running: Hub, elsewhere: Hub, tmp_path: Path
) -> None:
    running.lists(elsewhere)
    elsewhere.trusts(TRUSTED)
    running.told["/data/a"] = f"{elsewhere.url}/file"
    elsewhere.told["/file"] = {"a": 1}
    with Federation(running.url) as federation:
        federation.download({"href": f"{running.url}/data/a"}, tmp_path / "a")
    assert sent(running, "/data/a") == [f"Bearer {TOKEN}"]
    assert sent(elsewhere, "/file") == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("direct", [True, False])
def test_nobody_else_gets_it_with_a_download(
    running: Hub, elsewhere: Hub, tmp_path: Path, direct: bool
) -> None:
    elsewhere.trusts(TRUSTED)  # it would like to
    elsewhere.told["/file"] = {"a": 1}
    running.told["/data/a"] = f"{elsewhere.url}/file"
    href = f"{elsewhere.url}/file" if direct else f"{running.url}/data/a"
    with Federation(running.url) as federation:
        federation.download({"href": href}, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b'{"a": 1}'
    assert sent(elsewhere, "/file") == [None]


def test_a_redirect_of_a_search_is_not_followed(running: Hub, elsewhere: Hub) -> None:
    running.told["/stac/search"] = f"{elsewhere.url}/file"
    with Federation(running.url) as federation, pytest.raises(CscaleError):
        federation.search({})
    assert elsewhere.seen == []


def test_a_download_ends_where_redirects_do_not(running: Hub, tmp_path: Path) -> None:
    running.told["/a"] = f"{running.url}/b"
    running.told["/b"] = f"{running.url}/a"
    running.told["/c"] = "file:///etc/passwd"
    with Federation(running.url) as federation:
        for path in ("/a", "/c"):
            with pytest.raises(CscaleError):
                federation.download({"href": running.url + path}, tmp_path / "a")
    assert len(running.seen) < 12
    assert not (tmp_path / "a").exists()


def test_no_error_shows_the_token(running: Hub, tmp_path: Path) -> None:
    with Federation(running.url) as federation:
        with pytest.raises(CscaleError) as caught:
            federation.download({"href": f"{running.url}/absent"}, tmp_path / "a")
        assert TOKEN not in str(caught.value)
        running.told["/stac/search"] = 5
        with pytest.raises(CscaleError) as caught:
            federation.search({})
        assert TOKEN not in str(caught.value)
