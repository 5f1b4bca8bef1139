"""Tokens that are not what they seem, and issuers that are not: whoever takes one is deceived."""

import gzip
import hashlib
import hmac
import itertools
import json
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from joserfc import jwe, jws
from joserfc.util import urlsafe_b64decode

from tests.identity.issuing import (
    EGI,
    KEYS,
    STRANGER,
    OwnIssuer,
    Says,
    coded,
    published,
    signed,
    with_header,
)

RSA = KEYS["RSA"]
Attack = Callable[[OwnIssuer, OwnIssuer], str]
"""Makes a token, of an issuer and an attacker who would like to be asked."""


def discovery(says: Callable[[OwnIssuer, OwnIssuer], Says]) -> Callable[[OwnIssuer, OwnIssuer], None]:
    def breaks(own: OwnIssuer, attacker: OwnIssuer) -> None:
        own.pages["/.well-known/openid-configuration"] = lambda _: says(own, attacker)

    return breaks


def keys(says: Callable[[OwnIssuer, OwnIssuer], Says]) -> Callable[[OwnIssuer, OwnIssuer], None]:
    def breaks(own: OwnIssuer, attacker: OwnIssuer) -> None:
        own.pages["/jwks"] = lambda _: says(own, attacker)

    return breaks


_WELL_KNOWN = "/.well-known/openid-configuration"
BROKEN: dict[str, Callable[[OwnIssuer, OwnIssuer], None]] = {
    "names another issuer": discovery(lambda own, they: Says(own.document(issuer=they.url))),
    "names itself with a slash": discovery(lambda own, _: Says(own.document(issuer=f"{own.url}/"))),
    "names nobody": discovery(lambda own, _: Says(own.document(issuer=None))),
    "redirects to a private address": discovery(
        lambda _, they: Says({}, 302, {"location": f"{they.url}{_WELL_KNOWN}"})
    ),
    "keeps its keys at a private address": discovery(
        lambda own, they: Says(own.document(jwks_uri=f"{they.url}/jwks"))
    ),
    "keeps its keys in a file": discovery(lambda own, _: Says(own.document(jwks_uri="file:///etc/passwd"))),
    "keeps its keys nowhere": discovery(lambda own, _: Says(own.document(jwks_uri=["x"]))),
    "asks about tokens at an odd address": discovery(
        lambda own, _: Says(own.document(introspection_endpoint="gopher://a.test/"))
    ),
    "says its name twice": discovery(
        lambda own, they: Says(
            f'{{"issuer":"{they.url}","issuer":"{own.url}","jwks_uri":"{own.url}/jwks"}}'.encode()
        )
    ),
    "redirects its keys": keys(lambda _, they: Says({}, 307, {"location": f"{they.url}/jwks"})),
    "has endless keys": keys(lambda *_: Says(itertools.repeat(b" " * 65536))),
    "has keys that swell": keys(
        lambda *_: Says(gzip.compress(b" " * 50_000_000), headers={"content-encoding": "gzip"})
    ),
    "has deep keys": keys(lambda *_: Says(b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "has only a shared secret": keys(
        lambda *_: Says({"keys": [{"kty": "oct", "kid": "rsa", "k": coded(b"s" * 32)}]})
    ),
    "has keys for encryption": keys(lambda *_: Says({"keys": [{**published(RSA)["keys"][0], "use": "enc"}]})),
    "has short keys": keys(
        lambda *_: Says({"keys": [{"kty": "RSA", "kid": "rsa", "n": coded(b"\xff" * 64), "e": "AQAB"}]})
    ),
}


def hs(issuer: OwnIssuer, secret: bytes, algorithm: str = "HS256", **header: Any) -> str:
    head = json.dumps({"alg": algorithm, "typ": "JWT", "kid": "rsa", **header}).encode()
    content = f"{coded(head)}.{coded(json.dumps(issuer.claims()).encode())}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{content}.{coded(hmac.new(secret, content.encode(), digest).digest())}"


def unsigned(issuer: OwnIssuer, algorithm: str, signature: str = "") -> str:
    head = json.dumps({"alg": algorithm, "typ": "JWT", "kid": "rsa"}).encode()
    return f"{coded(head)}.{coded(json.dumps(issuer.claims()).encode())}.{signature}"


def changed(token: str, part: int, change: Callable[[dict[str, Any]], Any]) -> str:
    parts = token.split(".")
    decoded = json.loads(urlsafe_b64decode(parts[part].encode()))
    change(decoded)
    parts[part] = coded(json.dumps(decoded).encode())
    return ".".join(parts)


def raw(claims: bytes, header: bytes = b'{"alg":"RS256","kid":"rsa","typ":"at+jwt"}') -> str:
    """Signed by the issuer itself."""
    return with_header(header, claims, "RS256", RSA)


def spliced(issuer: OwnIssuer, text: str) -> bytes:
    """The claims of a good token, with more of JSON at the end of the object."""
    return f"{json.dumps(issuer.claims())[:-1]}, {text}}}".encode()


def forged(issuer: OwnIssuer, **header: Any) -> str:
    return signed(issuer.claims(), {"kid": "rsa", **header}, key=STRANGER)


def _another_text(token: str) -> str:
    """The last character holds four bits of 2048 that are not looked at by lax readers."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def without_key(algorithm: str) -> Attack:
    return lambda issuer, _: unsigned(issuer, algorithm)


def with_public_key(algorithm: str, secret: bytes) -> Attack:
    return lambda issuer, _: hs(issuer, secret, algorithm)


def with_kid(kid: object) -> Attack:
    return lambda issuer, _: forged(issuer, kid=kid)


_SECRETS = {
    "as PEM": RSA.as_pem(private=False),
    "as DER": RSA.as_der(private=False),
    "as JWK": json.dumps(published(RSA)["keys"][0]).encode(),
    "its modulus": urlsafe_b64decode(published(RSA)["keys"][0]["n"].encode()),
    "empty": b"",
}


ATTACKS: dict[str, Attack] = {
    **{f"alg {name}": without_key(name) for name in ("none", "None", "NONE", "nOnE", "")},
    "alg none with the signature of another token": lambda issuer, _: unsigned(
        issuer, "none", issuer.token().rpartition(".")[2]
    ),
    "no signature": lambda issuer, _: f"{issuer.token().rpartition('.')[0]}.",
    "two parts": lambda issuer, _: issuer.token().rpartition(".")[0],
    **{
        f"{name} with the public key, {form}, as the secret": with_public_key(name, secret)
        for name in ("HS256", "HS384", "HS512")
        for form, secret in _SECRETS.items()
    },
    "a key for another algorithm": lambda issuer, _: with_header(
        b'{"alg":"ES256","kid":"rsa","typ":"JWT"}',
        json.dumps(issuer.claims()).encode(),
        "ES256",
        KEYS["P-256"],
    ),
    "the algorithm as a list": lambda issuer, _: raw(
        json.dumps(issuer.claims()).encode(), b'{"alg":["RS256"],"kid":"rsa"}'
    ),
    "an ECDSA signature of zeros": lambda issuer, _: (
        f"{issuer.token('ES256').rpartition('.')[0]}.{coded(bytes(64))}"
    ),
    "a wrong audience": lambda issuer, _: issuer.token(aud="https://elsewhere.test"),
    "a wrong issuer, same key": lambda issuer, _: issuer.token(iss="https://elsewhere.test"),
    "an issuer that is nearly the right one": lambda issuer, _: issuer.token(iss=f"{issuer.url}/"),
    "an issuer that begins like the right one": lambda issuer, _: issuer.token(iss=f"{issuer.url}@a.test"),
    "the attacker as the issuer": lambda _, attacker: attacker.token(),
    "another issuer's subject with this one's key": lambda issuer, _: forged(issuer),
    "expired": lambda issuer, _: issuer.token(exp=time.time() - 31),
    "expired long ago": lambda issuer, _: issuer.token(exp=0),
    "never ending": lambda issuer, _: issuer.token(exp=None),
    "not valid yet": lambda issuer, _: issuer.token(nbf=time.time() + 120),
    "from the future": lambda issuer, _: issuer.token(iat=time.time() + 120),
    **{
        f"the kid {str(kid)[:40]!r}": with_kid(kid)
        for kid in (
            "../../../../../../dev/null",
            "/proc/self/environ",
            "rsa' UNION SELECT 'x' --",
            "rsa; cat /etc/passwd",
            "rsa\x00",
            "k" * 2000,
            ["rsa"],
            {"rsa": 1},
            5,
            True,
        )
    },
    "a kid that is the attacker's address": lambda issuer, attacker: forged(
        issuer, kid=f"{attacker.url}/jwks"
    ),
    "a kid that names an empty secret": lambda issuer, _: hs(issuer, b"", kid="../../dev/null"),
    "a jku of the attacker": lambda issuer, attacker: forged(issuer, jku=f"{attacker.url}/jwks"),
    "a jku that begins with the issuer": lambda issuer, attacker: forged(
        issuer, jku=f"{issuer.url}@{attacker.url[7:]}/jwks"
    ),
    "an x5u of the attacker": lambda issuer, attacker: forged(issuer, x5u=f"{attacker.url}/jwks"),
    "an embedded key": lambda issuer, _: forged(issuer, jwk=published(STRANGER)["keys"][0]),
    "an embedded key, no kid": lambda issuer, _: forged(issuer, jwk=published(STRANGER)["keys"][0], kid=None),
    "an embedded certificate": lambda issuer, _: forged(issuer, x5c=[b64encode(b"x" * 500).decode()]),
    "encrypted for the issuer's public key": lambda issuer, _: jwe.encrypt_compact(
        {"alg": "RSA-OAEP-256", "enc": "A256GCM"},
        json.dumps(issuer.claims()).encode(),
        RSA,
        algorithms=["RSA-OAEP-256", "A256GCM"],
    ),
    "two signatures": lambda issuer, _: json.dumps(
        jws.serialize_json(
            [{"protected": {"alg": "RS256"}}, {"protected": {"alg": "RS256"}}],
            json.dumps(issuer.claims()).encode(),
            RSA,
        )
    ),
    "one signature, in JSON": lambda issuer, _: json.dumps(
        jws.serialize_json(
            {"protected": {"alg": "RS256"}, "header": {"kid": "rsa"}},
            json.dumps(issuer.claims()).encode(),
            RSA,
        )
    ),
    "a header changed after it was signed": lambda issuer, _: changed(
        issuer.token(), 0, lambda head: head.update(typ="JWT")
    ),
    "an algorithm changed after it was signed": lambda issuer, _: changed(
        issuer.token(), 0, lambda head: head.update(alg="PS256")
    ),
    "claims changed after they were signed": lambda issuer, _: changed(
        issuer.token(), 1, lambda claims: claims.update(entitlements=[EGI, "urn:mace:egi.eu:group:operators"])
    ),
    "a demand that is not understood": lambda issuer, _: issuer.token(header={"crit": ["exp"]}),
    "unencoded claims": lambda issuer, _: issuer.token(header={"b64": False, "crit": ["b64"]}),
    "an ID token": lambda issuer, _: issuer.token(header={"typ": "JWT"}, at_hash="x"),
    "a huge token": lambda issuer, _: issuer.token(filler="x" * 20_000),
    "deeply nested claims": lambda issuer, _: raw(spliced(issuer, f'"a": {"[" * 100}{"]" * 100}')),
    "very deeply nested claims": lambda issuer, _: raw(spliced(issuer, f'"a": {"[" * 5000}{"]" * 5000}')),
    "deeply nested objects": lambda issuer, _: raw(
        spliced(issuer, f'"a": {chr(123)}"b":' * 20 + "1" + "}" * 20)
    ),
    "an audience twice": lambda issuer, _: raw(spliced(issuer, '"aud": "cscale"')),
    "a subject twice, once escaped": lambda issuer, _: raw(spliced(issuer, '"s\\u0075b": "root"')),
    "an algorithm twice": lambda issuer, _: raw(
        json.dumps(issuer.claims()).encode(), b'{"alg":"none","alg":"RS256","kid":"rsa"}'
    ),
    "an end that is no number": lambda issuer, _: raw(
        json.dumps(issuer.claims() | {"exp": float("nan")}).encode()
    ),
    "an endless end": lambda issuer, _: raw(json.dumps(issuer.claims() | {"exp": float("inf")}).encode()),
    "an end of many digits": lambda issuer, _: raw(
        spliced(issuer, '"x": 1').replace(b'"exp": ', b'"exp": ' + b"9" * 5000)
    ),
    "claims that are a list": lambda issuer, _: raw(json.dumps([issuer.claims()]).encode()),
    "claims in UTF-16": lambda issuer, _: raw(json.dumps(issuer.claims()).encode("utf-16")),
    "claims with more behind": lambda issuer, _: raw(json.dumps(issuer.claims()).encode() + b"{}"),
    "padded parts": lambda issuer, _: raw(json.dumps(issuer.claims()).encode()).replace(".", "=."),
    "a fourth part": lambda issuer, _: f"{issuer.token()}.x",
    "another text for the same signature": lambda issuer, _: _another_text(issuer.token()),
    "openEO's form, of another provider": lambda issuer, _: f"oidc/other/{issuer.token()}",
    "openEO's form of a password": lambda issuer, _: f"basic//{issuer.token()}",
    "a provider that climbs": lambda issuer, _: f"oidc/../own/{issuer.token()}",
    "an opaque token": lambda *_: "0123456789abcdef",
    "nothing": lambda *_: "",
}
