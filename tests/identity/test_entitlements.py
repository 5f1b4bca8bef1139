"""Which entitlement satisfies which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.identity.entitlements import Membership, begins, entitled, parse, satisfies

VO = "urn:mace:egi.eu:group:cscale.eu"


def test_what_a_urn_says() -> None:
    assert parse(f"{VO}:hydro:alps:role=vm%3aadmin#aai.egi.eu") == Membership(
        "urn:mace:egi.eu", ("cscale.eu", "hydro", "alps"), "vm%3Aadmin"
    )
    assert parse("urn:geant:x.test:sub:group:a") == Membership("urn:geant:x.test:sub", ("a",), None)


@pytest.mark.parametrize(
    ("held", "required", "expected"),
    [
        (VO, VO, True),
        (f"{VO}:role=member#aai.egi.eu", VO, True),
        (f"{VO}:role=member#aai.egi.eu", f"{VO}:role=member", True),
        (f"{VO}:role=member#aai.egi.eu", f"{VO}:role=member#elsewhere", True),
        (f"{VO}:role=member", f"{VO}:role=manager", False),
        (f"{VO}:role=member", f"{VO}:role=Member", False),
        (VO, f"{VO}:role=member", False),
        (f"{VO}:hydro", VO, True),
        (f"{VO}:hydro:alps:role=member", VO, True),
        (f"{VO}:hydro:alps:role=member", f"{VO}:hydro", True),
        (f"{VO}:hydro:role=manager", f"{VO}:role=manager", False),
        (f"{VO}:role=manager", f"{VO}:hydro:role=manager", False),
        (VO, f"{VO}:hydro", False),
        (f"{VO}x", VO, False),
        (f"{VO}:hydrox", f"{VO}:hydro", False),
        ("URN:MACE:EGI.EU:group:cscale.eu", VO, True),
        ("urn:mace:egi.eu:GROUP:cscale.eu", VO, False),
        ("urn:mace:egi.eu:group:CSCALE.EU", VO, False),
        (f"{VO}:a%2fb", f"{VO}:a%2Fb", True),
        (f"{VO}:a%2fb", f"{VO}:a/b", False),
        (f"{VO}?+resolve", VO, True),
        (f"{VO}#x:role=manager", f"{VO}:role=manager", False),
        # a subgroup by the name of group, and a sub-namespace, are no way into another group
        ("urn:mace:egi.eu:group:mine:group:cscale.eu", VO, False),
        ("urn:mace:egi.eu:group:mine:group:cscale.eu", "urn:mace:egi.eu:group:mine", True),
        ("urn:mace:egi.eu:mine:group:cscale.eu", VO, False),
        (VO, "urn:mace:egi.eu:mine:group:cscale.eu", False),
        ("urn:mace:group:cscale.eu", "urn:mace:group:cscale.eu", True),
        ("urn:mace:egi.eu:group:", "urn:mace:egi.eu:group:", True),
        ("urn:mace:egi.eu:group:a:", "urn:mace:egi.eu:group:a", False),
        ("urn:mace:egi.eu:group:role=admin", "urn:mace:egi.eu:group:role=admin", True),
        ("/cscale/hydro", "/cscale/hydro", True),
        ("/cscale/hydro", "/cscale", False),
        ("Admin", "admin", False),
        ("urn:mace:egi.eu:res:data:act:read", "URN:MACE:egi.eu:res:data:act:read", True),
        ("urn:mace:egi.eu:res:data:act:read", "urn:mace:egi.eu:res:data", False),
        ("", "", True),
        ("", VO, False),
    ],
)
def test_satisfies(held: str, required: str, expected: bool) -> None:
    assert satisfies(held, required) is expected


def test_any_one_is_enough() -> None:
    assert entitled([VO, "x"], ["y", f"{VO}"])
    assert not entitled([VO], [])
    assert not entitled([], [VO])


NAMES = st.sampled_from(["a", "b", "A", "hydro", "%2F", "x.test"])
URNS = st.builds(
    lambda groups, role, authority: ":".join(["urn:geant:x.test:group", *groups]) + role + authority,
    st.lists(NAMES, min_size=1, max_size=4),
    st.sampled_from(["", ":role=a", ":role=b"]),
    st.sampled_from(["", "#x", "#y.test"]),
)


@given(URNS, URNS)
def test_within_one_namespace_all_is_as_the_reference_library_says(held: str, required: str) -> None:
    reference = pytest.importorskip("aarc_entitlement").G069
    assert satisfies(held, required) == reference(held).satisfies(reference(required))


@given(URNS, URNS, URNS)
def test_what_satisfies_is_handed_on(one: str, two: str, three: str) -> None:
    assert satisfies(one, one)
    if satisfies(one, two) and satisfies(two, three):
        assert satisfies(one, three)


@given(st.text(alphabet="urn:gop=le#?+%2Fa ", max_size=60), st.text(max_size=30))
def test_any_text_can_be_compared(one: str, two: str) -> None:
    assert satisfies(one, one)
    assert satisfies(one, two) in (True, False)
    assert begins(one, two) in (True, False)


@pytest.mark.parametrize(
    ("entitlement", "prefix", "expected"),
    [
        (VO, "urn:mace:egi.eu", True),
        (VO, "urn:mace:egi.eu:", True),
        (VO, "URN:mace:EGI.eu", True),
        (VO, VO, True),
        (f"{VO}#aai", VO, True),
        (f"{VO}:role=member", VO, True),
        (f"{VO}x", VO, False),
        ("urn:mace:egi.eu.evil.test:group:a", "urn:mace:egi.eu", False),
        ("urn:mace:egi.eu:group:CSCALE.eu", VO, False),
        ("/cscale/a", "/cscale", True),
        ("/cscaleb", "/cscale", False),
        ("x", "*", True),
        ("x", "none", False),
        ("x", "xy", False),
    ],
)
def test_whose_word_is_taken(entitlement: str, prefix: str, expected: bool) -> None:
    assert begins(entitlement, prefix) is expected
