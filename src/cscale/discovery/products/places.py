"""Where a product lies, by its name alone. Pure."""

import re
from functools import lru_cache

from cscale.discovery.products.grids import SQUARE, Place, around, from_europe, tile_place
from cscale.discovery.products.identity import Facts, Identity
from cscale.discovery.products.reading import facts_of, identify_name

_TILE = re.compile(r"T?(\d\d[A-Z]{3})", re.ASCII)
_EUROPE = re.compile(r"E(\d\d)N(\d\d)-03035", re.ASCII)
_TENTH = re.compile(r"X([012]\d|3[0-5])Y(0\d|1[0-3])", re.ASCII)
_MARGIN = 0.1  # degrees


def place_of(of: Identity | str) -> Place | None:
    """A box in which all items of a product lie, at any site.

    With `span_of` a site can be asked for a product by time and place, under whatever id it holds it.

    Args:
        of: A product's identity, or its name in any form.

    Returns:
        West, south, east and north in degrees of WGS 84, with west below east; None where the name does not
        tell it, and where the product reaches over the antimeridian, as sites draw such boxes differently.
    """
    one = identify_name(of) if isinstance(of, str) else of
    told = None if one is None else facts_of(one)
    return None if told is None else _told(told)


def _told(told: Facts) -> Place | None:
    place = told.place or ""
    if told.mission in ("S2", "CLMS") and (match := _TILE.fullmatch(place)):
        return _of_tile(match[1])
    if told.mission != "CLMS":
        return None
    if match := _EUROPE.fullmatch(place):
        east, north = int(match[1]) * SQUARE, int(match[2]) * SQUARE
        return around(from_europe, east, north, east + SQUARE, north + SQUARE)
    if match := _TENTH.fullmatch(place):  # ten degrees wide, counted from 180 W and 75 N
        west, north = -180 + 10 * int(match[1]), 75 - 10 * int(match[2])
        return (
            max(west - _MARGIN, -180),
            north - 10 - _MARGIN,
            min(west + 10 + _MARGIN, 180),
            north + _MARGIN,
        )
    return None


_of_tile = lru_cache(maxsize=4096)(tile_place)
