"""A provider of EODAG as a `Source`: asked in threads, as EODAG is synchronous."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import msgspec

from cscale.discovery.eodag.translation import (
    UNCERTAIN,
    arguments,
    collection_of,
    item_of,
    sorted_by_time,
)
from cscale.discovery.source import SourcePage
from cscale.errors import BadConfiguration, BadCursor, BadInput
from cscale.federation import Endpoint
from cscale.federation.profiles import Profiled, unknown
from cscale.identity import Caller
from cscale.net.http import HttpPool
from cscale.stac.search import SearchRequest

if TYPE_CHECKING:
    from cscale.discovery.eodag.gateway import Gateway

T = TypeVar("T")
_THREADS = 4
_ORDER = frozenset({"sortby"})


class _Place(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Where a walk stands.

    Attributes:
        collection: The collection that is read.
        token: EODAG's token of the page: its number, how many to skip, or the provider's own.
        key: What EODAG calls that token.
    """

    collection: str
    token: str | None = None
    key: str | None = None


class Eodag:
    """A provider that EODAG knows as a `Source`.

    Its collections have EODAG's ids (`S2_MSI_L2A`). They are read one after the other, so only a search
    in one of them comes in order, and only where the provider sorts by time.

    Args:
        endpoint: `eodag://PROVIDER`; or the address of an EODAG configuration file and the provider in it,
            `file:///etc/cscale/eodag.yml#PROVIDER`.
        http: Not used: EODAG has its own connections.
        profile: What the site was seen to do.
        folder: Where EODAG keeps its files; None for a temporary one.

    Raises:
        BadConfiguration: If EODAG is not installed, or the address names no provider.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        http: HttpPool,
        profile: Profiled = unknown,
        *,
        folder: Path | None = None,
    ) -> None:
        if find_spec("eodag") is None:
            raise BadConfiguration(f"{endpoint.url}: this needs EODAG: pip install 'cscale[eodag]'")
        parts = urlsplit(endpoint.url)
        own = parts.scheme == "file"
        self._provider = unquote(parts.fragment if own else parts.netloc)
        if not self._provider or parts.scheme not in ("eodag", "file"):
            raise BadConfiguration(
                f"{endpoint.url!r} names no provider of EODAG; "
                "write eodag://PROVIDER, or file:///FOLDER/FILE.yml#PROVIDER"
            )
        self._settings = Path(unquote(parts.path)) if own else None
        self._folder = folder
        self._threads = ThreadPoolExecutor(_THREADS, f"eodag-{self._provider}")
        self._here = threading.local()

    async def search(self, caller: Caller, request: SearchRequest, token: str | None) -> SourcePage:
        """See `Source.search`."""
        return await self._in_thread(lambda gateway: self._search(gateway, request, token))

    async def collections(self, caller: Caller) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
        """See `Source.collections`."""
        told = await self._in_thread(lambda gateway: gateway.collections())
        return [collection_of(each) for each in told.values()], ()

    async def queryables(self, caller: Caller, collection_id: str | None) -> Mapping[str, Any]:
        """See `Source.queryables`; none are told: the hub evaluates filters itself."""
        return {}

    def item_url(self, collection_id: str, item_id: str) -> str:
        """A name for the item: EODAG knows no addresses of items."""
        return f"{self.collection_url(collection_id)}/{quote(item_id, safe='')}"

    def collection_url(self, collection_id: str) -> str:
        """A name for the collection: EODAG knows no addresses of collections."""
        return f"eodag://{quote(self._provider, safe='')}/{quote(collection_id, safe='')}"

    async def _in_thread(self, ask: Callable[["Gateway"], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._asked, ask)

    def _asked(self, ask: Callable[["Gateway"], T]) -> T:
        """Ask this thread's own EODAG, which is made when it is first needed."""
        from cscale.discovery.eodag.gateway import Gateway  # an optional extra, and slow to import

        gateway: Gateway | None = getattr(self._here, "gateway", None)
        if gateway is None:
            gateway = self._here.gateway = Gateway(self._provider, self._settings, self._folder)
        return ask(gateway)

    def _search(self, gateway: "Gateway", request: SearchRequest, token: str | None) -> SourcePage:
        known = gateway.collections()
        wanted = known if request.collections is None else request.collections
        names = sorted(name for name in wanted if name in known)
        if not names:
            return SourcePage([])
        place = _read(token, names)
        page = gateway.page(
            place.collection,
            min(request.limit, gateway.offer.longest),
            (place.token, place.key),
            arguments(request, gateway.offer),
        )
        items, rejected = [], 0
        for product in page.products:
            try:
                if product is None:
                    raise BadInput("a product that cannot be read")
                items.append(item_of(*product, place.collection))
            except BadInput:
                rejected += 1
        ordered = len(names) == 1 and gateway.offer.sorts and sorted_by_time(request)
        return SourcePage(
            items,
            _next(place, names, page.token, page.key),
            matched=page.matched if len(names) == 1 else None,
            left=UNCERTAIN if ordered else UNCERTAIN | _ORDER,
            rejected=rejected,
        )


def _read(token: str | None, names: Sequence[str]) -> _Place:
    if token is None:
        return _Place(names[0])
    try:
        place = msgspec.json.decode(token, type=_Place)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadCursor("token: not one of this source") from error
    if place.collection not in names:
        raise BadCursor("token: made for other collections")
    return place


def _next(place: _Place, names: Sequence[str], token: str | None, key: str | None) -> str | None:
    """The next page of the collection, or the first one of the next."""
    if token is not None:
        return msgspec.json.encode(_Place(place.collection, token, key)).decode()
    following = names.index(place.collection) + 1
    if following == len(names):
        return None
    return msgspec.json.encode(_Place(names[following])).decode()
