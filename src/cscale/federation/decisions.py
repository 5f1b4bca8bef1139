"""Who may do what under a policy: pure, and every decision says why and what to do."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from cscale.federation.policies import Access, Policies, Policy
from cscale.identity import Caller

Action = Literal["metadata", "data"]
"""Finding a collection's items, or reading their data."""
Need = Literal["login", "entitlement", "licence"]
"""What is lacking: being logged in, a group or a right, a licence that has to be accepted."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided.

    Attributes:
        allowed: Whether it may be done.
        reason: Why, in words for the person who asks; of a refusal, also what to do.
        needs: What is lacking; None where it is allowed.
    """

    allowed: bool
    reason: str
    needs: Need | None = None


def decide(policy: Policy, caller: Caller, action: Action, *, accepted: Collection[str] = ()) -> Decision:
    """Whether a caller may find the items of a collection, or read their data.

    Who may not find a collection's items may not read their data either.

    Args:
        policy: The collection's.
        caller: Who asks.
        action: For what.
        accepted: The ids of the licences that the caller has accepted.
    """
    found = _by_level(policy.metadata, "metadata", policy.data, caller)
    if not found.allowed or action == "metadata":
        return found
    found = _by_level(policy.data.access, "data", policy.data, caller)
    return _with_licence(policy.data, caller, accepted, found) if found.allowed else found


def _by_level(level: str, what: str, access: Access, caller: Caller) -> Decision:
    if level == "open":
        return Decision(allowed=True, reason=f"the {what} is open to all")
    if level == "entitled" and not access.entitlements:
        return Decision(
            allowed=False,
            reason=f"the {what} is given to nobody: the site names no entitlement that opens it;"
            " ask the site's operator",
            needs="entitlement",
        )
    if caller.subject is None:
        who = "who are logged in" if level == "authenticated" else "with an entitlement"
        return Decision(
            allowed=False,
            reason=f"the {what} is for those {who}; log in (cscale login) and ask again",
            needs="login",
        )
    if level == "authenticated":
        return Decision(allowed=True, reason=f"the {what} is for all who are logged in, as you are")
    if caller.holds(access.entitlements):
        return Decision(allowed=True, reason=f"you have an entitlement that opens the {what}")
    wanted = " or ".join(access.entitlements)
    return Decision(
        allowed=False,
        reason=f"the {what} is for those with {wanted}, which you do not have;"
        " ask who runs that group to take you in, then log in again",
        needs="entitlement",
    )


def _with_licence(access: Access, caller: Caller, accepted: Collection[str], found: Decision) -> Decision:
    terms = access.terms
    if terms is None or not terms.accept or (caller.subject is not None and terms.id in accepted):
        return found
    if caller.subject is None:
        return Decision(
            allowed=False,
            reason=f"the data is given to those who accept the licence {terms.id};"
            " log in (cscale login), accept it, and ask again",
            needs="login",
        )
    where = f" ({terms.url})" if terms.url else ""
    return Decision(
        allowed=False,
        reason=f"the data is given to those who accept the licence {terms.id}{where};"
        " read it, accept it with POST /licences/accepted, and ask again",
        needs="licence",
    )


def first_allowed(decisions: Iterable[Decision]) -> Decision:
    """The decision where any one that allows is enough; of refusals, the first.

    Args:
        decisions: One or more.
    """
    every = list(decisions)
    return next((each for each in every if each.allowed), every[0])


def first_refused(decisions: Iterable[Decision]) -> Decision:
    """The decision where all have to allow: the first refusal, where there is one.

    Args:
        decisions: One or more.
    """
    every = list(decisions)
    return next((each for each in every if not each.allowed), every[0])


def hidden_collections(policies: Policies, caller: Caller, collections: Iterable[str]) -> set[str]:
    """Those of some collections whose items a caller may not find."""
    seen: dict[int, bool] = {}  # most collections share the default
    hidden = set()
    for name in collections:
        policy = policies.of(name)
        if id(policy) not in seen:
            seen[id(policy)] = decide(policy, caller, "metadata").allowed
        if not seen[id(policy)]:
            hidden.add(name)
    return hidden
