"""What a token claims: whether it is meant for this service, at this time, and what it says of its bearer."""

from collections.abc import Iterable, Mapping
from typing import Any

from cscale.errors import BadInput
from cscale.identity import scopes as paths
from cscale.identity.caller import Caller, pseudonym
from cscale.identity.entitlements import begins
from cscale.identity.refusals import TokenRefused
from cscale.identity.settings import TrustedIssuer
from cscale.identity.tokens.jose import Jwt, number

ENTITLEMENTS = ("entitlements", "eduperson_entitlement", "groups", "wlcg.groups")
"""The claims that say what somebody holds."""
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt", "application/jwt"})
_NO_ACCESS = frozenset({"id", "refresh", "offline", "logout"})  # what Keycloak calls its other tokens
_OF_ID_TOKENS = ("at_hash", "c_hash", "s_hash")
_MOST_ENTITLEMENTS, _LONGEST = 1000, 1000


def check_kind(jwt: Jwt) -> None:
    """Refuse what is no access token, whoever signed it: ID tokens, refresh tokens, proofs (RFC 9068 4).

    Raises:
        TokenRefused: If it is none.
    """
    kind = jwt.header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefused("the token is of a kind (typ) that is no access token")
    inner = jwt.claims.get("typ")
    if isinstance(inner, str) and inner.lower() in _NO_ACCESS:
        raise TokenRefused(f"the token is no access token but one of kind {inner}")
    if any(name in jwt.claims for name in _OF_ID_TOKENS):
        raise TokenRefused("the token is an ID token; the access token is to be sent")


def check_use(claims: Mapping[str, Any], config: TrustedIssuer) -> None:
    """Refuse a token that is not meant for this service, or that only its owner may use.

    Raises:
        TokenRefused: If it is not.
    """
    if claims.get("cnf") is not None:
        raise TokenRefused("the token is bound to a key (DPoP, mTLS), which is not understood here")
    party = claims.get("azp", claims.get("client_id"))
    if config.clients and party not in config.clients:
        raise TokenRefused("the token was issued to a client that is not accepted here")
    if not config.audience:
        return
    audience = claims.get("aud")
    if audience is None and config.clients:
        return
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise TokenRefused("the token does not say whom it is for (aud)")
    if not set(named) & set(config.audience):
        raise TokenRefused("the token is not meant for this service (aud)")


def check_times(claims: Mapping[str, Any], now: float, skew: float) -> float | None:
    """Refuse a token that is over, or has not begun; when it ends, if it says so.

    Raises:
        TokenRefused: If it is not in its time.
    """
    ends, begun, issued = (number(claims, name) for name in ("exp", "nbf", "iat"))
    if ends is not None and now >= ends + skew:
        raise TokenRefused("the token has expired")
    if (begun is not None and now < begun - skew) or (issued is not None and now < issued - skew):
        raise TokenRefused("the token is not valid yet; clocks may differ")
    return ends


def subject(claims: Mapping[str, Any]) -> str:
    """Whom a token speaks for: its subject, or the client that it was issued to.

    Raises:
        TokenRefused: If it does not say.
    """
    found = claims.get("sub", claims.get("client_id"))
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST or not found.isprintable():
        raise TokenRefused("the token does not say whom it speaks for (sub)")
    return found


def scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """What a token may be used for.

    Raises:
        TokenRefused: If a scope of `storage.*` has no path, or one that is not normalised.
    """
    said = claims.get("scope", claims.get("scp"))
    listed = said.split() if isinstance(said, str) else _texts(said)
    try:
        for each in listed:
            paths.parse(each)
    except BadInput as error:
        raise TokenRefused(str(error)) from None
    return frozenset(listed)


def says_what_is_held(claims: Mapping[str, Any]) -> bool:
    """Whether claims name entitlements or groups, be it none."""
    return any(name in claims for name in ENTITLEMENTS)


def entitlements(claims: Mapping[str, Any], config: TrustedIssuer) -> frozenset[str]:
    """What claims say is held, as far as the issuer's word is taken for it."""
    said = [each for name in ENTITLEMENTS for each in _texts(claims.get(name))]
    held = [each for each in said[:_MOST_ENTITLEMENTS] if 0 < len(each) <= _LONGEST and each.isprintable()]
    trusted = config.entitlements
    return frozenset(each for each in held if not trusted or any(begins(each, it) for it in trusted))


def caller(claims: Mapping[str, Any], held: Iterable[str], token: str, issuer: str, secret: bytes) -> Caller:
    """The caller that a checked token speaks for.

    Args:
        claims: What it claims.
        held: The entitlements.
        token: The token.
        issuer: Its issuer.
        secret: What makes pseudonyms that nobody else can make.
    """
    who = subject(claims)
    return Caller(
        subject=who,
        entitlements=frozenset(held),
        token=token,
        issuer=issuer,
        scopes=scopes(claims),
        expires=number(claims, "exp"),
        pseudonym=pseudonym(secret, issuer, who),
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
