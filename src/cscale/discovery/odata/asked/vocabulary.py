"""The attributes of Copernicus archives that STAC has names for.

Names and spellings are those of real answers (Copernicus Data Space, CREODIAS, the Open Access Hub); STAC's
are those of the extensions eo, grid, processing, product, sar and sat.
"""

import re
from collections.abc import Mapping

from cscale.discovery.odata.asked.attributes import Listed, Named, Number, Property, Word
from cscale.discovery.odata.products import TIMELINESS

_UNITS = {f"S{number}{unit}": f"sentinel-{number}{unit.lower()}" for number in "1236" for unit in "ABCD"}
PLATFORMS = {f"{name}_": platform for name, platform in (_UNITS | {"S5P": "sentinel-5p"}).items()}
"""How names of products begin, and the platform that sensed them."""
CONSTELLATIONS = {start: platform.rstrip("abcd") for start, platform in PLATFORMS.items()}
ORBIT_STATES = {"ASCENDING": "ascending", "DESCENDING": "descending"} | {
    "ascending": "ascending",
    "descending": "descending",
}
LEVELS = (
    {f"S2MSI{level}": f"L{level}" for level in ("1A", "1B", "1C", "2A")}
    | {f"Level-{level}": f"L{level}" for level in ("1A", "1B", "1C", "2A", "0", "1", "2", "3")}
    | {f"{word}{level}": f"L{level}" for word in ("LEVEL", "L", "") for level in ("0", "1", "2", "3")}
    | {f"{word}{level}": f"L{level}" for word in ("LEVEL", "L") for level in ("1C", "2A")}
)
MODES = {mode: mode for mode in ("SM", "IW", "EW", "WV")}
INSTRUMENTS = {
    "SAR": ("c-sar",),
    "SAR-C SAR": ("c-sar",),
    "MSI": ("msi",),
    "OLCI": ("olci",),
    "SLSTR": ("slstr",),
    "SRAL": ("sral",),
    "MWR": ("mwr",),
    "SYNERGY": ("olci", "slstr"),
    "TROPOMI": ("tropomi",),
    "POSEIDON-4": ("poseidon-4",),
    "AMR-C": ("amr-c",),
}
POLARIZATIONS = {one: (one,) for one in ("VV", "VH", "HH", "HV")} | {
    f"{one}{between}{other}": (one, other)
    for one, other in (("VV", "VH"), ("VH", "VV"), ("HH", "HV"), ("HV", "HH"))
    for between in ("&", ",", " ")
}
TIMELINESS_WORDS = {word: word for word in TIMELINESS}
ANY_WORD = re.compile(r"[\x20-\x7e]{1,200}")
TILE = re.compile(r"\d{1,2}[A-Z]{3}")
ORBITS = (1, 9_999_999)


def by_name(properties: tuple[Property, ...]) -> Mapping[str, Property]:
    """Properties by their names in STAC."""
    return {each.name: each for each in properties}


CSC = by_name(
    (
        Number("eo:cloud_cover", "cloudCover", 0, 100, whole=False),
        Number("sat:absolute_orbit", "orbitNumber", *ORBITS),
        Number("sat:relative_orbit", "relativeOrbitNumber", *ORBITS),
        Word("sat:orbit_state", "orbitDirection", ORBIT_STATES),
        Word("product:type", "productType", others=ANY_WORD),
        Word("product:timeliness_category", "timeliness", TIMELINESS_WORDS),
        Word("processing:level", "processingLevel", LEVELS),
        Word("processing:version", "processorVersion", others=ANY_WORD),
        Word("sar:instrument_mode", "operationalMode", MODES),
        Word("grid:code", "tileId", others=TILE, prefix="MGRS-"),
        Listed("instruments", "instrumentShortName", INSTRUMENTS),
        Listed("sar:polarizations", "polarisationChannels", POLARIZATIONS),
        Named("platform", PLATFORMS),
        Named("constellation", CONSTELLATIONS),
    )
)
"""What the Copernicus Space Component's OData (CSC) calls them."""
