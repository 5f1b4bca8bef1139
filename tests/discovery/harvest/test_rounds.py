"""What a harvest promises: once it has ended without an error, what is kept is what the site holds."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.discovery.harvest import Kept, Shelf, shelf_of
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.stac.times import text_of
from tests.discovery.federations import LEAVES, MORNING, feature
from tests.discovery.harvest.sites import Archive, as_kept, harvest_once, kept_items

DAY = 86_400_000_000
LONG = {"start_datetime": "2019-01-01T00:00:00Z", "end_datetime": "2021-12-31T00:00:00Z"}


def held() -> st.SearchStrategy[list[Item]]:
    """What a site holds: some days, months and decades apart, some at one instant, some that span years."""
    moments = st.sampled_from([0, 1, 2, 40, 400, 4000, -20000]).map(lambda days: MORNING + days * DAY)
    properties = st.fixed_dictionaries(
        {}, optional={"updated": st.sampled_from([text_of(MORNING + n * DAY) for n in (0, 5, 10)]),
                      "eo:cloud_cover": st.integers(0, 3)}
    )  # fmt: skip
    properties |= properties.map(lambda drawn: drawn | LONG)
    item = st.builds(
        feature,
        st.sampled_from("ABCDEFGH"),
        st.sampled_from(["c", "d", "x|y"]),
        moments,
        properties,
    )
    return st.lists(item, max_size=12, unique_by=lambda item: (item["collection"], item["id"]))


CHANGES = st.lists(st.tuples(held(), st.none() | st.integers(0, 12)), min_size=1, max_size=4)
"""What the site holds at each harvest, and after how many answers it fails then."""


ANY_LEAVES = st.sampled_from([*LEAVES, frozenset({"ids"}), frozenset({"sortby", "ids"})])


@settings(max_examples=25)
@given(CHANGES, ANY_LEAVES, st.sampled_from([1, 2, 1000]), st.sampled_from([2, 3, 1000]))
async def test_once_a_harvest_ends_without_error_the_kept_is_the_site(
    changes: list[tuple[list[Item], int | None]], leaves: frozenset[str], page: int, most: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder) / "site.sqlite", page, leaves)
        here = shelf_of(Path(folder) / "hub", "alpha")
        kept = Kept(archive, here, look=0)
        try:
            for items, fails_after in [*changes, (changes[-1][0], None)]:
                archive.hold(items)
                archive.fails_after = fails_after
                report = await harvest_once(archive, here, page=page, most=most)
                failed = archive.fails_after == 0
                if report.counts.errors:
                    assert failed
                    continue
                expected = {name: as_kept(item) for name, item in archive.held.items()}
                assert await kept_items(kept) == expected
                answer = await kept.search(ANONYMOUS, SearchRequest(), None)
                assert answer.partial is None
                assert answer.harvested_at is not None
                assert answer.left == frozenset()
                listed, _ = await kept.collections(ANONYMOUS)
                assert {each["id"] for each in listed} == archive.collections_held
        finally:
            kept.close()
            archive.close()


@pytest.mark.parametrize("fails_after", range(0, 13, 3))
async def test_a_site_that_fails_in_the_middle_costs_nothing_that_came(
    any_shelf: Shelf, tmp_path: Path, fails_after: int
) -> None:
    archive = Archive(tmp_path / "site.sqlite", page=3)
    archive.hold([feature(f"i{n:03}", "c", MORNING + n * DAY, {}) for n in range(30)])
    archive.fails_after = fails_after
    report = await harvest_once(archive, any_shelf, page=3, most=6, readers=1)
    kept = Kept(archive, any_shelf, look=0)
    try:
        assert report.counts.errors
        before = await kept_items(kept)
        partial = (await kept.search(ANONYMOUS, SearchRequest(), None)).partial
        assert partial is not None
        assert "fails as the test wants" in partial
        archive.fails_after = None
        again = await harvest_once(archive, any_shelf, page=3, most=6, readers=1)
        assert again.counts.errors == []
        assert again.counts.items["added"] == 30 - len(before)
        assert (await kept.search(ANONYMOUS, SearchRequest(), None)).partial is None
        assert len(await kept_items(kept)) == 30
    finally:
        kept.close()
        archive.close()
