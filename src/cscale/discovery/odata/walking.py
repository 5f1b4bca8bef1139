"""An archive asked page by page, in one order, by conditions: what OData and the Data Hub's search share."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec

from cscale.discovery.odata.asked.attributes import Property
from cscale.discovery.odata.asked.conditions import EVERYTHING, Condition
from cscale.discovery.odata.asked.filters import Site
from cscale.discovery.odata.asked.query import Query, query_of
from cscale.discovery.odata.asking import (
    MAX_RECORDS,
    Parameters,
    address,
    excerpt,
    fetched,
    queryables_of,
)
from cscale.discovery.odata.paging import Batch, Place, cut
from cscale.discovery.odata.products import Product, item_of
from cscale.discovery.source import SourcePage
from cscale.errors import BadInput, SiteError
from cscale.identity import Caller
from cscale.net.http import HttpPool
from cscale.stac.evaluation import order_key, sort_value
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest

_SPARE = 10
"""How many records more than a page are asked for: what has the last one's sort key is read again."""
_Records = list[tuple[int | None, Any]]
"""Sort keys and records; None and None for what is no record."""


class Archive(Site, Protocol):
    """How an archive is asked, and how it answers."""

    path: ClassVar[str]
    """Where products are searched, beneath the service's address."""
    properties: ClassVar[Mapping[str, Property]]
    """What filters can ask for."""
    sorts: ClassVar[Mapping[str, str]]
    """STAC's names of what it sorts by, and its own."""
    second: ClassVar[str]
    """What products of one instant are sorted by."""
    top: ClassVar[int]
    """The longest page."""

    def parameters(self, condition: str, order: str, top: int, skip: int, *, counted: bool) -> Parameters:
        """The parameters of a request."""
        ...

    def batch(self, body: msgspec.Raw, top: int, skip: int) -> Batch[msgspec.Raw]:
        """The records of an answer.

        Raises:
            msgspec.DecodeError: If it is none.
        """
        ...

    def record(self, raw: msgspec.Raw) -> Any:
        """A record, which tells its times by `time(path)`; None where it is none."""
        ...

    def product(self, told: Any, root: str, asked: Sequence[str]) -> Product:
        """The product that a record describes.

        Raises:
            BadInput: If it describes none.
        """
        ...

    def key(self, name: str, op: str, moment: int) -> Condition:
        """That a sort key, by STAC's name, is before, at or after an instant."""
        ...

    def collected(self, collection: str) -> Condition:
        """That a product is in a collection."""
        ...


class Walker:
    """An archive as a `Source`, but for its list of collections.

    Args:
        root: The service's address.
        http: The connections to use.
        site: How it is asked.
    """

    def __init__(self, root: str, http: HttpPool, site: Archive) -> None:
        self._root = root
        self._http = http
        self._site = site

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """See `Source.search`; the page tells what the site left to the hub."""
        query = self._query(request)
        if query.condition.text is False:
            return SourcePage([], matched=0 if query.condition.exact else None, left=query.left)
        place = Place.read(token)
        records, place_after, matched = await self._page(query, place, request)
        items, rejected = self._items(records, request)
        rest = request.sortby[1:] if "sortby" not in query.left else ()
        if rest:
            items.sort(key=lambda item: _key(item, request))
        features = [msgspec.Raw(msgspec.json.encode(item)) for item in items]
        after = None if place_after is None else place_after.token()
        exact = None if query.left or token is not None else matched
        return SourcePage(features, after, exact, left=query.left, rejected=rejected)

    def _query(self, request: SearchRequest) -> Query:
        collected = EVERYTHING
        if request.collections is not None:
            collected = self._site.words.either(map(self._site.collected, request.collections))
        return query_of(request, self._site, self._site.properties, tuple(self._site.sorts), collected)

    async def _page(
        self, query: Query, place: Place, request: SearchRequest
    ) -> tuple[_Records, Place | None, int | None]:
        """The records of a page, where the next one begins, and how many match in all."""
        descending = query.order.descending
        whole = len(request.sortby) > 1 and "sortby" not in query.left
        batch = await self._ask(query, place, request.limit)
        page = cut(place, batch, lambda record: record[0], descending=descending)
        records = list(page.records)
        after = page.next if page.deeper is None else page.deeper
        if page.deeper is None and not place.alone:
            return records, after, batch.matched
        while after is not None and (after.alone and (whole or not records)):
            place = after
            more = await self._ask(query, place, self._site.top if whole else request.limit)
            page = cut(place, more, lambda record: record[0], descending=descending)
            records += page.records
            after = page.next
        return records, after, batch.matched

    async def _ask(self, query: Query, place: Place, limit: int) -> Batch[tuple[int | None, Any]]:
        """One request."""
        name, site = query.order.name, self._site
        condition = query.condition
        if place.bound is not None:
            beyond = "<" if query.order.descending else ">"
            op = "=" if place.alone else beyond if place.after else f"{beyond}="
            condition = site.words.both([condition, site.key(name, op, place.bound)])
        text = condition.text if isinstance(condition.text, str) else ""
        direction = "desc" if query.order.descending else "asc"
        order = f"{site.second} asc" if place.alone else f"{site.sorts[name]} {direction}"
        top = min(limit + _SPARE, site.top)
        counted = place.bound is None and not query.left
        parameters = site.parameters(text, order, top, place.skip, counted=counted)
        url = address(self._root + site.path, parameters)
        body = await fetched(self._http, url, accept="application/json")
        try:
            batch = site.batch(msgspec.Raw(body), top, place.skip)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise SiteError(f"its answer is not what OData says ({error}): {excerpt(body)}") from error
        if len(batch.records) > max(top, MAX_RECORDS):
            raise SiteError(f"it answered {len(batch.records)} products where {top} were asked for")
        found = [site.record(raw) for raw in batch.records]
        path = site.sorts[name]
        keyed = [(each.time(path) if each is not None else None, each) for each in found]
        return Batch(keyed, batch.more, batch.matched)

    def _items(self, records: _Records, request: SearchRequest) -> tuple[list[Item], int]:
        """The items of records, and how many of them are none."""
        asked, items = request.collections or (), []
        for key, record in records:
            try:
                if key is not None and record is not None:
                    items.append(item_of(self._site.product(record, self._root, asked)))
            except BadInput:  # counted below
                continue
        return items, len(records) - len(items)

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `Source.queryables`."""
        return queryables_of(self._site.properties)

    def item_url(self, collection_id: str, item_id: str) -> str:
        """See `Source.item_url`."""
        return self._address(self._site.named([item_id]))

    def collection_url(self, collection_id: str) -> str:
        """See `Source.collection_url`."""
        return self._address(self._site.collected(collection_id))

    def _address(self, condition: Condition) -> str:
        text = condition.text if isinstance(condition.text, str) else ""
        order = f"{self._site.sorts['datetime']} desc"
        told = self._site.parameters(text, order, _SPARE, 0, counted=False)
        return address(self._root + self._site.path, told)


def _key(item: Item, request: SearchRequest) -> Any:
    return order_key([sort_value(item, field.name) for field in request.sortby], request.sortby)
