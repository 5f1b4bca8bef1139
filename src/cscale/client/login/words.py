"""What a login consists of. Nothing here shows a token when it is printed."""

import re
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from yarl import URL

from cscale.errors import CscaleError

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,16384}=*")  # RFC 6750 2.1, bounded
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}|::1|localhost")
_PORTS = {"http": 80, "https": 443}
_AHEAD = 60.0  # seconds before its end at which a token is replaced, at most


class LoginFailed(CscaleError):
    """A login that did not come about; says why, and what to do."""


class LoginNeeded(CscaleError):
    """Nobody is logged in, or no longer; says with which command to."""


class Tokens(msgspec.Struct):
    """What a login gives.

    Attributes:
        access: Shown to services, for a short while.
        refresh: Exchanged for the next tokens, once.
        expires_at: When `access` ends, as a Unix time; None: not told.
        renew_at: From when on it is replaced, so that no request meets its end.
        refresh_until: When `refresh` ends; None: not told.
        scope: What they are good for.
    """

    access: str
    refresh: str | None = None
    expires_at: float | None = None
    renew_at: float | None = None
    refresh_until: float | None = None
    scope: str = ""

    def __repr__(self) -> str:
        """Without the tokens."""
        return f"Tokens(expires_at={self.expires_at}, scope={self.scope!r})"

    @property
    def fresh(self) -> bool:
        """Whether there is time before it has to be replaced."""
        return self.renew_at is None or time.time() < self.renew_at

    @property
    def good(self) -> bool:
        """Whether `access` has not ended."""
        return self.expires_at is None or time.time() < self.expires_at


class Login(msgspec.Struct):
    """A login at an issuer, as it is kept.

    Attributes:
        issuer: Who vouches for the user.
        client_id: As which program we asked.
        hubs: The addresses (origins) that the user logged in for.
        claims: What the issuer says of the user.
        at: When they logged in, as a Unix time.
        in_keyring: Whether the tokens lie in the system's keyring.
        tokens: None where they are kept elsewhere, or were refused.
    """

    issuer: str
    client_id: str
    hubs: list[str] = []
    claims: dict[str, Any] = {}
    at: float = 0.0
    in_keyring: bool = False
    tokens: Tokens | None = None

    @property
    def name(self) -> str:
        """Who it is, for people."""
        for claim in ("name", "preferred_username", "email", "sub"):
            if value := self.claims.get(claim):
                return str(value)
        return "somebody"

    @property
    def groups(self) -> list[str]:
        """Groups and entitlements, as the issuer names them."""
        found: dict[str, None] = {}
        for claim in ("entitlements", "eduperson_entitlement", "groups"):
            value = self.claims.get(claim)
            found |= dict.fromkeys(map(str, value if isinstance(value, list) else [value] if value else []))
        return list(found)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person is shown so that they can log in.

    Attributes:
        issuer: Where they log in.
        url: The page to open.
        code: The code to enter there; None where the page needs none.
        complete: The page with the code in its address, for a QR code.
        seconds: For how long it is waited.
    """

    issuer: str
    url: str
    code: str | None = None
    complete: str | None = None
    seconds: float = 300.0


def tokens_of(answer: dict[str, Any], issuer: str, before: Tokens | None = None) -> Tokens:
    """The tokens in a token endpoint's answer (RFC 6749 5.1).

    Args:
        answer: What it said.
        issuer: Whose it is, for the error.
        before: The tokens that these replace: a refresh token that is not replaced stays.

    Raises:
        LoginFailed: If there is none that could be sent.
    """
    access, kind = answer.get("access_token"), answer.get("token_type")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access) or str(kind).lower() != "bearer":
        raise LoginFailed(f"{issuer} answered without a bearer token")
    now, refresh = time.time(), answer.get("refresh_token")
    lifetime, refresh_lifetime = (
        _seconds(answer.get("expires_in")),
        _seconds(answer.get("refresh_expires_in")),
    )
    return Tokens(
        access,
        refresh if isinstance(refresh, str) and refresh else (before.refresh if before else None),
        None if lifetime is None else now + lifetime,
        None if lifetime is None else now + lifetime - min(_AHEAD, lifetime / 4),
        now + refresh_lifetime if refresh_lifetime else None,  # 0: it does not end
        str(answer.get("scope") or (before.scope if before else "")),
    )


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < 1e10 else None


def is_token(text: str) -> bool:
    """Whether it can be sent as a bearer token."""
    return _TOKEN.fullmatch(text) is not None


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an address that a token may be sent to; None for others.

    That is https; and http on this machine, where nobody listens on the way.
    """
    try:
        parts = URL(url)
        port = parts.port
    except ValueError:
        return None
    host = (parts.raw_host or "").lower()
    if not host or parts.scheme not in _PORTS or (parts.scheme == "http" and not _LOOPBACK.fullmatch(host)):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port == _PORTS[parts.scheme] else f":{port}")


def plain(text: object, most: int = 300) -> str:
    """What somebody else wrote, as one printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)[: 4 * most]).split())[:most]
