"""A member that is a static STAC catalogue: read document by document, never searched."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from cscale.discovery.stac_static.documents import (
    features_of,
    finished_collection,
    finished_item,
    identifier,
    made_collection,
    read_document,
    value_of,
)
from cscale.discovery.stac_static.places import Disk, Place, Web
from cscale.discovery.stac_static.walking import Found, Walk
from cscale.errors import BadInput
from cscale.federation import Endpoint
from cscale.federation.profiles import Profiled, unknown
from cscale.identity import Caller
from cscale.net.http import HttpPool

_MAX_KNOWN = 100_000  # collections


class StacStatic:
    """A static catalogue as a `Walkable`.

    It may be a Catalog or a Collection with what these link to by `child` and `item`, or one file with
    all items (a FeatureCollection). Only documents of the same origin, or on disk below the folder of the
    first one, are read. Items without a `collection` are in the collection above them; where there is
    none, in one that is named after the catalogue. Each item gets a link `via` to its own document.

    Args:
        endpoint: The address of its first document, `http(s)://` or `file://`.
        http: The connections to use.
        profile: What the site was seen to do; a catalogue does nothing.
    """

    def __init__(self, endpoint: Endpoint, http: HttpPool, profile: Profiled = unknown) -> None:
        self._url = endpoint.url
        self._http = http
        self._walk: Walk | None = None
        self._known: dict[str, str] = {}

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`; items are not read for it, unless one file holds all."""
        walk = Walk(await self._place(), caller, items=False)
        found: dict[str, Mapping[str, Any]] = {}
        made: dict[str, Mapping[str, Any]] = {}
        async with aclosing(walk.documents()) as documents:
            async for each in documents:
                try:
                    self._gather(each, found, made)
                except BadInput as error:
                    walk.leave_out(each.address, error)
        return list((made | found).values()), ()

    async def items(self, caller: Caller) -> AsyncIterator[msgspec.Raw]:
        """See `Walkable.items`."""
        walk = self._walk = Walk(await self._place(), caller, items=True)
        async with aclosing(walk.documents()) as documents:
            async for found in documents:
                if found.kind == "item":
                    if (item := _item(walk, found, found.document)) is not None:
                        yield item
                elif found.kind == "items":
                    for item in _items(walk, found):
                        yield item
                elif found.kind == "collection" and (name := identifier(found.document)):
                    self._remember(name, found.address)

    @property
    def rejected(self) -> int:
        """How many documents and links the last walk left out."""
        return 0 if self._walk is None else self._walk.rejected

    def item_url(self, collection_id: str, item_id: str) -> str:
        """The document of its collection; an item's own is in its link `via`."""
        return f"{self.collection_url(collection_id)}#{quote(item_id, safe='')}"

    def collection_url(self, collection_id: str) -> str:
        """The document of a collection; the first one of the catalogue while it is not known."""
        return self._known.get(collection_id, self._url)

    def _gather(
        self, each: Found, found: dict[str, Mapping[str, Any]], made: dict[str, Mapping[str, Any]]
    ) -> None:
        """Note the collections that a document is, holds or needs."""
        if each.kind == "collection" and (name := identifier(each.document)):
            found.setdefault(name, finished_collection(each.document, each.address))
            self._remember(name, each.address)
        elif each.kind == "items":
            found |= {one["id"]: one for one in _told_collections(each)}
            made |= {name: made_collection(name, None, None) for name in _named_collections(each)}
        elif each.kind == "catalog" and not each.in_collection and _links_to_items(each):
            made.setdefault(each.above, _made_for(each))

    def _remember(self, collection_id: str, address: str) -> None:
        if len(self._known) < _MAX_KNOWN:
            self._known.setdefault(collection_id, address)

    async def _place(self) -> Place:
        if urlsplit(self._url).scheme == "file":
            return await asyncio.to_thread(Disk, self._url)
        return Web(self._url, self._http)


def _item(walk: Walk, found: Found, document: dict[str, msgspec.Raw]) -> msgspec.Raw | None:
    try:
        return finished_item(document, found.address, found.above or "catalog")
    except BadInput as error:
        walk.leave_out(found.address, error)
        return None


def _items(walk: Walk, found: Found) -> list[msgspec.Raw]:
    """The items of a document that holds many."""
    items = []
    try:
        features = features_of(found.document)
    except BadInput as error:
        walk.leave_out(found.address, error)
        return []
    for feature in features:
        try:
            kind, document = read_document(feature)
        except BadInput as error:
            walk.leave_out(found.address, error)
            continue
        if kind != "item":
            walk.leave_out(found.address, "a feature that is no item")
        elif (item := _item(walk, found, document)) is not None:
            items.append(item)
    return items


def _told_collections(found: Found) -> list[dict[str, Any]]:
    """The collections that a file of items tells itself."""
    told = value_of(found.document, "collections")
    return [
        each
        for each in (told if isinstance(told, list) else [])
        if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]
    ]


def _named_collections(found: Found) -> list[str]:
    """The collections that the items of a file are in."""
    names: dict[str, None] = {}
    for feature in features_of(found.document):
        try:
            _, document = read_document(feature)
        except BadInput:
            continue  # `items` counts it
        own = value_of(document, "collection") or found.above
        if isinstance(own, str):
            names.setdefault(own)
    return list(names)


def _links_to_items(found: Found) -> bool:
    links = value_of(found.document, "links")
    return any(
        isinstance(each, dict) and each.get("rel") == "item"
        for each in (links if isinstance(links, list) else [])
    )


def _made_for(found: Found) -> dict[str, Any]:
    title, description = value_of(found.document, "title"), value_of(found.document, "description")
    own = identifier(found.document) == found.above
    return made_collection(
        found.above,
        title if own and isinstance(title, str) else None,
        description if own and isinstance(description, str) else None,
    )
