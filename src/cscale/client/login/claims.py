"""What an ID token says, and whether it was made for us.

Its signature is not checked: it comes from the token endpoint itself, over TLS (or from this machine), which
vouches for it as well (OpenID Connect Core 3.1.3.7, 6). So the client needs no cryptographic library. An ID
token that came any other way, through a browser above all, must never be read by this.
"""

import base64
import hashlib
import hmac
import time
from typing import Any

import msgspec

from cscale.client.login.words import LoginFailed, plain

_SKEW = 120  # seconds by which clocks may differ


def claims_of(
    id_token: object, issuer: str, client_id: str, *, nonce: str | None, access: str
) -> dict[str, Any]:
    """The claims of an ID token (OpenID Connect Core 3.1.3.7 and 3.1.3.8).

    Args:
        id_token: As the token endpoint gave it.
        issuer: Who must have made it.
        client_id: For whom.
        nonce: What was sent with the request; None where nothing was.
        access: The access token that came with it.

    Raises:
        LoginFailed: If it is not what was asked for; says what is wrong.
    """
    header, claims = _parts(id_token, issuer)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party, expires = claims.get("azp"), claims.get("exp")
    wrong = None
    if str(header.get("alg", "none")).lower() == "none":
        wrong = "is not signed"
    elif claims.get("iss") != issuer:
        wrong = f"was made by {plain(claims.get('iss'), 80)!r}"
    elif client_id not in audiences or (party is not None and party != client_id):
        wrong = f"is for {plain(audience, 80)!r}, not for {client_id!r}"
    elif not isinstance(expires, int | float) or expires < time.time() - _SKEW:
        wrong = "has expired; is this machine's clock right?"
    elif not isinstance(claims.get("sub"), str) or not claims["sub"]:
        wrong = "does not say who it is about"
    elif nonce is not None and not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        wrong = "answers another request (nonce)"
    elif not _belongs(header, claims, access):
        wrong = "belongs to another access token"
    if wrong:
        raise LoginFailed(f"{issuer}: its ID token {wrong}; nothing was kept")
    return claims


def issuer_in(token: str) -> str | None:
    """Who a token says it is from, if it says so. Not proved: good only to narrow where it is sent."""
    try:
        return str(_decoded(token.split(".")[1])["iss"])
    except (IndexError, KeyError, ValueError, TypeError, msgspec.DecodeError):
        return None


def _parts(id_token: object, issuer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        header, claims, signature = str(id_token).split(".")
        if signature:
            return _decoded(header), _decoded(claims)
    except (ValueError, TypeError, msgspec.DecodeError):
        pass
    raise LoginFailed(f"{issuer} sent no ID token that can be read; nothing was kept")


def _decoded(part: str) -> dict[str, Any]:
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return msgspec.json.decode(raw, type=dict[str, Any])


def _belongs(header: dict[str, Any], claims: dict[str, Any], access: str) -> bool:
    """Whether `at_hash` is the access token's; so also where there is none, or of another algorithm."""
    told, algorithm = claims.get("at_hash"), str(header.get("alg"))
    if told is None or algorithm[2:] not in ("256", "384", "512"):
        return True
    digest = hashlib.new(f"sha{algorithm[2:]}", access.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    return hmac.compare_digest(half, str(told).encode())
