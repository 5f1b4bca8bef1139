"""The `identity` section."""

import json
from pathlib import Path
from typing import Any

import pytest

from cscale.errors import BadConfiguration
from cscale.identity.settings import Identity, IdentityConfig
from cscale.settings import Section, load

ONE = {"issuer": "https://a.test/realms/x", "audience": "cscale"}
TWO = {"issuer": "https://b.test", "audience": "cscale", "entitlements": "urn:geant:b.test"}


class Service(Section):
    identity: Identity | None = None


def read(tmp_path: Path, text: str) -> IdentityConfig:
    path = tmp_path / "hub.yaml"
    path.write_text(text)
    found = load(path, Service).identity
    assert found is not None
    return found


def test_the_short_form(tmp_path: Path) -> None:
    text = "identity: {issuer: 'https://a.test', audience: cscale, operators: 'urn:x:y:group:ops', skew: 5}"
    config = read(tmp_path, text)
    assert [each.issuer for each in config.issuers] == ["https://a.test"]
    assert config.issuers[0].audience == ("cscale",)
    assert config.issuers[0].introspect == "never"
    assert config.issuers[0].delay == 60
    assert config.operators == ("urn:x:y:group:ops",)
    assert config.skew == 5


def test_the_long_form(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim\n")
    config = read(
        tmp_path,
        """
        identity:
          issuers:
            - issuer: https://aai.egi.eu/auth/realms/egi
              audience: [cscale, other]
              provider: egi
              client_id: hub
              client_secret_file: secret
              introspect: always
              delay: 10
              entitlements: [urn:mace:egi.eu]
            - {issuer: https://b.test, clients: cli, entitlements: "*"}
        """,
    )
    assert config.issuers[0].client_secret() == "geheim"
    assert config.issuers[1].client_secret() is None
    assert config.issuers[1].clients == ("cli",)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"issuer": "https://a.test"}, "audience is missing"),
        ({"issuer": "http://a.test", "audience": "x"}, "reached by https"),
        ({"issuer": "ftp://a.test", "audience": "x"}, "begins with https"),
        ({"issuer": "https://a.test/?x", "audience": "x"}, "without query"),
        ({"issuer": "https://me@a.test", "audience": "x"}, "an address"),
        ({"issuer": "https:///a", "audience": "x"}, "an address"),
        ({"issuer": "https://a.test b", "audience": "x"}, "an address"),
        ({"issuer": "https://a.test", "audience": [""]}, "at least 1 character"),
        ({"issuer": "https://a.test", "audience": "x", "introspect": "always"}, "needs client_id"),
        ({"issuer": "https://a.test", "audience": "x", "algorithms": ["HS256"]}, "algorithms"),
        ({"issuer": "https://a.test", "audience": "x", "algorithms": []}, "at least 1 item"),
        ({"issuer": "https://a.test", "audience": "x", "provider": "a/b"}, "provider"),
        ({"issuer": "https://a.test", "audience": "x", "delay": -1}, "delay"),
        ({"issuer": "https://a.test", "audience": "x", "colour": "red"}, "colour"),
        ({"issuers": []}, "at least 1 item"),
        ({"issuers": [ONE, TWO]}, "say which entitlements"),
        ({"issuers": [ONE | {"entitlements": "*"}] * 2}, "same issuer"),
        (
            {"issuers": [ONE | {"entitlements": "*", "provider": "x"}, TWO | {"provider": "x"}]},
            "same provider",
        ),
        ({"issuers": [ONE], "audience": "x"}, "audience"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, config: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfiguration, match=said):
        read(tmp_path, json.dumps({"identity": config}))


@pytest.mark.parametrize("address", ["http://127.0.0.1:9400", "http://localhost:9400", "http://[::1]:9400"])
def test_an_issuer_on_this_machine_needs_no_tls(tmp_path: Path, address: str) -> None:
    assert read(tmp_path, f"identity: {{issuer: '{address}', audience: x}}").issuers[0].issuer == address


def test_a_secret_that_is_not_there_is_told_by_its_file(tmp_path: Path) -> None:
    config = read(
        tmp_path, "identity: {issuer: 'https://a.test', audience: x, client_id: y, client_secret_file: z}"
    )
    with pytest.raises(BadConfiguration, match=r"/z: the client's secret cannot be read"):
        config.issuers[0].client_secret()
    (tmp_path / "z").write_text(" \n")
    with pytest.raises(BadConfiguration, match="it is empty"):
        config.issuers[0].client_secret()


def test_both_forms_stand_in_the_schema() -> None:
    schema = Service.model_json_schema()
    assert {"TrustedIssuer", "OneIssuer", "IdentityConfig"} <= set(schema["$defs"])
