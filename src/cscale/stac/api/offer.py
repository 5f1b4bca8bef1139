"""What one STAC API offers, and the links that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from cscale.stac.items import GEOJSON, Collection, Link, OpenItem, closed_pieces, own_links
from cscale.stac.source import Aggregates, ItemSource, Transactions

JSON = "application/json"
SCHEMA = "application/schema+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
HTML = "text/html"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"


@dataclass(frozen=True, slots=True)
class Service:
    """What the API says of itself.

    Attributes:
        id: Its short name.
        title: Its name for people.
        description: What it holds.
        url: The address of its landing page, without a slash at the end; all links are made from it.
    """

    id: str
    title: str
    description: str
    url: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A source behind an address, and its links.

    Attributes:
        source: What is searched.
        service: What the API says of itself.
        aggregates: What counts; None where nothing does.
        transactions: What can be changed; None where nothing can.
    """

    source: ItemSource
    service: Service
    aggregates: Aggregates | None = None
    transactions: Transactions | None = None

    def link(self, relation: str, path: str, media_type: str = JSON) -> Link:
        """A link to an address of this API."""
        return {"rel": relation, "href": f"{self.service.url}{path}", "type": media_type}

    def links_by_query(
        self, path: str, asked: Sequence[tuple[str, str]], token: str | None, media_type: str = GEOJSON
    ) -> Iterable[Link]:
        """The links of a page that was asked for in a URL: to itself, and to the next.

        Args:
            path: Of the address.
            asked: Its parameters.
            token: What leads to the next page; None on the last.
            media_type: Of the pages.
        """
        yield self.link("self", f"{path}?{urlencode(asked)}" if asked else path, media_type)
        if token is not None:
            rest = [(name, value) for name, value in asked if name != "token"]
            query = urlencode([*rest, ("token", token)])
            yield {**self.link("next", f"{path}?{query}", media_type), "method": "GET"}

    def service_links(self) -> Iterable[Link]:
        """The landing page's links to all that there is."""
        yield self.link("self", "/")
        yield self.link("root", "/")
        yield self.link("conformance", "/conformance")
        yield self.link("data", "/collections")
        yield {**self.link("search", "/search", GEOJSON), "method": "GET"}
        yield {**self.link("search", "/search", GEOJSON), "method": "POST"}
        yield self.link(QUERYABLES, "/queryables", SCHEMA)
        yield from self._aggregate_links("")
        yield self.link("service-desc", "/api", OPENAPI)
        yield self.link("service-doc", "/api.html", HTML)

    def _aggregate_links(self, path: str) -> Iterable[Link]:
        if self.aggregates is not None:
            yield self.link("aggregations", f"{path}/aggregations")
            yield {**self.link("aggregate", f"{path}/aggregate"), "method": "GET"}
            yield {**self.link("aggregate", f"{path}/aggregate"), "method": "POST"}

    def child(self, collection: Mapping[str, Any]) -> Link:
        """The landing page's link to a collection."""
        title = str(collection.get("title") or collection["id"])
        return {**self.link("child", collection_path(collection["id"])), "title": title}

    def linked(self, collection: Collection) -> Collection:
        """A collection with the links that say where it stands."""
        path = collection_path(collection["id"])
        links = [
            self.link("self", path),
            self.link("root", "/"),
            self.link("parent", "/"),
            self.link("items", f"{path}/items", GEOJSON),
            self.link(QUERYABLES, f"{path}/queryables", SCHEMA),
            *self._aggregate_links(path),
        ]
        return {**collection, "links": [*links, *own_links(collection)]}

    def closed(self, item: OpenItem) -> bytes:
        """An item with the links that say where it stands."""
        return b"".join(self.pieces(item))

    def pieces(self, item: OpenItem) -> tuple[bytes, ...]:
        """The same in pieces, to be joined once with all that surrounds them."""
        collection = f"{self.service.url}{collection_path(item.collection)}"
        links = (
            f'{{"rel":"self","href":"{collection}/items/{quote(item.id, safe="")}","type":"{GEOJSON}"}},'
            f'{{"rel":"collection","href":"{collection}","type":"{JSON}"}},'
            f'{{"rel":"parent","href":"{collection}","type":"{JSON}"}},'
            f'{{"rel":"root","href":"{self.service.url}/","type":"{JSON}"}}'
        )
        return closed_pieces(item.body, links.encode())


def collection_path(collection_id: str) -> str:
    """The path of a collection below the API's own."""
    return f"/collections/{quote(collection_id, safe='')}"


def item_path(collection_id: str, item_id: str) -> str:
    """The path of an item below the API's own."""
    return f"{collection_path(collection_id)}/items/{quote(item_id, safe='')}"
