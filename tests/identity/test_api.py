"""Whom a web request comes from."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from cscale.identity import ANONYMOUS, Caller
from cscale.identity.api import Authenticated, caller_of, challenge, note_caller
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens import Verifier


def request(value: bytes | None) -> Request:
    headers = [] if value is None else [(b"authorization", value)]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


@pytest.mark.parametrize(
    "value", [b"Bearer abc.d-e_f~+/==", b"bearer   abc.d-e_f~+/==  ", b"BEARER abc.d-e_f~+/=="]
)
def test_a_bearer_token_is_kept(value: bytes) -> None:
    caller = caller_of(request(value))
    assert caller.token == "abc.d-e_f~+/=="
    assert caller.subject is None
    assert "abc" not in repr(caller)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic dXNlcg==",
        b"abc",
        b"Bearer a b",
        b"Bearer a\r\nx: y",
        b"Bearer \xe4",
        b"Bearer =",
        b"Bearer " + b"a" * 20_000,
    ],
)
def test_what_is_no_token_is_not(value: bytes | None) -> None:
    assert caller_of(request(value)) is ANONYMOUS


@given(st.binary(max_size=60))
def test_a_token_is_always_fit_to_be_sent_on(value: bytes) -> None:
    token = caller_of(request(b"Bearer " + value)).token
    assert token is None or (token.isascii() and token.isprintable() and " " not in token)


@pytest.fixture
async def verifier() -> AsyncIterator[Verifier]:
    listed = [{"issuer": "https://a.test", "audience": "cscale"}]
    found = Verifier(IdentityConfig.model_validate({"issuers": listed}), b"s" * 32)
    yield found
    await found.close()


async def passed(verifier: Verifier | None, **scope: Any) -> list[Any]:
    """What arrives at the application, or what is answered instead."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(caller_of(Request(scope)) if scope["type"] == "http" else scope["type"])

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    async def receive() -> Any:
        raise AssertionError("nobody needs to read the request")

    await Authenticated(app, verifier)(
        {"type": "http", "method": "GET", "headers": [], **scope}, receive, send
    )
    return seen


async def test_a_request_without_a_token_is_anonymous(verifier: Verifier) -> None:
    assert await passed(verifier) == [ANONYMOUS]
    assert await passed(None) == [ANONYMOUS]


async def test_where_nobody_checks_a_token_is_only_kept() -> None:
    assert await passed(None, headers=[(b"authorization", b"Bearer abc")]) == [Caller(token="abc")]


async def test_where_somebody_checks_it_is_refused(verifier: Verifier) -> None:
    assert await passed(verifier, headers=[(b"authorization", b"Bearer abc")]) == [401]


async def test_a_state_that_requests_share_tells_nobodys_name(verifier: Verifier) -> None:
    state: dict[str, Any] = {"caller": Caller(subject="somebody")}
    assert await passed(verifier, state=state) == [ANONYMOUS]
    assert set(state) == {"caller"}


def test_a_caller_that_a_session_knows_is_noted() -> None:
    scope: dict[str, Any] = {"type": "http", "headers": [(b"authorization", b"Bearer abc")]}
    note_caller(scope, Caller(subject="somebody"))
    assert caller_of(Request(scope)).subject == "somebody"


async def test_what_is_no_request_passes(verifier: Verifier) -> None:
    assert await passed(verifier, type="lifespan") == ["lifespan"]


def test_a_challenge_without_a_token_names_no_error() -> None:
    assert challenge() == 'Bearer realm="cscale"'


@given(st.text(max_size=400))
def test_a_challenge_is_fit_for_a_header(text: str) -> None:
    said = challenge("invalid_token", text)
    assert said.isascii()
    assert said.isprintable()
    assert said.count('"') == (6 if text else 4)
    assert "\\" not in said
