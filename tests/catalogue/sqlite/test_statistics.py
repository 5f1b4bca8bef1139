"""What a catalogue counts stays true over every change, and is never too low where that would lose items."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue.queryables import COLUMNS
from cscale.catalogue.rows import row_of
from cscale.catalogue.sqlite import writing
from cscale.catalogue.sqlite.schema import connect
from cscale.catalogue.sqlite.state import CurrentState
from cscale.catalogue.statistics import DAY, CollectionStatistics, cell_of, day_of
from cscale.stac import times
from cscale.stac.evaluation import matcher
from cscale.stac.geometry import Box
from cscale.stac.items import Item
from cscale.stac.search import SearchRequest
from cscale.stac.times import Interval
from cscale.testing.archives import MOMENTS_IN_ORDER, items
from cscale.testing.searches import boxes

WORLD = [(-180.0, -90.0, 180.0, 90.0)]


def statistics_of(*rounds: list[Item], removed: list[Item] | None = None) -> dict[str, CollectionStatistics]:
    """The statistics after some ingests, one after the other, and removals."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "catalogue.sqlite")
        for held in rounds:
            with writing(path) as writer:
                for item in held:
                    writer.put(item)
        with writing(path) as writer:
            for item in removed or []:
                writer.remove(item["collection"], item["id"])
        connection = connect(path)
        known = dict(CurrentState().of(connection).collections)
        connection.close()
        return known


@settings(max_examples=30)
@given(items(), items(), st.data())
def test_counts_follow_additions_changes_and_removals(
    first: list[Item], second: list[Item], data: st.DataObject
) -> None:
    left = {(item["collection"], item["id"]): item for item in first + second}
    removed = data.draw(st.lists(st.sampled_from(list(left.values())), max_size=4)) if left else []
    for item in removed:
        left.pop((item["collection"], item["id"]), None)
    known = statistics_of(first, second, removed=removed)
    for name, collection in known.items():
        rows = [row_of(item, COLUMNS) for item in left.values() if item["collection"] == name]
        assert collection.items == collection.in_time(None) == len(rows)
        cells = Counter(cell_of(row.box) for row in rows if row.box)
        assert {n: count for n, count in enumerate(collection.cells.flat) if count} == cells


@settings(max_examples=40)
@given(items(), st.sampled_from(MOMENTS_IN_ORDER), st.sampled_from(MOMENTS_IN_ORDER))
def test_no_item_lies_outside_the_days_it_is_looked_for_in(held: list[Item], one: str, other: str) -> None:
    start, end = sorted([one, other], key=MOMENTS_IN_ORDER.index)
    known = statistics_of(held)
    for text in (f"{start}/{end}", f"{start}/..", f"../{end}", start):
        interval = Interval.parse(text)
        meets = matcher(SearchRequest(datetime=interval))
        for name, collection in known.items():
            matching = [item for item in held if item["collection"] == name and meets(item)]
            assert collection.in_time(interval) >= len(matching)


@settings(max_examples=30)
@given(items(), boxes())
def test_a_box_holds_no_more_than_all_and_the_world_does(held: list[Item], box: Box) -> None:
    for name, collection in statistics_of(held).items():
        placed = [item for item in held if item["collection"] == name and item["geometry"]]
        assert collection.in_box(WORLD) == len(placed)
        assert -1e-9 <= collection.in_box(box.parts()) <= len(placed) * len(box.parts()) + 1e-9


def test_a_box_of_a_cell_holds_what_lies_in_it() -> None:
    known = CollectionStatistics(1, "one", 0, 0)
    known.cells[divmod(cell_of(Box(11, 46, 12, 47)), known.cells.shape[1])] = 100
    assert known.in_box([(10, 45, 15, 50)]) == 100
    assert known.in_box([(20, 45, 25, 50)]) == 0
    assert 5 <= known.in_box([(11, 46, 12, 47)]) <= 20


@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90))
def test_every_box_lies_in_a_cell(west: float, south: float, east: float, north: float) -> None:
    box = Box(west, min(south, north), east, max(south, north))
    assert 0 <= cell_of(box) < 36 * 72


@given(st.integers(times.MIN_INSTANT, times.MAX_INSTANT))
def test_a_day_begins_at_midnight(moment: int) -> None:
    assert times.text_of(day_of(moment) * DAY).endswith("T00:00:00Z")
    assert day_of(moment) * DAY <= moment < (day_of(moment) + 1) * DAY
