"""A source under its site's policies: what a caller may not find is neither listed nor counted."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from cscale.errors import NotFound
from cscale.federation.decisions import decide, hidden_collections
from cscale.federation.marking import Marks
from cscale.federation.policies import Policies
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.items import Collection, OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.source import Aggregates, CollectionList, ItemPage, ItemSource

FRESH = 1.0
"""Seconds that a list of collections is believed."""


class Counted(ItemSource, Aggregates, Protocol):
    """A source that counts."""


class Guarded:
    """`ItemSource` and `Aggregates` that show a caller what the policies let them find.

    A search is narrowed to the collections that may be found, before it is asked: what it costs is what a
    search in those costs, and there is nothing to take out of an answer. Who may not find a collection is
    told what is told of one that does not exist.

    Where something is hidden from a caller who names no collections, one that was added up to a second
    ago may be missing.

    Args:
        source: What is guarded; it is asked as the caller.
        policies: Its collections'.
        marks: What items and collections say of their policy; None for nothing.
    """

    def __init__(self, source: Counted, policies: Policies, marks: Marks | None = None) -> None:
        self._source = source
        self._policies = policies
        self._marks = marks
        self._all_open = all(policy.metadata == "open" for policy in policies)
        self._names: tuple[float, tuple[str, ...]] = (float("-inf"), ())
        self._asking = asyncio.Lock()

    async def search(self, caller: Caller, request: SearchRequest) -> ItemPage:
        """See `ItemSource.search`."""
        page = await self._source.search(caller, await self._narrowed(caller, request))
        if self._marks is None:
            return page
        return replace(page, items=[self._marks.item(each) for each in page.items])

    async def collections(self, caller: Caller) -> CollectionList:
        """See `ItemSource.collections`."""
        listed = await self._source.collections(caller)
        hidden = hidden_collections(self._policies, caller, (each["id"] for each in listed.collections))
        shown = [self._marked(each) for each in listed.collections if each["id"] not in hidden]
        return replace(listed, collections=shown)

    async def collection(self, caller: Caller, collection_id: str) -> Collection:
        """See `ItemSource.collection`."""
        self._require(caller, collection_id)
        return self._marked(await self._source.collection(caller, collection_id))

    async def item(self, caller: Caller, collection_id: str, item_id: str) -> OpenItem:
        """See `ItemSource.item`."""
        if not self._may_find(caller, collection_id):
            raise NotFound(f"no item {item_id!r} in collection {collection_id!r} here")
        item = await self._source.item(caller, collection_id, item_id)
        return item if self._marks is None else self._marks.item(item)

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `ItemSource.queryables`: of all collections means of those that may be found."""
        if collection_id is not None:
            self._require(caller, collection_id)
        elif self._hides_from(caller):
            listed = await self.collections(caller)
            names = [each["id"] for each in listed.collections]
            return _together([await self._source.queryables(caller, name) for name in names])
        return await self._source.queryables(caller, collection_id)

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
        """See `Aggregates.aggregate`."""
        narrowed = await self._narrowed(caller, request.search)
        return await self._source.aggregate(caller, replace(request, search=narrowed))

    def _hides_from(self, caller: Caller) -> bool:
        """Whether there may be anything that a caller may not find."""
        if self._all_open:
            return False
        return not all(decide(policy, caller, "metadata").allowed for policy in self._policies)

    def _may_find(self, caller: Caller, collection_id: str) -> bool:
        return not hidden_collections(self._policies, caller, [collection_id])

    def _require(self, caller: Caller, collection_id: str) -> None:
        if not self._may_find(caller, collection_id):
            raise NotFound(f"no collection {collection_id!r} here; /collections lists them")

    def _marked(self, collection: Collection) -> Collection:
        return collection if self._marks is None else self._marks.collection(collection)

    async def _narrowed(self, caller: Caller, request: SearchRequest) -> SearchRequest:
        if not self._hides_from(caller):
            return request
        asked = request.collections
        if asked is None:
            asked = await self._known(caller)
        hidden = hidden_collections(self._policies, caller, asked)
        if request.collections is not None and not hidden:
            return request
        members = {each.name: getattr(request, each.name) for each in fields(SearchRequest)}
        return _Narrowed(
            **members | {"collections": tuple(name for name in asked if name not in hidden)}, asked=request
        )

    async def _known(self, caller: Caller) -> tuple[str, ...]:
        """The names of collections, all that a caller may find among them."""
        if not decide(self._policies.default, caller, "metadata").allowed:
            return tuple(sorted(self._policies.named))
        if time.monotonic() - self._names[0] > FRESH:
            async with self._asking:
                if time.monotonic() - self._names[0] > FRESH:
                    asked_at = time.monotonic()
                    listed = await self._source.collections(ANONYMOUS)
                    self._names = asked_at, tuple(each["id"] for each in listed.collections)
        return self._names[1]


@dataclass(frozen=True, slots=True)
class _Narrowed(SearchRequest):
    """A search in fewer collections. Its cursors are those of the search that was asked for.

    A cursor is a position in an order, and as good in another choice of collections: a walk goes on when
    a collection is added, or when the caller's login has ended.
    """

    asked: SearchRequest = field(default_factory=SearchRequest)

    def digest(self) -> str:
        return self.asked.digest()


def _together(schemas: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What filters may speak of in several collections: a property has any of the types it has in one."""
    found: dict[str, Any] = {}
    for each in schemas:
        for name, schema in each.items():
            found[name] = _either(found[name], schema) if name in found else schema
    return found


def _either(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    if one == other:
        return one
    kept = {name: value for name, value in one.items() if name != "type" and other.get(name) == value}
    if "type" in one and "type" in other:
        types = {each for schema in (one, other) for each in _types(schema["type"])}
        kept["type"] = sorted(types) if len(types) > 1 else next(iter(types))
    return kept


def _types(told: Any) -> list[str]:
    return told if isinstance(told, list) else [told]
