"""Sites asked to count, and counted where they do not: by reading their items, up to a budget."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from cscale.discovery.counting.tally import Shown, Tally, Unfit, asked_of_a_site
from cscale.discovery.source import Source, SourcePage
from cscale.errors import BadInput, SiteError
from cscale.identity import Caller
from cscale.stac.aggregation import AggregateRequest, AggregationCollection
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.evaluation import matcher
from cscale.stac.items import item_times
from cscale.stac.search import MAX_LIMIT, SearchRequest

T = TypeVar("T")

BUDGET = 10_000
"""How many items of a site that does not count are read."""
_PORTION = 100  # items, then others may run


@runtime_checkable
class Aggregating(Protocol):
    """What a `Source` may offer beside its protocol: its site counts."""

    async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection | None:
        """How many items match there, in its own words.

        Args:
            caller: Who is asking.
            request: With the site's own collection ids; `asked_of_a_site` are its names.

        Returns:
            The counts; in `extra` under `federation:missing` the members missing from them, if the site is
            a hub. None where the site does not count, or leaves a part of the search.

        Raises:
            SiteError: If the site does not answer properly.
        """
        ...


@dataclass
class Told:
    """How a site has answered.

    Attributes:
        partial: Why not all that it holds is counted; None where all is.
        missing: The members that are missing from its answer, if it is a hub.
        rejected: How many of its items were left out because they are not valid.
        unasked: How many were left out because they are not what was asked for.
        harvested_at: When what it answers with was read from the site.
    """

    partial: str | None = None
    missing: set[str] = field(default_factory=set)
    rejected: int = 0
    unasked: int = 0
    harvested_at: str | None = None


async def _at_once(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


class Counting:
    """One count over many sites.

    Args:
        caller: Who is asking.
        request: What is asked for, in the federation's words.
        budget: How many items of a site are read that does not count.
    """

    def __init__(self, caller: Caller, request: AggregateRequest, budget: int = BUDGET) -> None:
        self._caller = caller
        self._request = request
        self._budget = budget
        self._tally = Tally(request)

    async def count(
        self,
        site: str,
        source: Source,
        search: SearchRequest,
        shown: Shown,
        within: Callable[[Callable[[], Awaitable[T]]], Awaitable[T]] | None = None,
    ) -> Told:
        """Add what a site holds.

        Args:
            site: Its id.
            source: Its interface.
            search: The search in its words.
            shown: Its collection ids to those they are shown under; None for one that was not asked for.
            within: Awaits each answer until the site's time is over.

        Returns:
            How it has answered.

        Raises:
            SiteError: If it has told nothing.
        """
        ask: Any = within or _at_once
        request = replace(self._request, search=search, names=asked_of_a_site(self._request))
        if isinstance(source, Aggregating):
            told = await self._asked(site, source, request, shown, ask)
            if told is not None:
                return told
        walk = _Walk(self._request, search, site, shown)
        try:
            await walk.run(source, self._caller, ask, self._budget)
        except SiteError as error:
            if not walk.tally.total:
                raise
            walk.told.partial = (
                f"it does not count; only {walk.tally.total:,} of its items were counted: {error}"
            )
        self._tally.join(walk.tally)
        return walk.told

    def add(self, site: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Add items of a site that have been read already, in the federation's words."""
        self._tally.add(site, _counted(items, self._request), lambda name: name)

    def answer(self, extra: Mapping[str, Any] | None = None) -> AggregationCollection:
        """What was counted.

        Args:
            extra: Members that stand beside the aggregations, as who has answered.
        """
        return self._tally.answer(extra)

    async def _asked(
        self, site: str, source: Aggregating, request: AggregateRequest, shown: Shown, ask: Any
    ) -> Told | None:
        """How a site has counted; None where it does not, or counts in a way of its own."""
        answer: AggregationCollection | None
        answer = await ask(lambda: source.aggregate(self._caller, request))
        if answer is None:
            return None
        tally = Tally(self._request)
        try:
            tally.add(site, answer.aggregations, shown)
        except Unfit:
            return None
        self._tally.join(tally)
        told = Told(missing=set(answer.extra.get("federation:missing", ())))
        if tally.cut:
            told.partial = f"it tells only the most frequent values of {', '.join(sorted(tally.cut))}"
        return told


def _counted(items: Iterable[Mapping[str, Any]], request: AggregateRequest) -> Any:
    # by the hour, so that what is counted in portions can be added up and shown in longer steps
    step = request.step or "hour"
    plain = replace(request, search=SearchRequest(), names=asked_of_a_site(request), step=step)
    return aggregate(items, plain).aggregations


_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Head(msgspec.Struct):
    """What an item must have to be one, and what is counted of it."""

    type: Literal["Feature"]
    id: _Name
    collection: _Name
    properties: dict[str, Any]
    assets: dict[str, dict[str, msgspec.Raw]]
    geometry: Any = None
    bbox: Any = None


_HEAD = msgspec.json.Decoder(_Head)


class _Walk:
    """The items of one site, read page by page and counted."""

    def __init__(self, request: AggregateRequest, search: SearchRequest, site: str, shown: Shown) -> None:
        self.tally = Tally(request)
        self.told = Told()
        self._request = request
        self._search = replace(search, limit=MAX_LIMIT, duplicates="keep", token=None)
        self._site = site
        self._shown = shown
        self._looked_at = 0

    async def run(self, source: Source, caller: Caller, ask: Any, budget: int) -> None:
        """Read on until all is counted or the budget is spent."""
        token: str | None = None
        before: set[str] = set()
        while True:
            page: SourcePage = await ask(lambda token=token: source.search(caller, self._search, token))
            exact = await self._count(page)
            if not before and exact and self._is_told(page):
                return
            token = page.token
            if token is None:
                return
            if token in before:
                raise SiteError("its next page is one that came before")
            before.add(token)
            if self._looked_at >= budget:
                held = "" if page.matched is None or page.left else f" {page.matched:,}"
                self.told.partial = (
                    f"it does not count; only {self._looked_at:,} of its{held} items were looked at"
                )
                return

    def _is_told(self, page: SourcePage) -> bool:
        """Whether the site has said how many match, and nothing else is asked for."""
        if set(self._request.names) != {"total_count"} or page.matched is None or page.left:
            return False
        more = page.matched - self.tally.total
        if page.token is None or more <= 0:
            return page.token is None
        self.tally.add_total(self._site, more)
        return True

    async def _count(self, page: SourcePage) -> bool:
        """Count a page; whether all that it holds is what was asked for."""
        told = self.told
        told.missing |= set(page.missing)
        told.rejected += page.rejected
        told.harvested_at = page.harvested_at or told.harvested_at
        told.partial = page.partial or told.partial
        features, left_out = list(page.features), told.rejected + told.unasked
        self._looked_at += len(features)
        # what free text finds, a site that knows it decides: its words may be stemmed
        search = self._search if "q" in page.left else replace(self._search, q=None)
        accepts = matcher(search)
        natural = bool(page.left - {"sortby"})  # where it says so, what does not match is no fault
        for start in range(0, len(features), _PORTION):
            some = features[start : start + _PORTION]
            items = [item for raw in some if (item := self._item(raw, accepts, natural=natural))]
            self.tally.add(self._site, _counted(items, self._request), self._shown)
            await asyncio.sleep(0)
        return told.rejected + told.unasked == left_out

    def _item(
        self, raw: msgspec.Raw, accepts: Callable[[Mapping[str, Any]], bool], *, natural: bool
    ) -> Mapping[str, Any] | None:
        """What is counted of an item; None where it is none, or none that was asked for."""
        try:
            head = _HEAD.decode(raw)
            item = {
                "id": head.id,
                "collection": head.collection,
                "properties": head.properties,
                "geometry": head.geometry,
                "bbox": head.bbox,
            }
            valid = item_times(item)[0] is not None
            matches = valid and self._shown(head.collection) is not None and accepts(item)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadInput):
            valid = matches = False
        self.told.rejected += not valid
        self.told.unasked += valid and not matches and not natural
        return item if matches else None
