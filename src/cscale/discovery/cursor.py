"""The hub's cursor: where a walk stands, sealed, with nothing kept at the hub.

In an order by time the position is all: every site is asked anew from `WINDOW` before it. In another
order a site is asked anew by its own token for the page that holds the position.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from cscale.discovery.merge import Product, Rank
from cscale.errors import BadCursor
from cscale.net.signing import Signer
from cscale.stac.evaluation import Value, order_key
from cscale.stac.search import SearchRequest


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a walk stands.

    Attributes:
        values: The sort values of the last product shown.
        product: That product.
        site: The place in the configuration of the site with its first copy.
        time: Its place in time, microseconds since 1970.
        tokens: By site id, the site's own token of the page to go on with; a site that is not here is
            read from its first page.
    """

    values: tuple[Value, ...]
    product: Product
    site: int
    time: int
    tokens: Mapping[str, str] = field(default_factory=dict)

    def rank(self, request: SearchRequest) -> Rank:
        """The position as a rank of this request's order."""
        return Rank(order_key(self.values, request.sortby), self.product, self.site)

    def seal(self, request: SearchRequest, signer: Signer) -> str:
        """The cursor as a token for this request."""
        packed = [request.digest(), self.values, self.product, self.site, self.time, dict(self.tokens)]
        return signer.seal(msgspec.msgpack.encode(packed))


def open_cursor(request: SearchRequest, signer: Signer) -> Cursor | None:
    """The cursor of a request; None on a walk's first page.

    Raises:
        BadCursor: If its token was not made by this hub for this search.
    """
    if request.token is None:
        return None
    payload = signer.open(request.token)
    if payload is None:
        raise BadCursor("token: not one that this service made; start again without it")
    digest, values, product, site, time, tokens = msgspec.msgpack.decode(payload)
    if digest != request.digest():
        raise BadCursor("token: made for another search; repeat that search's parameters or start again")
    return Cursor(tuple(values), Product(*product), site, time, tokens)
