"""The merge: sorted runs of many sites become one page in one total order, copies joined.

Pure: no clock, no network. The caller holds one `Run` a site and calls `merge_by_time` or
`merge_by_key`; as long as the runs do not yet tell the page for certain, the answer is what is still
needed, never a guess.

The order is that of the sort values, then product, then collection, then site. A *product* is what
copies share: one name in one collection, at times that are at most `WINDOW` apart from copy to copy, or
all within the span that its name tells. It stands where its first copy stands.

Nothing is taken for granted of how a site orders copies with equal keys: a place is certain once all
that is known of each site goes beyond its key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cscale.errors import UnsortedPage
from cscale.stac.evaluation import OrderKey, Value

WINDOW = 15 * 60 * 1_000_000
"""Copies of one product stand at most this far apart, microseconds: 15 minutes."""
WIDEST = 48 * 60 * 1_000_000
"""No span is longer, microseconds; a longer one is taken for none."""


class Product(NamedTuple):
    """What copies of one product share.

    Attributes:
        name: The product's name, or the item's id where it has none.
        collection: The id of the collection it is shown in.
    """

    name: str
    collection: str


class Rank(NamedTuple):
    """Where a copy stands in the total order; comparable, and of this copy alone.

    Attributes:
        key: Of its sort values.
        product: Which product it is of.
        site: The site's place in the configuration.
        id: Its id at the site, which may hold a product twice.
        time: Its place in time, microseconds since 1970.
    """

    key: OrderKey
    product: Product
    site: int
    id: str
    time: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One site's holding of a product.

    Attributes:
        rank: Where it stands.
        values: Its sort values.
        item: The item itself; the merge does not look inside.
        span: From when to when copies of its product may stand, by the product's name, microseconds
            since 1970, the same for all copies; None where nothing tells it, or this copy stands outside.
    """

    rank: Rank
    values: tuple[Value, ...]
    item: Any = field(compare=False, repr=False)
    span: tuple[int, int] | None = None

    @property
    def time(self) -> int:
        """Its place in time, microseconds since 1970."""
        return self.rank.time


@dataclass(slots=True)
class Run:
    """What a site has answered so far: the first of its matches, in order.

    Attributes:
        site: The site's name, for messages.
        copies: In the order of their keys.
        done: Whether the site has no more, or will not answer any more.
    """

    site: str
    copies: list[Copy] = field(default_factory=list)
    done: bool = False

    def extend(self, copies: Iterable[Copy]) -> None:
        """Take one more page.

        Raises:
            UnsortedPage: If it breaks the order; names the site and the two items.
        """
        for copy in copies:
            last = self.copies[-1].rank if self.copies else copy.rank
            if copy.rank.key < last.key:
                sent = f"{copy.rank.id} after {last.id}"
                raise UnsortedPage(f"{self.site} sent {sent}, against the order asked for")
            self.copies.append(copy)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is certain.

    Attributes:
        products: The copies of each product, in their order; the products in order of their first.
        more: Whether anything may come after.
    """

    products: Sequence[Sequence[Copy]]
    more: bool


@dataclass(frozen=True, slots=True)
class NeedRuns:
    """Not certain yet: these runs (by their place in the list) must grow or end."""

    runs: Sequence[int]


@dataclass(frozen=True, slots=True)
class NeedCopies:
    """Not certain yet: who else holds these products, and where do those copies stand?"""

    products: Mapping[Product, Copy]


@dataclass(slots=True)
class _Cluster:
    """Copies of a product, in order; and where the next may stand at the latest."""

    copies: list[Copy]
    reach: int

    def takes(self, place: int) -> bool:
        return place <= self.reach

    def add(self, copy: Copy, sign: int) -> None:
        self.copies.append(copy)
        self.reach = max(self.reach, _reach_of(copy, sign))


def _reach_of(copy: Copy, sign: int) -> int:
    """Up to where a copy of the same product may follow, in the direction of the order."""
    near = sign * copy.time + WINDOW
    return near if copy.span is None else max(near, sign * copy.span[1 if sign > 0 else 0])


def merge_by_time(
    runs: Sequence[Run], after: Rank | None, limit: int, *, descending: bool, join: bool
) -> Page | NeedRuns:
    """The next page of an order that goes by time first.

    Runs must begin `WIDEST` before the position, so that a copy can be seen to belong to a product
    that was shown already.

    Args:
        runs: One a site.
        after: Where the page before ended; None for the first page.
        limit: The length of the page.
        descending: Whether newer comes first.
        join: Whether copies are joined; else each is shown by itself.

    Returns:
        The page, or the runs that do not reach far enough.
    """
    sign = -1 if descending else 1
    unfinished = [i for i, run in enumerate(runs) if not run.done]
    frontier = min(
        (_reach(runs[i], sign) for i in unfinished), default=float("inf")
    )  # all before it is known
    shown: list[Sequence[Copy]] = []
    more = bool(unfinished)
    for cluster in _clusters(runs, sign, join=join):
        if _is_passed(cluster.copies[0], after, join=join):
            continue
        if len(shown) == limit:
            more = True
            break
        needed = cluster.reach if join else sign * cluster.copies[-1].time
        if frontier <= needed:
            return NeedRuns([i for i in unfinished if _reach(runs[i], sign) <= needed])
        shown.append(cluster.copies)
    if len(shown) < limit and unfinished:
        return NeedRuns([i for i in unfinished if _reach(runs[i], sign) <= frontier])
    return Page(shown, more)


def _reach(run: Run, sign: int) -> float:
    return sign * run.copies[-1].time if run.copies else float("-inf")


def _clusters(runs: Sequence[Run], sign: int, *, join: bool) -> Iterator[_Cluster]:
    """The products among the copies known, in order of their first copies.

    A copy is joined to the copies of its product that stand before it, if one of them reaches so far; so
    whether a copy is a first one can be told from `WIDEST` before it.
    """
    clusters: list[_Cluster] = []
    latest: dict[Product, _Cluster] = {}
    for copy in sorted((copy for run in runs for copy in run.copies), key=_rank):
        place = sign * copy.time
        cluster = latest.get(copy.rank.product) if join else None
        if cluster is not None and cluster.takes(place):
            cluster.add(copy, sign)
        else:
            cluster = latest[copy.rank.product] = _Cluster([copy], _reach_of(copy, sign))
            clusters.append(cluster)
    return iter(clusters)


def merge_by_key(
    runs: Sequence[Run],
    after: Rank | None,
    limit: int,
    known: Mapping[Product, Sequence[Copy]] | None,
) -> Page | NeedRuns | NeedCopies:
    """The next page of an order that does not go by time, in which copies may stand anywhere.

    Args:
        runs: One a site, from the position on or before.
        after: Where the page before ended; None for the first page.
        limit: The length of the page.
        known: For products that were asked about, all their copies that match; None to show each copy
            by itself.

    Returns:
        The page, or the runs that do not reach far enough, or the products to ask about.
    """
    join = known is not None
    shown: list[Sequence[Copy]] = []
    unknown: dict[Product, Copy] = {}
    unfinished = [i for i, run in enumerate(runs) if not run.done]
    more = bool(unfinished)
    at_hand = sorted((copy for run in runs for copy in run.copies), key=_rank)
    seen = {copy.rank for copy in at_hand}
    for copy in at_hand:
        if _is_passed(copy, after, join=join):
            continue
        copies = [
            each
            for each in _of_product(copy, known)
            if each.rank >= copy.rank or each.rank in seen or _is_passed(each, after, join=join)
        ]  # not one that its site told of, and then has not brought
        if copies and copies[0].rank < copy.rank:
            continue  # it stands where its first copy stands
        if len(shown) + len(unknown) >= limit:
            more = True
            break
        if short := [i for i in unfinished if not _covers(runs[i], copy.rank)]:
            return NeedRuns(short)
        if copies:
            shown.append(copies)
        else:
            unknown.setdefault(copy.rank.product, copy)
    if unknown:
        return NeedCopies(unknown)
    if len(shown) < limit and unfinished:
        return NeedRuns(unfinished)
    return Page(shown, more)


def _rank(copy: Copy) -> Rank:
    return copy.rank


def _is_passed(copy: Copy, after: Rank | None, *, join: bool) -> bool:
    """Whether a copy stands before the end of the last page, or is of the product that stands there.

    The latter also if the site of that product's first copy is silent by now.
    """
    if after is None:
        return False
    return copy.rank <= after or (join and copy.rank.product == after.product and _near(copy, after.time))


def _near(copy: Copy, time: int) -> bool:
    """Whether a copy of the same product that stands at a time is one with this one."""
    in_span = copy.span is not None and copy.span[0] <= time <= copy.span[1]
    return in_span or abs(copy.time - time) <= WINDOW


def _covers(run: Run, rank: Rank) -> bool:
    """Whether all that stands up to a place is known of a run that has more."""
    return bool(run.copies) and rank.key < run.copies[-1].rank.key


def _of_product(copy: Copy, known: Mapping[Product, Sequence[Copy]] | None) -> Sequence[Copy]:
    """The copies that stand as one with `copy`; empty if they are not known yet."""
    if known is None:
        return [copy]
    product = copy.rank.product
    return linked(copy, known[product]) if product in known else []


def linked(copy: Copy, others: Iterable[Copy]) -> list[Copy]:
    """The copies of the product that `copy` is of, itself among them, in the total order.

    Args:
        copy: One copy.
        others: All copies of that name and collection, of whatever time.
    """
    held = {each.rank: each for each in (*others, copy)}
    by_time = sorted(held.values(), key=lambda each: each.time)
    groups: list[list[Copy]] = []
    for each in by_time:
        if groups and any(_near(other, each.time) for other in groups[-1]):
            groups[-1].append(each)
        else:
            groups.append([each])
    own = next(group for group in groups if any(each is copy for each in group))
    return sorted(own, key=_rank)
