"""The walk through a static catalogue: each document once, some at a time, bounded in depth and number."""

import asyncio
import hashlib
import logging
import os
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from cscale.discovery.stac_static.documents import Document, Kind, identifier, links_of, read_document
from cscale.discovery.stac_static.places import Outside, Place
from cscale.errors import BadInput, NotFound, SiteError
from cscale.identity import Caller

log = logging.getLogger(__name__)

AT_ONCE = 8
"""How many documents are fetched at a time."""
DEEPEST = 50
"""How many links a document may be away from the first one."""
MOST = 5_000_000
"""How many documents a catalogue may have."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document, and where it stands.

    Attributes:
        address: Where it was read.
        depth: How many links it is away from the first one.
        above: The id of the nearest collection above it, else of the first document.
        in_collection: Whether a collection stands above it.
        kind: What it is.
        document: The document.
    """

    address: str
    depth: int
    above: str
    in_collection: bool
    kind: Kind
    document: Document


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A document to be read."""

    address: str
    depth: int
    above: str
    in_collection: bool


class Walk:
    """One walk.

    Args:
        place: Where the catalogue lies.
        caller: Who is asking.
        items: Whether items are read, too, or only what stands above them.

    Attributes:
        rejected: How many documents, or links, were left out.
    """

    def __init__(self, place: Place, caller: Caller, *, items: bool) -> None:
        self._place = place
        self._caller = caller
        self._relations = ("child", "item") if items else ("child",)
        self._waiting: deque[_Ahead] = deque()
        self._seen: set[int] = set()
        self._key = os.urandom(16)  # so that nobody can make two addresses that look like one
        self.rejected = 0

    async def documents(self) -> AsyncGenerator[Found, None]:
        """All documents, in no order.

        Raises:
            SiteError: If one cannot be fetched, or the bounds are reached: then the walk is not whole.
        """
        first = self._place.start
        self._is_new(first)
        self._waiting.append(_Ahead(first, 0, "", in_collection=False))
        under_way: set[asyncio.Task[Found | None]] = set()
        try:
            while self._waiting or under_way:
                while self._waiting and len(under_way) < AT_ONCE:
                    # The last one first: what waits stays short where a catalogue branches out.
                    under_way.add(asyncio.create_task(self._read(self._waiting.pop())))
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    found = task.result()
                    if found is not None:
                        yield self._entered(found)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def leave_out(self, where: str, why: object) -> None:
        """Count what is left out."""
        self.rejected += 1
        log.debug("%s: left out: %s", where, why)

    async def _read(self, ahead: _Ahead) -> Found | None:
        """A document; None where it is left out. The first one must be there."""
        try:
            kind, document = read_document(await self._place.read(ahead.address, self._caller))
        except (BadInput, NotFound) as error:
            if ahead.depth == 0:
                raise SiteError(f"{ahead.address}: {error}") from error
            self.leave_out(ahead.address, error)
            return None
        except SiteError as error:
            said = str(error)
            if ahead.address in said:
                raise
            raise type(error)(f"{ahead.address}: {said}") from error
        return Found(ahead.address, ahead.depth, ahead.above, ahead.in_collection, kind, document)

    def _entered(self, found: Found) -> Found:
        """A document, after what it links to has been noted."""
        name = identifier(found.document)
        if found.kind == "collection" and name is None:
            self.leave_out(found.address, "a collection without an id")
        if (found.kind == "collection" and name) or (found.depth == 0 and found.kind != "item"):
            found = replace(found, above=name or "catalog", in_collection=found.kind == "collection")
        if found.kind in ("collection", "catalog"):
            self._note_links(found)
        return found

    def _note_links(self, found: Found) -> None:
        try:
            links = list(links_of(found.document, *self._relations))
        except BadInput as error:
            self.leave_out(found.address, error)
            return
        for _, href in links:
            try:
                address = self._place.follow(href, found.address)
            except Outside as error:
                self.leave_out(found.address, error)
                continue
            if self._is_new(address):
                self._check_bounds(found)
                self._waiting.append(_Ahead(address, found.depth + 1, found.above, found.in_collection))

    def _check_bounds(self, found: Found) -> None:
        if found.depth >= DEEPEST:
            raise SiteError(f"{found.address}: its links lead more than {DEEPEST} steps deep")
        if len(self._seen) > MOST:
            raise SiteError(f"{self._place.start}: it has more than {MOST:,} documents")

    def _is_new(self, address: str) -> bool:
        """Whether an address comes for the first time; only a digest of it is kept."""
        digest = hashlib.blake2b(
            address.encode(errors="surrogatepass"), digest_size=8, key=self._key
        ).digest()
        number = int.from_bytes(digest)
        if number in self._seen:
            return False
        self._seen.add(number)
        return True
