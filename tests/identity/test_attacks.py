"""Tokens that are not what they seem, sent over real sockets to a service that checks them: all refused."""

import http.client
import json
import logging
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from cscale.identity.api import Authenticated, caller_of
from cscale.identity.settings import IdentityConfig
from cscale.identity.tokens import Verifier
from tests.identity.attacks import ATTACKS, BROKEN, forged, raw
from tests.identity.issuing import EGI, OwnIssuer, coded, issuing
from tests.serving import Served, serving

DELAY = 1.0
"""Seconds for which the revocable issuer's answers hold."""
_HEADER = re.compile(r'Bearer realm="cscale"(, error="[a-z_]+", error_description="[ !#-\[\]-~]+")?')


def service(config: str, log: str) -> Any:
    """A service that says who it takes its caller for."""
    logging.basicConfig(filename=log, level=logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.WARNING)

    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        caller = caller_of(Request(scope))
        told = {"subject": caller.subject, "issuer": caller.issuer, "held": sorted(caller.entitlements)}
        await JSONResponse(told)(scope, receive, send)

    settings = IdentityConfig.model_validate_json(config)
    return Authenticated(tell, Verifier(settings, b"s" * 32))


@dataclass
class Place:
    """A service, its issuers, and somebody who wants to be asked."""

    served: Served
    log: Path
    issuer: OwnIssuer
    revocable: OwnIssuer
    attacker: OwnIssuer
    broken: dict[str, OwnIssuer]

    def get(
        self, *authorization: str | bytes, path: str = "/", method: str = "GET"
    ) -> tuple[int, dict[str, str], Any]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=30)) as connection:
            connection.putrequest(method, path)
            for each in authorization:
                connection.putheader("Authorization", each)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, json.loads(body) if body else None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "secret").write_text("geheim")
    with ExitStack() as stack:
        issuer, revocable, attacker = (stack.enter_context(issuing()) for _ in range(3))
        broken = {name: stack.enter_context(issuing()) for name in BROKEN}
        for name, each in broken.items():
            BROKEN[name](each, attacker)
        around = {"audience": "cscale", "entitlements": "*"}
        asking = {"client_id": "hub", "client_secret_file": str(folder / "secret"), "delay": DELAY}
        issuers = [
            {"issuer": issuer.url, "provider": "own", **around},
            {"issuer": revocable.url, "introspect": "always", **asking, **around},
            *({"issuer": each.url, **around} for each in broken.values()),
        ]
        config = json.dumps({"issuers": issuers})
        served = stack.enter_context(serving(service, config, str(folder / "log")))
        yield Place(served, folder / "log", issuer, revocable, attacker, broken)


def refused(place: Place, *authorization: str | bytes) -> tuple[int, str]:
    """Send it; the status and the reason, after a look at the answer's form."""
    status, headers, body = place.get(*authorization)
    assert status in (400, 401), f"taken: {body}"
    assert _HEADER.fullmatch(headers["www-authenticate"]), headers
    assert headers["cache-control"] == "no-store"
    assert set(body) == {"code", "description"}
    return status, body["description"]


def test_a_good_token_is_taken(place: Place) -> None:
    for token in (place.issuer.token(), f"oidc/own/{place.issuer.token(jti='1')}"):
        status, headers, body = place.get(f"Bearer {token}")
        assert status == 200
        assert body == {"subject": "u-1", "issuer": place.issuer.url, "held": [EGI]}
        assert "www-authenticate" not in headers


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(place: Place, attack: str) -> None:
    token = ATTACKS[attack](place.issuer, place.attacker)
    refused(place, f"Bearer {token}")
    assert not place.attacker.asked, "the attacker's server was asked"


@pytest.mark.parametrize("kind", BROKEN)
def test_an_issuer_that_is_not_what_it_says_vouches_for_nobody(place: Place, kind: str) -> None:
    issuer = place.broken[kind]
    status, headers, body = place.get(f"Bearer {issuer.token()}")
    assert (status, body["code"]) == (503, "IssuerUnavailable")
    assert "retry-after" in headers
    assert issuer.asked
    assert not place.attacker.asked, "it led to an address that it may not lead to"


def test_a_service_goes_on_while_issuers_misbehave(place: Place) -> None:
    assert place.get(f"Bearer {place.issuer.token(jti='after')}")[0] == 200
    assert place.served.memory() < 400 << 20


def test_a_revoked_token_is_refused_within_the_stated_delay(place: Place) -> None:
    token = place.revocable.token()
    place.revocable.active[token] = place.revocable.claims()
    assert place.get(f"Bearer {token}")[0] == 200
    del place.revocable.active[token]
    time.sleep(DELAY)  # by then its answer is no longer believed, however slow the machine
    assert "revoked" in refused(place, f"Bearer {token}")[1]
    assert "revoked" in refused(place, f"Bearer {token}")[1]


@pytest.mark.parametrize("name", ["access_token", "token", "authorization"])
def test_a_token_in_the_address_is_none(place: Place, name: str) -> None:
    status, _, body = place.get(path=f"/?{name}={place.issuer.token()}")
    assert (status, body["subject"]) == (200, None)


@pytest.mark.parametrize(
    "values",
    [
        ["Bearer {0}", "Bearer {0}"],
        ["Bearer {0}", "Bearer x"],
        ["Basic eDp5", "Bearer {0}"],
        ["Bearer {0}", ""],
        ["Bearer {0}, Bearer {0}"],
        ["Bearer {0} {0}"],
        ["Bearer {0}\tx"],
        ["Basic eDp5"],
        ["Bearer"],
        ["Bearer{0}"],
        ["{0}"],
        ["DPoP {0}"],
        ["Bearer \xe4"],
    ],
)
def test_a_header_that_is_not_one_bearer_token_is_a_bad_request(place: Place, values: Sequence[str]) -> None:
    token = place.issuer.token()
    status, _ = refused(place, *(value.format(token).encode("latin-1") for value in values))
    assert status == 400


@pytest.mark.parametrize("text", ['"\r\nSet-Cookie: a=b\r\n\r\n', 'x", realm="y', "\\\x00\x7f", "é" * 2000])
def test_nothing_of_a_token_gets_into_headers(place: Place, text: str) -> None:
    tokens = [
        place.issuer.token(iss=text),
        place.issuer.token(header={"typ": text}),
        place.issuer.token(scope=f"storage.read:{text.replace(' ', '')}"),
        raw(json.dumps(place.issuer.claims()).encode(), json.dumps({"alg": text, "kid": "rsa"}).encode()),
        raw(json.dumps(place.issuer.claims()).encode(), json.dumps({"alg": "RS256", "kid": text}).encode()),
        f"oidc/{coded(text.encode())[:60]}/x",
    ]
    for token in tokens:
        status, headers, _ = place.get(f"Bearer {token}")
        assert status == 401
        assert "set-cookie" not in headers
        assert _HEADER.fullmatch(headers["www-authenticate"])


def test_a_header_folded_over_two_lines_is_not_taken(place: Place) -> None:
    head, _, tail = place.issuer.token().partition(".")
    with socket.create_connection(("127.0.0.1", place.served.port), timeout=30) as connection:
        folded = f"Authorization: Bearer {head}\r\n .{tail}"
        connection.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{folded}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")


def test_a_refusal_of_head_has_no_body(place: Place) -> None:
    status, headers, body = place.get("Bearer x.y.z", method="HEAD")
    assert (status, body) == (401, None)
    assert "www-authenticate" in headers


def test_what_a_refusal_says_is_readable_from_a_page_elsewhere(place: Place) -> None:
    _, headers, _ = place.get("Bearer x.y.z")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-expose-headers"] == "WWW-Authenticate"


def test_no_token_and_no_name_is_logged(place: Place) -> None:
    tokens = [place.issuer.token(jti="logged", sub="somebody-in-particular"), forged(place.issuer, jti="x")]
    for token in tokens:
        place.get(f"Bearer {token}")
    said = place.log.read_text()
    assert "TokenRefused" in said, "nothing was logged at all"
    assert "somebody-in-particular" not in said
    assert not any(part in said for token in tokens for part in token.split(".")[1:])
    assert "geheim" not in said
