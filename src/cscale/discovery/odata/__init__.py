"""Archives that speak OData: Copernicus Data Space, CREODIAS, and the older Data Hub Software (DHuS).

Public face: `OData`, the `Source`; `Told`, its pages, which say what of a request the site left to the hub.
"""

from cscale.discovery.odata.source import OData
from cscale.discovery.odata.told import Told

__all__ = ["OData", "Told"]
