"""Archives that speak OpenSearch EO (GeoJSON or Atom), and the search of the Data Hub Software (DHuS).

Public face: `OpenSearch`, the `Source`. Its pages say what of a request the site left to the hub.
"""

from cscale.discovery.opensearch.source import OpenSearch

__all__ = ["OpenSearch"]
