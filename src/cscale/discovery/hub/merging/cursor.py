"""The hub's cursor: where a walk stands, sealed, with nothing kept at the hub.

In an order by time the position is all: every site is asked anew from `WIDEST` before it. In another
order a site is asked anew by its own token for the page that holds the position.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cscale.discovery.hub.merging.merge import Product, Rank
from cscale.net.signing import Signer
from cscale.stac.evaluation import Value, order_key
from cscale.stac.search import SearchRequest


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a walk stands: at the first copy of the last product shown.

    Attributes:
        values: Its sort values.
        rank: Its rank, in the order of the request.
        tokens: By site id, the site's own token of the page to go on with; a site that is not here is
            read from its first page.
    """

    values: tuple[Value, ...]
    rank: Rank
    tokens: Mapping[str, str] = field(default_factory=dict)

    def seal(self, request: SearchRequest, signer: Signer) -> str:
        """The cursor as a token for this request."""
        _, *place = self.rank
        return request.seal([self.values, *place, dict(self.tokens)], signer)


def open_cursor(request: SearchRequest, signer: Signer) -> Cursor | None:
    """The cursor of a request; None on a walk's first page.

    Raises:
        BadCursor: If its token was not made by this hub for this search.
    """
    position = request.opened(signer)
    if position is None:
        return None
    values, product, site, item_id, time, tokens = position
    rank = Rank(order_key(values, request.sortby), Product(*product), site, item_id, time)
    return Cursor(tuple(values), rank, tokens)
