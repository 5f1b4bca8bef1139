"""A small STAC API on a real socket that evaluates searches, but for the faults it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cscale.stac.evaluation import matcher, order_key, sort_value
from cscale.stac.items import Item
from cscale.stac.search import NEWEST_FIRST, SearchRequest, from_json, from_query
from tests.discovery.federations import MORNING, feature
from tests.scripted import Request, answer

PARTS = ("datetime", "bbox", "intersects", "ids", "collections", "filter", "sortby")
FILE = bytes(range(256)) * 8
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "content-type",
}
_CLAIMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
]
_DAY = 86_400_000_000


@dataclass
class Archive:
    """What the server holds and how it errs.

    Attributes:
        ignores: Parts of a search that it acts as if it had not seen.
        refuses: Parts of a search that it answers with 400.
        methods: The methods by which it can be searched.
        faults: What else is wrong with it, by name.
        cap: The longest page it gives.
        count: How many items it holds.
    """

    ignores: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset({"GET", "POST"})
    faults: frozenset[str] = frozenset()
    cap: int = 1000
    count: int = 40
    asked: int = 0
    items: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.items = held(self.count)

    def respond(self, request: Request) -> bytes | None:
        self.asked += 1
        path = urlsplit(request.path).path
        if "hangs" in self.faults and path == "/search":
            return None
        if path.startswith("/files/"):
            return self._file(request)
        if request.method == "OPTIONS":
            return answer(b"", 405 if "no preflight" in self.faults else 204, **self._cors())
        if path == "/search":
            return self._search(request)
        if path == "/collections":
            named = [{"id": name, "providers": [{"name": "Those Who Keep It"}]} for name in ("c", "d")]
            return answer({"collections": named, "links": []}, **self._cors())
        links = [{"rel": rel, "href": "/"} for rel in ("self", "root", "service-desc", "data", "search")]
        claims = [] if "no claims" in self.faults else _CLAIMS
        page = {"type": "Catalog", "stac_version": "1.0.0", "id": "a", "conformsTo": claims, "links": links}
        return answer(page, **self._cors())

    def _cors(self) -> dict[str, Any]:
        return {} if "no cors" in self.faults else _CORS

    def _search(self, request: Request) -> bytes:
        if request.method not in self.methods:
            return answer({"description": "not by this method"}, 405)
        if request.method == "GET":
            pairs = parse_qsl(urlsplit(request.path).query)
            asked, token = from_query([p for p in pairs if p[0] != "token"]), dict(pairs).get("token")
        else:
            body = request.json
            token = body.pop("token", None)
            asked = from_json(body)
            pairs = list(body.items())
        if any(name in self.refuses for name, _ in pairs):
            return answer({"description": "no such parameter here"}, 400, **self._cors())
        return self._page(request, asked, int(token or 0))

    def _page(self, request: Request, asked: SearchRequest, start: int) -> bytes:
        limit = min(asked.limit, self.cap)
        unseen: dict[str, Any] = dict.fromkeys(self.ignores - {"sortby"})
        given = replace(asked, **unseen)
        if "sortby" in self.ignores:
            given = replace(given, sortby=NEWEST_FIRST)
        found = [item for item in self.items if matcher(given)(item)]
        page_only = "sorts pages only" in self.faults
        order = NEWEST_FIRST if page_only else given.sortby
        found.sort(key=lambda item: (_key(item, order), item["id"]))
        if not found and "404" in self.faults:
            return answer({"description": "nothing"}, 404, **self._cors())
        if "unstable" in self.faults and found:
            turn = self.asked % len(found)
            found = found[turn:] + found[:turn]
        shown = found[max(0, start - 1) if "doubles" in self.faults else start :][:limit]
        if "gaps" in self.faults and start:
            shown = found[start + 1 :][:limit]
        if page_only:
            shown.sort(key=lambda item: _key(item, given.sortby))
        return answer(self._told(request, asked, shown, start, limit, len(found)), **self._cors())

    def _told(
        self,
        request: Request,
        asked: SearchRequest,
        shown: Sequence[Item],
        start: int,
        limit: int,
        found: int,
    ) -> Mapping[str, Any]:
        page: dict[str, Any] = {"type": "FeatureCollection", "features": shown, "links": []}
        if "junk" in self.faults:
            page["features"] = [*shown, {"id": 7}, 3]
        if "no counts" not in self.faults:
            page["numberMatched"] = found + ("wrong counts" in self.faults)
        follow = "0" if "first again" in self.faults else str(start + limit)
        if start + limit < found and "no next" not in self.faults:
            link: dict[str, Any] = {"rel": "next", "method": request.method}
            if request.method == "POST":
                link |= {"href": "search", "body": {"token": follow}, "merge": True}
            else:
                pairs = [p for p in parse_qsl(urlsplit(request.path).query) if p[0] != "token"]
                link["href"] = f"search?{urlencode([*pairs, ('token', follow)])}"
            if "leads away" in self.faults:
                link["href"] = "http://127.0.0.2:9/search"
            page["links"].append(link)
        return page

    def _file(self, request: Request) -> bytes:
        if "needs login" in self.faults:
            return answer({"description": "log in"}, 401)
        if request.method == "HEAD":
            if "no head" in self.faults:
                return b"HTTP/1.1 405 So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            size = len(FILE) + ("wrong length" in self.faults)
            return f"HTTP/1.1 200 So\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n".encode()
        if "whole files" in self.faults:
            return answer(FILE)
        first, last = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
        content = FILE[first : last + 1]
        if "other bytes" in self.faults:
            content = FILE[: last - first + 1]
        if "short ranges" in self.faults:
            content = content[:-1]
        told = f"bytes {first + ('shifted' in self.faults)}-{last}/{len(FILE)}"
        return answer(content, 206, content_range=told)


def _key(item: Mapping[str, Any], order: Sequence[Any]) -> Any:
    return order_key([sort_value(item, each.name) for each in order], order)


def held(count: int) -> list[Item]:
    """Items of two collections, two places and many times and clouds."""
    items = []
    for n in range(count):
        box = ((5.0, 5.0, 6.0, 6.0), (20.0, 20.0, 21.0, 21.0))[n % 2]
        properties = {"eo:cloud_cover": n * 7 % 50, "platform": "sentinel-2a"}
        item = feature(f"i{n * 13 % 40:02}", "cd"[n % 3 == 0], MORNING + n * _DAY, properties, box)
        item["assets"] = {"data": {"href": "files/a.tif", "type": "image/tiff"}}
        items.append(item)
    return items
