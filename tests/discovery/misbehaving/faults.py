"""Faults of what a site takes, does, and says: each composes with the others."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from tests.discovery.misbehaving.fault import Fault, Harm, Page, Search
from tests.discovery.misbehaving.wire import Reply, said

if TYPE_CHECKING:
    from tests.discovery.misbehaving.site import Misbehaving


def _refused(status: int, why: str) -> Reply:
    return said({"code": str(status), "description": why}, status)


@dataclass
class RefusesMethod(Fault):
    """Searches by `POST`, or those by `GET`, are refused."""

    method: Literal["GET", "POST"] = "POST"
    status: int = 405

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        refused = search.call.method == self.method and search.call.path.endswith("/search")
        return _refused(self.status, f"no {self.method} here") if refused else None


@dataclass
class RefusesForeign(Fault):
    """Searches that name a collection which it does not hold are refused."""

    status: int = 400

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        foreign = set(search.request.collections or ()) - set(site.collections)
        return _refused(self.status, f"no such collection: {', '.join(sorted(foreign))}") if foreign else None


@dataclass
class RefusesFilter(Fault):
    """Searches with a filter are refused."""

    status: int = 400

    @property
    def unclaimed(self) -> frozenset[str]:
        return frozenset({"filter"})

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        asked = {"filter", "query"} & search.given.keys()
        return _refused(self.status, "filters are not supported") if asked else None


@dataclass
class RefusesSort(Fault):
    """Searches with an order are refused; it has one of its own."""

    status: int = 400

    @property
    def forgets(self) -> frozenset[str]:
        return frozenset({"sortby"})

    @property
    def unclaimed(self) -> frozenset[str]:
        return frozenset({"sortby"})

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        return _refused(self.status, "sortby is not supported") if "sortby" in search.given else None


@dataclass
class Ignores(Fault):
    """A parameter is not looked at, and nothing said of it; for an order, that may be claimed.

    Attributes:
        name: The parameter.
        claims: Whether the site says that it knows it.
    """

    name: str = "datetime"
    claims: bool = True
    miscounts = True

    @property
    def harm(self) -> Harm:  # type: ignore[override]  # as it lies or not
        """Who claims to sort may be seen not to only when what was left out should have been shown."""
        return "may" if self.name == "sortby" and self.claims else "none"

    @property
    def forgets(self) -> frozenset[str]:
        return frozenset({self.name})

    @property
    def unclaimed(self) -> frozenset[str]:
        return frozenset() if self.claims else frozenset({self.name})


@dataclass
class Caps(Fault):
    """Pages are no longer than this; a greater limit is refused, or gets so many in silence."""

    most: int = 2
    refuses: bool = False

    @property
    def longest(self) -> int | None:
        return self.most

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        if self.refuses and search.request.limit > self.most:
            return _refused(400, f"limit must be less than or equal to {self.most}")
        return None


Style = Literal["token", "merged token", "offset", "page", "link", "header"]
Form = Literal["absolute", "relative", "without port"]


@dataclass
class PagesBy(Fault):
    """How `next` links say the page, and how they are written.

    Attributes:
        style: By a token in query or body, alone in a body that is to be merged, by offset, by the
            page's number, by an address that does not say how, or by a header.
        form: The whole address, one without scheme and host, or one that has lost its port.
    """

    style: Style = "token"
    form: Form = "absolute"

    def link(self, site: "Misbehaving", search: Search, page: Page, length: int) -> dict[str, Any]:
        """The link to the page after this one."""
        from tests.discovery.misbehaving.site import opaque  # which pages by this

        position = page.next or 0
        if self.style == "link":
            return {"rel": "next", "href": self._href(site, f"/stac/next/{opaque(search, position)}")}
        path = search.call.path
        if self.style == "header":
            link = self._same(site, search) | {"headers": {"cmr-search-after": f"p~{position}"}}
            return {"rel": "next", **link}
        styles: dict[str, dict[str, Any]] = {
            "token": {"token": f"p~{position}"},
            "merged token": {"token": f"p~{position}"},
            "offset": {"offset": position},
            "page": {"page": -(-position // length) + 1},
        }
        told = styles[self.style]
        if search.call.method == "GET":
            return {"rel": "next", "href": self._href(site, f"{path}?{urlencode({**search.given, **told})}")}
        merge = self.style != "token"
        body = told if merge else {**search.given, **told}
        return {
            "rel": "next",
            "method": "POST",
            "href": self._href(site, path),
            "body": body,
            "merge": merge,
        }

    def _same(self, site: "Misbehaving", search: Search) -> dict[str, Any]:
        """The request itself as a link."""
        if search.call.method == "GET":
            return {"href": self._href(site, f"{search.call.path}?{urlencode(search.given)}")}
        return {"method": "POST", "href": self._href(site, search.call.path), "body": search.given}

    def _href(self, site: "Misbehaving", path: str) -> str:
        if self.form == "relative":
            return path
        host = "http://127.0.0.1" if self.form == "without port" else f"http://127.0.0.1:{site.port}"
        return f"{host}{path}"


@dataclass
class NotFoundIfNone(Fault):
    """A search that nothing matches is answered with 404."""

    def answered(self, search: Search, page: Page, reply: Reply) -> Reply:
        return reply if page.found else _refused(404, "no items found")


@dataclass
class Reorders(Fault):
    """Each page is turned round."""

    harm = "may"

    def paged(self, search: Search, page: Page) -> None:
        page.features.reverse()


@dataclass
class Overlaps(Fault):
    """Each page begins with the last item of the page before it."""

    def paged(self, search: Search, page: Page) -> None:
        if page.next is not None and len(page.features) > 1:
            page.next -= 1


WRONG: dict[str, Any] = {
    "no id": {"id": ...},
    "an empty id": {"id": ""},
    "a number as id": {"id": 7},
    "null properties": {"properties": None},
    "no time": {"properties": {}},
    "a time that is none": {"properties": {"datetime": "yesterday"}},
    "text as geometry": {"geometry": "POINT(0 0)"},
    "a geometry of no type": {"geometry": {"type": "Blob", "coordinates": []}},
    "text as coordinates": {"geometry": {"type": "Point", "coordinates": ["a", "b"]}},
    "a list of assets": {"assets": ["a"]},
    "not a feature": {"type": "Collection"},
}
"""What makes an item none; `...` for a member that is absent."""


@dataclass
class Wrong(Fault):
    """Each page holds a record more that is no item."""

    kind: str = "no id"
    miscounts = True

    def paged(self, search: Search, page: Page) -> None:
        page.features.insert(len(page.features) // 2, self.record(page))

    def record(self, page: Page) -> Any:
        """What is among the items."""
        if self.kind == "no object":
            return 17
        item = {**(page.features[0] if page.features else _ITEM), "id": "wrong", **WRONG[self.kind]}
        return {name: value for name, value in item.items() if value is not ...}


_ITEM = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "geometry": {"type": "Point", "coordinates": [0.5, 0.5]},
    "bbox": [0.5, 0.5, 0.5, 0.5],
    "properties": {"datetime": "2020-05-20T18:40:00Z"},
    "links": [],
    "assets": {},
    "collection": "c",
}


@dataclass
class NotANumber(Fault):
    """Items hold `NaN`, which JSON does not know."""

    harm = "may"

    def paged(self, search: Search, page: Page) -> None:
        for at, item in enumerate(page.features):
            if isinstance(item, dict) and isinstance(item.get("properties"), dict):
                page.features[at] = {**item, "properties": {**item["properties"], "snow": float("nan")}}


@dataclass
class Uninvited(Fault):
    """Each page holds an item more, of a collection that was not asked for."""

    miscounts = True

    def paged(self, search: Search, page: Page) -> None:
        if search.request.collections is not None and page.features:
            last = page.features[-1]
            if isinstance(last, dict):
                page.features.append({**last, "id": "uninvited", "collection": "uninvited"})


@dataclass
class FailsLater(Fault):
    """From the second page on, it has failed."""

    status: int = 500
    harm = "may"

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        return None if search.is_first_page else _refused(self.status, "Internal Server Error")


@dataclass
class Refuses(Fault):
    """Its first searches, or all of them, are refused for a while.

    Attributes:
        status: With this.
        times: How many; None for all.
    """

    status: int = 429
    times: int | None = None

    @property
    def harm(self) -> Harm:  # type: ignore[override]  # as it ends or not
        """Whoever asks again may get an answer."""
        return "must" if self.times is None else "may"

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        if self.times is not None:
            if self.times == 0:
                return None
            self.times -= 1
        reply = _refused(self.status, "not now")
        reply.headers["retry-after"] = "1"
        return reply


@dataclass
class Loops(Fault):
    """`next` leads back to the page itself, or to the first one."""

    to: Literal["itself", "first"] = "itself"
    harm = "may"

    def paged(self, search: Search, page: Page) -> None:
        if page.next is not None:
            page.next = page.position if self.to == "itself" else 0


@dataclass
class EndlessPages(Fault):
    """Beyond its last item there is one more empty page, always."""

    harm = "may"
    is_slow = True

    def paged(self, search: Search, page: Page) -> None:
        if page.next is None:
            page.next = page.position + max(search.request.limit, 1)


@dataclass
class Mislabels(Fault):
    """The answer's content type is another, or an odd one."""

    kind: str = "text/html; charset=utf-8"

    def answered(self, search: Search, page: Page, reply: Reply) -> Reply:
        reply.kind = self.kind
        return reply


@dataclass
class LeavesOut(Fault):
    """An answer lacks members that it need not have for being understood."""

    miscounts = True

    def answered(self, search: Search, page: Page, reply: Reply) -> Reply:
        body = json.loads(reply.body)
        links = [link for link in body.get("links", []) if link["rel"] == "next"]
        return said({"features": body.get("features", []), **({"links": links} if links else {})})
