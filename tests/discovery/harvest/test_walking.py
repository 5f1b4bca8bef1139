"""Sites that can only be walked: what a walk has not met goes when the walk has seen all there is."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.discovery.harvest import Kept, Shelf, shelf_of
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from tests.discovery.federations import held_items
from tests.discovery.harvest.sites import Held, Static, as_kept, harvest_once, kept_items
from tests.discovery.harvest.test_changes import scene

WALKS = st.lists(st.tuples(held_items(), st.none() | st.integers(0, 5)), min_size=1, max_size=4)
"""What the site holds at each walk, and where the walk breaks off."""


def held(items: list[Item]) -> Held:
    return {(item["collection"], item["id"]): as_kept(item) for item in items}


@settings(max_examples=20)
@given(WALKS)
async def test_after_a_walk_that_ended_the_kept_is_the_site(
    walks: list[tuple[list[Item], int | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = shelf_of(Path(folder), "alpha")
        site = Static([])
        kept = Kept(site, here, look=0)
        before: Held = {}
        try:
            for items, breaks_at in walks:
                site.items_held, site.breaks_at = items, breaks_at
                report = await harvest_once(site, here)
                now = await kept_items(kept)
                if report.counts.errors:
                    assert before.keys() <= now.keys()
                    there = held(items)
                    assert all(item in (before.get(name), there.get(name)) for name, item in now.items())
                else:
                    assert now == held(items)
                    assert (await kept.search(ANONYMOUS, SearchRequest(), None)).partial is None
                before = now
        finally:
            kept.close()


async def test_what_could_not_be_read_stays_until_it_was_not_met_twice(any_shelf: Shelf) -> None:
    site = Static([scene(n) for n in range(10)])
    await harvest_once(site, any_shelf)
    site.items_held, site.rejected = site.items_held[:9], 1
    report = await harvest_once(site, any_shelf)
    assert report.counts.removed == 0
    assert report.counts.rejected == 1
    report = await harvest_once(site, any_shelf)
    assert report.counts.removed == 1
