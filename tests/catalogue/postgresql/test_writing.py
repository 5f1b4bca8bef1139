"""Taking items in: all or nothing, several writers at once, the same again changes nothing."""

import asyncio
import multiprocessing
import threading
from collections import Counter
from typing import Any

import pytest

from cscale.catalogue.postgresql import PostgresStore
from cscale.catalogue.store import FileState, Held
from cscale.errors import BadInput, NotFound
from cscale.identity import ANONYMOUS
from cscale.stac.items import Item, read_body
from cscale.stac.search import SearchRequest
from cscale.stac.times import instant
from cscale.testing.archives import MOMENTS, collections, plain_item
from tests.catalogue.postgresql.conftest import Opened, put, rows, tables

TIME = {"datetime": MOMENTS[0]}
POINT = {"type": "Point", "coordinates": [10, 50]}


async def held(opened: Opened) -> dict[tuple[str, str], Item]:
    page = await opened().search(ANONYMOUS, SearchRequest(limit=1000))
    return {(item.collection, item.id): read_body(item.body) for item in page.items}


def test_the_same_again_changes_no_row(store: PostgresStore, postgres_url: str) -> None:
    def take() -> Counter[str]:
        with store.writing() as writer:
            changes = Counter([writer.put_collection(each) for each in collections()])
            changes.update(writer.put(plain_item(id=f"{n}", properties=TIME | {"n": n})) for n in range(300))
        return Counter(map(str, changes.elements()))

    assert take() == {"added": 303}
    before = tables(postgres_url)
    assert take() == {"unchanged": 303}
    assert tables(postgres_url) == before


async def test_items_are_changed_removed_and_come_back(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"), plain_item(id="a", collection="two"), plain_item(id="b"))
    with store.writing() as writer:
        moved = plain_item(id="a", geometry=POINT, properties={"datetime": MOMENTS[7], "gsd": 10})
        assert writer.put(moved) == "changed"
        assert writer.remove("two", "a") == 1
        assert writer.remove(None, "b") == 1
        assert writer.remove(None, "nothing") == 0
        assert writer.put(plain_item(id="c")) == "added"
        assert writer.remove("one", "c") == 1
    found = await held(opened)
    assert set(found) == {("one", "a")}
    assert found["one", "a"]["properties"]["gsd"] == 10
    with store.writing() as writer:
        assert writer.remove(None, "a") == 1
        assert writer.put(plain_item(id="a")) == "added"
    assert (await held(opened))["one", "a"]["properties"] == TIME


async def test_statistics_are_what_they_would_be_if_made_anew(
    store: PostgresStore, postgres_url: str
) -> None:
    put(store, *(plain_item(id=f"{n}", properties={"datetime": MOMENTS[n % 8]}) for n in range(16)))
    put(
        store,
        *(plain_item(id=f"{n}", properties={"datetime": MOMENTS[-n % 8]}, geometry=POINT) for n in range(8)),
    )
    with store.writing() as writer:
        writer.remove("one", "3")
    counted = "SELECT day, items FROM day WHERE items <> 0 ORDER BY day"
    anew = "SELECT floor(t / 86400000000.0)::int AS day, count(*) FROM item GROUP BY 1 ORDER BY 1"
    assert rows(postgres_url, counted) == rows(postgres_url, anew)
    assert rows(postgres_url, "SELECT sum(items) FROM cell") == [(7,)]


async def test_a_collection_goes_with_its_items(store: PostgresStore, opened: Opened) -> None:
    with store.writing() as writer:
        writer.put_collection({"id": "one", "title": "x"})
        writer.put(plain_item(id="a"))
        writer.put(plain_item(id="b", collection="two"))
    source = opened()
    with store.writing() as writer:
        assert writer.remove_collection("one") == 1
        assert writer.remove_collection("nowhere") == 0
        assert list(writer.collections()) == ["two"]
    assert [each["id"] for each in (await source.collections(ANONYMOUS)).collections] == ["two"]
    put(store, plain_item(id="c"))
    assert set(await held(opened)) == {("one", "c"), ("two", "b")}
    assert "title" not in await source.collection(ANONYMOUS, "one")


def test_what_was_not_put_from_below_a_folder(store: PostgresStore) -> None:
    with store.writing() as writer:
        for name, origin in (("a", "/d/x"), ("b", "/d/x/1"), ("c", "/d/xy"), ("d", "/d/x/2"), ("e", None)):
            writer.put(plain_item(id=name), origin)
    with store.writing() as writer:
        writer.put(plain_item(id="d"), "/elsewhere")
        assert writer.not_put("/d/x") == [Held("one", "a"), Held("one", "b")]
    with store.writing() as writer:
        assert writer.not_put("/elsewhere") == [Held("one", "d")]


async def test_items_that_ended_before_an_instant_expire(store: PostgresStore, opened: Opened) -> None:
    long = {"datetime": MOMENTS[0], "start_datetime": MOMENTS[0], "end_datetime": MOMENTS[5]}
    put(store, plain_item(id="a"), plain_item(id="b", properties=long), plain_item(id="c", collection="two"))
    with store.writing() as writer:
        assert writer.expire("one", instant(MOMENTS[5])) == 1
        assert writer.expire("nowhere", 0) == 0
    assert set(await held(opened)) == {("one", "b"), ("two", "c")}


async def test_readers_see_the_old_state_until_all_is_written(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"))
    source = opened()
    with store.writing() as writer:
        for n in range(1200):  # more than is held back in memory
            writer.put(plain_item(id=f"{n}"))
        writer.remove("one", "a")
        page = await source.search(ANONYMOUS, SearchRequest())
        assert [item.id for item in page.items] == ["a"]
    page = await source.search(ANONYMOUS, SearchRequest(limit=10))
    assert page.matched == 1200


async def test_an_error_leaves_all_as_it_was(store: PostgresStore, opened: Opened, postgres_url: str) -> None:
    put(store, plain_item(id="a"))
    query = "SELECT * FROM item, collection, held"
    before = rows(postgres_url, query)
    with pytest.raises(RuntimeError, match="the light goes out"), store.writing() as writer:  # noqa: PT012  # the block is what fails
        for n in range(1100):
            writer.put(plain_item(id=f"{n}", collection="three"))
        raise RuntimeError("the light goes out")
    assert rows(postgres_url, query) == before
    assert [each["id"] for each in (await opened().collections(ANONYMOUS)).collections] == ["one"]


def test_one_of_two_different_items_of_one_id_is_refused(store: PostgresStore) -> None:
    for _ in range(2):
        with store.writing() as writer:
            writer.put(plain_item(id="a", properties=TIME | {"gsd": 10}))
            assert writer.put(plain_item(id="a", properties=TIME | {"gsd": 10})) == "unchanged"
            with pytest.raises(BadInput, match="another item of its id"):
                writer.put(plain_item(id="a", properties=TIME | {"gsd": 20}))
            writer.put_collection({"id": "one", "title": "x"})
            with pytest.raises(BadInput, match="another collection 'one'"):
                writer.put_collection({"id": "one", "title": "y"})


def test_a_writer_of_the_same_items_waits_and_then_says_why_it_cannot(store: PostgresStore) -> None:
    put(store, plain_item(id="a"), plain_item(id="b"))
    with store.writing() as first:
        first.put(plain_item(id="a", properties=TIME | {"by": "first"}))
        first.finish()  # its rows are locked from now on
        with store.writing(patience=0.1) as other:
            other.put(plain_item(id="c", collection="two"))  # others' items are no matter
        with pytest.raises(BadInput, match="another ingest"), store.writing(patience=0.1) as second:
            second.put(plain_item(id="a", properties=TIME | {"by": "second"}))
    put(store, plain_item(id="a", properties=TIME | {"by": "third"}))  # the first has let go


async def test_writers_of_the_same_items_in_any_order_end_both(
    store: PostgresStore, opened: Opened, postgres_url: str
) -> None:
    """No deadlock, no item twice, no count lost."""
    names = [f"{n:03}" for n in range(200)]
    failed: list[BaseException] = []

    def write(by: int) -> None:
        try:
            for round_ in range(3):
                ordered = names if by % 2 else names[::-1]
                properties = {"datetime": MOMENTS[(by + round_) % 8], "by": by, "round": round_}
                put(store, *(plain_item(id=name, properties=properties) for name in ordered))
        except BaseException as error:  # noqa: BLE001  # told below
            failed.append(error)

    writers = [threading.Thread(target=write, args=(by,)) for by in range(3)]
    for each in writers:
        each.start()
    for each in writers:
        await asyncio.to_thread(each.join)
    assert not failed
    assert set(await held(opened)) == {("one", name) for name in names}
    assert rows(postgres_url, "SELECT sum(items) FROM day") == [(200,)]
    assert rows(postgres_url, "SELECT count(*) FROM item") == [(200,)]


def test_processes_that_start_at_once_make_one_catalogue(store: PostgresStore, postgres_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=exec, args=(_WRITE, {"url": postgres_url, "name": str(n)})) for n in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3
    assert rows(postgres_url, "SELECT id FROM held ORDER BY id") == [("0",), ("1",), ("2",)]
    assert rows(postgres_url, "SELECT count(*) FROM secret") == [(1,)]


_WRITE = """
from cscale.catalogue.postgresql import PostgresStore
from cscale.testing.archives import plain_item
store = PostgresStore(url)
with store.writing() as writer:
    writer.put(plain_item(id=name))
assert store.secret() == PostgresStore(url).secret()
"""


def test_a_checksum_is_known_as_long_as_its_file_is_the_same(store: PostgresStore) -> None:
    with store.writing() as writer:
        writer.keep_checksum("a/b\udcff", "1220", FileState(3, 5), "1220ab")
    with store.writing() as writer:
        assert writer.known_checksum("a/b\udcff", "1220", FileState(3, 5)) == "1220ab"
        assert writer.known_checksum("a/b\udcff", "1220", FileState(3, 6)) is None


@pytest.mark.parametrize(
    "properties",
    [
        {"title": "a\0b", "platform": "a\0b", "x\0y": 1},
        {"platform": "x" * 5000, "instruments": ["a\0"], "updated": "y" * 5000},
        {"eo:cloud_cover": 2**53 + 1, "gsd": [10], "platform": 7, "anything": 2**70},
        {"note": "ä" * 1_500_000, "numbers": list(range(100_000))},
    ],
)
async def test_what_is_only_odd_is_taken_and_found(
    store: PostgresStore, opened: Opened, properties: dict[str, Any]
) -> None:
    put(store, plain_item(id="a", properties=TIME | properties), plain_item(id="b"))
    assert (await held(opened))["one", "a"]["properties"] == TIME | properties
    for name, value in properties.items():
        if isinstance(value, str | int) and "\0" not in f"{name}{value}" and len(str(value)) < 10_000:
            asked = SearchRequest(filter={"op": "=", "args": [{"property": name}, value]})
            assert [item.id for item in (await opened().search(ANONYMOUS, asked)).items] == ["a"]


async def test_names_that_no_index_holds_are_refused_or_not_found(
    store: PostgresStore, opened: Opened
) -> None:
    with store.writing() as writer, pytest.raises(BadInput, match="longer than 1000 bytes"):
        writer.put(plain_item(id="é" * 501))
    put(store, plain_item(id="x" * 1000))
    for name in ("é" * 501, "a\0b", "\ud800", ""):
        with pytest.raises(NotFound):
            await opened().item(ANONYMOUS, "one", name)
    assert (await opened().item(ANONYMOUS, "one", "x" * 1000)).id == "x" * 1000
