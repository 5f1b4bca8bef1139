"""Delivery under policy: who is given which file, how much of it, and a note of each answer.

A file is judged by the collections that have items with it: any of them opens it. A file that no item
names is judged by its neighbours, all of which have to allow; where there are none, by all policies of
the site. So what was not ingested yet is not given to more people than it will be.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cscale.accounting.licences import Licences
from cscale.accounting.pseudonyms import Pseudonyms
from cscale.accounting.quotas import QuotaCounter
from cscale.accounting.recorder import Recorder
from cscale.archive.folders import Folders, not_here
from cscale.archive.holdings import Claim, Holdings
from cscale.errors import BadInput, LoginNeeded, Refused
from cscale.federation.decisions import Decision, decide, first_allowed, first_refused
from cscale.federation.policies import Policies, Policy, Quotas
from cscale.identity import ANONYMOUS, Caller
from cscale.identity.scopes import permits

FRESH = 1.0
"""Seconds that a decision is believed."""
_KEPT = 20_000
_READ = "storage.read"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that is to be answered with data.

    Attributes:
        user: The user's pseudonym; empty for anonymous.
        path: The file, as it is served below `/data`.
        who: The account that is counted; None where there is no quota.
        private: Whether the answer is for this caller only.
    """

    user: str
    path: str
    who: tuple[str, str] | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """Where use is counted and noted.

    Attributes:
        recorder: Notes what was given.
        quotas: Counts, and refuses what is too much.
        licences: Knows who has accepted what.
        pseudonyms: Names users.
    """

    recorder: Recorder
    quotas: QuotaCounter
    licences: Licences
    pseudonyms: Pseudonyms


class Delivery:
    """Decides on requests for data.

    Args:
        folders: What is served.
        policies: The collections'.
        holdings: Tells whose a file is.
        books: Where use is counted and noted.
    """

    def __init__(self, folders: Folders, policies: Policies, holdings: Holdings, books: Books) -> None:
        self._folders = folders
        self._policies = policies
        self._holdings = holdings
        self._books = books
        self._free: dict[str, float] = {}

    async def admit(self, caller: Caller, path: str, address: str = "") -> Admitted:
        """Decide on a request; `leave` has to follow where it is admitted.

        Args:
            caller: Who asks.
            path: For what, `folder/path/in/it`, decoded.
            address: Where the request comes from.

        Raises:
            LoginNeeded: If it may be given to those who are logged in.
            Refused: If it is not given to the caller; says why and what to do.
            NotFound: If the caller may not even know of it.
            QuotaExceeded: If it is more than one user may have for now.
        """
        claim = self._known(path)
        if claim is None:
            claim = await asyncio.to_thread(self._claim, path)
        policy, collection = await self._opened(caller, path, claim)
        user = self._books.pseudonyms.of(caller)
        free = caller.subject is None and not policy.quotas.limited
        if free:
            self._keep_free(path)
        private = not free and not decide(policy, ANONYMOUS, "data").allowed
        who = self._entered(user or self._books.pseudonyms.of_address(address), collection, policy.quotas)
        return Admitted(user, path, who, private)

    def leave(self, admitted: Admitted, status: int, sent: int) -> None:
        """Count and note the end of an answer.

        Args:
            admitted: What `admit` gave.
            status: The HTTP status.
            sent: How many bytes of the body were sent.
        """
        if admitted.who is not None:
            self._books.quotas.leave(admitted.who, sent)
        if status < 400:
            self._books.recorder.note(admitted.user, admitted.path, status, sent)

    def is_free(self, path: str) -> bool:
        """Whether a file was given to anybody, without any quota, a moment ago: then it is again."""
        return time.monotonic() < self._free.get(path, 0.0)

    def note_free(self, path: str, status: int, sent: int) -> None:
        """Note an answer that `is_free` allowed."""
        self._books.recorder.note("", path, status, sent)

    def collection_of(self, path: str) -> str:
        """The collection that a file's use is noted under; empty where no item names it. Waits."""
        claim = self._claim(path)
        return min(claim.collections) if claim.named else ""

    def _known(self, path: str) -> Claim | None:
        claim = self._holdings.known(path)
        return claim if claim is not None and claim.named else None  # it may have another address

    def _claim(self, path: str) -> Claim:
        """Whose a file is, by whichever of its addresses items name it."""
        claim = self._holdings.claim(path)
        if claim.named:
            return claim
        canonical = self._folders.canonical(path)
        return claim if canonical in (None, path) else self._holdings.claim(canonical or path)

    async def _opened(self, caller: Caller, path: str, claim: Claim) -> tuple[Policy, str]:
        """The policy under which a file is given, and the collection that it is counted for."""
        policies = [(self._policies.of(name), name) for name in sorted(claim.collections)]
        if not policies:
            policies = [(policy, "") for policy in self._policies]
        accepted = await self._accepted(caller, [policy for policy, _ in policies])
        found = [
            (decide(policy, caller, "data", accepted=accepted), policy, name) for policy, name in policies
        ]
        if claim.named:
            decision = first_allowed(_visible(found, caller))
        else:
            decision = first_refused(each for each, _, _ in found)
        if not decision.allowed:
            self._refuse(caller, path, decision, [policy for each, policy, _ in found if each is decision])
        policy, name = next((policy, name) for each, policy, name in found if each is decision)
        if not claim.named:  # the strictest that there is
            policy = next((each for each, _ in policies if each.data.access != "open"), policy)
            policy, name = next((each for each, _ in policies if each.quotas.limited), policy), ""
        if policy.data.access != "open":
            _require_scope(caller, path)
        return policy, name

    async def _accepted(self, caller: Caller, policies: Sequence[Policy]) -> frozenset[str]:
        terms = (policy.data.terms for policy in policies)
        wanted = frozenset(each.id for each in terms if each is not None and each.accept)
        if not wanted or caller.subject is None:
            return frozenset()
        return await self._books.licences.accepted(self._books.pseudonyms.of(caller), wanted)

    def _refuse(self, caller: Caller, path: str, decision: Decision, policies: Sequence[Policy]) -> None:
        if all(not decide(policy, caller, "metadata").allowed for policy in policies):
            raise not_here(*path.partition("/")[::2])
        if decision.needs == "login":
            raise LoginNeeded(f"{path[:200]}: {decision.reason}")
        raise Refused(f"{path[:200]}: {decision.reason}", decision.needs or "entitlement")

    def _entered(self, user: str, collection: str, quotas: Quotas) -> tuple[str, str] | None:
        if not quotas.limited:
            return None
        self._books.quotas.enter((user, collection), quotas)
        return user, collection

    def _keep_free(self, path: str) -> None:
        if len(self._free) >= _KEPT:
            self._free.clear()
        self._free[path] = time.monotonic() + FRESH


def _visible(found: Sequence[tuple[Decision, Policy, str]], caller: Caller) -> Iterable[Decision]:
    """The decisions of what a caller may know of, or all where that is nothing."""
    shown = [each for each, policy, _ in found if decide(policy, caller, "metadata").allowed]
    return shown or [each for each, _, _ in found]


def _require_scope(caller: Caller, path: str) -> None:
    """A token that names paths (WLCG's `storage.read:/path`) opens no others."""
    scopes = [each for each in caller.scopes if each.startswith("storage.")]
    if not scopes:
        return
    try:
        permitted = permits(scopes, _READ, f"/{path}")
    except BadInput:
        permitted = False
    if not permitted:
        raise Refused(
            f"{path[:200]}: the token is for other paths; ask its issuer for the scope {_READ}:/{path[:200]}"
        )
