"""The words of STAC, the `ItemSource` protocol, and the STAC API written once over it.

Public face: `ItemSource`, `ItemPage`, `CollectionList`, `SearchRequest`, `OpenItem`; the routes are in
`cscale.stac.api`.
"""

from cscale.stac.items import OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.source import CollectionList, ItemPage, ItemSource

__all__ = ["ItemSource", "ItemPage", "CollectionList", "SearchRequest", "OpenItem"]
