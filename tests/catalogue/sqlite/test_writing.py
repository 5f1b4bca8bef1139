"""Changes to a catalogue: all or nothing, and nothing where nothing changed."""

import hashlib
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue.sqlite import SqliteCatalogue, writing
from cscale.catalogue.sqlite.schema import connect
from cscale.catalogue.store import FileState
from cscale.errors import BadInput, NotFound
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item, read_body
from cscale.stac.search import SearchRequest
from cscale.testing.archives import MOMENTS, collections, items, plain_item
from tests.catalogue.conftest import Opened, put

TIME = {"datetime": MOMENTS[0]}
POINT = {"type": "Point", "coordinates": [10, 50]}


@contextmanager
def scratch() -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        yield Path(directory, "catalogue.sqlite")


def tables(path: Path) -> dict[str, list[Any]]:
    """All rows of all tables."""
    connection = connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    connection.close()
    return rows


async def held(source: SqliteCatalogue) -> dict[tuple[str, str], Item]:
    page = await source.search(ANONYMOUS, SearchRequest(limit=1000))
    return {(item.collection, item.id): read_body(item.body) for item in page.items}


def test_the_same_again_changes_not_a_byte(path: Path) -> None:
    def take() -> Counter[str]:
        with writing(path) as writer:
            changes = Counter([writer.put_collection(each) for each in collections()])
            changes.update(writer.put(plain_item(id=f"{n}", properties=TIME | {"n": n})) for n in range(300))
        return Counter(map(str, changes.elements()))

    assert take() == {"added": 303}
    before, rows = hashlib.sha256(path.read_bytes()).digest(), tables(path)
    assert take() == {"unchanged": 303}
    assert tables(path) == rows
    assert hashlib.sha256(path.read_bytes()).digest() == before


async def test_a_changed_item_stands_in_place_of_the_old(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"), plain_item(id="b"))
    source = opened()
    with writing(path) as writer:
        moved = plain_item(id="a", geometry=POINT, bbox=[10, 50, 10, 50], properties=TIME | {"gsd": 10})
        assert writer.put(moved) == "changed"
        assert writer.put(plain_item(id="b")) == "unchanged"
    assert (await held(source))["one", "a"]["properties"]["gsd"] == 10
    assert len(tables(path)["item"]) == len(tables(path)["body"]) == 2
    assert len(tables(path)["item_box"]) == 1


async def test_a_removed_item_is_gone_and_can_come_back(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"), plain_item(id="a", collection="two"), plain_item(id="b"))
    source = opened()
    with writing(path) as writer:
        assert writer.remove("two", "a") == 1
        assert writer.remove(None, "b") == 1
        assert writer.remove(None, "nothing") == 0
    assert set(await held(source)) == {("one", "a")}
    with pytest.raises(NotFound):
        await source.item(ANONYMOUS, "two", "a")
    with writing(path) as writer:
        assert writer.put(plain_item(id="b")) == "added"
        assert writer.remove(None, "b") == 1
        assert writer.put(plain_item(id="b", properties=TIME | {"gsd": 1})) == "added"
    assert (await held(source))["one", "b"]["properties"]["gsd"] == 1


async def test_an_id_in_all_collections_is_removed_from_all(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"), plain_item(id="a", collection="two"))
    with writing(path) as writer:
        assert writer.remove(None, "a") == 2
    assert await held(opened()) == {}


async def test_readers_see_the_old_state_until_all_is_written(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"))
    source = opened()
    with writing(path) as writer:
        for n in range(2500):  # more than is held back in memory
            writer.put(plain_item(id=f"{n}"))
        writer.remove("one", "a")
        assert set(await held(source)) == {("one", "a")}
    page = await source.search(ANONYMOUS, SearchRequest(limit=10))
    assert page.matched == 2500


async def test_an_error_leaves_all_as_it_was(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a"))
    before = tables(path)
    with pytest.raises(RuntimeError, match="the light goes out"), writing(path) as writer:  # noqa: PT012  # the block is what fails
        writer.put_collection(collections()[0])
        for n in range(1500):
            writer.put(plain_item(id=f"{n}"))
        raise RuntimeError("the light goes out")
    assert tables(path) == before
    assert set(await held(opened())) == {("one", "a")}


async def test_a_refused_item_leaves_the_one_it_would_have_replaced(path: Path, opened: Opened) -> None:
    put(path, plain_item(id="a", properties=TIME | {"gsd": 10}))
    with writing(path) as writer:
        with pytest.raises(BadInput):
            writer.put(plain_item(id="a", properties={"datetime": "yesterday"}))
        writer.put(plain_item(id="b"))
    assert (await held(opened()))["one", "a"]["properties"]["gsd"] == 10


async def test_one_of_two_different_items_of_one_id_is_refused(path: Path, opened: Opened) -> None:
    """Were the last to win, the same input would change the catalogue each time."""
    for _ in range(2):
        with writing(path) as writer:
            writer.put(plain_item(id="a", properties=TIME | {"gsd": 10}))
            assert writer.put(plain_item(id="a", properties=TIME | {"gsd": 10})) == "unchanged"
            with pytest.raises(BadInput, match="another item of its id"):
                writer.put(plain_item(id="a", properties=TIME | {"gsd": 20}))
            writer.put_collection({"id": "one", "title": "x"})
            with pytest.raises(BadInput, match="another collection 'one'"):
                writer.put_collection({"id": "one", "title": "y"})
    assert (await held(opened()))["one", "a"]["properties"]["gsd"] == 10


def test_a_second_writer_waits_and_then_says_why_it_cannot(path: Path) -> None:
    with writing(path), pytest.raises(BadInput, match="another ingest"), writing(path, patience=0.1):
        pass
    put(path, plain_item(id="a"))  # the first has let go


def test_writers_at_once_come_one_after_the_other(path: Path) -> None:
    """Also where the catalogue is not there yet."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=exec, args=(_WRITE, {"path": str(path), "name": str(n)})) for n in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(row[2] for row in tables(path)["item"]) == ["0", "1", "2", "3"]
    assert tables(path)["generation"] == [(4,)]


_WRITE = """
from pathlib import Path
from cscale.catalogue.sqlite import writing
from cscale.testing.archives import plain_item
with writing(Path(path)) as writer:
    writer.put(plain_item(id=name))
"""


def test_a_checksum_is_known_as_long_as_its_file_is_the_same(path: Path) -> None:
    with writing(path) as writer:
        writer.keep_checksum("a/b", "1220", FileState(3, 5), "1220ab")
    with writing(path) as writer:
        assert writer.known_checksum("a/b", "1220", FileState(3, 5)) == "1220ab"
        for path_, kind, state in (("a/c", "1220", (3, 5)), ("a/b", "1114", (3, 5)), ("a/b", "1220", (3, 6))):
            assert writer.known_checksum(path_, kind, FileState(*state)) is None


async def test_a_long_body_is_kept_whole(path: Path, opened: Opened) -> None:
    long = {"note": "ä" * 2_500_000, "numbers": list(range(100_000))}
    put(path, plain_item(id="a", properties=TIME | long))
    assert (await held(opened()))["one", "a"]["properties"] == TIME | long


async def test_bodies_survive_with_a_dictionary_and_without(path: Path, opened: Opened) -> None:
    """Few items are too few to learn from; later ones of the collection are stored otherwise."""
    everything = {f"{n}": plain_item(id=f"{n}", properties=TIME | {"text": f"{n:050}"}) for n in range(2600)}
    in_order = list(everything.values())
    for some in (in_order[:10], in_order[10:1400], in_order[1400:]):
        put(path, *some)
    dictionaries = {row[1] for row in tables(path)["body"]}
    assert len(dictionaries) == 2
    source = opened()
    for name in ("3", "700", "2599"):
        assert read_body((await source.item(ANONYMOUS, "one", name)).body) == everything[name]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "Catalog"}, "not a STAC Item"),
        ({"id": ""}, "no id"),
        ({"id": 7}, "no id"),
        ({"id": "a\nb"}, "control characters"),
        ({"id": "a\x00"}, "control characters"),
        ({"id": "\ud800"}, "control characters"),
        ({"collection": None}, "no collection"),
        ({"collection": ["one"]}, "no collection"),
        ({"collection": "a\tb"}, "control characters"),
        ({"properties": None}, "no properties"),
        ({"assets": []}, "no assets"),
        ({"properties": {}}, "no datetime"),
        ({"properties": {"datetime": None}}, "no datetime"),
        ({"properties": {"datetime": "yesterday"}}, "yesterday"),
        ({"properties": {"datetime": "2020-02-30T00:00:00Z"}}, "2020-02-30"),
        ({"properties": {"datetime": 1590969600}}, "1590969600"),
        ({"properties": {"datetime": "9999-12-31T23:59:60Z"}}, "0001 to 9999"),
        ({"properties": {"datetime": "0001-01-01T00:00:00+23:59"}}, "0001 to 9999"),
        ({"geometry": "POINT (1 2)"}, "geometry"),
        ({"geometry": {"type": "Circle", "coordinates": [1, 2]}}, "Circle"),
        ({"geometry": {"type": "Point", "coordinates": []}}, "geometry"),
        ({"geometry": {"type": "Point", "coordinates": [1, 91]}}, "geometry"),
        ({"geometry": {"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}}, "geometry"),
        ({"geometry": POINT, "bbox": [1, 2, 3]}, "bbox"),
        ({"geometry": POINT, "bbox": "1,2,3,4"}, "bbox"),
        ({"geometry": POINT, "bbox": [1, 5, 3, 4]}, "bbox"),
        ({"geometry": POINT, "bbox": [1, 2, None, 3, 4, 5]}, "bbox"),
        ({"properties": TIME | {"sat:absolute_orbit": 2**63}}, "beyond 64 bits"),
        ({"properties": TIME | {"anything": {1, 2}.__iter__()}}, "JSON"),
        ({"properties": TIME | {"anything": "\udfff"}}, "JSON"),
    ],
)
def test_what_is_no_item_is_refused_with_the_reason(path: Path, members: Item, reason: str) -> None:
    with writing(path) as writer, pytest.raises(BadInput, match=reason):
        writer.put(plain_item(**members))
    assert tables(path)["item"] == []


@pytest.mark.parametrize(
    "members",
    [
        {"id": "a/b%2F../ü 雲"},
        {"links": None},
        {"links": "none"},
        {"links": [1, {"rel": ["self"]}, {"href": "x"}]},
        {"stac_extensions": None},
        {"geometry": None, "bbox": None},
        {"properties": {"datetime": "0001-01-01T00:00:00Z"}},
        {"properties": {"datetime": "2020-06-01T00:00:00.123456789Z"}},
        {"properties": {"datetime": None, "start_datetime": MOMENTS[5], "end_datetime": MOMENTS[0]}},
        {"properties": TIME | {"eo:cloud_cover": "much", "platform": 7, "gsd": [10], "anything": 2**70}},
    ],
)
async def test_what_is_only_odd_is_taken(path: Path, opened: Opened, members: Item) -> None:
    put(path, plain_item(**members))
    [item] = (await held(opened())).values()
    assert item == plain_item(**members) | {"links": item["links"]}


@pytest.mark.parametrize("collection", [{}, {"id": ""}, {"id": 1}, {"id": "a\n"}, {"id": "a", "x": "\udfff"}])
def test_what_is_no_collection_is_refused(path: Path, collection: dict[str, Any]) -> None:
    with writing(path) as writer, pytest.raises(BadInput):
        writer.put_collection(collection)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(MOMENTS),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = ["type", "id", "collection", "geometry", "bbox", "properties", "assets", "links", "stac_extensions"]
INNER = [
    lambda item, value: item["properties"].update(datetime=value),
    lambda item, value: item["properties"].update(end_datetime=value),
    lambda item, value: item["properties"].update({"eo:cloud_cover": value}),
    lambda item, value: item.update(geometry={"type": "Polygon", "coordinates": value}),
    lambda item, value: item.update(geometry={"type": "GeometryCollection", "geometries": value}),
    lambda item, value: item.update(geometry=POINT, bbox=[value, value, value, value]),
    lambda item, value: item.update(links=[{"rel": value, "href": value}]),
]


def _set(member: str) -> Callable[[Item, Any], None]:
    return lambda item, value: item.__setitem__(member, value)


@settings(max_examples=200)
@given(st.sampled_from([*map(_set, MEMBERS), *INNER]), ANYTHING)
def test_an_item_of_wrong_types_is_taken_or_refused(change: Callable[[Item, Any], None], value: Any) -> None:
    """Never anything else, and what is taken can be read again."""
    item = msgspec.json.decode(msgspec.json.encode(plain_item()))
    change(item, value)
    with scratch() as path:
        try:
            put(path, item)
        except BadInput:
            assert tables(path)["item"] == []
        else:
            assert len(tables(path)["item"]) == len(tables(path)["body"]) == 1


@given(items(max_size=5))
@settings(max_examples=30)
def test_any_archive_put_twice_changes_nothing(drawn: list[Item]) -> None:
    with scratch() as path:
        put(path, *drawn)
        before = tables(path)
        put(path, *reversed(drawn))
        assert tables(path) == before
