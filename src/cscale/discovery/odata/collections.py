"""The collections of Copernicus Data Space as this source names them: a mission and a type of product.

The archive lists its missions (`/Attributes`), not their types of products; those are listed here, after
its documentation.
"""

from collections.abc import Mapping
from typing import Any

from cscale.stac.items import STAC_VERSION

_S3_LAND = ("OL_2_LFR___", "OL_2_LRR___", "SL_2_LST___", "SL_2_FRP___", "SL_2_AOD___", "SR_2_LAN___",
            "SY_2_SYN___", "SY_2_V10___", "SY_2_VG1___", "SY_2_VGP___", "SY_2_AOD___")  # fmt: skip
_S3_SEA = ("OL_2_WFR___", "OL_2_WRR___", "SL_2_WST___", "SR_2_WAT___")
_S3_RAW = ("OL_1_EFR___", "OL_1_ERR___", "SL_1_RBT___", "SR_1_SRA___", "SR_1_SRA_A_", "SR_1_SRA_BS")
_S5P = ("AER_AI", "AER_LH", "CH4___", "CLOUD_", "CO____", "HCHO__", "NO2___", "O3____", "O3__PR", "O3_TCL",
        "SO2___")  # fmt: skip
_BANDS = (*(f"L1B_RA_BD{number}" for number in range(1, 9)), "L1B_IR_UVN", "L1B_IR_SIR")
TYPES: Mapping[str, tuple[str, ...]] = {
    "SENTINEL-1": (
        "IW_RAW__0S", "EW_RAW__0S", "S1_RAW__0S", "S2_RAW__0S", "S3_RAW__0S", "S4_RAW__0S", "S5_RAW__0S",
        "S6_RAW__0S", "WV_RAW__0S", "IW_SLC__1S", "EW_SLC__1S", "WV_SLC__1S", "IW_GRDH_1S", "EW_GRDH_1S",
        "EW_GRDM_1S", "IW_GRDH_1S-COG", "EW_GRDM_1S-COG", "IW_OCN__2S", "EW_OCN__2S", "WV_OCN__2S",
    ),
    "SENTINEL-2": ("S2MSI1C", "S2MSI2A"),
    "SENTINEL-3": _S3_RAW + _S3_LAND + _S3_SEA,
    "SENTINEL-5P": tuple(f"L2__{name}" for name in _S5P) + _BANDS,
}  # fmt: skip
"""Missions and their types of products."""


def described(collection: str) -> dict[str, Any]:
    """The STAC Collection of one of them; its extent is not told by the archive."""
    mission, _, kind = collection.partition("/")
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": collection,
        "title": f"{mission.replace('SENTINEL', 'Sentinel').replace('-COG', '')} {kind}",
        "description": f"Products of the type {kind} of {mission}, as its archive tells them",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [[None, None]]},
        },
        "links": [],
    }
