"""`ItemSource`: what can be searched, whether one archive or many.

`cscale.testing.items` is its conformance kit: whatever passes it can stand behind the STAC API.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cscale.identity import Caller
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import SearchRequest


@dataclass(frozen=True, slots=True)
class ItemPage:
    """One page of a search.

    Attributes:
        items: In the order that was asked for.
        token: The cursor of the next page; None on the last.
        matched: How many items match in all; None where that is not known exactly, or costs much.
        extra: Members that stand beside `features` in the answer, such as `federation`.
    """

    items: Sequence[OpenItem]
    token: str | None = None
    matched: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollectionList:
    """The collections of a source.

    Attributes:
        collections: In order of id, without structural links.
        extra: Members that stand beside `collections` in the answer.
    """

    collections: Sequence[Collection]
    extra: Mapping[str, Any] = field(default_factory=dict)


class ItemSource(Protocol):
    """Something that holds collections of items and can be searched."""

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        """One page of the items that match a request, in its order.

        Following `token` from page to page reaches every matching item once.

        Raises:
            BadCursor: If `request.token` is not a cursor of this source for this request.
            SitesMissing: If nobody who could answer did, or anybody did not and the request is strict.
        """
        ...

    async def collections(self, caller: Caller) -> CollectionList:
        """All collections."""
        ...

    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        """One collection.

        Raises:
            NotFound: If there is none of this id.
            SitesMissing: If it was not found, but somebody who may hold it has not answered.
        """
        ...

    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        """One item.

        Raises:
            NotFound: If there is no such item.
            SitesMissing: If it was not found, but somebody who may hold it has not answered.
        """
        ...

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """The JSON Schema of what filters may speak of, in one collection or in all.

        Returns:
            The schema's `properties`: name to schema.

        Raises:
            NotFound: If there is no such collection.
        """
        ...
