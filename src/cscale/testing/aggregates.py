"""What every source that counts promises, as a test that a subclass runs on its own source.

    class TestMyAggregates(AggregatesTests):
        @asynccontextmanager
        async def open_source(self, items, collections):
            ...  # make a source that holds exactly these
            yield source

It is tried on archives drawn from `archives.items`, with searches from `searches.requests`, against the
plain meaning of an aggregation (`cscale.stac.aggregation.evaluation`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cscale.identity import ANONYMOUS
from cscale.stac.aggregation import AggregateRequest
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.aggregation.words import KINDS, PRECISIONS, STEPS
from cscale.stac.items import Collection, Item
from cscale.stac.search import SearchRequest
from cscale.stac.source import Aggregates
from cscale.testing import archives
from cscale.testing.searches import requests

__all__ = ["AggregatesTests", "aggregate_requests"]


def aggregate_requests() -> st.SearchStrategy[AggregateRequest]:
    """All aggregations of a search, or a few, with any step and precision."""
    names = st.just(tuple(KINDS)) | st.lists(st.sampled_from(sorted(KINDS)), unique=True, max_size=3).map(
        tuple
    )
    precision = st.fixed_dictionaries(
        {}, optional={name: st.integers(least, greatest) for name, (least, greatest, _) in PRECISIONS.items()}
    )
    searches = st.just(SearchRequest()) | requests()
    return st.builds(AggregateRequest, searches, names, st.none() | st.sampled_from(STEPS), precision)


class AggregatesTests:
    """The promise of `Aggregates`. A subclass says how to make a source that holds given items."""

    examples = 50
    """How many archives it is tried on; fewer where a source is slow to make."""

    def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AbstractAsyncContextManager[Aggregates]:
        """A source that holds exactly these.

        Args:
            items: Valid STAC items.
            collections: Those that they belong to, and perhaps others.
        """
        raise NotImplementedError

    def test_the_counts_are_those_of_the_items_that_match(self) -> None:
        """Every answer is the one that counting the matches gives."""

        async def on_one(held: list[Item], asked: list[AggregateRequest]) -> None:
            async with self.open_source(held, archives.collections()) as source:
                for request in asked:
                    expected = aggregate(held, request).aggregations
                    got = (await source.aggregate(ANONYMOUS, request)).aggregations
                    assert [each.body() for each in got] == [each.body() for each in expected]

        def run(held: list[Item], asked: list[AggregateRequest]) -> None:
            asyncio.run(on_one(held, asked))

        run.__qualname__ = f"{type(self).__qualname__}.counts"  # failures are kept under it
        options = settings(
            max_examples=self.examples,
            deadline=None,
            phases=set(settings().phases) - {Phase.explain},
            suppress_health_check=list(HealthCheck),
        )
        asked = st.lists(aggregate_requests(), min_size=1, max_size=4)
        options(given(archives.items(), asked)(run))()
