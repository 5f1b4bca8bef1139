"""Tokens taken apart, and keys read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from cscale.identity.refusals import TokenRefused
from cscale.identity.tokens.jose import is_jwt, json_object, number, taken_apart
from cscale.identity.tokens.keys import candidates, is_signed, public_keys
from cscale.identity.tokens.remembered import Remembered
from tests.identity.issuing import KEYS, STRANGER, coded, published, signed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_a_token_is_taken_apart() -> None:
    token = signed({"sub": "ä"}, {"kid": "rsa"})
    jwt = taken_apart(token)
    assert is_jwt(token)
    assert jwt.header == {"alg": "RS256", "typ": "at+jwt", "kid": "rsa"}
    assert jwt.claims == {"sub": "ä"}
    assert jwt.signed.decode() == token.rpartition(".")[0]
    assert len(jwt.signature) == 256


@given(
    st.text(max_size=80) | st.from_regex(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = taken_apart(text) if is_jwt(text) else None
    except TokenRefused:
        return
    assert found is None or found.signed.decode() == text.rpartition(".")[0]


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_json_objects_are_read_as_they_are(value: dict[str, Any]) -> None:
    raw = json.dumps(value)
    if "NaN" in raw or "Infinity" in raw:
        return
    assert json_object(raw.encode(), "it") == value


@given(st.integers(1, 40), st.sampled_from(["[", '{"a":', '[{"[[[[[[": ']))
def test_depth_is_bounded_and_brackets_in_texts_are_none(depth: int, opened: str) -> None:
    closed = {"[": "]", '{"a":': "}"}.get(opened, "}]")
    raw = f'{{"x": {opened * depth}1{closed * depth}}}'.encode()
    if depth * len(closed) + 1 <= 16:
        assert json_object(raw, "it")
    else:
        with pytest.raises(TokenRefused, match="nested"):
            json_object(raw, "it")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"x"',
        b"null",
        b'{"a":1,"a":2}',
        b'{"x":[{"a":1,"\\u0061":2}]}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1}x',
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        b"{'a':1}",
        b'{"a":"\x00"}',
    ],
)
def test_what_is_no_plain_object_is_refused(raw: bytes) -> None:
    with pytest.raises(TokenRefused):
        json_object(raw, "it")


@pytest.mark.parametrize("value", ["1", True, [], {}, float("inf"), float("nan"), -1, 1e12, 10**400])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(TokenRefused):
        number({"exp": value}, "exp")


def test_a_time_may_have_a_fraction_or_be_left_out() -> None:
    assert number({"exp": 1.5}, "exp") == 1.5
    assert number({}, "exp") is None


RSA = published(KEYS["RSA"])["keys"][0]
EC = published(KEYS["P-256"])["keys"][0]


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        "RSA",
        {},
        {"kty": ["RSA"]},
        {"kty": "oct", "k": "AAAA"},
        {**RSA, "use": "enc"},
        {**RSA, "key_ops": ["sign"]},
        {**RSA, "key_ops": "verify"},
        {**RSA, "kid": 5},
        {**RSA, "alg": ["RS256"]},
        {**RSA, "n": None},
        {**RSA, "n": coded(b"\xff" * 128)},
        {**RSA, "n": coded(b"\xff" * 1100)},
        {**RSA, "n": "!"},
        {**RSA, "e": "AQ"},
        {**RSA, "e": coded(b"\xff" * 1000)},
        {**EC, "crv": "P-384"},
        {**EC, "x": EC["y"]},
        {**EC, "crv": "none"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    ],
)
def test_keys_that_are_none_are_passed_over(jwk: Any) -> None:
    found = public_keys({"keys": [jwk, EC]})
    assert [key.kind for key in found] == ["EC"]


def test_private_parts_of_a_key_are_not_read() -> None:
    (key,) = public_keys({"keys": [KEYS["RSA"].as_dict(private=True)]})
    assert not key.key.is_private


@given(
    st.dictionaries(st.sampled_from(["kty", "n", "e", "crv", "x", "y", "use", "kid", "alg", "key_ops"]), JSON)
)
def test_no_key_set_breaks_the_reader(changes: dict[str, Any]) -> None:
    for jwk in (RSA, EC):
        public_keys({"keys": [{**jwk, **changes}]})


def test_a_key_is_for_its_own_algorithm() -> None:
    keys = public_keys(published(*KEYS.values()))
    assert [each.kid for each in candidates(keys, "rsa", "RS256")] == ["rsa"]
    assert not candidates(keys, "rsa", "ES256")
    assert not candidates(keys, "p256", "ES384")
    assert not candidates(keys, "rsa", "HS256")
    assert not candidates(keys, "other", "RS256")
    (marked,) = public_keys({"keys": [{**RSA, "alg": "RS512"}]})
    assert not marked.is_for("RS256")
    assert marked.is_for("RS512")
    secp = published(ECKey.generate_key("secp256k1", {"kid": "k"}))
    assert not candidates(public_keys(secp), "k", "ES256")


def test_of_keys_with_one_name_each_is_tried() -> None:
    keys = public_keys({"keys": [published(STRANGER)["keys"][0], RSA]})
    jwt = taken_apart(signed({"a": 1}, {"kid": "rsa"}))
    assert is_signed(jwt, "RS256", candidates(keys, "rsa", "RS256"))
    assert not is_signed(jwt, "RS256", keys[:1])


@given(st.binary(max_size=300))
def test_no_signature_breaks_the_verifier(signature: bytes) -> None:
    keys = public_keys(published(*KEYS.values()))
    for algorithm, kid in {"RS256": "rsa", "ES256": "p256", "ES512": "p521", "EdDSA": "ed"}.items():
        token = f"{coded(json.dumps({'alg': algorithm}).encode())}.{coded(b'{}')}.{coded(signature)}"
        assert not is_signed(taken_apart(token), algorithm, candidates(keys, kid, algorithm))


def test_what_is_remembered_is_bounded_and_ends() -> None:
    remembered: Remembered[int] = Remembered(3)
    keys = [remembered.key(str(each)) for each in range(5)]
    for number_, key in enumerate(keys[:3]):
        remembered.put(key, number_, 600)
    assert remembered.get(keys[0]) == 0
    remembered.put(keys[3], 3, 600)
    remembered.put(keys[4], 4, 0)
    assert [remembered.get(key) for key in keys] == [0, None, None, 3, None]
    assert len(remembered) == 2
    assert Remembered[int](3).key("0") != keys[0]
