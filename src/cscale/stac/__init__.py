"""The words of STAC, the `ItemSource` protocol, and the STAC API written once over it.

Public face: `ItemSource`, and what it may offer beside it: `Aggregates`, `Transactions`; `ItemPage`,
`CollectionList`, `SearchRequest`, `OpenItem`. The routes are in `cscale.stac.api`.
"""

from cscale.stac.items import OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.source import Aggregates, CollectionList, ItemPage, ItemSource, Transactions

__all__ = [
    "ItemSource",
    "Aggregates",
    "Transactions",
    "ItemPage",
    "CollectionList",
    "SearchRequest",
    "OpenItem",
]
