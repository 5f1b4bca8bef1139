"""Group memberships as URNs, and when one satisfies another (AARC-G069, and AARC-G002 before it).

    urn:<NID>:<namespace>[:<sub-namespace>...]:group:<group>[:<subgroup>...][:role=<role>][#<authority>]

The authority, and the other components that RFC 8141 calls optional, say nothing about what is held and are
passed over; whose word is taken for which namespace is configured for each issuer. The first `group` after
the namespace begins the group: a subgroup that somebody names `group` stays a subgroup. For the same reason
namespaces must be equal; a sub-namespace is another namespace.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_OPTIONAL = re.compile(r"\?[+=]|#")  # where the r-, q- and f-components of RFC 8141 begin
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_ENDS = ":/#"
ALL = "*"
"""In place of a prefix: everything."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A membership in a group, and perhaps a role there.

    Attributes:
        namespace: `urn:mace:egi.eu`, in small letters.
        groups: The group, its subgroup, and so on.
        role: The role in the innermost group.
    """

    namespace: str
    groups: tuple[str, ...]
    role: str | None


@lru_cache(maxsize=8192)
def parse(entitlement: str) -> Membership | str:
    """What an entitlement says: a membership, or, where it is no group's URN, its own text.

    Namespaces are compared in small letters, percent-encodings in capital ones; nothing is decoded.
    """
    if entitlement[:4].lower() != "urn:":
        return entitlement
    plain = _OPTIONAL.split(entitlement, maxsplit=1)[0]
    parts = _ESCAPE.sub(lambda found: found[0].upper(), plain).split(":")
    if "group" not in parts[3:] or not all(parts):
        return ":".join([*map(str.lower, parts[:2]), *parts[2:]])
    at = parts.index("group", 3)
    namespace, groups = ":".join(parts[:at]).lower(), parts[at + 1 :]
    roles = [place for place, part in enumerate(groups) if part.startswith("role=")]
    first = roles[0] if roles else len(groups)
    role = ":".join(groups[first:]).removeprefix("role=") if roles else None
    if first == 0 or role == "":
        return plain
    return Membership(namespace, tuple(groups[:first]), role)


def satisfies(held: str, required: str) -> bool:
    """Whether who holds one entitlement has what the other asks for.

    Members of a subgroup are members of the groups around it. A role is one in its own group only, and
    implies membership there. What is no group's URN must be the same text.
    """
    have, want = parse(held), parse(required)
    if isinstance(have, str) or isinstance(want, str):
        return have == want
    if have.namespace != want.namespace:
        return False
    if want.role is not None:
        return have == want
    return have.groups[: len(want.groups)] == want.groups


def entitled(held: Iterable[str], required: Iterable[str]) -> bool:
    """Whether any entitlement that is held satisfies any that is required."""
    wanted = tuple(required)
    return any(satisfies(each, want) for each in held for want in wanted)


def begins(entitlement: str, prefix: str) -> bool:
    """Whether an entitlement lies below a prefix, by whole components: `urn:mace:egi.eu`, `/cscale`."""
    if prefix == ALL:
        return True
    have, want = _comparable(entitlement), _comparable(prefix)
    return have.startswith(want) and (have == want or want[-1:] in _ENDS or have[len(want)] in _ENDS)


def _comparable(text: str) -> str:
    """An entitlement with its namespace in small letters, or the beginning of one."""
    if text[:4].lower() != "urn:":
        return text
    namespace, group, rest = text.partition(":group:")
    return f"{namespace.lower()}{group}{rest}"
