"""`ItemSource`: what can be searched, whether one archive or many.

`cscale.testing.items` is its conformance kit: whatever passes it can stand behind the STAC API. What a
source may offer beyond that has a protocol of its own, and is offered by the API where there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cscale.identity import Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.transaction import Change


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


class Aggregates(Protocol):
    """What a source may offer beside `ItemSource`: it counts.

    `cscale.testing.aggregates` is its conformance kit.
    """

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        """How many items match, and how they are spread; as `cscale.stac.aggregation.evaluation` says.

        An unknown collection matches nothing.
        """
        ...


class Transactions(Protocol):
    """What a source may offer beside `ItemSource`: it can be changed.

    A change is applied to what is there in one transaction, in which nobody else changes anything; what
    it raises is raised, and then nothing has changed. It may be applied in a thread. Items and
    collections are handed to it without structural links.
    """

    async def change_items(self, caller: Caller, collection_id: str, changes: Mapping[str, Change]) -> None:
        """Change items of a collection, all or none.

        Args:
            caller: Who asks for it.
            collection_id: The collection.
            changes: By item id.

        Raises:
            NotFound: If there is no such collection.
            BadInput: If what shall be there cannot be taken.
        """
        ...

    async def change_collection(self, caller: Caller, collection_id: str, change: Change) -> None:
        """Change a collection; if nothing shall be there, its items go, too.

        Raises:
            BadInput: If what shall be there cannot be taken.
        """
        ...
