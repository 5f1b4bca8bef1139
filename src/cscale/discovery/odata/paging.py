"""Pages of an archive that sorts by one property only, skips no further than 10,000, and has many ties.

A page ends between two values of the sort key, so that products of one instant are never parted: the
next one begins at the value that the page before had to leave. Where one value alone fills a page, its
products are read on their own, sorted by a second property and skipping. So nothing is lost or shown
twice, however deep the walk is, as long as no more than the site lets skip share one value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from cscale.errors import BadCursor, SiteError

MAX_SKIP = 10_000
"""How many records the Copernicus Data Space skips at most."""
R = TypeVar("R")


class Place(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Where a walk stands.

    Attributes:
        bound: The sort key that comes next, microseconds since 1970; None at the beginning.
        after: Whether what has just this key has been read.
        alone: Whether the products of just this key are being read, skipping.
        skip: How many of them have been read.
    """

    bound: int | None = None
    after: bool = False
    alone: bool = False
    skip: int = 0

    def token(self) -> str:
        """What leads back here."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, token: str | None) -> "Place":
        """The place that a token leads to; the beginning where there is none.

        Raises:
            BadCursor: If it is none of ours.
        """
        if token is None:
            return cls()
        try:
            place = msgspec.json.decode(token, type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadCursor("token: not one of this source") from error
        if place.skip < 0 or (place.bound is None and (place.alone or place.after)):
            raise BadCursor("token: not one of this source")
        return place


@dataclass(frozen=True)
class Batch(Generic[R]):
    """What a site answered to one request.

    Attributes:
        records: As they stand there.
        more: Whether the site says that there are more.
        matched: How many match in all, where it says so.
    """

    records: Sequence[R]
    more: bool
    matched: int | None = None


@dataclass(frozen=True)
class Cut(Generic[R]):
    """The part of a batch that makes a page.

    Attributes:
        records: The page.
        next: Where the next one begins; None where there is none.
        deeper: Where to read first because one key fills the batch; then there are no records.
    """

    records: Sequence[R]
    next: Place | None
    deeper: Place | None = None


def cut(place: Place, batch: Batch[R], key: Callable[[R], int | None], *, descending: bool) -> Cut[R]:
    """Cut what a site answered between two sort keys.

    Records without a key stay in the page, for whoever reads them.

    Args:
        place: Where it was asked for.
        batch: The answer.
        key: The sort key of a record.
        descending: Whether the greatest comes first.

    Raises:
        SiteError: If the answer is not in the order asked for, or cannot be paged.
    """
    if place.alone:
        return Cut(batch.records, _next_alone(place, batch))
    keys = [key(record) for record in batch.records]
    known = [each for each in keys if each is not None]
    _check_order(place, known, descending=descending)
    if not batch.more or not batch.records:
        return Cut(batch.records, None)
    if not known:
        raise SiteError("its answer cannot be paged: no record has the property that it is sorted by")
    last = known[-1]
    if known[0] == last:
        return Cut([], None, deeper=Place(last, alone=True))
    rest = keys.index(last)
    return Cut(batch.records[:rest], Place(last))


def _next_alone(place: Place, batch: Batch[R]) -> Place | None:
    if not batch.more or not batch.records:
        return Place(place.bound, after=True)
    skip = place.skip + len(batch.records)
    if skip > MAX_SKIP:
        raise SiteError(f"more than {MAX_SKIP} products share one instant there; ask for less at once")
    return Place(place.bound, alone=True, skip=skip)


def _check_order(place: Place, keys: Sequence[int], *, descending: bool) -> None:
    before = place.bound
    for number, each in enumerate(keys):
        if before is not None:
            wrong = each > before if descending else each < before
            if wrong or (number == 0 and place.after and each == before):
                raise SiteError("its answer is not in the order, or from the place, that was asked for")
        before = each
