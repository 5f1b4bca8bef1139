"""A token taken apart (RFC 7515 7.1, RFC 7519).

What two readers could understand differently is not read at all.
"""

import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cscale.identity.refusals import TokenRefused

MOST = 16 * 1024
"""The longest token, in characters."""
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 2.1
_DEEPEST = 16
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Jwt:
    """A signed token, not verified as yet.

    Attributes:
        header: What it says of itself.
        claims: What it says of its subject.
        signed: The bytes that the signature is for.
        signature: The signature.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def is_jwt(token: str) -> bool:
    """Whether a token is a signed JWT by its looks; others are opaque: only their issuer can read them.

    Raises:
        TokenRefused: If it is longer than `MOST`, is no token, or is encrypted.
    """
    if len(token) > MOST:
        raise TokenRefused(f"the token is longer than {MOST} characters")
    if not _TOKEN.fullmatch(token):
        raise TokenRefused("what was sent as a token is none", "invalid_request")
    if token.count(".") == 4 and token.startswith("eyJ"):
        raise TokenRefused("the token is encrypted (JWE); only signed ones are read here")
    return token.startswith("eyJ") and token.count(".") == 2


def taken_apart(token: str) -> Jwt:
    """A token's header, claims and signature.

    Raises:
        TokenRefused: If it is not three parts in base64url, two of them JSON objects.
    """
    if not _COMPACT.fullmatch(token):
        raise TokenRefused("the token is no JWT: it has not three parts in base64url")
    head, body, tail = token.split(".")
    header = json_object(_decoded(head), "the token's header")
    claims = json_object(_decoded(body), "the token's claims")
    return Jwt(header, claims, f"{head}.{body}".encode(), _decoded(tail))


def json_object(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object in which each name stands once, not deeply nested.

    Raises:
        TokenRefused: If it is none; `what` names it.
    """
    if _depth(raw) > _DEEPEST:
        raise TokenRefused(f"{what}: nested more than {_DEEPEST} deep")
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        twice = f": {error}" if isinstance(error, _Twice) else ""
        raise TokenRefused(f"{what}: not JSON{twice}") from None
    if not isinstance(found, dict):
        raise TokenRefused(f"{what}: not a JSON object")
    return found


def number(claims: Mapping[str, Any], name: str) -> float | None:
    """A time in seconds since 1970 (NumericDate); None if it is not there.

    Raises:
        TokenRefused: If it is no time.
    """
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"{name} is not a number")
    if not 0 <= value < 1e11:
        raise TokenRefused(f"{name} is not a time")
    return float(value)


class _Twice(ValueError):
    """A name that stands twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice("a name stands twice in an object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _depth(raw: bytes) -> int:
    """How deep JSON is nested, at most; counted before it is read."""
    if raw.count(b"{") + raw.count(b"[") <= _DEEPEST:
        return 0
    depth = deepest = 0
    for found in _BRACKETS.finditer(raw):
        if found[0] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in b"]}":
            depth -= 1
    return deepest


def _decoded(part: str) -> bytes:
    """Base64url without padding, of which each text means other bytes (RFC 4648 3.5).

    Raises:
        TokenRefused: If it is none.
    """
    plain = part.translate(_TO_PLAIN).encode()
    try:
        raw = binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except binascii.Error:
        raise TokenRefused("the token is not in base64url") from None
    if binascii.b2a_base64(raw, newline=False).rstrip(b"=") != plain:
        raise TokenRefused("the token is not in base64url")
    return raw


_TO_PLAIN = str.maketrans("-_", "+/")
