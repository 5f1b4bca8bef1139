"""`Source`: one member as it speaks, whatever its dialect. One file a dialect implements it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from cscale.identity import Caller
from cscale.stac.search import SearchRequest


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page as a site answered it.

    Attributes:
        features: Items, each still the bytes that came.
        token: What `Source.search` takes to get the next page; None on the last.
        matched: How many match at the site in all, if it says so.
        missing: The members that are missing from its answer, if it is a hub itself.
        left: The parts of the request that the site did not evaluate exactly, by the names of the
            parameters of STAC API: `filter`, `sortby`, `datetime`, `bbox`, `intersects`, `ids`,
            `collections`, `q`. All that match are in the answer; so may be others.
        rejected: How many of its records are no items and were left out.
        harvested_at: When what it answers with was read from the site, as RFC 3339 text; None where the
            site itself has answered.
        partial: Why it may hold more that matches than it has answered with, in a sentence; None where
            that is all.
    """

    features: Sequence[msgspec.Raw]
    token: str | None = None
    matched: int | None = None
    missing: Sequence[str] = field(default_factory=tuple)
    left: frozenset[str] = frozenset()
    rejected: int = 0
    harvested_at: str | None = None
    partial: str | None = None


class Source(Protocol):
    """A member of the federation that can be searched.

    All methods raise `SiteError` if the site does not answer properly; deadlines are the caller's.
    """

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """One page of what the site holds, in its own words and, unless `left`, in the order of the request.

        Args:
            caller: Who is asking.
            request: With the site's own collection ids; its `token` is not used.
            token: From the page before; None for the first.
        """
        ...

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """All its collections, and the members missing from that answer if it is a hub itself."""
        ...

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """What filters may speak of there: name to JSON Schema; empty if it does not say."""
        ...

    def item_url(self, collection_id: str, item_id: str) -> str:
        """The address of an item there."""
        ...

    def collection_url(self, collection_id: str) -> str:
        """The address of a collection there."""
        ...


class Walkable(Protocol):
    """A member whose items can only be read one after the other: it is harvested, never searched."""

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`."""
        ...

    def items(self, caller: Caller) -> AsyncIterator[msgspec.Raw]:
        """All its items, each still the bytes that came, with the `collection` it is in.

        What cannot be read is left out and counted in `rejected`; what breaks the walk off is a
        `SiteError`, so that a walk that ends has seen all there is.
        """
        ...

    @property
    def rejected(self) -> int:
        """How many documents the last walk left out."""
        ...

    def item_url(self, collection_id: str, item_id: str) -> str:
        """The address of an item there."""
        ...

    def collection_url(self, collection_id: str) -> str:
        """The address of a collection there."""
        ...
