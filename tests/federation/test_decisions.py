"""Decisions: default deny, never fewer rights with more entitlements, and always a reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.federation.decisions import (
    Decision,
    decide,
    first_allowed,
    first_refused,
    hidden_collections,
)
from cscale.federation.policies import UNDECLARED, Policies, Policy
from cscale.identity import ANONYMOUS, Caller

URNS = (
    "urn:mace:egi.eu:group:cscale",
    "urn:mace:egi.eu:group:cscale:readers",
    "urn:mace:egi.eu:group:cscale:role=owner#aai.egi.eu",
    "urn:mace:egi.eu:group:other#aai.egi.eu",
    "urn:example:fruit",
)
LEVELS = ("open", "authenticated", "entitled")


def policies() -> st.SearchStrategy[Policy]:
    licence = st.sampled_from(["", "CC0-1.0", {"id": "X-1", "accept": True}, {"id": "X-2", "accept": False}])
    access = st.fixed_dictionaries(
        {},
        optional={
            "access": st.sampled_from(LEVELS),
            "entitlements": st.lists(st.sampled_from(URNS), unique=True, max_size=2),
            "licence": licence,
        },
    )
    return st.fixed_dictionaries({}, optional={"metadata": st.sampled_from(LEVELS), "data": access}).map(
        Policy.model_validate
    )


def entitlements() -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(URNS), max_size=3)


def callers() -> st.SearchStrategy[Caller]:
    return st.just(ANONYMOUS) | entitlements().map(lambda held: Caller(subject="u", entitlements=held))


def accepted() -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(["X-1", "X-2", "CC0-1.0"]))


def person(*held: str) -> Caller:
    return Caller(subject="u", entitlements=frozenset(held))


def policy(**told: Any) -> Policy:
    return Policy.model_validate(told)


@given(policies(), entitlements(), entitlements(), accepted(), accepted())
def test_more_entitlements_and_more_licences_never_deny(
    of: Policy,
    held: frozenset[str],
    more: frozenset[str],
    signed: frozenset[str],
    more_signed: frozenset[str],
) -> None:
    for action in ("metadata", "data"):
        before = decide(of, person(*held), action, accepted=signed)
        after = decide(of, person(*held, *more), action, accepted=signed | more_signed)
        assert after.allowed >= before.allowed
        nobody = decide(of, ANONYMOUS, action, accepted=signed)
        assert before.allowed >= nobody.allowed, "who logs in may do no less"


@given(policies(), callers(), accepted())
def test_data_is_never_given_to_whom_metadata_is_hidden(
    of: Policy, who: Caller, signed: frozenset[str]
) -> None:
    data, metadata = decide(of, who, "data", accepted=signed), decide(of, who, "metadata", accepted=signed)
    assert metadata.allowed >= data.allowed


@given(policies(), callers(), accepted())
def test_every_decision_has_a_reason_and_every_refusal_a_need(
    of: Policy, who: Caller, signed: frozenset[str]
) -> None:
    for action in ("metadata", "data"):
        found = decide(of, who, action, accepted=signed)
        assert found.reason
        assert (found.needs is None) == found.allowed
        if found.needs == "login":
            assert who.subject is None
            assert "cscale login" in found.reason
        if found.needs == "licence":
            assert who.subject is not None
            assert of.data.terms is not None
            assert of.data.terms.id in found.reason


@given(policies(), callers(), accepted())
def test_the_data_is_given_exactly_when_each_part_of_the_policy_lets(
    of: Policy, who: Caller, signed: frozenset[str]
) -> None:
    def lets(level: str) -> bool:
        in_ = who.subject is not None
        return level == "open" or (in_ and (level == "authenticated" or who.holds(of.data.entitlements)))

    terms = of.data.terms
    agreed = terms is None or not terms.accept or (who.subject is not None and terms.id in signed)
    assert decide(of, who, "metadata").allowed == lets(of.metadata)
    expected = lets(of.metadata) and lets(of.data.access) and agreed
    assert decide(of, who, "data", accepted=signed).allowed == expected


@given(callers(), accepted())
def test_what_is_not_declared_is_found_by_all_and_read_by_nobody(who: Caller, signed: frozenset[str]) -> None:
    for undeclared in (UNDECLARED, Policies({}).of("any"), policy(retention={"kind": "complete"})):
        assert decide(undeclared, who, "metadata").allowed
        assert not decide(undeclared, who, "data", accepted=signed).allowed


@given(st.dictionaries(st.sampled_from(["default", "a", "b"]), policies()), callers())
def test_a_collection_without_a_policy_has_the_default(declared: dict[str, Policy], who: Caller) -> None:
    names = ["a", "b", "c"]
    of = Policies(declared)
    expected = {
        name
        for name in names
        if not decide(declared.get(name, declared.get("default", UNDECLARED)), who, "metadata").allowed
    }
    assert hidden_collections(of, who, names) == expected


@pytest.mark.parametrize(
    ("told", "who", "needs", "said"),
    [
        ({}, person(*URNS), "entitlement", "ask the site's operator"),
        ({"data": {"access": "authenticated"}}, ANONYMOUS, "login", "log in"),
        ({"data": {"access": "entitled", "entitlements": URNS[:1]}}, ANONYMOUS, "login", "an entitlement"),
        ({"data": {"access": "entitled", "entitlements": URNS[:1]}}, person(URNS[3]), "entitlement", URNS[0]),
        (
            {"data": {"access": "open", "licence": {"id": "X", "accept": True}}},
            ANONYMOUS,
            "login",
            "licence X",
        ),
        (
            {"data": {"access": "open", "licence": {"id": "X", "url": "https://x.test", "accept": True}}},
            person(),
            "licence",
            "https://x.test",
        ),
    ],
)
def test_a_refusal_says_what_to_do(told: dict[str, Any], who: Caller, needs: str, said: str) -> None:
    found = decide(policy(**told), who, "data")
    assert (found.allowed, found.needs) == (False, needs)
    assert said in found.reason


def test_members_of_a_subgroup_are_members_and_a_role_is_its_own() -> None:
    group = policy(data={"access": "entitled", "entitlements": [URNS[0]]})
    role = policy(data={"access": "entitled", "entitlements": ["urn:mace:egi.eu:group:cscale:role=owner"]})
    assert decide(group, person(URNS[1]), "data").allowed
    assert decide(role, person(URNS[2]), "data").allowed
    assert not decide(role, person(URNS[0]), "data").allowed


def test_of_several_decisions_any_or_all_must_allow() -> None:
    yes, no, never = (
        Decision(True, "yes"),
        Decision(False, "no", "login"),
        Decision(False, "never", "licence"),
    )
    assert first_allowed([no, yes]) is yes
    assert first_allowed([no, never]) is no
    assert first_refused([yes, never, no]) is never
    assert first_refused([yes]) is yes
