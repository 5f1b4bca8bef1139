"""Processings of one acquisition as versions of each other, in the words of STAC's version extension. Pure.

Source: Versioning Indicators Extension v1.2.0, with the relations of RFC 5829.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cscale.discovery.products.identity import Identity
from cscale.discovery.products.order import place
from cscale.discovery.products.reading import facts_of
from cscale.stac.items import GEOJSON

EXTENSION = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
RELATIONS = ("predecessor-version", "successor-version", "latest-version")


@dataclass(frozen=True, slots=True)
class Version:
    """What an item says of itself as one of several processings.

    Attributes:
        properties: `version` and `deprecated`.
        links: To the versions before and after it and to the latest: `rel`, `href`, `type`, `title`.
        extension: The schema that makes `stac_extensions` whole.
    """

    properties: Mapping[str, Any]
    links: Sequence[Mapping[str, str]] = field(default_factory=tuple)
    extension: str = EXTENSION


def versions(of: Sequence[tuple[Identity, str]]) -> list[Version | None]:
    """How items that are shown side by side are versions of each other.

    Those of one acquisition are ordered by when they were made, then by baseline. Where some of an
    acquisition's products do not tell when they were made, which is the newer is not known: they
    are named, but not linked, and nothing is called deprecated for their sake. An item that does not tell
    its processing may be a copy of any of them, and is no version. Two that were made at one time
    are of one rank: both come after what is older, and neither after the other.

    Args:
        of: The identity of each item and its address. Of several items of one product the first address is
            linked to.

    Returns:
        For each item, in the same order, what it says; None where nothing else of its acquisition is there.
    """
    groups: dict[str, dict[str, tuple[Identity, str]]] = {}
    for one, href in of:
        if one.acquisition is not None and one.partial is None:
            groups.setdefault(one.acquisition, {}).setdefault(one.product, (one, href))
    found: dict[str, Version] = {}
    for group in groups.values():
        if len(group) > 1:
            found |= _related(list(group.values()))
    return [found.get(one.product) for one, _ in of]


def _related(group: Sequence[tuple[Identity, str]]) -> dict[str, Version]:
    ranks: dict[tuple[str, str], list[tuple[Identity, str]]] = {}
    for each in sorted(_told(group), key=lambda each: (each[0].version, place(each[0]))):
        ranks.setdefault(each[0].version, []).append(each)
    ordered = list(ranks.values())
    shown = {one.product: Version({"version": _text(one), "deprecated": False}) for one, _ in group}
    for at, rank in enumerate(ordered):
        others = (
            ordered[at - 1] if at else [],
            ordered[at + 1] if at + 1 < len(ordered) else [],
            ordered[-1],
        )
        links = [
            _link(relation, each) for relation, some in zip(RELATIONS, others, strict=True) for each in some
        ]
        for one, _ in rank:
            deprecated = rank is not ordered[-1]
            properties = {"version": _text(one), "deprecated": deprecated}
            shown[one.product] = Version(properties, links if len(ordered) > 1 else ())
    return shown


def _told(group: Sequence[tuple[Identity, str]]) -> Sequence[tuple[Identity, str]]:
    """Those of a group whose order among each other is known."""
    by_time = [each for each in group if each[0].version[0]]
    if by_time:
        return by_time
    return [each for each in group if each[0].version[1]]


def _text(one: Identity) -> str:
    """What tells a version from the others, for people: when it was made and its baseline, else checksum."""
    told = [each for each in one.version if each]
    if told:
        return " ".join(told)
    facts = facts_of(one)
    return (facts.made if facts is not None else None) or one.product


def _link(relation: str, to: tuple[Identity, str]) -> dict[str, str]:
    one, href = to
    return {"rel": relation, "href": href, "type": GEOJSON, "title": one.name or one.product}
