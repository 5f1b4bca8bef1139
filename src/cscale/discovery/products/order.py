"""Where products stand among each other: versions of one acquisition together, the newest first. Pure."""

from functools import lru_cache

from cscale.discovery.products.identity import Identity
from cscale.discovery.products.reading import read

_FIRST, _LAST = 0x20, 0x7E
_BACKWARDS = {code: _FIRST + _LAST - code for code in range(_FIRST, _LAST + 1)}
_END = "~"
"""Stands behind all that is turned around: what is left of a text that goes on comes before its end."""


def place(of: Identity) -> str:
    """Where a product stands in an order by product.

    It is of the product key alone, so copies have one place, whatever else each of them tells; different
    products have different ones. In its order the processings of one acquisition are neighbours, the
    newest first; of those whose names do not tell when they were made, the order is that of their keys.

    Returns:
        The acquisition, the processing, the product's key; for what is of no known acquisition a blank, with
        which no other place begins, and the key.
    """
    return _place(of.product)


@lru_cache(maxsize=16_384)
def _place(product: str) -> str:
    # the key of what does not tell its processing has its collection before the name, and a clue behind
    found = read(product.partition("/")[2].partition("?")[0] if "/" in product else product)
    if found is None or found.identity.acquisition is None:
        return f" {product}"
    made, version = (text.translate(_BACKWARDS) for text in found.identity.version)
    return f"{found.identity.acquisition} {made}{_END}{version}{_END}{product}"
