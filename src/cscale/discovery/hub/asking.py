"""One member asked within its time, and what its answer counts for: its status in `federation`."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from cscale.discovery.hub.joining import PLACE, Held
from cscale.discovery.hub.merge import Copy, Product, Rank, Run
from cscale.discovery.hub.remainder import MOST, ORDER, remainder
from cscale.discovery.hub.translation import BAR, PRODUCT, Translation
from cscale.discovery.source import Source
from cscale.errors import BadInput, SiteError, SiteTimeout
from cscale.federation import Member
from cscale.identity import Caller
from cscale.stac.evaluation import Value, order_key, sort_value, sortable
from cscale.stac.items import item_times, property_value
from cscale.stac.search import SearchRequest

T = TypeVar("T")
State = Literal["ok", "partial", "error", "timeout", "skipped"]


@dataclass(frozen=True)
class Site:
    """A member, ready to be asked.

    Attributes:
        rank: Its place in the configuration.
        member: Its entry there.
        source: Its interface.
    """

    rank: int
    member: Member
    source: Source

    @property
    def translation(self) -> Translation:
        """Its words."""
        return Translation(self.member)


@dataclass
class Status:
    """Who answered, and how: one entry of `federation.sites`.

    Attributes:
        id: The site's id.
        state: How it answered; `skipped` where it had not to be asked.
        reason: Why it is not `ok`.
        matched: How many match there, if it says so.
        returned: How many of its copies are in this answer.
        rejected: How many of its items were left out because they are not valid.
        broken: Whether it did not answer, or not to the end.
        missing: Members missing from its answer, if it is a hub.
        elapsed_ms: How long it was waited for.
    """

    id: str
    state: State = "ok"
    reason: str | None = None
    matched: int | None = None
    returned: int | None = None
    rejected: int = 0
    broken: bool = False
    missing: list[str] = field(default_factory=list)
    elapsed_ms: int | None = None

    def failed(self, error: SiteError, *, gave_some: bool = False) -> None:
        """Note that the site did not answer (to the end)."""
        self.broken = True
        self.state = "timeout" if isinstance(error, SiteTimeout) else "error"
        self.reason = str(error)
        if gave_some:
            self.state, self.reason = "partial", f"only its first items: {error}"

    def partly(self, reason: str) -> None:
        """Note that not all of its items could be looked at."""
        self.broken = True
        self.state, self.reason = "partial", reason

    def inner_missing(self, names: list[str]) -> None:
        """Note that the site, a hub, misses members itself."""
        self.missing = sorted({*self.missing, *names})
        if names and self.state == "ok":
            self.state, self.reason = "partial", f"its own members {', '.join(self.missing)} are missing"

    def asked_again(self, again: "Status") -> None:
        """Note how the site answered when it was asked for more copies of what it had answered with."""
        self.inner_missing(again.missing)
        if again.broken and not self.broken:
            self.broken = True
            self.state, self.reason = "partial", f"perhaps not all copies: {again.reason}"

    def body(self) -> dict[str, Any]:
        """The entry as JSON."""
        shown = {name: getattr(self, name) for name in ("id", "state", "reason", "matched", "returned")}
        if self.state in ("ok", "partial"):
            shown["rejected"] = self.rejected
        shown["elapsed_ms"] = self.elapsed_ms
        return {name: value for name, value in shown.items() if value is not None}


def missing_names(statuses: list[Status]) -> list[str]:
    """`federation:missing`: the sites in error, timeout or partial; a hub's members as `inner/beta`."""
    names: list[str] = []
    for status in statuses:
        names += [status.id] if status.broken else []
        names += [f"{status.id}/{name}" for name in status.missing]
    return names


_PORTIONS = 4
_PORTION = 10  # items at least


class Asking:
    """One site during one search: its status, its run of copies, its deadline.

    Args:
        site: The site.
        caller: Who is asking.
        request: The search in the site's words; None to skip the site.
        shown_order: The search in the federation's words.
        token: The site's own token to begin at; None for its first page.
        since: When its time began, by the monotonic clock; None for now.
    """

    def __init__(
        self,
        site: Site,
        caller: Caller,
        request: SearchRequest | None,
        shown_order: SearchRequest,
        token: str | None = None,
        since: float | None = None,
    ) -> None:
        self.site = site
        self.status = Status(site.member.id)
        self.run = Run(site.member.name)
        self._caller = caller
        self._request = request
        self._shown_order = shown_order
        self._names = site.translation.collections(shown_order.collections)
        self._product = site.translation.product(self._names)
        self._since = time.monotonic() if since is None else since
        self._next = token
        self._pages: list[tuple[str | None, list[Copy]]] = []
        self._unread: deque[msgspec.Raw] = deque()  # of the last page
        self._accepts: Callable[[Mapping[str, Any]], bool] | None = None
        if request is None:
            self.run.done = True
            self.status.state, self.status.reason = "skipped", "holds none of the collections asked for"

    def go_on_from(self, before: Status) -> None:
        """Note how the site answered to what had to be known first; without that it cannot be asked."""
        self.status.inner_missing(before.missing)
        if before.broken:
            self.status, self.run.done = before, True

    def again(self, request: SearchRequest | None) -> "Asking":
        """The same site asked something else in the course of the same search, by the same deadline."""
        return Asking(self.site, self._caller, request, self._shown_order, since=self._since)

    async def grow(self) -> None:
        """Read on, and where all has been read ask for one more page; a site that fails is done.

        A page is read in portions: of what several sites send, most stands behind the page wanted.
        """
        if self.run.done or self._request is None:
            return
        try:
            if not self._unread and ORDER in await self._ask(self._request):
                await self._read_all(self._request)
            else:
                self._read(max(_PORTION, self._request.limit // _PORTIONS))
        except SiteError as error:
            self.status.failed(error, gave_some=bool(self.run.copies))
            self.run.done = True

    async def _ask(self, request: SearchRequest) -> frozenset[str]:
        """Ask for the next page; what the site has left of the request."""
        token = self._next
        page = await self.within(lambda: self.site.source.search(self._caller, request, token))
        self._pages.append((token, []))
        self._unread.extend(page.features)
        self._accepts = remainder(request, page.left)
        self.status.inner_missing(list(page.missing))
        self.status.rejected += page.rejected
        if page.matched is not None and self.status.matched is None and self._accepts is None:
            self.status.matched = page.matched
        self._next = page.token
        return page.left

    async def _read_all(self, request: SearchRequest) -> None:
        """Take all that a site has which does not put it in order, as far as that is bearable."""
        while self._next is not None and len(self._unread) < MOST:
            await self._ask(request)
        if self._next is not None:
            self.status.partly(f"it does not sort; only {len(self._unread):,} of its items were put in order")
            self._next = None
        copies = sorted(self._copies(self._unread), key=lambda copy: copy.rank)
        self._unread.clear()
        self._pages = [(None, copies)]
        self.run.extend(copies)
        self.run.done = True

    def _read(self, items: int) -> None:
        """Take the next items of the page at hand."""
        portion = [self._unread.popleft() for _ in range(min(items, len(self._unread)))]
        copies = self._copies(portion)
        if self._pages:
            self._pages[-1][1].extend(copies)
        self.run.extend(copies)
        self.run.done = self._next is None and not self._unread

    async def within(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Await an answer until the site's time is over.

        Raises:
            SiteTimeout: If it has not come by then.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(max(self._since + self.site.member.timeout - started, 0)):
                return await ask()
        except TimeoutError as error:
            raise SiteTimeout(f"no answer within {self.site.member.timeout:g} s") from error
        finally:
            waited = round((time.monotonic() - started) * 1000)
            self.status.elapsed_ms = (self.status.elapsed_ms or 0) + waited

    def token_at(self, position: Rank) -> str | None:
        """The site's token of the page that holds the first copy beyond a position; None: its first."""
        for token, copies in self._pages:
            unread = self._unread if copies is self._pages[-1][1] else ()
            if unread or any(copy.rank > position for copy in copies):
                return token
        return self._next or (self._pages[-1][0] if self._pages else None)

    def _copies(self, features: Iterable[msgspec.Raw]) -> list[Copy]:
        copies = []
        for raw in features:
            copy = self._copy(raw)
            if copy is None:
                self.status.rejected += 1
            elif self._accepts is None or self._accepts(msgspec.json.decode(raw)):
                copies.append(copy)
        return copies

    def _copy(self, raw: msgspec.Raw) -> Copy | None:
        """An item that came; None if it is none, or none that was asked for."""
        try:
            head = _HEAD.decode(raw)
            properties = head.properties | head.place
            moment = item_times({"properties": properties})[0]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadInput):
            return None
        shown = self._shown(head.collection)
        if moment is None or shown is None:
            return None
        product = Product(head.id if BAR in shown else self._product_name(head), shown)
        item = {"id": head.id, "collection": shown, "properties": properties}
        order = self._shown_order.sortby
        values = tuple(
            self._name_in_order(head) if field.name == PRODUCT else sort_value(item, field.name)
            for field in order
        )
        rank = Rank(order_key(values, order), product, self.site.rank, head.id, moment)
        return Copy(rank, values, self._held(head, raw))

    def _shown(self, native: str) -> str | None:
        return self.site.translation.shown(native) if self._names is None else self._names.get(native)

    def _product_name(self, head: "_Head") -> str:
        name = property_value({"properties": head.properties}, self._product) if self._product else None
        return name if isinstance(name, str) and name else head.id

    def _name_in_order(self, head: "_Head") -> Value:
        """By what the site sorts where an order goes by the product's name."""
        if "id" in head.place:
            return sortable(head.place["id"])
        return sort_value({"properties": head.properties, "id": head.id}, self._product or "id")

    def _held(self, head: "_Head", raw: msgspec.Raw) -> Held:
        member = self.site.member
        url = self.site.source.item_url(head.collection, head.id)
        return Held(member.id, member.name, head.collection, head.id, url, raw)


_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Head(msgspec.Struct):
    """What an item must have, as far as the merge and its readers need it."""

    type: Literal["Feature"]
    id: _Name
    collection: _Name
    properties: dict[str, Any]
    assets: dict[str, dict[str, msgspec.Raw]]
    place: dict[str, Any] = msgspec.field(name=PLACE, default_factory=dict)


_HEAD = msgspec.json.Decoder(_Head)
