"""A STAC API server on a real socket that evaluates searches properly, but for its faults.

`python -m tests.discovery.misbehaving.site PORT < sites.json` serves some in a process of its own.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any

from cscale.errors import BadRequest
from cscale.stac.evaluation import matcher, order_key, sort_value
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest, SortField, from_json, from_query
from tests.discovery.misbehaving.fault import Cut, Fault, Page, Search
from tests.discovery.misbehaving.faults import PagesBy
from tests.discovery.misbehaving.wire import Call, Listener, Loop, Reply, said
from tests.ports import free_port

_PAGING = ("token", "offset", "page")
_BY_ITSELF = (SortField("id"), SortField("collection"))
_DEFAULTS = {each.name: each.default for each in fields(SearchRequest)}
CLAIMS = {
    "https://api.stacspec.org/v1.0.0/core": None,
    "https://api.stacspec.org/v1.0.0/collections": None,
    "https://api.stacspec.org/v1.0.0/item-search": None,
    "https://api.stacspec.org/v1.0.0/item-search#sort": "sortby",
    "https://api.stacspec.org/v1.0.0/item-search#filter": "filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter": "filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json": "filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text": "filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2": "filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators": "filter",
}
"""Conformance classes, and the parameter that each is of."""


@dataclass
class Record:
    """A request, and when its answer was ready; None while it was not.

    Attributes:
        call: The request.
        answered: Seconds of the monotonic clock.
    """

    call: Call
    answered: float | None = None


@dataclass
class Misbehaving:
    """A site.

    Attributes:
        items: What it holds.
        faults: In which ways it is not as it should be.
        port: Where it listens, on 127.0.0.1.
        records: What it was asked.
    """

    items: Sequence[Item]
    faults: Sequence[Fault] = ()
    port: int = field(default_factory=free_port)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = Listener(self.port, self._serve)
        paging = [fault for fault in self.faults if isinstance(fault, PagesBy)]
        self._paging = paging[-1] if paging else PagesBy()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stac"

    @property
    def searches(self) -> list[Record]:
        """What it was asked for items."""
        return [record for record in self.records if record.call.searches]

    @property
    def collections(self) -> list[str]:
        return sorted({item["collection"] for item in self.items})

    async def _serve(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        record = Record(call)
        self.records.append(record)
        try:
            reply = self.reply(call)
            for fault in self.faults:
                reply = await fault.delivered(self, call, reply, writer)
            writer.write(reply.whole)
            record.answered = time.monotonic()
        except Cut:
            return False
        return reply.headers.get("connection") != "close"

    def reply(self, call: Call) -> Reply:
        """What it answers, before any fault of delivery."""
        try:
            return self._routed(call)
        except BadRequest as error:
            return said({"code": "BadRequest", "description": str(error)}, 400)

    def _routed(self, call: Call) -> Reply:
        match call.path.removeprefix("/stac").strip("/").split("/"):
            case [""] | ["conformance"]:
                return said(self._landing())
            case ["search"]:
                return self._search(call)
            case ["next", opaque]:
                return self._search(_opened(call, opaque))
            case ["collections"]:
                return said({"collections": [_collection(each) for each in self.collections], "links": []})
            case ["collections", each] if each in self.collections:
                return said(_collection(each))
            case ["collections", each, "items"] if each in self.collections:
                return self._search(call, each)
            case ["collections", each, "items", item_id]:
                for item in self.items:
                    if (item["collection"], item["id"]) == (each, item_id):
                        return said(item)
            case ["queryables"] | ["collections", _, "queryables"]:
                names = ("eo:cloud_cover", "platform", "test:product")
                return said({"type": "object", "properties": {name: {} for name in names}})
        return said({"code": "NotFound", "description": "nothing is here"}, 404)

    def _landing(self) -> Mapping[str, Any]:
        unclaimed = frozenset[str]().union(*(fault.unclaimed for fault in self.faults))
        claims = [claim for claim, parameter in CLAIMS.items() if parameter not in unclaimed]
        links = [
            {"rel": "self", "href": self.url},
            {"rel": "data", "href": f"{self.url}/collections"},
            {"rel": "search", "href": f"{self.url}/search", "method": "GET"},
            {"rel": "search", "href": f"{self.url}/search", "method": "POST"},
        ]
        about = {"type": "Catalog", "stac_version": "1.0.0", "id": "misbehaving", "description": "A site"}
        return {**about, "conformsTo": claims, "links": links}

    def _search(self, call: Call, collection: str | None = None) -> Reply:
        search = _read(call, collection)
        for fault in self.faults:
            refused = fault.refusal(self, search)
            if refused is not None:
                return refused
        longest = [fault.longest for fault in self.faults if fault.longest is not None]
        length = min([search.request.limit, *longest])
        page = _page(self._found(search.request), search, length)
        for fault in self.faults:
            fault.paged(search, page)
        links = [{"rel": "self", "href": f"{self.url}/search"}]
        if page.next is not None:
            links.append(self._paging.link(self, search, page, length))
        body = {
            "type": "FeatureCollection",
            "features": page.features,
            "links": links,
            "numberMatched": len(page.found),
        }
        reply = said(body)
        for fault in self.faults:
            reply = fault.answered(search, page, reply)
        return reply

    def _found(self, request: SearchRequest) -> list[Item]:
        forgotten = frozenset[str]().union(*(fault.forgets for fault in self.faults))
        unasked: dict[str, Any] = {name: _DEFAULTS[name] for name in forgotten}
        request = replace(request, **unasked)
        sortby = _BY_ITSELF if "sortby" in forgotten else (*request.sortby, *_BY_ITSELF)
        matches = matcher(request)
        found = [item for item in self.items if matches(item)]
        return sorted(
            found, key=lambda item: order_key([sort_value(item, each.name) for each in sortby], sortby)
        )


def _page(found: Sequence[Item], search: Search, length: int) -> Page:
    start = search.position if search.number is None else (search.number - 1) * length
    end = start + length
    return Page(found, start, list(found[start:end]), end if end < len(found) else None)


def _read(call: Call, collection: str | None) -> Search:
    """What a request asks for, without what says the page."""
    given: dict[str, Any]
    if call.method == "POST":
        given = dict(call.json)
        place = {name: given.pop(name) for name in _PAGING if name in given}
        request = from_json(given)
    else:
        query = dict(call.query)
        place = {name: query.pop(name) for name in _PAGING if name in query}
        given, request = query, from_query(list(query.items()))
    if collection is not None:
        request = replace(request, collections=(collection,))
    position = int(place.get("offset", 0))
    if "token" in place:
        position = _position(place["token"])
    if "cmr-search-after" in call.headers:
        position = _position(call.headers["cmr-search-after"])
    number = int(place["page"]) if "page" in place else None
    return Search(call, given, request, position, number)


def _position(token: object) -> int:
    if not isinstance(token, str) or not token.startswith("p~"):
        raise BadRequest(f"token: {token!r} was not made here")
    return int(token[2:])


def opaque(search: Search, position: int) -> str:
    """An address that leads to a page and does not say how."""
    told = [search.call.method, search.call.target, search.given, position]
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def _opened(call: Call, text: str) -> Call:
    method, target, given, position = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    headers = {**call.headers, "cmr-search-after": f"p~{position}"}
    return replace(call, method=method, target=target, body=json.dumps(given).encode(), headers=headers)


def _collection(name: str) -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "description": name,
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2014-01-01T00:00:00Z", None]]},
        },
        "links": [],
    }


@contextmanager
def served(loop: Loop, sites: Sequence[Misbehaving]) -> Iterator[None]:
    """The sites listen until the block ends."""
    for site in sites:
        loop.run(site.listener.open())
    try:
        yield
    finally:
        for site in sites:
            loop.run(site.listener.close())


async def _serve_for_ever(sites: Sequence[Misbehaving]) -> None:
    for site in sites:
        await site.listener.open()
    await asyncio.Event().wait()


if __name__ == "__main__":
    held: Mapping[str, Sequence[Item]] = json.load(sys.stdin)
    asyncio.run(_serve_for_ever([Misbehaving(items, port=int(port)) for port, items in held.items()]))
