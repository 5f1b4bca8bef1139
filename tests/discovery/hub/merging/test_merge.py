"""The merge against brute force: every product once, in one total order, however sites cut their pages."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cscale.discovery.hub.merging.merge import (
    WIDEST,
    WINDOW,
    Copy,
    NeedCopies,
    NeedRuns,
    Page,
    Product,
    Rank,
    Run,
    linked,
    merge_by_key,
    merge_by_time,
)
from cscale.errors import UnsortedPage
from cscale.stac.evaluation import order_key
from cscale.stac.search import SortField

MINUTE = 60_000_000
TIMES = (
    0,
    1,
    14 * MINUTE,
    WINDOW,
    WINDOW + 1,
    28 * MINUTE,
    2 * WINDOW,
    42 * MINUTE,
    3 * WINDOW,
    180 * MINUTE,
)
CLOUD = (SortField("cloud"),)
DULL = (SortField("cloud", descending=True), SortField("platform"))
NEWEST, OLDEST = (SortField("datetime", descending=True),), (SortField("datetime"),)
NEWEST_CLEAR = (*NEWEST, *CLOUD)
SPAN = (1, 1 + WIDEST - MINUTE)
"""Where copies of R stand by its name."""
Asked = Callable[[Sequence[Run], Rank | None, int, Mapping[Product, Sequence[Copy]]], Any]


@dataclass(frozen=True)
class Held:
    """A copy as drawn, before an order gives it a rank."""

    site: int
    name: str
    collection: str
    time: int
    cloud: float | None
    platform: str | None
    tie: int
    id: str

    def copy(self, order: Sequence[SortField]) -> Copy:
        by_name = {"datetime": self.time, "cloud": self.cloud, "platform": self.platform}
        values = tuple(by_name[field.name] for field in order)
        rank = Rank(
            order_key(values, order), Product(self.name, self.collection), self.site, self.id, self.time
        )
        return Copy(
            rank, values, self, SPAN if self.name == "R" and SPAN[0] <= self.time <= SPAN[1] else None
        )


def holdings() -> st.SearchStrategy[list[Held]]:
    """Few names and times, so that most things tie; ids stand in another order than names."""
    drawn = st.builds(
        Held,
        site=st.integers(0, 2),
        name=st.sampled_from("PQR"),
        collection=st.sampled_from(["c", "c", "c", "d"]),
        time=st.sampled_from(TIMES),
        cloud=st.sampled_from([None, 0, 10, 10.5]),
        platform=st.sampled_from([None, "a", "b"]),
        tie=st.integers(0, 3),
        id=st.just(""),
    )
    return st.lists(drawn, max_size=16).map(
        lambda held: [replace(each, id=f"{9 - i % 10}-{i}") for i, each in enumerate(held)]
    )


def archives(held: Iterable[Held], order: Sequence[SortField]) -> list[list[Copy]]:
    """Each site's copies in the order asked for, those with equal keys in an order of its own."""
    sites: list[list[Copy]] = [[], [], []]
    for each in held:
        sites[each.site].append(each.copy(order))
    return [sorted(site, key=lambda copy: (copy.rank.key, copy.item.tie)) for site in sites]


def brute_force(copies: Iterable[Copy], *, join: bool) -> list[list[Copy]]:
    """Single linkage of copies, in time or by span; each cluster at its first copy's place."""
    if not join:
        return [[copy] for copy in sorted(copies, key=lambda copy: copy.rank)]
    clusters: list[list[Copy]] = []
    for _, group in groupby(
        sorted(copies, key=lambda copy: (copy.rank.product, copy.time)), key=lambda copy: copy.rank.product
    ):
        last: Copy | None = None
        for copy in group:
            in_span = last is not None and last.span is not None and copy.span is not None
            if last is None or not (in_span or copy.time - last.time <= WINDOW):
                clusters.append([])
            clusters[-1].append(copy)
            last = copy
    ordered = [sorted(cluster, key=lambda copy: copy.rank) for cluster in clusters]
    return sorted(ordered, key=lambda cluster: cluster[0].rank)


class Sites:
    """Sites that give what is asked for, in pages of any size, and no more."""

    def __init__(self, sites: Sequence[Sequence[Copy]], sizes: Iterable[int], told: Iterable[Copy]) -> None:
        self.sites = sites
        self.sizes: Iterator[int] = iter(sizes)
        self.told = list(told)
        self.known: dict[Product, list[Copy]] = {}

    def page(self, ask: Asked, starts: Sequence[int], after: Rank | None, limit: int) -> Page:
        runs = [Run(f"site {i}", done=start >= len(self.sites[i])) for i, start in enumerate(starts)]
        at = list(starts)
        for _ in range(3 * len(self.told) + 2):
            step = ask(runs, after, limit, self.known)
            if isinstance(step, Page):
                return step
            if isinstance(step, NeedCopies):
                assert step.products, "the merge asks for nothing"
                assert not step.products.keys() & self.known.keys(), "the merge asks what it was told"
                self.known |= {
                    product: [copy for copy in self.told if copy.rank.product == product]
                    for product in step.products
                }
                continue
            assert isinstance(step, NeedRuns)
            assert step.runs, "the merge asks for nothing"
            for i in step.runs:
                assert not runs[i].done, "the merge asks for more of a site that has no more"
                size = next(self.sizes)
                runs[i].extend(self.sites[i][at[i] : at[i] + size])
                at[i] += size
                runs[i].done = at[i] >= len(self.sites[i])
        raise AssertionError("the merge does not end")


def by_time(*, descending: bool, join: bool) -> Asked:
    return lambda runs, after, limit, _: merge_by_time(runs, after, limit, descending=descending, join=join)


def by_key(*, join: bool) -> Asked:
    return lambda runs, after, limit, known: merge_by_key(runs, after, limit, known if join else None)


def from_window(site: Sequence[Copy], after: Rank | None, *, descending: bool) -> int:
    """Where a site's answer begins that is asked from `WIDEST` before the position on."""
    sign = -1 if descending else 1
    inside = (i for i, copy in enumerate(site) if not after or sign * (copy.time - after.time) >= -WIDEST)
    return next(inside, len(site))


def from_position(site: Sequence[Copy], after: Rank | None) -> int:
    """Where a site's answer begins that goes on with what the position has not passed."""
    beyond = (i for i, copy in enumerate(site) if not after or copy.rank > after)
    return next(beyond, len(site))


def walk(
    sites: Sites,
    ask: Asked,
    start: Callable[[Sequence[Copy], Rank | None], int],
    limits: Iterator[int],
) -> list[Sequence[Copy]]:
    """All pages, each merged anew from where the one before ended."""
    shown: list[Sequence[Copy]] = []
    after: Rank | None = None
    for _ in range(len(sites.told) + 2):
        sites.known.clear()  # a hub keeps nothing between pages
        limit = next(limits)
        page = sites.page(ask, [start(site, after) for site in sites.sites], after, limit)
        shown += page.products
        assert len(page.products) <= limit, "a page is longer than its limit"
        if not page.more:
            return shown
        assert len(page.products) == limit, "a page is short, and not the last"
        after = page.products[-1][0].rank
    raise AssertionError("the walk does not end")


def forever(numbers: Sequence[int]) -> Iterator[int]:
    while True:
        yield from numbers


LIMITS = st.lists(st.integers(1, 15), min_size=1, max_size=3)
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=4)


WALKS: dict[str, Any] = {
    "held": holdings(),
    "join": st.booleans(),
    "limits": LIMITS,
    "sizes": SIZES,
    "resumed": st.booleans(),
}


@settings(max_examples=300)
@given(order=st.sampled_from([NEWEST, OLDEST, NEWEST_CLEAR]), **WALKS)
def test_a_walk_by_time_equals_brute_force(
    *,
    order: tuple[SortField, ...],
    held: list[Held],
    join: bool,
    limits: list[int],
    sizes: list[int],
    resumed: bool,
) -> None:
    copies = archives(held, order)
    told = [copy for site in copies for copy in site]
    descending = order[0].descending

    def start(site: Sequence[Copy], after: Rank | None) -> int:
        return from_window(site, after, descending=descending) if resumed else 0

    ask = by_time(descending=descending, join=join)
    shown = walk(Sites(copies, forever(sizes), told), ask, start, forever(limits))
    assert shown == brute_force(told, join=join)


@settings(max_examples=300)
@given(order=st.sampled_from([CLOUD, DULL]), **WALKS)
def test_a_walk_by_another_order_equals_brute_force(
    *,
    order: tuple[SortField, ...],
    held: list[Held],
    join: bool,
    limits: list[int],
    sizes: list[int],
    resumed: bool,
) -> None:
    copies = archives(held, order)
    told = [copy for site in copies for copy in site]

    def start(site: Sequence[Copy], after: Rank | None) -> int:
        return from_position(site, after) if resumed else 0

    shown = walk(Sites(copies, forever(sizes), told), by_key(join=join), start, forever(limits))
    assert shown == brute_force(told, join=join)


@given(holdings(), SIZES, st.tuples(*3 * [st.integers(0, 5)]))
@example(
    [Held(0, "P", "c", 0, 0, None, 0, "1"), Held(1, "P", "c", 0, 10, None, 0, "2")], [1], (0, 5, 5)
)  # the first copy is told of, but its site ends before it
def test_what_a_site_told_of_and_did_not_bring_hides_no_copy(
    held: list[Held], sizes: list[int], lengths: tuple[int, ...]
) -> None:
    whole = archives(held, CLOUD)
    told = [copy for site in whole for copy in site]
    brought = [site[:length] for site, length in zip(whole, lengths, strict=True)]
    sites = Sites(brought, forever(sizes), told)
    shown = sites.page(by_key(join=True), [0, 0, 0], None, 99).products
    expected = {copy.rank for site in brought for copy in site}
    ranks = [copy.rank for copies in shown for copy in copies]
    assert expected <= set(ranks)
    assert len(ranks) == len(set(ranks))
    assert [copies[0].rank for copies in shown] == sorted(copies[0].rank for copies in shown)


@given(holdings())
def test_copies_are_linked_the_same_from_whichever_of_them(held: list[Held]) -> None:
    copies = [each.copy(CLOUD) for each in held]
    for cluster in brute_force(copies, join=True):
        others = [copy for copy in copies if copy.rank.product == cluster[0].rank.product]
        assert all(linked(copy, others) == cluster for copy in cluster)


@pytest.mark.parametrize("join", [True, False])
def test_nothing_is_shown_before_it_is_certain(*, join: bool) -> None:
    """One site's only item could be followed by a copy at the very same time."""
    known = Held(0, "P", "c", 0, 0, None, 0, "1").copy(NEWEST)
    run, silent = Run("alpha", [known], done=True), Run("beta")
    assert merge_by_time([run, silent], None, 1, descending=True, join=join) == NeedRuns([1])
    silent.extend([known])
    assert merge_by_time([run, silent], None, 1, descending=True, join=join) == NeedRuns([1])


def test_a_product_is_not_shown_again_when_the_site_of_its_first_copy_falls_silent() -> None:
    ours, theirs = (Held(site, "P", "c", 0, 0, None, 0, "1") for site in (0, 1))
    for order, ask in ((NEWEST, by_time(descending=True, join=True)), (CLOUD, by_key(join=True))):
        first, other = ours.copy(order), theirs.copy(order)
        runs = [Run("alpha", done=True), Run("beta", [other], done=True)]
        assert ask(runs, first.rank, 5, {first.rank.product: [other]}) == Page([], more=False)


def test_a_page_against_the_order_is_refused_and_its_items_named() -> None:
    older, newer = (Held(0, "P", "c", time, 0, None, 0, f"id {time}").copy(NEWEST) for time in (1, 2))
    run = Run("Alpha archive")
    with pytest.raises(UnsortedPage, match="Alpha archive sent id 2 after id 1"):
        run.extend([older, newer])
    assert run.copies == [older], "what came in order is kept"
