"""What is kept is the owner's alone, and whole."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cscale.client.login import Keeper, Login, LoginFailed, last_hub
from cscale.client.login.keeping import state_folder
from cscale.client.login.words import Tokens

ISSUER = "https://issuer.example"


def login(**changes: object) -> Login:
    found = Login(
        ISSUER, "cscale", ["https://hub.example"], {"sub": "alice"}, 1.0, tokens=Tokens("a-token", "r-token")
    )
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_a_login_comes_back_as_it_was(keeper: Keeper) -> None:
    keeper.save(login())
    found = keeper.load(ISSUER, "cscale")
    assert found == login()
    assert found.tokens == login().tokens
    assert keeper.load(ISSUER, "another") is None
    keeper.remove(ISSUER, "cscale")
    keeper.remove(ISSUER, "cscale")
    assert keeper.load(ISSUER, "cscale") is None


def test_it_is_the_owners_alone(keeper: Keeper, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keeper.save(login())
    finally:
        os.umask(before)
    (path,) = files(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_what_others_could_read_is_not_used(keeper: Keeper, tmp_path: Path, mode: int) -> None:
    keeper.save(login())
    (path,) = files(tmp_path)
    path.chmod(mode)
    with pytest.raises(LoginFailed, match="read by others"):
        keeper.load(ISSUER, "cscale")
    with pytest.raises(LoginFailed, match="read by others"):
        keeper.logins()
    keeper.save(login())  # logging in again mends it
    assert keeper.load(ISSUER, "cscale") is not None


def test_a_link_is_not_followed(keeper: Keeper, tmp_path: Path) -> None:
    keeper.save(login())
    (path,) = files(tmp_path)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LoginFailed, match="cannot be read"):
        keeper.load(ISSUER, "cscale")
    keeper.save(login(at=2.0))
    assert not path.is_symlink()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"issuer": 1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_broken_counts_as_no_login(keeper: Keeper, tmp_path: Path, content: bytes) -> None:
    keeper.save(login())
    (path,) = files(tmp_path)
    path.write_bytes(content)
    assert keeper.load(ISSUER, "cscale") is None
    assert keeper.logins() == []


def test_a_full_disk_is_said_and_leaves_the_old_login(keeper: Keeper, tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from cscale.client.login import Keeper, LoginFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
login = Keeper().load(sys.argv[1], "cscale")
login.at = 5.0
try:
    Keeper().save(login)
except LoginFailed as error:
    print(error)
"""
    keeper.save(login())
    done = subprocess.run(
        [sys.executable, "-c", code, ISSUER], capture_output=True, text=True, check=True, timeout=60
    )
    assert "cannot be kept" in done.stdout
    assert keeper.load(ISSUER, "cscale") == login()
    assert len(files(tmp_path)) == 1


def test_no_token_is_shown(keeper: Keeper) -> None:
    keeper.save(login())
    found = keeper.load(ISSUER, "cscale")
    for shown in (repr(found), str(found), f"{found}", repr(login().tokens)):
        assert "token" not in shown.replace("tokens=Tokens", "")
    assert keeper.logins()[0].tokens is None


def test_the_last_login_names_the_hub(keeper: Keeper) -> None:
    assert last_hub(keeper) is None
    keeper.save(login())
    keeper.save(
        login(issuer="https://other.example", hubs=["https://second.example", "https://x.example"], at=2.0)
    )
    keeper.save(login(issuer="https://third.example", hubs=[], at=3.0))
    assert last_hub(keeper) == "https://second.example"


def test_it_lies_where_the_user_keeps_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert state_folder() == tmp_path / "home" / "cscale"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # the specification: to be ignored
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_folder() == tmp_path / ".local" / "state" / "cscale"


async def test_one_at_a_time(keeper: Keeper) -> None:
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with keeper.alone(ISSUER, "cscale"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.05)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(4)))
    assert most == 1


async def test_a_process_that_dies_leaves_no_lock(keeper: Keeper) -> None:
    code = """
import asyncio, os
from cscale.client.login import Keeper
async def main():
    async with Keeper().alone("https://issuer.example", "cscale"):
        os._exit(1)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 1
    async with asyncio.timeout(10), keeper.alone(ISSUER, "cscale"):
        pass
