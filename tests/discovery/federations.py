"""Federations to try a hub on, and what they promise: the brute-force union of their sites' items.

Few names, times and values make many copies and many ties; sites rename collections, name their
products in a property or do not, and hold one product twice.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.discovery import Hub, Site, SourcePage
from cscale.discovery.hub.translation import PRODUCT, total_order
from cscale.federation import Endpoint, Member
from cscale.identity import Caller
from cscale.stac.evaluation import matcher, order_key, sort_value
from cscale.stac.items import Item, close_body, item_times
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.source import ItemSource
from cscale.stac.times import text_of

NAMES = ("P", "Q", "R", "S")
NATIVES = ("c", "d", "A-C", "x|y")
MINUTES = (0, 0, 0, 14, 15, 28, 30, 120)
MORNING = 1_590_000_000_000_000  # microseconds
WINDOW = 15 * 60 * 1_000_000
DAYS = {"start_datetime": "2020-05-19T00:00:00Z", "end_datetime": "2020-05-22T00:00:00Z"}
PLACES = ((0.0, 0.0, 1.0, 1.0), (20.0, 20.0, 21.0, 21.0))
OWN_PRODUCT = "test:product"
PARTS = frozenset({"collections", "ids", "bbox", "intersects", "datetime", "filter", "q"})
LEAVES = (*[frozenset[str]()] * 3, frozenset({"filter"}), frozenset({"datetime", "ids", "bbox"}),
          frozenset({"sortby"}), PARTS | {"sortby"})  # fmt: skip
"""What archives leave of a search to the hub."""


@dataclass(frozen=True)
class Archive:
    """A site: its entry in the hub's configuration, and what it holds.

    Attributes:
        member: Its entry.
        items: Its items, in its own words.
        page: The longest page it gives.
        leaves: What it leaves of any search to the hub.
    """

    member: Member
    items: Sequence[Item]
    page: int = 1000
    leaves: frozenset[str] = frozenset()


def member(site: str, **told: Any) -> Member:
    return Member(id=site, endpoints=(Endpoint(kind="stac-api", url=f"http://{site}.test/stac"),), **told)


def archives(minutes: Sequence[int] = MINUTES) -> st.SearchStrategy[list[Archive]]:
    """Three sites of a federation."""
    sites = (_archive(site, minutes) for site in ("alpha", "beta", "gamma"))
    return st.tuples(*sites).map(list)


def _archive(site: str, minutes: Sequence[int]) -> st.SearchStrategy[Archive]:
    entry = st.builds(
        lambda collections, product: member(site, collections=collections, product=product),
        st.sampled_from([{}, {"c": "A-C"}, {"c": "A-C", "d": "c"}]),
        st.sampled_from([None, OWN_PRODUCT]),
    )
    return st.builds(
        Archive, entry, held_items(minutes), st.sampled_from([1, 2, 5, 1000]), st.sampled_from(LEAVES)
    )


def held_items(minutes: Sequence[int] = MINUTES) -> st.SearchStrategy[list[Item]]:
    """What one site holds, at some of these minutes."""
    moments = st.sampled_from(minutes).map(lambda minutes: MORNING + minutes * 60_000_000)
    properties = st.fixed_dictionaries(
        {},
        optional={
            OWN_PRODUCT: st.sampled_from(NAMES),
            "eo:cloud_cover": st.sampled_from([0, 10, 10.0, 90]),
            "platform": st.sampled_from(["sentinel-2a", "sentinel-2b"]),
        },
    )
    properties |= properties.map(lambda drawn: drawn | DAYS)
    item = st.builds(
        feature,
        st.sampled_from(NAMES),
        st.sampled_from(NATIVES),
        moments,
        properties,
        st.sampled_from(PLACES),
    )
    return st.lists(item, max_size=9, unique_by=lambda item: (item["collection"], item["id"]))


def feature(
    item_id: str,
    collection: str,
    moment: int,
    properties: Mapping[str, Any],
    box: tuple[float, ...] = PLACES[0],
) -> Item:
    """A STAC Item."""
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": item_id,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(box),
        "properties": {"datetime": text_of(moment), **properties},
        "links": [],
        "assets": {},
        "collection": collection,
    }


@dataclass(frozen=True)
class Shown:
    """A copy as the federation shows it."""

    key: Any
    name: str
    collection: str
    rank: int
    own_id: str
    own_collection: str
    site: str
    time: int

    @property
    def place(self) -> Any:
        return self.key, self.name, self.collection, self.rank, self.own_id, self.time


Expected = tuple[str, str, list[tuple[str, str, str]]]
"""Id and collection of an item, and where its copies lie: site, collection, id."""


def union(sites: Sequence[Archive], request: SearchRequest) -> list[Expected]:
    """What a walk must give: all copies that match, joined, in order."""
    matches, found = matcher(request), []
    for rank, archive in enumerate(sites):
        for item in archive.items:
            found += [each for each in _as_shown(archive, rank, item, request) if matches(each[0])]
    copies = [copy for _, copy in found]
    groups = _joined(copies) if request.duplicates == "join" else [[copy] for copy in copies]
    groups.sort(key=lambda group: min(copy.place for copy in group))
    return [_expected(group) for group in groups]


def _expected(group: list[Shown]) -> Expected:
    preferred = sorted(group, key=lambda copy: (copy.rank, copy.place))
    places = [(copy.site, copy.own_collection, copy.own_id) for copy in preferred]
    return group[0].name, group[0].collection, places


def _as_shown(
    archive: Archive, rank: int, item: Item, request: SearchRequest
) -> Iterator[tuple[Item, Shown]]:
    site, listed = archive.member, {each["collection"] for each in archive.items}
    collection = _shown_collection(site, item["collection"], request.collections)
    if collection is None:
        return
    product = item["properties"].get(site.product) if site.product else None
    name = item["id"] if "|" in collection else product or item["id"]
    shown = item | {"id": name, "collection": collection}
    asked = request.collections
    only_own = asked is not None and all(
        "|" in each for each in asked if _holds(site, each, listed)
    )  # then ids are the names of products, also in an order
    ordered = product if site.product and not only_own else item["id"]
    order = total_order(request).sortby
    by_name = {PRODUCT: ordered, "id": item["id"]}
    values = [
        by_name[field.name] if field.name in by_name else sort_value(shown, field.name) for field in order
    ]
    time = item_times(item)[0]
    assert time is not None
    key = order_key(values, order)
    yield shown, Shown(key, name, collection, rank, item["id"], item["collection"], site.id, time)


def _holds(site: Member, asked: str, listed: set[str]) -> bool:
    prefix, bar, _ = asked.partition("|")
    if bar:
        return prefix == site.id
    return asked in site.collections or (asked in listed and asked not in site.collections.values())


def _shown_collection(site: Member, native: str, asked: tuple[str, ...] | None) -> str | None:
    names = {own: name for name, own in site.collections.items()}
    prefixed = f"{site.id}|{native}"
    clashes = native not in names and (native in site.collections or "|" in native)
    shown = prefixed if clashes else names.get(native, native)
    if asked is None or shown in asked:
        return shown
    return prefixed if prefixed in asked else None


def _joined(copies: Sequence[Shown]) -> list[list[Shown]]:
    """Single linkage: copies of one name and collection, each at most 15 minutes from the next."""
    groups: list[list[Shown]] = []
    for copy in sorted(copies, key=lambda copy: (copy.name, copy.collection, copy.time)):
        last = groups[-1][-1] if groups else None
        same = last and (last.name, last.collection) == (copy.name, copy.collection)
        if same and last and copy.time - last.time <= WINDOW:
            groups[-1].append(copy)
        else:
            groups.append([copy])
    return groups


class Local:
    """An `ItemSource` as a member of a federation, without a network between."""

    def __init__(self, source: ItemSource, page: int = 1000, leaves: frozenset[str] = frozenset()) -> None:
        self._source = source
        self._page = page
        self._leaves = leaves

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        evaluated: dict[str, Any] = dict.fromkeys(self._leaves - {"sortby"})
        if "sortby" in self._leaves:
            evaluated["sortby"] = (SortField("id"),)
        asked = replace(request, token=token, limit=min(request.limit, self._page), **evaluated)
        page = await self._source.search(caller, asked)
        features = [msgspec.Raw(close_body(item.body, b"")) for item in page.items]
        missing = page.extra.get("federation:missing", ())
        return SourcePage(features, page.token, page.matched, missing, self._leaves)

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        listed = await self._source.collections(caller)
        return listed.collections, listed.extra.get("federation:missing", ())

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        return await self._source.queryables(caller, collection_id)

    def item_url(self, collection_id: str, item_id: str) -> str:
        return f"{self.collection_url(collection_id)}/items/{item_id}"

    def collection_url(self, collection_id: str) -> str:
        return f"http://site.test/collections/{collection_id}"


@asynccontextmanager
async def hub_over(sites: Sequence[Archive], inner: Hub | None = None) -> AsyncIterator[Hub]:
    """A hub over these archives, each a catalogue of its own, and before them a hub as a member."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sources = [(member("inner"), Local(inner))] if inner else []
        for archive in sites:
            path = folder / f"{archive.member.id}.sqlite"
            with writing(path) as writer:
                for item in archive.items:
                    writer.put(item)
            catalogue = SqliteCatalogue(path, data_url="http://site.test/data", secret=b"s")
            stack.callback(catalogue.close)
            sources.append((archive.member, Local(catalogue, archive.page, archive.leaves)))
        members = [Site(rank, entry, source) for rank, (entry, source) in enumerate(sources)]
        hub = Hub(members, secret=b"hub")
        yield hub
        await hub.close()
