"""How long a catalogue keeps items: those of a rolling collection go when they are older than its days."""

from collections.abc import Mapping

from cscale.catalogue.store import Writer
from cscale.federation.sites import Policy

_DAY = 86_400_000_000  # microseconds


def keeps_from(policies: Mapping[str, Policy], collection: str, now: int) -> int | None:
    """The instant from which on a collection keeps its items; None where it keeps all.

    Args:
        policies: Policies by collection, `default` for the others.
        collection: The id of the collection.
        now: Microseconds since 1970, as are all instants here.
    """
    policy = policies.get(collection, policies.get("default"))
    if policy is None or policy.retention.kind != "rolling" or policy.retention.days is None:
        return None
    return now - policy.retention.days * _DAY


def apply_retention(writer: Writer, policies: Mapping[str, Policy], now: int) -> int:
    """Remove what is older than its collection keeps; files stay where they are.

    Args:
        writer: The catalogue.
        policies: Policies by collection, `default` for the others.
        now: Microseconds since 1970.

    Returns:
        The number of items removed.
    """
    gone = 0
    for collection in list(writer.collections()):
        before = keeps_from(policies, collection, now)
        if before is not None:
            gone += writer.expire(collection, before)
    return gone
