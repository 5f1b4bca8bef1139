"""What later harvests find: changes asked for by `updated`, what was read long ago, and what is gone."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cscale.discovery import SourcePage
from cscale.discovery.harvest import Harvested, Kept, Rhythm, Shelf, harvest
from cscale.discovery.harvest.keeping.progress import Progress, SiteNotes, Window
from cscale.discovery.harvest.plan import cut_at, due, first_windows, halves
from cscale.errors import SiteError
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.stac.times import instant, text_of
from tests.discovery.federations import MORNING, feature
from tests.discovery.harvest.sites import EACH_TIME, Archive, as_kept, harvest_once, kept_items

DAY = 86_400_000_000
SELDOM = Rhythm(recent=30, rotation=10_000)


def scene(n: int, **properties: Any) -> Item:
    moment = MORNING + n * DAY
    return feature(f"i{n:03}", "c", moment, {"updated": text_of(moment + DAY // 24)} | properties)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "site.sqlite", page=4)
    yield archive
    archive.close()


async def all_kept(archive: Archive, here: Shelf) -> dict[str, Item]:
    kept = Kept(archive, here, look=0)
    try:
        return {item_id: item for (_, item_id), item in (await kept_items(kept)).items()}
    finally:
        kept.close()


async def test_changes_are_asked_for_by_updated(archive: Archive, any_shelf: Shelf) -> None:
    scenes = [scene(n) for n in range(60)]
    archive.hold(scenes)
    await harvest_once(archive, any_shelf, SELDOM, most=10)
    moved = scene(3, updated=text_of(MORNING + 70 * DAY), gsd=10)
    archive.hold([*scenes[:3], moved, *scenes[4:], scene(61)])
    archive.asked.clear()
    report = await harvest_once(archive, any_shelf, SELDOM, most=10)
    assert report.counts.items["changed"] == 1
    assert report.counts.items["added"] == 1
    assert (await all_kept(archive, any_shelf))["i003"] == as_kept(moved)
    assert [request for request in archive.asked if request.filter is not None]
    assert len(archive.asked) < 12  # of more than 60 items in pages of four


async def test_without_updated_the_last_days_are_read_anew(archive: Archive, any_shelf: Shelf) -> None:
    long_ago = [feature(f"o{n}", "c", MORNING + n * DAY, {}) for n in range(8)]
    archive.hold(long_ago)
    await harvest_once(archive, any_shelf, SELDOM, most=2)
    # one that lies in the open window after all that was there
    archive.hold([*long_ago, feature("new", "c", MORNING + 5000 * DAY, {})])
    report = await harvest_once(archive, any_shelf, SELDOM, most=2)
    assert report.counts.items["added"] == 1
    assert "new" in await all_kept(archive, any_shelf)


async def test_a_site_that_ignores_a_filter_without_saying_so_is_not_believed_again(
    archive: Archive, folder_shelf: Shelf
) -> None:
    archive.hold([scene(n) for n in range(20)])
    await harvest_once(archive, folder_shelf, SELDOM)
    local = archive._local.search

    async def deaf(caller: Any, request: SearchRequest, token: str | None) -> SourcePage:
        return await local(caller, replace(request, filter=None), token)

    archive._local.search = deaf  # type: ignore[method-assign]
    archive.hold([*(scene(n) for n in range(20)), scene(21)])
    await harvest_once(archive, folder_shelf, SELDOM)
    assert "i021" in await all_kept(archive, folder_shelf)
    archive.asked.clear()
    await harvest_once(archive, folder_shelf, SELDOM)
    assert not [request for request in archive.asked if request.filter is not None]


@pytest.mark.parametrize("leaves", [frozenset[str](), frozenset({"ids"}), frozenset({"ids", "datetime"})])
async def test_what_is_gone_goes(tmp_path: Path, any_shelf: Shelf, leaves: frozenset[str]) -> None:
    archive = Archive(tmp_path / "other.sqlite", page=4, leaves=leaves)
    try:
        archive.hold([scene(n) for n in range(30)])
        await harvest_once(archive, any_shelf, most=7)
        archive.hold([scene(n) for n in range(30) if n % 3])
        report = await harvest_once(archive, any_shelf, most=7)
        assert report.counts.removed == 10
        assert len(await all_kept(archive, any_shelf)) == 20
        archive.hold([])
        report = await harvest_once(archive, any_shelf, most=7)
        assert await all_kept(archive, any_shelf) == {}
        assert report.counts.errors == []
    finally:
        archive.close()


@pytest.mark.parametrize(
    "half",
    [
        lambda page: replace(page, features=page.features[:1], rejected=len(page.features) - 1),
        lambda page: replace(page, features=page.features[:1], missing=["inner"]),
        lambda page: replace(page, features=[*page.features[:1], *(b"[1]" for _ in page.features[1:])]),
    ],
    ids=["records that cannot be read", "a member is missing", "items that are none"],
)
async def test_nothing_is_removed_on_half_an_answer(archive: Archive, any_shelf: Shelf, half: Any) -> None:
    archive.hold([scene(n) for n in range(12)])
    await harvest_once(archive, any_shelf)
    archive.spoil = half
    report = await harvest_once(archive, any_shelf)
    assert report.counts.removed == 0
    assert len(await all_kept(archive, any_shelf)) == 12


async def test_a_page_that_one_answer_lacks_is_asked_for_by_id(archive: Archive, any_shelf: Shelf) -> None:
    """An answer that is whole by its looks, but is not: the second question tells."""
    archive.hold([scene(n) for n in range(12)])
    await harvest_once(archive, any_shelf)
    archive.spoil = lambda page: page if archive.asked[-1].ids else replace(page, features=page.features[:1])
    report = await harvest_once(archive, any_shelf)
    assert report.counts.removed == 0
    assert len(await all_kept(archive, any_shelf)) == 12


async def test_a_window_that_breaks_off_is_read_as_halves(archive: Archive, folder_shelf: Shelf) -> None:
    """Some archives turn only so many pages."""
    archive.hold([scene(n) for n in range(40)])

    depth: dict[str, int] = {}
    local = archive._local.search

    async def search(caller: Any, request: SearchRequest, token: str | None) -> SourcePage:
        key = request.digest()
        depth[key] = 1 if token is None else depth[key] + 1
        if depth[key] > 3:
            raise SiteError("no more than 3 pages are given")
        return await local(caller, request, token)

    archive._local.search = search  # type: ignore[method-assign]
    report = await harvest_once(archive, folder_shelf)
    assert report.counts.errors == []
    assert len(await all_kept(archive, folder_shelf)) == 40


async def test_another_address_is_another_archive(
    archive: Archive, folder_shelf: Shelf, tmp_path: Path
) -> None:

    archive.hold([scene(n) for n in range(5)])
    await harvest_once(archive, folder_shelf)
    other = Archive(tmp_path / "other.sqlite")
    try:
        other.hold([scene(n) for n in range(3, 9)])
        await harvest(Harvested("alpha", "stac-api http://other.test", other, folder_shelf, EACH_TIME))
        assert sorted(await all_kept(archive, folder_shelf)) == [f"i{n:03}" for n in range(3, 9)]
    finally:
        other.close()


async def test_until_all_is_there_it_says_so(archive: Archive, any_shelf: Shelf) -> None:
    kept = Kept(archive, any_shelf, look=0)
    try:
        page = await kept.search(ANONYMOUS, SearchRequest(), None)
        assert page.partial == "it was not harvested yet"
        archive.hold([scene(n) for n in range(20)])
        archive.fails_after = 6
        await harvest_once(archive, any_shelf, page=4, most=4, readers=1)
        page = await kept.search(ANONYMOUS, SearchRequest(), None)
        assert page.partial is not None
        assert page.partial.startswith("its first harvest is not complete: ")
        assert "of about 20 items (last error: c: it fails as the test wants)" in page.partial
        assert await kept.coverage() == {}
        assert await kept.freshness() == {}
        archive.fails_after = None
        await harvest_once(archive, any_shelf)
        page = await kept.search(ANONYMOUS, SearchRequest(), None)
        assert page.partial is None
        assert page.harvested_at == (await kept.freshness())["c"].partition(".")[0].rstrip("Z") + "Z"
        covered = (await kept.coverage())["c"]
        assert covered.first == MORNING
        assert covered.last == MORNING + 19 * DAY
        assert covered.bbox == [0, 0, 1, 1]
        assert kept.item_url("c", "i001") == archive.item_url("c", "i001")
        assert kept.collection_url("c") == archive.collection_url("c")
        assert "updated" in await kept.queryables(ANONYMOUS, "c")
        assert await kept.queryables(ANONYMOUS, "unknown") == {}
    finally:
        kept.close()


async def test_no_address_of_a_site_becomes_one_of_ours(archive: Archive, any_shelf: Shelf) -> None:
    sly = scene(1) | {"assets": {"x": {"href": "\x01/secret"}}}
    archive.spoil = lambda page: page
    archive.hold([scene(1)])
    raw = msgspec.Raw(msgspec.json.encode(sly))
    archive.spoil = lambda page: replace(page, features=[raw for _ in page.features])
    await harvest_once(archive, any_shelf)
    assert (await all_kept(archive, any_shelf))["i001"]["assets"]["x"]["href"] == "\x01/secret"


def test_windows_hold_all_of_time() -> None:
    windows = first_windows("c", instant("2020-01-31T00:00:00Z"), instant("2020-03-01T00:00:00Z"))
    assert [text_of(each.end) for each in windows if each.end is not None] == [
        "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z"
    ]  # fmt: skip
    assert windows[0].start is None
    assert windows[-1].end is None
    assert all(before.end == after.start for before, after in pairwise(windows))
    assert len(first_windows("c", instant("0002-01-01T00:00:00Z"), MORNING)) < 700


def test_windows_are_cut_inside_at_whole_seconds() -> None:
    second = 1_000_000

    def two(window: tuple[int | None, int | None], *moments: int) -> list[Any] | None:
        parts = halves(Window("c", *window), moments)
        return parts and [(each.start, each.end) for each in parts]

    assert two((0, 4 * second)) == [(0, 2 * second), (2 * second, 4 * second)]
    assert two((0, second)) is None
    assert two((None, None)) is None
    assert two((None, None), second + 5) == [(None, second), (second, None)]
    assert two((0, None), 5) == [(0, second), (second, None)]
    assert cut_at(Window("c", 0, 2 * second), 2 * second) is None


def test_what_was_read_long_ago_is_read_again_in_turn() -> None:
    progress = Progress({})
    progress.windows = {Window("c", n, n + 1): n for n in range(100)}
    progress.site = SiteNotes(ended=MORNING)
    chosen = due(progress, frozenset(), MORNING + DAY, 1, 10)
    assert chosen == [Window("c", n, n + 1) for n in range(10)]
    progress.windows[Window("c", 50, 51)] = None
    assert due(progress, frozenset(), MORNING + DAY, 1, 10)[0] == Window("c", 50, 51)
    assert len(due(progress, frozenset(), MORNING + DAY, 1, 0)) == 100
