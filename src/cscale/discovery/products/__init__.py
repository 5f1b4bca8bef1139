"""Product identity: which items of many sites are copies of one product, and which are its versions.

An item's *product key* is equal for copies, in whatever form a site writes the name. Its *acquisition key* is
equal for all processings of one acquisition. Keys are of one item alone, so equality of keys is an
equivalence. Where an item does not tell its processing, its key is its own, and `resolve` tells what it
may be joined with.

Pure: no clock, no network.
"""

from cscale.discovery.products.collections import canonical
from cscale.discovery.products.hrefs import hrefs_of
from cscale.discovery.products.identity import Facts, Identity, same_product
from cscale.discovery.products.names import forms_of
from cscale.discovery.products.order import place
from cscale.discovery.products.places import place_of
from cscale.discovery.products.reading import (
    facts_of,
    identify,
    identify_name,
    matches,
    resolve,
    span_of,
)
from cscale.discovery.products.versions import Version, versions

__all__ = [
    "Facts",
    "Identity",
    "Version",
    "canonical",
    "facts_of",
    "forms_of",
    "hrefs_of",
    "identify",
    "identify_name",
    "matches",
    "place",
    "place_of",
    "resolve",
    "same_product",
    "span_of",
    "versions",
]
