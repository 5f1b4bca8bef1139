"""Sites that say what a test wants, and the source over them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cscale.discovery.source import SourcePage
from cscale.discovery.stac_api import StacApi
from cscale.federation import Endpoint
from cscale.federation.profiles import Profile
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest
from tests.scripted import Request, Scripted, answer, scripted

SEARCH = SearchRequest(collections=("c",), limit=3)
EMPTY: dict[str, Any] = {"type": "FeatureCollection", "features": []}
_SEARCH = "https://api.stacspec.org/v1.0.0/item-search"
_CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
CORE = ["https://api.stacspec.org/v1.0.0/core", _SEARCH]
SORT, FILTER, QUERY = [f"{_SEARCH}#sort"], [f"{_SEARCH}#filter"], [f"{_SEARCH}#query"]
TEXT = ["https://api.stacspec.org/v1.0.0-rc.1/item-search#free-text"]
CQL2 = [f"{_CQL2}/{name}" for name in (
    "cql2-json", "cql2-text", "basic-cql2", "advanced-comparison-operators", "property-property",
    "case-insensitive-comparison", "accent-insensitive-comparison", "basic-spatial-functions",
    "spatial-functions", "temporal-functions", "array-functions",
)]  # fmt: skip
ALL = [*CORE, *SORT, *FILTER, *QUERY, *TEXT, *CQL2]


def item(item_id: str = "a", **members: Any) -> dict[str, Any]:
    """A good item."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
        "bbox": [1.0, 2.0, 1.0, 2.0],
        "properties": {"datetime": "2020-05-20T10:00:00Z"},
        "links": [],
        "assets": {"red": {"href": "https://files.test/red.tif"}},
        "collection": "c",
    } | members


@asynccontextmanager
async def member(
    respond: Callable[[Request], bytes | None], profile: Profile | None = None, path: str = "/stac/"
) -> AsyncIterator[tuple[StacApi, Scripted]]:
    """A site that answers as a function says."""
    http = HttpPool()
    async with scripted(respond) as server:
        try:
            yield StacApi(Endpoint(kind="stac-api", url=server.url + path), http, lambda: profile), server
        finally:
            await http.close()


def site(claims: list[str], search: Callable[[Request], bytes]) -> Callable[[Request], bytes]:
    """A site with a landing page that claims something, and a search."""

    def respond(request: Request) -> bytes:
        if request.path in ("/stac/", "/stac/conformance"):
            return answer({"conformsTo": claims, "links": []})
        return search(request)

    return respond


async def searched(body: object, token: str | None = None, **headers: str) -> SourcePage:
    """What the source makes of one answer."""
    async with member(lambda _: answer(body, 200, **headers)) as (source, _):
        return await source.search(ANONYMOUS, SEARCH, token)


def searches(server: Scripted) -> list[Request]:
    """The searches that a server was asked."""
    return [each for each in server.asked if each.path.split("?")[0].endswith("/search")]
