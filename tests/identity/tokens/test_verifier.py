"""Whose a signed token is."""

import asyncio
import json
import time
from typing import Any

import pytest

from cscale.identity.caller import Caller
from cscale.identity.refusals import IssuerUnavailable, TokenRefused
from cscale.identity.settings import ALGORITHMS, IdentityConfig
from cscale.identity.tokens import Verifier
from cscale.identity.tokens.asking import MOST
from tests.identity.issuing import EGI, KEYS, STRANGER, OwnIssuer, issuing, published, signed
from tests.identity.tokens.verifying import SECRET, forgotten, verifying


async def test_a_good_token_says_who_sent_it(issuer: OwnIssuer) -> None:
    token = issuer.token(scope="openid storage.read:/a")
    async with verifying(issuer) as verifier:
        assert verifier.known(token) is None
        caller = await verifier.verify(token)
        assert verifier.known(token) is caller
    assert (caller.subject, caller.issuer, caller.token) == ("u-1", issuer.url, token)
    assert caller.entitlements == {EGI}
    assert caller.scopes == {"openid", "storage.read:/a"}
    assert caller.expires is not None
    assert caller.expires > time.time()
    assert "u-1" not in repr(caller)
    assert token not in repr(caller)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_each_kind_of_signature(issuer: OwnIssuer, algorithm: str) -> None:
    async with verifying(issuer) as verifier:
        assert (await verifier.verify(issuer.token(algorithm))).subject == "u-1"
        token = issuer.token(algorithm, sub="u-2")
        other = issuer.token(algorithm, sub="u-3")
        mixed = f"{token.rpartition('.')[0]}.{other.rpartition('.')[2]}"
        with pytest.raises(TokenRefused, match="signature is wrong"):
            await verifier.verify(mixed)


async def test_a_kind_of_signature_that_was_not_configured_is_refused(issuer: OwnIssuer) -> None:
    async with verifying(issuer, algorithms=["ES256"]) as verifier:
        await verifier.verify(issuer.token("ES256"))
        with pytest.raises(TokenRefused, match="not accepted"):
            await verifier.verify(issuer.token("RS256"))


async def test_a_pseudonym_is_of_one_person_at_one_service(issuer: OwnIssuer) -> None:
    config = IdentityConfig.model_validate({"issuers": [{"issuer": issuer.url, "audience": "cscale"}]})
    elsewhere = Verifier(config, b"t" * 32)
    with issuing() as other:
        async with verifying(issuer, other) as verifier:
            one = await verifier.verify(issuer.token())
            again = await verifier.verify(issuer.token(jti="x"))
            names = {
                (await verifier.verify(token)).pseudonym for token in (issuer.token(sub="u-2"), other.token())
            }
        there = await elsewhere.verify(issuer.token())
        await elsewhere.close()
    assert one.pseudonym == again.pseudonym
    assert one.pseudonym is not None
    assert len(one.pseudonym) == 32
    assert len(names | {one.pseudonym, there.pseudonym}) == 4


async def test_keys_and_tokens_are_asked_for_once(issuer: OwnIssuer) -> None:
    token = issuer.token()
    async with verifying(issuer) as verifier:
        callers: list[Caller] = await asyncio.gather(*(verifier.verify(token) for _ in range(20)))
        await asyncio.gather(*(verifier.verify(issuer.token(jti=str(each))) for each in range(20)))
    assert len(set(map(id, callers))) == 1
    assert [each.path for each in issuer.asked] == ["/.well-known/openid-configuration", "/jwks"]


async def test_new_keys_are_learned_when_a_token_names_one(issuer: OwnIssuer) -> None:
    issuer.says("/jwks", published(KEYS["RSA"]))
    async with verifying(issuer, pause=0.0) as verifier:
        await verifier.verify(issuer.token())
        issuer.says("/jwks", published(KEYS["P-256"]))
        await verifier.verify(issuer.token("ES256"))
        with pytest.raises(TokenRefused, match="does not publish"):
            await verifier.verify(issuer.token(sub="u-9"))


async def test_unknown_keys_make_nobody_ask_all_the_time(issuer: OwnIssuer) -> None:
    async with verifying(issuer, pause=60.0) as verifier:
        for number in range(30):
            with pytest.raises(TokenRefused, match="does not publish"):
                await verifier.verify(issuer.token(header={"kid": f"k{number}"}))
    assert issuer.count("/jwks") == 1


async def test_a_token_without_a_kid_has_to_do_with_the_only_key(issuer: OwnIssuer) -> None:
    async with verifying(issuer) as verifier:
        await verifier.verify(issuer.token(header={"kid": None}))
    issuer.says("/jwks", published(KEYS["RSA"], STRANGER))
    async with verifying(issuer) as verifier:
        with pytest.raises(TokenRefused, match="does not publish"):
            await verifier.verify(issuer.token(header={"kid": None}))


async def test_while_the_issuer_is_away_known_keys_serve(issuer: OwnIssuer) -> None:
    async with verifying(issuer, pause=0.0) as verifier:
        await verifier.verify(issuer.token())
        issuer.says("/jwks", {}, 503)
        with pytest.raises(TokenRefused):
            await verifier.verify(issuer.token(header={"kid": "new"}))
        await verifier.verify(issuer.token(jti="2"))


async def test_an_issuer_that_is_away_is_no_reason_to_refuse_a_token(issuer: OwnIssuer) -> None:
    issuer.says("/.well-known/openid-configuration", {}, 500)
    async with verifying(issuer, pause=60.0) as verifier:
        for _ in range(5):
            with pytest.raises(IssuerUnavailable):
                await verifier.verify(issuer.token())
    assert len(issuer.asked) == 1, "each request asked anew"


async def test_an_issuers_answer_is_bounded(issuer: OwnIssuer) -> None:
    issuer.says("/jwks", json.dumps(published(KEYS["RSA"])).encode() + b" " * MOST)
    async with verifying(issuer) as verifier:
        with pytest.raises(IssuerUnavailable):
            await verifier.verify(issuer.token())


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
async def test_an_issuer_answers_at_its_own_address(issuer: OwnIssuer, path: str) -> None:
    issuer.pages["/moved"] = issuer.pages[path]
    issuer.says(path, {}, 307, location="/moved")
    async with verifying(issuer) as verifier:
        with pytest.raises(IssuerUnavailable):
            await verifier.verify(issuer.token())
    assert issuer.count("/moved") == 0


async def test_an_expired_token_is_not_remembered_as_good(issuer: OwnIssuer) -> None:
    listed = [{"issuer": issuer.url, "audience": "cscale"}]
    verifier = Verifier(IdentityConfig.model_validate({"issuers": listed, "skew": 0}), SECRET)
    token = issuer.token(exp=time.time() + 3)
    await verifier.verify(token)
    await forgotten(verifier, token)
    with pytest.raises(TokenRefused, match="expired"):
        await verifier.verify(token)
    await verifier.close()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "when it ends"),
        ({"exp": "9999999999"}, "exp is not a number"),
        ({"exp": True}, "exp is not a number"),
        ({"exp": 1e300}, "exp is not a time"),
        ({"exp": -1}, "exp is not a time"),
        ({"nbf": 4e9}, "not valid yet"),
        ({"iat": 4e9}, "not valid yet"),
        ({"nbf": []}, "nbf is not a number"),
        ({"aud": "other"}, "not meant"),
        ({"aud": ["other", "cscale2"]}, "not meant"),
        ({"aud": None}, "whom it is for"),
        ({"aud": [["cscale"]]}, "whom it is for"),
        ({"aud": {"cscale": 1}}, "whom it is for"),
        ({"aud": []}, "not meant"),
        ({"iss": None}, "issuer"),
        ({"iss": ["x"]}, "issuer"),
        ({"iss": "https://elsewhere.test"}, "issuer"),
        ({"sub": None}, "whom it speaks for"),
        ({"sub": ""}, "whom it speaks for"),
        ({"sub": 5}, "whom it speaks for"),
        ({"sub": "a\r\nb"}, "whom it speaks for"),
        ({"sub": "a" * 1001}, "whom it speaks for"),
        ({"cnf": {"jkt": "x"}}, "bound to a key"),
        ({"typ": "Refresh"}, "no access token"),
        ({"typ": "ID"}, "no access token"),
        ({"at_hash": "x"}, "ID token"),
        ({"scope": "storage.read"}, "names no path"),
        ({"scope": "storage.read:/a/../b"}, "not absolute and normalised"),
    ],
)
async def test_tokens_that_are_signed_but_not_good(issuer: OwnIssuer, claims: Any, said: str) -> None:
    async with verifying(issuer) as verifier:
        with pytest.raises(TokenRefused, match=said):
            await verifier.verify(issuer.token(**claims))


@pytest.mark.parametrize("audience", ["cscale", ["x", "cscale"]])
async def test_an_audience_is_one_name_or_several(issuer: OwnIssuer, audience: Any) -> None:
    async with verifying(issuer) as verifier:
        await verifier.verify(issuer.token(aud=audience))


@pytest.mark.parametrize(
    "header", [{"typ": "id_token"}, {"typ": "dpop+jwt"}, {"typ": "logout+jwt"}, {"typ": 5}]
)
async def test_other_kinds_of_tokens_are_refused(issuer: OwnIssuer, header: Any) -> None:
    async with verifying(issuer) as verifier:
        with pytest.raises(TokenRefused, match="no access token"):
            await verifier.verify(issuer.token(header=header))


async def test_only_tokens_of_named_clients_where_some_are_named(issuer: OwnIssuer) -> None:
    async with verifying(issuer, clients=["cli"]) as verifier:
        await verifier.verify(issuer.token(azp="cli"))
        await verifier.verify(issuer.token(client_id="cli"))
        await verifier.verify(issuer.token(client_id="cli", aud=None))
        for claims in ({"azp": "other"}, {}, {"azp": ["cli"]}, {"azp": "other", "client_id": "cli"}):
            with pytest.raises(TokenRefused, match="client"):
                await verifier.verify(issuer.token(**claims))


@pytest.mark.parametrize("claim", ["entitlements", "eduperson_entitlement", "groups", "wlcg.groups"])
async def test_entitlements_stand_in_several_claims(issuer: OwnIssuer, claim: str) -> None:
    async with verifying(issuer) as verifier:
        claims: dict[str, Any] = {"entitlements": None, claim: [EGI, 5, "", "/cscale"]}
        token = issuer.token(**claims)
        assert (await verifier.verify(token)).entitlements == {EGI, "/cscale"}
    assert issuer.count("/userinfo") == 0


async def test_an_issuers_word_is_taken_only_for_its_own(issuer: OwnIssuer) -> None:
    held = [
        EGI,
        "urn:mace:egi.eu.evil.test:group:a",
        "urn:geant:x.test:group:a",
        "admin",
        "/cscale/a",
        "/cscaleb",
    ]
    async with verifying(issuer, entitlements=["urn:mace:EGI.eu", "/cscale"]) as verifier:
        caller = await verifier.verify(issuer.token(entitlements=held))
    assert caller.entitlements == {EGI, "/cscale/a"}


async def test_the_form_of_openeo(issuer: OwnIssuer) -> None:
    token = issuer.token()
    async with verifying(issuer, provider="egi") as verifier:
        caller = await verifier.verify(f"oidc/egi/{token}")
        assert caller.token == token, "the token alone is passed on"
        for credentials, said in {
            f"oidc/other/{token}": "no such provider",
            f"oidc//{token}": "form",
            "oidc/egi/": "form",
            f"saml/egi/{token}": "form",
            f"basic//{token}": "name and password",
        }.items():
            with pytest.raises(TokenRefused, match=said):
                await verifier.verify(credentials)


async def test_a_token_is_of_the_provider_that_is_named() -> None:
    with issuing() as one, issuing() as two:
        listed = [
            {"issuer": each.url, "audience": "cscale", "provider": name, "entitlements": "*"}
            for name, each in {"one": one, "two": two}.items()
        ]
        verifier = Verifier(IdentityConfig.model_validate({"issuers": listed}), SECRET)
        assert (await verifier.verify(f"oidc/one/{one.token()}")).issuer == one.url
        with pytest.raises(TokenRefused, match="said to be of"):
            await verifier.verify(f"oidc/one/{two.token()}")
        forged = signed(one.claims(), {"kid": "rsa"}, key=STRANGER)
        two.says("/jwks", published(STRANGER))
        with pytest.raises(TokenRefused, match="signature is wrong"):
            await verifier.verify(forged)
        await verifier.close()


async def test_who_stops_waiting_stops_nobody_else(issuer: OwnIssuer) -> None:
    token = issuer.token()
    async with verifying(issuer) as verifier:
        first, second = (asyncio.create_task(verifier.verify(token)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).subject == "u-1"


def test_a_caller_holds_what_a_policy_wants() -> None:
    caller = Caller(entitlements=frozenset({EGI}))
    assert caller.holds(["urn:mace:egi.eu:group:other", "urn:mace:egi.eu:group:cscale.eu"])
    assert not caller.holds(["urn:mace:egi.eu:group:cscale.eu:role=manager"])
    assert not caller.holds([])
