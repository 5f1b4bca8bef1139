"""What a check has found, held against the list of what a member offers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from cscale.federation import Member
from cscale.federation.profiles import Profile, Tried

LEFT = ("ignored", "refused", "wrong")
"""What becomes of a part that the site does not do."""
_ALWAYS = ("datetime", "bbox", "intersects", "ids", "collections")
_OPTIONAL = {"filter": "#filter", "sortby": "#sort", "q": "#free-text"}
_PARTS = (*_ALWAYS, *_OPTIONAL)
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list.

    Attributes:
        name: What a member offers.
        state: Whether the site does.
        said: Why.
        mend: What to do about it; empty where nothing is to do.
    """

    name: str
    state: Literal["met", "not met", "not declared"]
    said: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check has found.

    Attributes:
        url: The address that was checked.
        kind: What is spoken there.
        profile: What the site does.
        join: The list of what a member offers.
        title: What the site calls itself.
        versions: The versions it names, of STAC and of its API.
        requests: How many requests were sent.
        median_ms: The median of the times that searches took, milliseconds.
        rejected: How many of the records that came were no items.
    """

    url: str
    kind: str
    profile: Profile
    join: tuple[Line, ...] = ()
    title: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    requests: int = 0
    median_ms: int | None = None
    rejected: int = 0

    @property
    def met(self) -> bool:
        """Whether nothing of the list is missing; what is not declared is not."""
        return all(each.state != "not met" for each in self.join)


def profile_of(
    tried: Mapping[str, Tried], claims: Sequence[str], page: int | None, checked_at: str
) -> Profile:
    """The profile that tries come to.

    Args:
        tried: What was tried, by name.
        claims: The conformance classes that the site claims.
        page: The longest page it gives.
        checked_at: When it was tried, as RFC 3339 text.
    """
    methods = {name: tried[f"{name} search"] for name in ("GET", "POST") if f"{name} search" in tried}
    return Profile(
        leaves=frozenset(part for part in _PARTS if part in tried and tried[part].outcome in LEFT),
        refuses=frozenset(name for name, each in methods.items() if each.outcome in LEFT),
        page=page,
        claims=tuple(claims),
        counts=_did(tried, "counts") is True,
        stable=_did(tried, "paging"),
        cors=_did(tried, "cors"),
        tls=_did(tried, "tls") is True,
        ranges=_did(tried, "ranges"),
        checked_at=checked_at,
        tries=tuple(tried.values()),
    )


def _did(tried: Mapping[str, Tried], name: str) -> bool | None:
    each = tried.get(name)
    return None if each is None or each.outcome == "untried" else each.outcome in ("done", "roughly")


def join_list(
    url: str,
    kind: str,
    tried: Mapping[str, Tried],
    claims: Sequence[str],
    told: Iterable[Mapping[str, Any]],
    member: Member | None,
) -> tuple[Line, ...]:
    """The list of what a member offers, held against what was found.

    Args:
        url: The site's address.
        kind: What is spoken there.
        tried: What was tried, by name.
        claims: The conformance classes that the site claims.
        told: The site's landing page and collections, which may name contacts.
        member: The site's entry in a hub's configuration, if it has one.
    """
    return (
        _search(kind, tried, claims),
        _access(url, tried),
        Line(
            "login",
            "not declared",
            "members cannot declare a login yet; what is open is open to all",
        ),
        *_policies(member),
        _contacts(told),
    )


def _search(kind: str, tried: Mapping[str, Tried], claims: Sequence[str]) -> Line:
    if kind != "stac-api":
        return Line(
            "STAC API",
            "not met",
            f"it speaks {kind}; the hub translates",
            "offer STAC API 1.0 beside it, so that any client can search the archive",
        )
    claimed = [part for part, end in _OPTIONAL.items() if any(each.endswith(end) for each in claims)]
    needed = ["landing page", "GET search", "paging", "no match", *_ALWAYS, *claimed]
    if tried.get("counts", Tried("counts", "untried")).outcome == "wrong":
        needed.append("counts")
    faults = [tried[name] for name in needed if name in tried and tried[name].outcome in LEFT]
    if not faults:
        unclaimed = [
            part for part in ("filter", "sortby") if part not in claimed and _did(tried, part) is False
        ]
        more = f"; {' and '.join(unclaimed)}: not claimed, the hub does it itself" if unclaimed else ""
        return Line("STAC API", "met", f"what it claims it does{more}")
    said = "; ".join(f"{each.name} ({each.outcome}): {each.said}" for each in faults)
    mend = "make the server do what STAC API 1.0 says of: " + ", ".join(each.name for each in faults)
    return Line("STAC API", "not met", said, mend)


def _access(url: str, tried: Mapping[str, Tried]) -> Line:
    name = "HTTP access with ranges"
    parts = urlsplit(url)
    ranges = tried.get("ranges", Tried("ranges", "untried", "not tried"))
    if ranges.outcome in LEFT:
        mend = (
            "serve the files with Accept-Ranges, 206 and a Content-Range of the bytes that are sent, and HEAD"
        )
        return Line(name, "not met", ranges.said, mend)
    tls = tried.get("tls", Tried("tls", "untried"))
    if tls.outcome in LEFT and parts.hostname not in _HERE:
        return Line(name, "not met", tls.said, "serve it over https with a certificate that browsers trust")
    if ranges.outcome == "untried":
        mend = "give the items assets with https addresses"
        return Line(name, "not declared", ranges.said, mend)
    return Line(name, "met", ranges.said)


def _policies(member: Member | None) -> tuple[Line, Line]:
    declared = member is not None and bool(member.policies)
    mend = "" if declared else "declare `policies` in the member's entry: access, licence, retention"
    if member is None:
        said = "known only with the site's entry in a hub's configuration"
        return Line("policy", "not declared", said, mend), Line("retention", "not declared", said, mend)
    if not declared:
        said = "its entry has no policies: metadata open, data not"
        return Line("policy", "not declared", said, mend), Line("retention", "not declared", said, mend)
    policies = member.policies.items()
    access = "; ".join(
        f"{name}: metadata {each.metadata}, data {each.data.access}" for name, each in policies
    )
    told = {name: each.retention for name, each in policies if "retention" in each.model_fields_set}
    if not told:
        mend = "declare `retention` in the policies: complete, or rolling with its days"
        return Line("policy", "met", access), Line("retention", "not declared", "no policy tells it", mend)
    kept = "; ".join(
        f"{name}: {each.kind}{f', {each.days} days' if each.days else ''}" for name, each in told.items()
    )
    return Line("policy", "met", access), Line("retention", "met", kept)


def _contacts(told: Iterable[Mapping[str, Any]]) -> Line:
    names: list[str] = []
    for each in told:
        for part in ("providers", "contacts"):
            listed = each.get(part)
            for one in listed if isinstance(listed, list) else ():
                name = one.get("name") if isinstance(one, dict) else None
                if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 100:
                    names.append(name)
    if names:
        return Line("contacts", "met", ", ".join(sorted(set(names))[:5]))
    mend = "name `providers` with their addresses in the collections, or `contacts` on the landing page"
    return Line(
        "contacts", "not declared", "no collection names a provider, the landing page no contact", mend
    )
