"""Sites to count at: real archives in memory, that count or do not, in several ways."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cscale.discovery import SourcePage
from cscale.discovery.counting import body_of, read_answer
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from tests.discovery.federations import Local
from tests.stac.memory import Memory


@dataclass
class Held:
    """A site: its id, what it holds, and its words.

    Attributes:
        id: Its id.
        items: In the federation's words.
        names: The federation's collection ids to its own.
        counts: Whether it counts: itself, as JSON over a wire, or not at all.
        page: The longest page it gives.
        leaves: What it leaves of a search.
    """

    id: str
    items: Sequence[Item]
    names: Mapping[str, str]
    counts: str = "itself"
    page: int = 1000
    leaves: frozenset[str] = frozenset()

    def own(self, name: str) -> str:
        return self.names.get(name, name)

    def shown(self, asked: tuple[str, ...] | None) -> Any:
        back = {self.own(name): name for name in ("one", "sentinel-2-l2a", "two")}
        return lambda native: back.get(native) if asked is None or back.get(native) in asked else None

    def words(self, search: SearchRequest) -> SearchRequest:
        names = search.collections
        return replace(search, collections=None if names is None else tuple(map(self.own, names)))

    def source(self) -> Local:
        held = [item | {"collection": self.own(item["collection"])} for item in self.items]
        kind = {"itself": Itself, "wire": OverAWire, "no": Local, "other": Otherwise}[self.counts]
        return kind(Memory(held, []), self.page, self.leaves)


class Itself(Local):
    """Counts where it evaluates all of a search."""

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection | None:
        asked = request.search
        parts = (part for part in self._leaves - {"sortby"} if getattr(asked, part) is not None)
        if any(parts):
            return None
        return await self._source.aggregate(caller, request)  # type: ignore[attr-defined,no-any-return]


class OverAWire(Itself):
    """The same, its answer read from JSON."""

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection | None:
        found = await super().aggregate(caller, request)
        if found is None:
            return None
        assert set(request.names) == set(body_of(request)["aggregations"])
        body = {"aggregations": [each.body() for each in found.aggregations], **found.extra}
        return read_answer(msgspec.json.encode(body), request)


class Otherwise(Itself):
    """Counts by longer steps and coarser cells than it was asked for."""

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection | None:
        coarse = dict.fromkeys(("centroid_geohash_grid_frequency", "centroid_geotile_grid_frequency"), 1)
        return await super().aggregate(caller, replace(request, step="year", precision=coarse))


async def first_page(source: Local, request: SearchRequest) -> SourcePage:
    return await source.search(ANONYMOUS, request, None)
