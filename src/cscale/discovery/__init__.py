"""Many archives as one source: fan-out, merge, cursors, copies.

Public face: `Hub`, the `ItemSource` over many sites; `Site`, a member ready to be asked; `Source`, the
protocol that each dialect implements (entry points `cscale.sources`).
"""

from cscale.discovery.hub import Hub, Site
from cscale.discovery.source import Source, SourcePage

__all__ = ["Hub", "Site", "Source", "SourcePage"]
