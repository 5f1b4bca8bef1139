"""The words of policies: what may be said, and what is refused with its place."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import Field

from cscale.errors import BadConfiguration
from cscale.federation import Policy as ReExported
from cscale.federation.policies import UNDECLARED, Licence, Policies, Policy
from cscale.federation.sites import Policy as FromSites
from cscale.settings import Section, load


class Config(Section):
    policies: dict[str, Policy] = Field(default_factory=dict)


def loaded(folder: Path, text: str) -> dict[str, Policy]:
    path = folder / "site.yaml"
    path.write_text(text)
    return load(path, Config).policies


def test_all_that_may_be_declared_is_read(tmp_path: Path) -> None:
    read = loaded(
        tmp_path,
        """
        policies:
          default: {data: {access: open, licence: CC-BY-4.0}}
          S2:
            metadata: authenticated
            data:
              access: entitled
              entitlements: ["urn:mace:egi.eu:group:cscale:role=reader#aai.egi.eu", "/plain/group"]
              licence: {id: X-1, url: "https://example.org/terms", accept: true}
            quotas: {requests_per_second: 0.5, concurrent: 4, bytes_per_day: 1000000000}
            retention: {kind: rolling, days: 90}
        """,
    )
    of = Policies(read)
    assert of.of("other") is read["default"]
    assert of.of("other").data.terms == Licence(id="CC-BY-4.0")
    assert not of.of("other").quotas.limited
    terms = of.of("S2").data.terms
    assert terms is not None
    assert terms.accept
    assert of.of("S2").quotas.limited
    assert of.of("S2").retention.days == 90
    assert list(of) == [read["default"], read["S2"]]
    assert Policies({}).of("S2") is UNDECLARED
    assert UNDECLARED.data.terms is None


def test_a_policy_stands_in_place_of_the_default_as_a_whole(tmp_path: Path) -> None:
    read = loaded(tmp_path, "policies: {default: {data: {access: open}}, S2: {metadata: open}}")
    assert Policies(read).of("S2").data == UNDECLARED.data


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"metadata": "hidden"}, "policies.S2.metadata"),
        ({"data": {"access": "closed"}}, "policies.S2.data.access"),
        ({"data": {"entitlements": ["two words"]}}, "policies.S2.data.entitlements.0"),
        ({"data": {"entitlements": ["x" * 2000]}}, "policies.S2.data.entitlements.0"),
        ({"data": {"licence": {"url": "https://example.org"}}}, "policies.S2.data.licence"),
        ({"data": {"licence": {"id": "X", "url": "javascript:alert(1)"}}}, "policies.S2.data.licence"),
        ({"data": {"licence": "x" * 300}}, "name the licence"),
        ({"quotas": {"concurrent": 0}}, "policies.S2.quotas.concurrent"),
        ({"quotas": {"requests_per_second": -1}}, "policies.S2.quotas.requests_per_second"),
        ({"quotas": {"requests": 1}}, "policies.S2.quotas.requests"),
        ({"retention": {"kind": "rolling"}}, "days goes with kind: rolling"),
        ({"retention": {"kind": "complete", "days": 3}}, "days goes with kind: rolling"),
        ({"colour": "red"}, "policies.S2.colour"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, policy: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadConfiguration) as refused:
        loaded(tmp_path, yaml.safe_dump({"policies": {"S2": policy}}))
    assert said in str(refused.value)


def test_the_names_stand_where_they_stood() -> None:
    assert ReExported is FromSites is Policy
