"""The properties that have a typed column of their own in every catalogue.

Filters on them are answered by the database, any other property by reading the item. A site's
configuration names more.
"""

from collections.abc import Mapping
from typing import Literal

Kind = Literal["number", "string", "strings"]
"""What a property is compared as: a JSON number, a text, or a list of texts."""

COLUMNS: Mapping[str, Kind] = {
    "eo:cloud_cover": "number",
    "gsd": "number",
    "platform": "string",
    "constellation": "string",
    "instruments": "strings",
    "sat:orbit_state": "string",
    "sat:relative_orbit": "number",
    "sat:absolute_orbit": "number",
    "sar:instrument_mode": "string",
    "sar:product_type": "string",
    "sar:polarizations": "strings",
    "product:type": "string",
    "processing:level": "string",
    "processing:version": "string",
    "s2:processing_baseline": "string",
    "s2:product_uri": "string",
    "grid:code": "string",
    "created": "string",
    "updated": "string",
}
"""The columns of every catalogue, in their order there."""

INDEXED = ("eo:cloud_cover", "updated")
"""The columns that items are sorted by often enough to pay for an index."""

SCHEMAS: Mapping[Kind, Mapping[str, object]] = {
    "number": {"type": "number"},
    "string": {"type": "string"},
    "strings": {"type": "array", "items": {"type": "string"}},
}
"""JSON Schema of each kind."""
