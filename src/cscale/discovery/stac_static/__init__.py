"""Static STAC catalogues: JSON files that link to each other, on a web server or on disk.

Public face: `StacStatic`, which can be walked, not searched.
"""

from cscale.discovery.stac_static.source import StacStatic

__all__ = ["StacStatic"]
