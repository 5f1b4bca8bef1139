"""`ItemSource` over many sites: fan-out, merge, cursors, copies. `merging` is pure."""

from cscale.discovery.hub.asking import Site
from cscale.discovery.hub.source import Hub

__all__ = ["Hub", "Site"]
