"""A member that speaks STAC API: searched by POST, paged by its own `next` links.

Free text goes to members that claim to know it, and is left to the hub by the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import msgspec

from cscale.discovery.source import SourcePage
from cscale.errors import SiteError
from cscale.federation import Endpoint
from cscale.federation.profiles import Profiled, unknown
from cscale.identity import Caller
from cscale.net.http import Answer, HttpPool
from cscale.stac.search import SearchRequest

_MAX_PAGES_OF_COLLECTIONS = 100


class _Features(msgspec.Struct):
    features: list[msgspec.Raw]
    links: Any = None
    matched: Any = msgspec.field(name="numberMatched", default=None)
    missing: Any = msgspec.field(name="federation:missing", default=None)


class _Collections(msgspec.Struct):
    collections: list[dict[str, Any]]
    links: Any = None
    missing: Any = msgspec.field(name="federation:missing", default=None)


_FEATURES = msgspec.json.Decoder(_Features)
_COLLECTIONS = msgspec.json.Decoder(_Collections)


class StacApi:
    """A STAC API as a `Source`.

    Args:
        endpoint: Its address.
        http: The connections to use.
        profile: What the site was seen to do.
    """

    def __init__(self, endpoint: Endpoint, http: HttpPool, profile: Profiled = unknown) -> None:
        self._root = endpoint.url.rstrip("/")
        self._http = http
        self._free_text: bool | None = None

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """See `Source.search`."""
        here = request.q is not None and not await self._knows_free_text()
        body = replace(request, q=None).body() if here else request.body()
        if token is None:
            answer = await self._http.request("POST", f"{self._root}/search", json_body=body)
        elif token.startswith("t:"):
            body["token"] = token[2:]
            answer = await self._http.request("POST", f"{self._root}/search", json_body=body)
        else:
            answer = await self._http.request("GET", self._same_origin(token[2:]))
        page = _decoded(answer, _FEATURES)
        left = frozenset({"q"}) if here else frozenset()
        matched, missing = _count(page.matched), _names(page.missing)
        return SourcePage(page.features, self._next(page.links), matched, missing, left)

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`."""
        found: list[dict[str, Any]] = []
        missing: Sequence[str] = ()
        url = f"{self._root}/collections"
        for _ in range(_MAX_PAGES_OF_COLLECTIONS):
            page = _decoded(await self._http.request("GET", url), _COLLECTIONS)
            found += [each for each in page.collections if isinstance(each.get("id"), str) and each["id"]]
            missing = _names(page.missing) or missing
            link = _link(page.links, "next")
            if link is None:
                return found, missing
            url = self._same_origin(link.get("href"))
        raise SiteError(f"its list of collections has more than {_MAX_PAGES_OF_COLLECTIONS} pages")

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `Source.queryables`."""
        where = "" if collection_id is None else f"/collections/{quote(collection_id, safe='')}"
        answer = await self._http.request("GET", f"{self._root}{where}/queryables")
        if answer.status == 404:
            return {}
        schema = _decoded(answer, _SCHEMA)
        return schema.properties if isinstance(schema.properties, dict) else {}

    async def _knows_free_text(self) -> bool:
        """Whether the member claims it; asked once."""
        if self._free_text is None:
            landing = _decoded(await self._http.request("GET", f"{self._root}/"), _LANDING)
            claims = landing.claims if isinstance(landing.claims, list) else []
            self._free_text = any(str(each).endswith(_FREE_TEXT) for each in claims)
        return self._free_text

    def item_url(self, collection_id: str, item_id: str) -> str:
        """See `Source.item_url`."""
        return f"{self.collection_url(collection_id)}/items/{quote(item_id, safe='')}"

    def collection_url(self, collection_id: str) -> str:
        """See `Source.collection_url`."""
        return f"{self._root}/collections/{quote(collection_id, safe='')}"

    def _next(self, links: Any) -> str | None:
        """What leads to the next page: a token (`t:`) where that is all it takes, else an address (`l:`)."""
        link = _link(links, "next")
        if link is None:
            return None
        body = link.get("body")
        if str(link.get("method", "GET")).upper() == "POST":
            token = body.get("token") if isinstance(body, dict) else None
            if not isinstance(token, str):
                raise SiteError("its link to the next page has no token")
            return f"t:{token}"
        href = self._same_origin(link.get("href"))
        tokens = parse_qs(urlsplit(href).query).get("token")
        return f"t:{tokens[0]}" if tokens else f"l:{href}"

    def _same_origin(self, href: object) -> str:
        """An address that a site's answer leads to: at the site, or refused."""
        try:
            address = urljoin(f"{self._root}/search", href) if isinstance(href, str) else ""
            if urlsplit(address)[:2] == urlsplit(self._root)[:2]:
                return address
        except ValueError:  # no address at all
            pass
        raise SiteError(f"its answer leads away from it, to {_line(str(href))[:100]!r}")


_FREE_TEXT = "/item-search#free-text"


class _Landing(msgspec.Struct):
    claims: Any = msgspec.field(name="conformsTo", default=None)


_LANDING = msgspec.json.Decoder(_Landing)


class _Schema(msgspec.Struct):
    properties: Any = None


_SCHEMA = msgspec.json.Decoder(_Schema)


def _decoded(answer: Answer, decoder: msgspec.json.Decoder[Any]) -> Any:
    if answer.status != 200:
        raise SiteError(f"it answered {answer.status}: {_excerpt(answer.body)}")
    try:
        return decoder.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise SiteError(f"its answer is not what STAC API says ({error}): {_excerpt(answer.body)}") from error


def _excerpt(body: bytes) -> str:
    """The start of an answer as one printable line."""
    return _line(body[:300].decode(errors="replace"))[:160]


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _link(links: Any, relation: str) -> dict[str, Any] | None:
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == relation:
            return link
    return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _names(value: Any) -> Sequence[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
