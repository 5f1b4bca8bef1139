"""A search as an archive is asked: one condition, one sort key, and what is left to the hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cscale.discovery.odata.asked.attributes import Property
from cscale.discovery.odata.asked.conditions import EVERYTHING, NOTHING, Condition
from cscale.discovery.odata.asked.filters import Filter, Site
from cscale.stac.evaluation import search_area
from cscale.stac.search import SearchRequest, SortField

MAX_IDS = 30
"""How many ids are asked for by name; more do not fit an address."""
MAX_CONDITION = 3_000
"""The longest condition that a part of a search may become, in characters."""


@dataclass(frozen=True)
class Query:
    """What a site is asked for.

    Attributes:
        condition: The condition; `Condition.exact` is told by `left`.
        order: The sort key at the site: STAC's name for it.
        left: The parts of the search that it does not hold exactly for.
    """

    condition: Condition
    order: SortField
    left: frozenset[str]


def query_of(
    request: SearchRequest,
    site: Site,
    properties: Mapping[str, Property],
    sorts: Sequence[str],
    collected: Condition = EVERYTHING,
) -> Query:
    """How a site is asked for what a request asks for.

    Args:
        request: The search, in the site's words.
        site: How it writes conditions.
        properties: The properties that it knows.
        sorts: STAC's names of what it sorts by; the first for all other orders.
        collected: The condition that a product is in one of the collections asked for.
    """
    parts: dict[str, Condition] = {"collections": collected}
    if request.ids is not None:
        few = len(request.ids) <= MAX_IDS
        parts["ids"] = site.named(request.ids) if few else Condition(True, exact=False)
    if request.datetime is not None:
        first, last = request.datetime.start, request.datetime.end
        parts["datetime"] = site.words.both(
            [
                EVERYTHING if last is None else site.starts("<=", last),
                EVERYTHING if first is None else site.ends(">=", first),
            ]
        )
    area = search_area(request)
    if area is not None:
        near = site.meets(area)
        parts["intersects" if request.bbox is None else "bbox"] = replace(near, exact=False)
    if request.filter is not None:
        parts["filter"] = site.words.filter(request.filter, Filter(site, properties).leaf)
    if request.q is not None:
        parts["q"] = NOTHING  # items made from these records have neither title, description nor keywords
    parts = {name: _short(part) for name, part in parts.items()}
    first_field = request.sortby[0]
    sorted_there = first_field.name in sorts
    left = {name for name, part in parts.items() if not part.exact}
    left |= set() if sorted_there else {"sortby"}
    order = first_field if sorted_there else SortField(sorts[0], descending=True)
    return Query(site.words.both(parts.values()), order, frozenset(left))


def _short(part: Condition) -> Condition:
    """A condition, or none where it does not fit an address."""
    if isinstance(part.text, str) and len(part.text) > MAX_CONDITION:
        return Condition(True, exact=False)
    return part
