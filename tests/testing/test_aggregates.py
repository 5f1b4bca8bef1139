"""The conformance kit of counts: it passes a plain source, and finds what is counted wrong."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from cscale.identity import Caller
from cscale.stac.aggregation import AggregateRequest, Aggregation, AggregationCollection
from cscale.stac.aggregation.words import GEOHASH
from cscale.stac.items import Collection, Item
from cscale.stac.search import SearchRequest
from cscale.stac.source import Aggregates
from cscale.testing.aggregates import AggregatesTests
from tests.stac.memory import Memory


class TestAPlainSource(AggregatesTests):
    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Aggregates]:
        yield Memory(items, collections)


def without_search(request: AggregateRequest) -> AggregateRequest:
    return replace(request, search=SearchRequest())


def without_filter(request: AggregateRequest) -> AggregateRequest:
    return replace(request, search=replace(request.search, filter=None))


def coarser(request: AggregateRequest) -> AggregateRequest:
    return replace(request, precision={**request.precision, GEOHASH: 1})


def by_day(request: AggregateRequest) -> AggregateRequest:
    return replace(request, step="day")


def same(request: AggregateRequest) -> AggregateRequest:
    return request


def no_overflow(found: Aggregation) -> Aggregation:
    return replace(found, overflow=0)


def one_less(found: Aggregation) -> Aggregation:
    return replace(found, buckets=found.buckets[:-1])


def unchanged(found: Aggregation) -> Aggregation:
    return found


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (without_search, unchanged),
        (without_filter, unchanged),
        (coarser, unchanged),
        (by_day, unchanged),
        (same, no_overflow),
        (same, one_less),
    ],
)
def test_wrong_counts_are_found(
    asked: Callable[[AggregateRequest], AggregateRequest], shown: Callable[[Aggregation], Aggregation]
) -> None:
    class Wrong(Memory):
        async def aggregate(self, caller: Caller, request: AggregateRequest) -> AggregationCollection:
            found = await super().aggregate(caller, asked(request))
            return AggregationCollection([shown(each) for each in found.aggregations])

    class Tests(AggregatesTests):
        examples = 300

        @asynccontextmanager
        async def open_source(
            self, items: Sequence[Item], collections: Sequence[Collection]
        ) -> AsyncIterator[Aggregates]:
            yield Wrong(items, collections)

    with pytest.raises(AssertionError):
        Tests().test_the_counts_are_those_of_the_items_that_match()
