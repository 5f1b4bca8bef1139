"""The merge: sorted runs of many sites become one page in one total order, copies joined.

Pure: no clock, no network. The caller holds one `Run` a site and calls `merge_by_time` or
`merge_by_key`; as long as the runs do not yet tell the page for certain, the answer is what is still
needed, never a guess.

The order is that of the sort values, then product, then collection, then site. A *product* is what
copies share: one key in one collection, at times that are at most `WINDOW` apart from copy to copy.
It stands where its first copy stands.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cscale.errors import UnsortedPage
from cscale.stac.evaluation import OrderKey, Value

WINDOW = 15 * 60 * 1_000_000
"""Copies of one product stand at most this far apart: 15 minutes, in microseconds."""


class Product(NamedTuple):
    """What copies of one product share.

    Attributes:
        name: The product's name, or the item's id where it has none.
        collection: The id of the collection it is shown in.
    """

    name: str
    collection: str


class Rank(NamedTuple):
    """Where a copy stands in the total order; comparable.

    Attributes:
        key: Of its sort values.
        product: Which product it is of.
        site: The site's place in the configuration.
    """

    key: OrderKey
    product: Product
    site: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One site's holding of a product.

    Attributes:
        rank: Where it stands.
        values: Its sort values.
        time: Its place in time, microseconds since 1970.
        id: Its id at the site.
        item: The item itself; the merge does not look inside.
    """

    rank: Rank
    values: tuple[Value, ...]
    time: int
    id: str
    item: Any = field(compare=False, repr=False)


@dataclass(slots=True)
class Run:
    """What a site has answered so far: the first of its matches, in order.

    Attributes:
        site: The site's name, for messages.
        copies: In the order of their keys.
        done: Whether the site has no more, or will not answer any more.
        ties_sorted: Whether copies with equal keys came in order of their product, too.
    """

    site: str
    copies: list[Copy] = field(default_factory=list)
    done: bool = False
    ties_sorted: bool = True

    def extend(self, copies: Iterable[Copy]) -> None:
        """Take one more page.

        Raises:
            UnsortedPage: If it breaks the order; names the site and the two items.
        """
        for copy in copies:
            last = self.copies[-1] if self.copies else None
            if last is not None and copy.rank.key < last.rank.key:
                raise UnsortedPage(f"{self.site} sent {copy.id} after {last.id}, against the order asked for")
            if last is not None and copy.rank < last.rank:
                self.ties_sorted = False
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

    @property
    def last(self) -> Rank | None:
        """Where the page ends."""
        return self.products[-1][0].rank if self.products else None


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
    copies: list[Copy]
    last_place: int


def merge_by_time(
    runs: Sequence[Run], after: Rank | None, limit: int, *, descending: bool, join: bool
) -> Page | NeedRuns:
    """The next page of an order that goes by time first.

    Runs must begin `WINDOW` before the position, so that a copy can be seen to belong to a product
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
    frontier = min(
        (_reach(run, sign) for run in runs if not run.done), default=float("inf")
    )  # all copies before it are known
    reach = WINDOW if join else 0
    shown: list[Sequence[Copy]] = []
    more = any(not run.done for run in runs)
    for cluster in _clusters(runs, sign, join=join):
        if after is not None and cluster.copies[0].rank <= after:
            continue
        if len(shown) == limit:
            more = True
            break
        needed = cluster.last_place + reach
        if frontier <= needed:
            return NeedRuns([i for i, run in enumerate(runs) if not run.done and _reach(run, sign) <= needed])
        shown.append(cluster.copies)
    if len(shown) < limit and frontier != float("inf"):
        return NeedRuns([i for i, run in enumerate(runs) if not run.done and _reach(run, sign) <= frontier])
    return Page(shown, more)


def _reach(run: Run, sign: int) -> float:
    return sign * run.copies[-1].time if run.copies else float("-inf")


def _clusters(runs: Sequence[Run], sign: int, *, join: bool) -> Iterator[_Cluster]:
    """The products among the copies known, in order of their first copies.

    A copy is joined to the copies of its product that stand before it, if the last of them is at most
    `WINDOW` away; so whether a copy is a first one can be told from `WINDOW` before it.
    """
    clusters: list[_Cluster] = []
    latest: dict[Product, _Cluster] = {}
    for copy in sorted((copy for run in runs for copy in run.copies), key=lambda copy: copy.rank):
        place = sign * copy.time
        cluster = latest.get(copy.rank.product) if join else None
        if cluster is not None and place - cluster.last_place <= WINDOW:
            cluster.copies.append(copy)
            cluster.last_place = place
        else:
            cluster = latest[copy.rank.product] = _Cluster([copy], place)
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
    shown: list[Sequence[Copy]] = []
    unknown: dict[Product, Copy] = {}
    needed: NeedRuns | None = None
    more = any(not run.done for run in runs)
    for copy in sorted((copy for run in runs for copy in run.copies), key=lambda copy: copy.rank):
        if after is not None and copy.rank <= after:
            continue
        if len(shown) + len(unknown) >= limit:
            more = True
            break
        if short := [i for i, run in enumerate(runs) if not _covers(run, copy.rank)]:
            needed = NeedRuns(short)
            break
        product = copy.rank.product
        if known is None:
            shown.append([copy])
        elif product not in known:
            unknown.setdefault(product, copy)
        else:
            copies = linked(copy, known[product])
            if copies[0].rank == copy.rank:
                shown.append(copies)
    if unknown:
        return NeedCopies(unknown)
    if needed is None and len(shown) < limit and more:
        needed = NeedRuns([i for i, run in enumerate(runs) if not run.done])
    return needed or Page(shown, more)


def _covers(run: Run, rank: Rank) -> bool:
    """Whether all that stands up to a place is known of a run."""
    if run.done:
        return True
    if not run.copies:
        return False
    last = run.copies[-1].rank
    return rank <= last if run.ties_sorted else rank.key < last.key


def linked(copy: Copy, others: Iterable[Copy]) -> list[Copy]:
    """The copies of the product that `copy` is of, itself among them, in the total order.

    Args:
        copy: One copy.
        others: All copies of that name and collection, of whatever time.
    """
    held = {(each.rank.site, each.id): each for each in others} | {(copy.rank.site, copy.id): copy}
    by_time = sorted(held.values(), key=lambda each: each.time)
    groups: list[list[Copy]] = []
    for each in by_time:
        if groups and each.time - groups[-1][-1].time <= WINDOW:
            groups[-1].append(each)
        else:
            groups.append([each])
    own = next(group for group in groups if any(each is copy for each in group))
    return sorted(own, key=lambda each: each.rank)
