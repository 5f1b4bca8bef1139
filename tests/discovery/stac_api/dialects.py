"""A site that evaluates searches rightly, but speaks a dialect: its own methods, paging, claims, versions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cscale.errors import BadRequest
from cscale.stac.evaluation import matcher, order_key, sort_value
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest, from_json, from_query
from tests.discovery.stac_api.members import CORE, CQL2, FILTER, QUERY, SORT, TEXT
from tests.scripted import Request, answer

PAGING = ("token", "token-get", "offset", "page", "merge", "whole", "alone", "header")
"""How pages follow: by token in body or address, by counting, by a body to merge, to send or by itself."""
_CLAIMS = {"sortby": SORT, "filter": [*FILTER, *CQL2], "query": QUERY, "q": TEXT}
_OWN = ("token", "offset", "page", "next", "cursor")


@dataclass(frozen=True)
class Dialect:
    """How a site speaks.

    Attributes:
        methods: By which it is searched.
        refusal: The status by which it refuses the other one.
        paging: One of `PAGING`.
        cap: The longest page.
        too_long: Whether a longer one is refused, not cut.
        version: Of STAC.
        claims: Of `sortby`, `filter`, `query` and `q`, what it evaluates and claims.
        told: Whether it tells its claims.
        strict: Whether what it does not evaluate is refused, not ignored.
        foreign: The status for a collection that it does not hold.
        nothing: The status where nothing matches.
        links: How links are written: `whole`, `relative`, or `proxied` with the wrong scheme and port.
        more: Whether a page that is full leads on although it is the last.
    """

    methods: tuple[str, ...] = ("GET", "POST")
    refusal: int = 405
    paging: str = "token"
    cap: int = 100
    too_long: bool = False
    version: str = "1.0.0"
    claims: frozenset[str] = frozenset(_CLAIMS)
    told: bool = True
    strict: bool = False
    foreign: int = 200
    nothing: int = 200
    links: str = "whole"
    more: bool = False


class Refuse(Exception):
    """An answer that is no page."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Speaker:
    """A site that holds items and speaks a dialect; called with a request, it answers."""

    items: Sequence[Item]
    dialect: Dialect

    def __call__(self, request: Request) -> bytes:
        address = urlsplit(request.path)
        if address.path == "/stac/search":
            try:
                return self._search(request, dict(parse_qsl(address.query, keep_blank_values=True)))
            except Refuse as refuse:
                body = b"" if refuse.status == 204 else {"detail": str(refuse)}
                return answer(body, refuse.status)
            except BadRequest as error:
                return answer({"detail": str(error)}, 400)
        if address.path == "/stac/":
            parts = [claim for part in sorted(self.dialect.claims) for claim in _CLAIMS[part]]
            claims = {"conformsTo": [*CORE, *parts]} if self.dialect.told else {}
            return answer({"id": "site", "links": [], **claims})
        if address.path == "/stac/collections" and self.dialect.version != "0.9.0":
            return answer({"collections": [{"id": name} for name in sorted(self._held)], "links": []})
        return answer(b"<html>not here</html>", 404, content_type="text/html")

    @property
    def _held(self) -> set[str]:
        return {item["collection"] for item in self.items}

    def _search(self, request: Request, query: dict[str, str]) -> bytes:
        if request.method not in self.dialect.methods:
            raise Refuse(self.dialect.refusal, f"{request.method} is not possible here")
        posted: dict[str, Any] = json.loads(request.body) if request.body else {}
        told: dict[str, Any] = posted if request.method == "POST" else query
        if set(told) == {"cursor"}:  # all is in it
            posted = told = json.loads(told["cursor"])
        own = {name: told.get(name, query.get(name)) for name in _OWN if name in told or name in query}
        asked = {name: value for name, value in told.items() if name not in _OWN}
        read = from_json(asked) if told is posted else from_query(list(asked.items()))
        start = self._start(own, request.headers, read)
        self._check(asked, read)
        found = self._found(self._heeded(asked, read, posted=told is posted))
        size = min(read.limit, self.dialect.cap)
        page, end = found[start : start + size], start + size
        if not found and self.dialect.nothing != 200:
            raise Refuse(self.dialect.nothing, "no items were found")
        links: list[dict[str, Any]] = [{"rel": "self", "href": "/nowhere"}]
        counted = self.dialect.paging in ("offset", "page")
        if end < len(found) or (self.dialect.more and counted and page):
            links.append({"rel": "next", **self._next(request.method, told, end, size)})
        features = [self._spoken(item) for item in page]
        return answer({"type": "FeatureCollection", "features": features, "links": links})

    def _start(self, own: Mapping[str, Any], headers: Mapping[str, str], read: SearchRequest) -> int:
        if "cmr-search-after" in headers:
            return int(headers["cmr-search-after"])
        if "page" in own:
            return (int(own["page"]) - 1) * min(read.limit, self.dialect.cap)
        if "token" in own:
            return int(str(own["token"]).removeprefix("after:"))
        return int(own.get("offset") or own.get("next") or 0)

    def _check(self, asked: Mapping[str, Any], read: SearchRequest) -> None:
        """Refuse what this dialect does not know."""
        if self.dialect.too_long and read.limit > self.dialect.cap:
            raise Refuse(400, f"limit must be less than or equal to {self.dialect.cap}")
        unknown = set(asked) & set(_CLAIMS) - self.dialect.claims
        if self.dialect.strict and unknown:
            raise Refuse(400, f"unknown parameters {sorted(unknown)}")
        foreign = set(read.collections or ()) - self._held
        if foreign and self.dialect.foreign != 200:
            raise Refuse(self.dialect.foreign, f"collections {sorted(foreign)} do not exist")

    def _heeded(self, asked: Mapping[str, Any], read: SearchRequest, *, posted: bool) -> SearchRequest:
        """The search without what is ignored."""
        ignored = {*_CLAIMS, *(["filter-lang"] if "filter" not in self.dialect.claims else [])}
        kept = {name: value for name, value in asked.items() if name not in ignored - self.dialect.claims}
        return from_json(kept) if posted else from_query([(name, str(value)) for name, value in kept.items()])

    def _found(self, request: SearchRequest) -> list[Item]:
        accepts = matcher(request)
        found = sorted(filter(accepts, self.items), key=lambda item: (item["id"], item["collection"]))
        return in_order(found, request) if "sortby" in self.dialect.claims else found

    def _next(self, method: str, told: Mapping[str, Any], end: int, size: int) -> dict[str, Any]:
        paging = self.dialect.paging
        rest = {name: value for name, value in told.items() if name not in _OWN}
        steps: dict[str, dict[str, Any]] = {
            "offset": {"offset": end},
            "page": {"page": end // size + 1},
            "merge": {"next": str(end)},
        }
        step = steps.get(paging, {"token": f"after:{end}"})
        if paging == "header":
            link: dict[str, Any] = {"headers": {"CMR-Search-After": str(end), "Authorization": "Bearer x"}}
            return link | self._to(method, rest, {}, merge=True)
        if paging == "alone":
            step = {"cursor": json.dumps({**rest, "next": str(end)})}
            if method == "POST":
                return {"href": self._href("/stac/search"), "method": "POST", "body": step}
            return {"href": self._href(f"/stac/search?{urlencode({**rest, 'next': end})}")}
        if paging == "token-get":
            return {"href": self._href(f"/stac/search?{urlencode(step)}&limit={size}")}
        return self._to(method, rest, step, merge=paging == "merge")

    def _to(
        self, method: str, rest: Mapping[str, Any], step: Mapping[str, Any], *, merge: bool
    ) -> dict[str, Any]:
        if method == "GET":
            return {"href": self._href(f"/stac/search?{urlencode({**rest, **step})}")}
        body = {"body": dict(step), "merge": True} if merge else {"body": {**rest, **step}}
        return {"href": self._href("/stac/search"), "method": "POST", **body}

    def _href(self, path: str) -> str:
        if self.dialect.links == "relative":
            return path.removeprefix("/stac/")
        return f"https://127.0.0.1{path}" if self.dialect.links == "proxied" else path

    def _spoken(self, item: Item) -> Item:
        """An item as this version of STAC has it."""
        if not self.dialect.version.startswith("0."):
            return item | {"stac_version": self.dialect.version}
        old = {name: value for name, value in item.items() if name not in ("collection", "bbox")}
        own = f"/stac/collections/{item['collection']}"
        links = [{"rel": "collection", "href": own}, {"rel": "self", "href": f"{own}/items/{item['id']}"}]
        return old | {"stac_version": self.dialect.version, "stac_extensions": ["eo"], "links": links}


def in_order(items: Sequence[Item], request: SearchRequest) -> list[Item]:
    """Items in the order of a request."""
    return sorted(items, key=lambda item: place(item, request))


def place(item: Item, request: SearchRequest) -> Any:
    """Where an item stands in the order of a request."""
    return order_key([sort_value(item, field.name) for field in request.sortby], request.sortby)
