"""Sentinel-2 products: SAFE of the levels 1C and 2A, and tiles in the form of AWS."""

from cscale.catalogue.products.sentinel2.aws import TILE_INFO, read_tile
from cscale.catalogue.products.sentinel2.safe import METADATA, read_safe

__all__ = ["METADATA", "TILE_INFO", "read_safe", "read_tile"]
