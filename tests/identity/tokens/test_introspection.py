"""What only the issuer can tell: of opaque tokens, of revoked ones, of who holds what."""

from typing import Any

import pytest

from cscale.identity.refusals import IssuerUnavailable, TokenRefused
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens import Verifier
from tests.identity.issuing import EGI, OwnIssuer, Says, issuing
from tests.identity.tokens.verifying import SECRET, forgotten, verifying


async def test_userinfo_is_asked_where_a_token_says_nothing(issuer: OwnIssuer) -> None:
    token = issuer.token(entitlements=None)
    issuer.people[token] = {"sub": "u-1", "eduperson_entitlement": [EGI]}
    async with verifying(issuer) as verifier:
        assert (await verifier.verify(token)).entitlements == {EGI}
        await verifier.verify(token)
        assert issuer.count("/userinfo") == 1
        assert not (await verifier.verify(issuer.token(entitlements=None, scope="compute"))).entitlements
        assert issuer.count("/userinfo") == 1, "userinfo is for OpenID logins"
    async with verifying(issuer, userinfo=False) as verifier:
        assert not (await verifier.verify(token)).entitlements


@pytest.mark.parametrize(
    "said",
    [
        Says({"sub": "u-2", "entitlements": [EGI]}),
        Says({"entitlements": [EGI]}),
        Says([EGI]),
        Says(b"eyJ.a.b", headers={"content-type": "application/jwt"}),
        Says({"sub": "u-1", "entitlements": [EGI]}, 302, {"location": "/other"}),
        Says({}, 401),
        Says({}, 500),
        Says(b'{"sub":"u-1","sub":"u-1","entitlements":["x"]}'),
    ],
)
async def test_userinfo_of_somebody_else_or_none_gives_nothing(issuer: OwnIssuer, said: Says) -> None:
    issuer.pages["/userinfo"] = lambda _: said
    issuer.says("/other", {"sub": "u-1", "entitlements": [EGI]})
    async with verifying(issuer) as verifier:
        caller = await verifier.verify(issuer.token(entitlements=None))
    assert (caller.subject, caller.entitlements) == ("u-1", frozenset())
    assert issuer.count("/userinfo") == 1


async def test_an_opaque_token_is_asked_about(issuer: OwnIssuer, asking: dict[str, Any]) -> None:
    issuer.active["opaque+/~1"] = issuer.claims(username="anna")
    async with verifying(issuer, introspect="opaque", **asking) as verifier:
        caller = await verifier.verify("opaque+/~1")
        await verifier.verify("opaque+/~1")
        for _ in range(3):
            with pytest.raises(TokenRefused, match="not active"):
                await verifier.verify("guessed")
    assert (caller.subject, caller.token) == ("u-1", "opaque+/~1")
    assert caller.entitlements == {EGI}
    assert [each.form["token"] for each in issuer.asked if each.form] == [["opaque+/~1"], ["guessed"]]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"aud": "other"}, "not meant"),
        ({"aud": None}, "whom it is for"),
        ({"exp": 1}, "expired"),
        ({"iss": "https://elsewhere.test"}, "another issuer"),
        ({"sub": None}, "whom it speaks for"),
        ({"active": "true"}, "not active"),
        ({"active": 1}, "not active"),
    ],
)
async def test_what_the_issuer_says_is_checked_too(
    issuer: OwnIssuer, asking: dict[str, Any], told: Any, said: str
) -> None:
    issuer.active["t"] = issuer.claims(**told)
    async with verifying(issuer, introspect="opaque", **asking) as verifier:
        with pytest.raises(TokenRefused, match=said):
            await verifier.verify("t")


async def test_an_issuer_that_does_not_say_is_no_refusal(issuer: OwnIssuer, asking: dict[str, Any]) -> None:
    asking["client_secret_file"].write_text("wrong")
    async with verifying(issuer, introspect="opaque", **asking) as verifier:
        with pytest.raises(IssuerUnavailable):
            await verifier.verify("t")


async def test_a_service_that_asks_nobody_takes_no_opaque_tokens(issuer: OwnIssuer) -> None:
    async with verifying(issuer) as verifier:
        with pytest.raises(TokenRefused, match="asks no issuer"):
            await verifier.verify("opaque")


async def test_an_opaque_token_is_shown_to_one_issuer_only(asking: dict[str, Any]) -> None:
    with issuing() as one, issuing() as two:
        two.active["t"] = two.claims(sub="two")
        listed = [
            {
                "issuer": each.url,
                "audience": "cscale",
                "introspect": "opaque",
                "provider": name,
                "entitlements": "*",
                **asking,
            }
            for name, each in {"one": one, "two": two}.items()
        ]
        verifier = Verifier(IdentityConfig.model_validate({"issuers": listed}), SECRET)
        with pytest.raises(TokenRefused, match="oidc/<provider>"):
            await verifier.verify("t")
        assert (await verifier.verify("oidc/two/t")).subject == "two"
        await verifier.close()
        assert not one.asked


async def test_a_revoked_token_is_refused_within_the_delay(issuer: OwnIssuer, asking: dict[str, Any]) -> None:
    token = issuer.token()
    issuer.active[token] = issuer.claims(entitlements=["fewer"])
    async with verifying(issuer, introspect="always", delay=0.5, **asking) as verifier:
        assert (await verifier.verify(token)).entitlements == {"fewer"}
        del issuer.active[token]
        await forgotten(verifier, token)
        with pytest.raises(TokenRefused, match="revoked"):
            await verifier.verify(token)


async def test_within_the_delay_nobody_is_asked_again(issuer: OwnIssuer, asking: dict[str, Any]) -> None:
    token = issuer.token()
    issuer.active[token] = issuer.claims()
    async with verifying(issuer, introspect="always", delay=600, **asking) as verifier:
        caller = await verifier.verify(token)
        del issuer.active[token]
        assert await verifier.verify(token) is caller


async def test_a_token_that_the_issuer_calls_somebody_elses(
    issuer: OwnIssuer, asking: dict[str, Any]
) -> None:
    token = issuer.token()
    issuer.active[token] = issuer.claims(sub="u-2")
    async with verifying(issuer, introspect="always", **asking) as verifier:
        with pytest.raises(TokenRefused, match="somebody else"):
            await verifier.verify(token)


async def test_without_delay_each_request_asks(issuer: OwnIssuer, asking: dict[str, Any]) -> None:
    token = issuer.token()
    issuer.active[token] = issuer.claims()
    async with verifying(issuer, introspect="always", delay=0, **asking) as verifier:
        await verifier.verify(token)
        del issuer.active[token]
        with pytest.raises(TokenRefused):
            await verifier.verify(token)
