"""What a site leaves of a search, evaluated on the items that it sends."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from cscale.stac.evaluation import matcher
from cscale.stac.search import SearchRequest

ORDER = "sortby"
"""What is left where a site does not put its items in the order asked for."""
MOST = 10_000
"""How many items of one site are put in order for one page; a site with more is `partial`."""

_SELECTING = frozenset(field.name for field in fields(SearchRequest)) & {
    "collections",
    "ids",
    "bbox",
    "intersects",
    "datetime",
    "filter",
    "q",
}


def remainder(request: SearchRequest, left: frozenset[str]) -> Callable[[Mapping[str, Any]], bool] | None:
    """The test that an item must pass which a site sends.

    Args:
        request: What the site was asked, in its own words.
        left: The parts of it that the site did not evaluate.

    Returns:
        None where nothing that selects is left.
    """
    parts = {name: getattr(request, name) for name in left & _SELECTING}
    given = {name: value for name, value in parts.items() if value is not None}
    return matcher(SearchRequest(**given)) if given else None
