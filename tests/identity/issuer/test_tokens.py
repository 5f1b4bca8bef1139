"""Tokens after they were given: renewed, stolen, revoked, asked about, exchanged; and the keys that sign."""

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.identity.issuer.browsing import Browser
from tests.identity.issuer.served import HUB, HUB_BACK, MEMBER, SERVICE, Issuer, issuing


def claims(issuer: Issuer, token: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(Browser().get(f"{issuer.url}/jwks").json)
    return jwt.decode(token, keys, algorithms=["RS256"]).claims


def test_a_refresh_token_is_good_once_and_gives_the_next(issuer: Issuer) -> None:
    first = issuer.tokens()
    second = issuer.refresh(first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    third = issuer.refresh(second["refresh_token"]).json
    assert claims(issuer, third["access_token"])["sub"] == "alice"


def test_a_refresh_token_that_comes_twice_ends_the_login(issuer: Issuer) -> None:
    first = issuer.tokens()
    second = issuer.refresh(first["refresh_token"]).json
    assert issuer.refresh(first["refresh_token"]).json["error"] == "invalid_grant"
    assert issuer.refresh(second["refresh_token"]).json["error"] == "invalid_grant"
    assert issuer.userinfo(second["access_token"]).status == 401
    assert issuer.introspect(second["access_token"]) == {"active": False}


def test_of_many_refreshes_at_once_one_is_answered(issuer: Issuer) -> None:
    token = issuer.tokens()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(each.status for each in pool.map(lambda _: issuer.refresh(token), range(8)))
    assert statuses == [200] + [400] * 7


def test_only_its_own_client_uses_a_refresh_token(issuer: Issuer) -> None:
    token = issuer.tokens()["refresh_token"]
    assert issuer.token(HUB, grant_type="refresh_token", refresh_token=token).json["error"] == "invalid_grant"
    assert issuer.refresh(token).status == 200


def test_a_refresh_gives_no_more_than_the_login_did(issuer: Issuer) -> None:
    token = issuer.tokens(scope="openid")["refresh_token"]
    assert issuer.refresh(token, scope="openid email").json["error"] == "invalid_scope"
    assert issuer.refresh(token).json["scope"] == "openid"


def test_an_access_token_is_no_refresh_token_nor_the_other_way_round(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    assert issuer.refresh(tokens["access_token"]).json["error"] == "invalid_grant"
    assert issuer.userinfo(tokens["refresh_token"]).status == 401


def test_revoking_the_refresh_token_ends_the_login(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    assert issuer.introspect(tokens["access_token"])["active"] is True
    assert issuer.revoke(tokens["refresh_token"]).status == 200
    assert issuer.introspect(tokens["access_token"]) == {"active": False}
    assert issuer.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"
    assert issuer.revoke(tokens["refresh_token"]).status == 200
    assert issuer.revoke("never given").status == 200


def test_revoking_an_access_token_leaves_the_login(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    issuer.revoke(tokens["access_token"])
    assert issuer.userinfo(tokens["access_token"]).status == 401
    assert issuer.refresh(tokens["refresh_token"]).status == 200


def test_nobody_revokes_anothers_token(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    answer = Browser().post(f"{issuer.url}/revoke", {"token": tokens["refresh_token"]}, HUB)
    assert answer.json["error"] == "invalid_grant"
    assert issuer.refresh(tokens["refresh_token"]).status == 200


def test_introspection_tells_clients_with_a_secret_only(issuer: Issuer) -> None:
    tokens = issuer.tokens()
    told = issuer.introspect(tokens["access_token"])
    assert told["sub"] == "alice"
    assert told["iss"] == issuer.url
    assert told["aud"] == "cscale"
    assert told["eduperson_entitlement"] == [MEMBER]
    assert issuer.introspect(tokens["refresh_token"]) == {"active": False}  # not the service's
    form = {"token": tokens["access_token"]}
    for answer in (
        Browser().post(f"{issuer.url}/introspect", form | {"client_id": "cscale"}),
        Browser().post(f"{issuer.url}/introspect", form, ("service", "wrong")),
        Browser().post(f"{issuer.url}/introspect", form),
    ):
        assert answer.status in (400, 401)
        assert "active" not in answer.json


def test_a_service_logs_itself_in(issuer: Issuer) -> None:
    answer = issuer.token(SERVICE, grant_type="client_credentials", scope="storage.read:/").json
    assert "refresh_token" not in answer
    found = claims(issuer, answer["access_token"])
    assert found["sub"] == "service"
    assert found["eduperson_entitlement"] == ["urn:example:service"]
    assert found["scope"] == "storage.read:/"
    assert issuer.userinfo(answer["access_token"]).status == 401  # it is nobody's


def test_scopes_go_to_those_who_have_them(issuer: Issuer) -> None:
    wanted = "openid storage.read:/scenes storage.read:/"
    assert issuer.tokens("alice", scope=wanted)["scope"] == "openid storage.read:/scenes"
    assert issuer.tokens("bob", scope=wanted)["scope"] == "openid"
    answer = issuer.token(SERVICE, grant_type="client_credentials", scope="never.heard.of")
    assert answer.json["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        (("hub", "hub-secret"), {}),
        (None, {"client_id": "cscale"}),
        (None, {"client_id": "service"}),
        (None, {"client_id": "nobody"}),
        (None, {}),
    ],
)
def test_nobody_else_does(issuer: Issuer, secret: tuple[str, str] | None, form: dict[str, str]) -> None:
    answer = issuer.token(secret, grant_type="client_credentials", **form)
    assert answer.status in (400, 401)
    assert "access_token" not in answer.json


def test_who_guesses_a_secret_is_slowed_down(tmp_path: Path) -> None:
    with issuing(tmp_path) as issuer:
        tries = [
            issuer.token(("service", f"wrong{n}"), grant_type="client_credentials").status for n in range(7)
        ]
        assert tries[:5] == [401] * 5
        assert 429 in tries


def test_a_users_token_is_exchanged_for_one_that_a_site_takes(issuer: Issuer) -> None:
    subject = issuer.tokens()["access_token"]
    answer = exchange(issuer, subject)
    assert answer["issued_token_type"].endswith(":access_token")
    found = claims(issuer, answer["access_token"])
    assert found["aud"] == "gamma"
    assert found["sub"] == "alice"
    assert found["act"] == {"sub": "hub"}
    assert found["exp"] <= claims(issuer, subject)["exp"]
    assert exchange(issuer, answer["access_token"])["scope"]
    assert exchange(issuer, subject, scope="openid")["scope"] == "openid"


def exchange(
    issuer: Issuer, subject: str, secret: tuple[str, str] | None = HUB, **form: str
) -> dict[str, Any]:
    kind = "urn:ietf:params:oauth:token-type:access_token"
    asked = {"subject_token": subject, "subject_token_type": kind, "audience": "gamma"} | form
    grant = "urn:ietf:params:oauth:grant-type:token-exchange"
    found: dict[str, Any] = issuer.token(secret, grant_type=grant, **asked).json
    return found


def test_what_may_not_be_exchanged_is_not(issuer: Issuer) -> None:
    tokens = issuer.tokens(scope="openid")
    subject = tokens["access_token"]
    assert exchange(issuer, subject, audience="elsewhere")["error"] == "invalid_target"
    assert exchange(issuer, subject, scope="openid email")["error"] == "invalid_scope"
    assert exchange(issuer, subject, SERVICE)["error"] == "unauthorized_client"
    assert exchange(issuer, subject, None, client_id="cscale")["error"] == "invalid_client"
    assert exchange(issuer, tokens["refresh_token"])["error"] == "invalid_grant"
    assert exchange(issuer, "made-up")["error"] == "invalid_grant"
    exchanged = exchange(issuer, subject)["access_token"]
    issuer.revoke(tokens["refresh_token"])
    assert exchange(issuer, subject)["error"] == "invalid_grant"
    assert issuer.introspect(exchanged) == {"active": False}  # it ends with the login


def test_keys_change_and_the_old_ones_stay_known(tmp_path: Path) -> None:
    with issuing(tmp_path, lifetimes={"key": 1}) as issuer:
        old = issuer.token(SERVICE, grant_type="client_credentials").json["access_token"]
        time.sleep(1.1)
        new = issuer.token(SERVICE, grant_type="client_credentials").json["access_token"]
        assert len(Browser().get(f"{issuer.url}/jwks").json["keys"]) >= 2
        assert claims(issuer, old)["sub"] == claims(issuer, new)["sub"]
        assert old.split(".")[0] != new.split(".")[0]
        published = Browser().get(f"{issuer.url}/jwks").json["keys"]
        assert all(not {"d", "p", "q"} & each.keys() for each in published)


def test_tokens_expire(tmp_path: Path) -> None:
    with issuing(tmp_path, lifetimes={"access": 1, "refresh": 2}) as issuer:
        tokens = issuer.tokens()
        time.sleep(1.1)
        assert issuer.introspect(tokens["access_token"]) == {"active": False}
        assert issuer.userinfo(tokens["access_token"]).status == 401
        time.sleep(1.1)
        assert issuer.refresh(tokens["refresh_token"]).json["error"] == "invalid_grant"


def test_what_is_kept_survives_a_restart_and_is_the_owners_alone(tmp_path: Path) -> None:
    with issuing(tmp_path, state="state") as issuer:
        tokens, ended = issuer.tokens(), issuer.tokens()
        issuer.revoke(ended["refresh_token"])
        state = tmp_path / "state"
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
        assert set(modes.values()) == {0o600}, modes
        content = b"".join(path.read_bytes() for path in state.iterdir())
        assert tokens["refresh_token"].encode() not in content
        assert tokens["access_token"].encode() not in content
        assert issuer.stop() == 0
        issuer.start()
        assert claims(issuer, tokens["access_token"])["sub"] == "alice"
        assert issuer.userinfo(tokens["access_token"]).status == 200
        assert issuer.refresh(tokens["refresh_token"]).status == 200
        assert issuer.refresh(ended["refresh_token"]).status == 400


def test_the_hub_gets_tokens_with_its_secret_only(issuer: Issuer) -> None:
    changes = {"client_id": "hub", "redirect_uri": HUB_BACK}
    code, verifier = issuer.code(**changes)
    asked = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    assert issuer.token(**asked, **changes).status in (400, 401)
    assert issuer.token(("hub", "wrong"), **asked, redirect_uri=HUB_BACK).status == 401
    assert issuer.token(HUB, **asked, redirect_uri=HUB_BACK).status == 200
