"""What a catalogue tells of collections by their items alone."""

from collections.abc import Mapping
from typing import Any

from cscale.catalogue.queryables import SCHEMAS, Kind
from cscale.catalogue.statistics import Extent
from cscale.stac import times
from cscale.stac.items import STAC_VERSION, Collection

REQUIRED = frozenset({"type", "stac_version", "id", "description", "license", "extent", "links"})
"""What a collection must have; what is lacking is told by its items."""


def told_by_items(name: str, extent: Extent) -> Collection:
    """A collection as far as its items tell."""
    ends = [None if moment is None else times.text_of(moment) for moment in (extent.start, extent.end)]
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": name,
        "description": f"Items of {name}; the site has not described this collection.",
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [extent.bbox or [-180, -90, 180, 90]]},
            "temporal": {"interval": [ends]},
        },
        "links": [],
    }


def queryables(columns: Mapping[str, Kind], seen: Mapping[str, set[str]]) -> dict[str, Any]:
    """What filters may speak of: what the columns hold first, then whatever else was seen.

    Args:
        columns: The typed columns.
        seen: The properties that items have, and the JSON types that they have there.

    Returns:
        JSON Schema by name.
    """
    typed = {name: {"title": name, **SCHEMAS[kind]} for name, kind in columns.items() if name in seen}
    others = {
        name: {"title": name, "type": sorted(types) if len(types) > 1 else next(iter(types))}
        for name, types in sorted(seen.items())
        if name not in typed
    }
    return typed | others
