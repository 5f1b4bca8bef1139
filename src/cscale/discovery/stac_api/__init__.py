"""Members that speak STAC API, of whatever version and quality."""

from cscale.discovery.stac_api.source import StacApi

__all__ = ["StacApi"]
