"""Archives that speak OData: Copernicus Data Space, CREODIAS, and the older Data Hub Software (DHuS).

Public face: `OData`, the `Source`. Its pages say what of a request the site left to the hub.
"""

from cscale.discovery.odata.source import OData

__all__ = ["OData"]
