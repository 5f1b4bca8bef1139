"""Where logins are kept: the tokens in the system's keyring where there is one, else in the owner's files.

One file a login, under `$XDG_STATE_HOME/cscale/logins` (`~/.local/state/cscale/logins`): written aside,
renamed, readable by nobody else.
"""

import asyncio
import hashlib
import os
import secrets
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from cscale.client.login.words import Login, LoginFailed, Tokens

_SERVICE = "cscale"
_MOST = 1 << 20  # bytes of a file
_PATIENCE = 60.0  # seconds for which another process is waited for
_RETRY = 0.05


def state_folder() -> Path:
    """Where this user's programs keep what they know (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_STATE_HOME", "")
    base = Path(named) if named.startswith("/") else Path.home() / ".local" / "state"
    return base / "cscale"


class Keeper:
    """Keeps logins.

    Args:
        folder: Where; `state_folder()` where left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or state_folder()) / "logins"

    def logins(self) -> list[Login]:
        """All logins, without their tokens, the newest first.

        Raises:
            LoginFailed: If others can read them.
        """
        if not self._folder.is_dir():
            return []
        found = [self._read(path) for path in self._folder.glob("*.json")]
        kept = [login for login in found if login is not None]
        for login in kept:
            login.tokens = None
        return sorted(kept, key=lambda login: login.at, reverse=True)

    def load(self, issuer: str, client_id: str) -> Login | None:
        """A login with its tokens.

        Raises:
            LoginFailed: If others can read it.
        """
        login = self._read(self._path(issuer, client_id))
        if login is not None and login.in_keyring:
            login.tokens = _from_keyring(_key(issuer, client_id))
        return login

    def save(self, login: Login) -> None:
        """Keep a login, in the place of an older one of the same issuer and program.

        Raises:
            LoginFailed: If it cannot be written.
        """
        key, tokens = _key(login.issuer, login.client_id), login.tokens
        login.in_keyring = tokens is not None and _into_keyring(key, tokens)
        shown = msgspec.structs.replace(login, tokens=None if login.in_keyring else tokens)
        path = self._path(login.issuer, login.client_id)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            self._make_folder()
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(shown))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise LoginFailed(f"the login cannot be kept in {self._folder}: {error.strerror}") from None

    def remove(self, issuer: str, client_id: str) -> None:
        """Forget a login."""
        _out_of_keyring(_key(issuer, client_id))
        path = self._path(issuer, client_id)
        path.unlink(missing_ok=True)

    @asynccontextmanager
    async def alone(self, issuer: str, client_id: str) -> AsyncIterator[None]:
        """Nobody else changes this login meanwhile: no other task, and no other process.

        Raises:
            LoginFailed: If somebody holds it for too long.
        """
        self._make_folder()
        path = self._path(issuer, client_id).with_suffix(".lock")
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + _PATIENCE
            while not _locked(file):
                if time.monotonic() > until:
                    raise LoginFailed(f"another cscale renews the login at {issuer} without end; try again")
                await asyncio.sleep(_RETRY)
            yield
        finally:
            os.close(file)  # and with it goes the lock

    def _path(self, issuer: str, client_id: str) -> Path:
        return self._folder / f"{_key(issuer, client_id)}.json"

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LoginFailed(f"logins cannot be kept in {self._folder}: {error.strerror}") from None

    def _read(self, path: Path) -> Login | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LoginFailed(f"the login in {path} cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if os.name == "posix" and (stat.S_IMODE(about.st_mode) & 0o077 or about.st_uid != os.geteuid()):
                raise LoginFailed(
                    f"{path} can be read by others, so its tokens may be known: delete it, and log in again"
                )
            content = file.read(_MOST)
        try:
            return msgspec.json.decode(content, type=Login)
        except msgspec.DecodeError:
            return None  # of another version, or broken: as if nobody had logged in


def _key(issuer: str, client_id: str) -> str:
    return hashlib.sha256(f"{issuer}\n{client_id}".encode()).hexdigest()[:32]


if sys.platform == "win32":
    import msvcrt

    def _locked(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _keyring() -> Any:
    """The system's keyring, if there is one that works."""
    try:
        import keyring  # optional, and slow to start
        from keyring.backends import fail, null
    except ImportError:
        return None
    chosen = keyring.get_keyring()
    if isinstance(chosen, fail.Keyring | null.Keyring) or not _is_used(chosen):
        return None
    return chosen


def _is_used(chosen: Any) -> bool:
    with suppress(Exception):  # whatever a foreign back-end raises, it is of no use
        return bool(chosen.priority > 0)
    return False


def _into_keyring(key: str, tokens: Tokens) -> bool:
    chosen = _keyring()
    if chosen is None:
        return False
    try:
        chosen.set_password(_SERVICE, key, msgspec.json.encode(tokens).decode())
    except Exception:  # noqa: BLE001  # locked, too small, gone: the file is as good
        return False
    return True


def _from_keyring(key: str) -> Tokens | None:
    chosen = _keyring()
    if chosen is None:
        return None
    try:
        kept = chosen.get_password(_SERVICE, key)
        return None if kept is None else msgspec.json.decode(kept, type=Tokens)
    except Exception:  # noqa: BLE001  # as if it held nothing: one logs in again
        return None


def _out_of_keyring(key: str) -> None:
    chosen = _keyring()
    if chosen is not None:
        with suppress(Exception):  # it held nothing
            chosen.delete_password(_SERVICE, key)
