"""The public keys of an issuer (RFC 7517), and whether one of them made a signature (RFC 7515, RFC 7518)."""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from cscale.identity.refusals import TokenRefused
from cscale.identity.tokens.jose import Jwt

_MOST_KEYS = 64
_MOST_TRIED = 4  # keys of one name
_SMALLEST_RSA, _LARGEST_RSA = 2048, 8192  # bits; larger ones only cost time
_LONGEST_KID = 512
_KINDS: dict[str, tuple[Callable[[Any], Key], tuple[str, ...]]] = {
    "RSA": (RSAKey.import_key, ("n", "e")),
    "EC": (ECKey.import_key, ("crv", "x", "y")),
    "OKP": (OKPKey.import_key, ("crv", "x")),
}
_CURVES = {
    "ES256": ("P-256",),
    "ES384": ("P-384",),
    "ES512": ("P-521",),
    "EdDSA": ("Ed25519", "Ed448"),
    "Ed25519": ("Ed25519",),
}
_KNOWN_CURVES = {curve for curves in _CURVES.values() for curve in curves}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies signatures.

    Attributes:
        kid: Its name at the issuer.
        kind: `RSA`, `EC` or `OKP`.
        curve: That of `EC` and `OKP`.
        algorithm: The only one that it is for; None where the issuer does not say.
        key: The key.
    """

    kid: str | None
    kind: str
    curve: str | None
    algorithm: str | None
    key: Key

    def is_for(self, algorithm: str) -> bool:
        """Whether it makes signatures of this algorithm."""
        if self.algorithm is not None and self.algorithm != algorithm:
            return False
        if algorithm[:2] in ("RS", "PS"):
            return self.kind == "RSA"
        return self.curve in _CURVES.get(algorithm, ())


def public_keys(document: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """The keys of a JWK set that can verify signatures; all others are passed over, private parts too."""
    listed = document.get("keys")
    found = (_public_key(each) for each in (listed if isinstance(listed, list) else [])[:_MOST_KEYS])
    return tuple(each for each in found if each is not None)


def _public_key(jwk: object) -> PublicKey | None:
    kind = jwk.get("kty") if isinstance(jwk, dict) else None
    if not isinstance(jwk, dict) or not isinstance(kind, str) or kind not in _KINDS:
        return None
    read, members = _KINDS[kind]
    plain = {name: jwk.get(name) for name in members}
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if not all(isinstance(each, str) and len(each) <= 2048 for each in plain.values()):
        return None
    if plain.get("crv", "P-256") not in _KNOWN_CURVES:
        return None
    if kind == "RSA" and not _SMALLEST_RSA <= _bits(str(plain["n"])) <= _LARGEST_RSA:
        return None
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str | None) or not isinstance(algorithm, str | None):
        return None
    try:
        key = read({"kty": kind, **plain})
    except (JoseError, ValueError, TypeError, OverflowError):
        return None
    return PublicKey(kid, kind, plain.get("crv"), algorithm, key)


def _bits(modulus: str) -> int:
    """The size of a number in base64url; 0 if it is none."""
    try:
        return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
    except ValueError:
        return 0


def kid_of(jwt: Jwt) -> str | None:
    """The name of the key that a token says it is signed with. It is compared, and nothing else.

    Raises:
        TokenRefused: If it is no name.
    """
    kid = jwt.header.get("kid")
    if kid is not None and (not isinstance(kid, str) or len(kid) > _LONGEST_KID):
        raise TokenRefused("the token's kid is no name of a key")
    return kid


def algorithm_of(jwt: Jwt, allowed: Sequence[str]) -> str:
    """How a token says it is signed.

    Raises:
        TokenRefused: If its issuer's tokens are not signed so, as configured; never without a key, or with a
            shared secret.
    """
    algorithm = jwt.header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise TokenRefused("the token's signature is of a kind (alg) that is not accepted")
    if "crit" in jwt.header or "b64" in jwt.header:
        raise TokenRefused("the token demands what is not understood here (crit, b64)")
    return algorithm


def candidates(keys: Iterable[PublicKey], kid: str | None, algorithm: str) -> list[PublicKey]:
    """The keys that may have signed a token: of this name, and for this algorithm.

    Keys that come with the token (`jwk`, `jku`, `x5c`, `x5u`) count for nothing. A token that
    names no key has to do with the only one there is.
    """
    fitting = [key for key in keys if key.is_for(algorithm) and kid in (None, key.kid)]
    if kid is None and len(fitting) != 1:
        return []
    return fitting[:_MOST_TRIED]


def is_signed(jwt: Jwt, algorithm: str, keys: Iterable[PublicKey]) -> bool:
    """Whether one of the keys made a token's signature."""
    model = JWSRegistry.algorithms[algorithm]
    for each in keys:
        try:
            if model.verify(jwt.signed, jwt.signature, each.key):
                return True
        except (JoseError, ValueError, TypeError):
            continue
    return False
