"""A source walked to its end, and what the hub makes of what it was left."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from cscale.discovery.source import Source, SourcePage
from cscale.identity import ANONYMOUS
from cscale.stac.evaluation import matcher, order_key, sort_value
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest

PARTS = ("filter", "datetime", "bbox", "intersects", "ids", "collections", "q")


async def walked(source: Source, request: SearchRequest, most: int = 200) -> list[SourcePage]:
    """All pages of a search."""
    pages: list[Any] = []
    token = None
    while not pages or token is not None:
        assert len(pages) < most, "the walk has no end"
        page = await source.search(ANONYMOUS, request, token)
        assert isinstance(page, SourcePage)
        pages.append(page)
        token = page.token
    return pages


def items_of(pages: Sequence[SourcePage]) -> list[Item]:
    """The items of pages."""
    return [msgspec.json.decode(feature) for page in pages for feature in page.features]


def of_hub(pages: Sequence[SourcePage], request: SearchRequest) -> list[Item]:
    """What a hub shows: what comes, with what was left evaluated on it, and nothing else."""
    left = pages[0].left
    assert all(page.left == left for page in pages)
    rest = replace(request, **{part: None for part in PARTS if part not in left})  # type: ignore[arg-type]
    found = [item for item in items_of(pages) if matcher(rest)(item)]
    if "sortby" in left:
        found.sort(key=lambda item: key(item, request))
    return found


def key(item: Item, request: SearchRequest) -> Any:
    """Where an item stands."""
    return order_key([sort_value(item, field.name) for field in request.sortby], request.sortby)


def check(pages: Sequence[SourcePage], everything: Sequence[Item], request: SearchRequest) -> None:
    """That a hub shows of these pages just the items that match, each once, in order."""
    shown = of_hub(pages, request)
    matches = matcher(request)
    wanted = [item for item in everything if matches(item)]
    assert sorted(_name(item) for item in shown) == sorted(_name(item) for item in wanted)
    by_name = {_name(item): item for item in wanted}
    assert all(item == by_name[_name(item)] for item in shown)
    places = [key(item, request) for item in shown]
    assert places == sorted(places)
    if not pages[0].left and pages[0].matched is not None:
        assert pages[0].matched == len(wanted) + sum(page.rejected for page in pages)


def _name(item: Item) -> tuple[str, str]:
    return item["collection"], item["id"]
