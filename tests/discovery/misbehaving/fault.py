"""What a fault of a site is: which part of its answers it bends, and what a hub can make of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from tests.discovery.misbehaving.wire import Call, Reply

if TYPE_CHECKING:
    from asyncio import StreamWriter

    from tests.discovery.misbehaving.site import Misbehaving

Harm = Literal["none", "may", "must"]
"""What a hub can make of it: all is there all the same; it may be that the site is named as missing, and
must be if anything is; the site must be named."""


class Cut(Exception):
    """Nothing more is sent, and the connection is closed."""


@dataclass(frozen=True)
class Search:
    """A search as a site reads it.

    Attributes:
        call: The request.
        given: Its parameters as they came, without those that say the page.
        request: What it asks for.
        position: How many items stand before the page.
        number: The page's number, where that was said instead.
    """

    call: Call
    given: dict[str, Any]
    request: SearchRequest
    position: int = 0
    number: int | None = None

    @property
    def is_first_page(self) -> bool:
        return self.position == 0 and self.number in (None, 1)


@dataclass
class Page:
    """A page of an answer, to be bent by faults.

    Attributes:
        found: All that match, in order.
        position: How many of them stand before the page.
        features: What is on it.
        next: The position of the page after it; None on the last.
    """

    found: Sequence[Item]
    position: int
    features: list[Any] = field(default_factory=list)
    next: int | None = None


@dataclass
class Fault:
    """One way in which a site is not as it should be; this one is none. For one site alone."""

    harm: ClassVar[Harm] = "none"
    """What a hub can make of it."""
    is_slow: ClassVar[bool] = False
    """Whether a hub finds out only when the site's time is over."""
    miscounts: ClassVar[bool] = False
    """Whether the site's count of all that match is wrong by it."""

    @property
    def forgets(self) -> frozenset[str]:
        """The parameters that it does not look at."""
        return frozenset()

    @property
    def unclaimed(self) -> frozenset[str]:
        """The parameters that it does not claim to know."""
        return frozenset()

    @property
    def longest(self) -> int | None:
        """The longest page."""
        return None

    def refusal(self, site: "Misbehaving", search: Search) -> Reply | None:
        """The answer to a search that it does not take."""
        return None

    def paged(self, search: Search, page: Page) -> None:
        """Bend a page."""

    def answered(self, search: Search, page: Page, reply: Reply) -> Reply:
        """Bend an answer."""
        return reply

    async def delivered(self, site: "Misbehaving", call: Call, reply: Reply, writer: "StreamWriter") -> Reply:
        """Bend how any answer is sent.

        Raises:
            Cut: If nothing more is to be sent.
        """
        return reply


async def never() -> None:
    """Wait until the connection is broken off."""
    await asyncio.Event().wait()
