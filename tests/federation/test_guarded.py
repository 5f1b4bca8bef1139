"""A guarded source is the source of the items that may be found: no others are shown, counted or told of."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.catalogue import SqliteStore
from cscale.catalogue.postgresql import PostgresStore
from cscale.catalogue.store import Store
from cscale.errors import NotFound
from cscale.federation.decisions import decide
from cscale.federation.guarded import Guarded
from cscale.federation.marking import AUTHENTICATION, POLICY, REFS, SCHEMES, Marks, open_id
from cscale.federation.policies import Policies, Policy
from cscale.identity import ANONYMOUS, Caller
from cscale.stac.aggregation import AggregateRequest
from cscale.stac.aggregation.evaluation import aggregate
from cscale.stac.items import Collection, Item, open_body, read_body
from cscale.stac.search import SearchRequest
from cscale.stac.source import ItemSource
from cscale.testing import archives
from cscale.testing.aggregates import AggregatesTests, aggregate_requests
from cscale.testing.items import ItemSourceTests, brute_force
from cscale.testing.searches import requests
from tests.federation.test_decisions import callers, policies
from tests.postgres import fresh, postgres_server
from tests.stac.memory import Memory

__all__ = ["postgres_server"]

DATA_URL = "https://example.org/data"
SECRET = Policy.model_validate({"metadata": "authenticated"})
OPEN = Policy.model_validate({"data": {"access": "open"}})
PERSON = Caller(subject="u")


def unmarked(item: Item) -> Item:
    """An item without what tells its policy."""
    bare = {name: value for name, value in item.items() if name != POLICY}
    bare["properties"] = {name: value for name, value in item["properties"].items() if name != SCHEMES}
    if AUTHENTICATION in item.get("stac_extensions", []):
        bare["stac_extensions"] = [each for each in item["stac_extensions"] if each != AUTHENTICATION]
        if not bare["stac_extensions"]:
            del bare["stac_extensions"]
    return bare


def secrets(held: Sequence[Item]) -> list[Item]:
    """Items like those that are held, in a collection that is hidden, with a property of their own."""
    return [
        each | {"collection": "hidden", "properties": each["properties"] | {"test:secret": n}}
        for n, each in {each["id"]: each for each in held}.items()
    ]


@asynccontextmanager
async def opened(
    store: Store, items: Sequence[Item], collections: Sequence[Collection], declared: Mapping[str, Policy]
) -> AsyncIterator[Guarded]:
    hidden = {**collections[0], "id": "hidden"}
    with store.writing() as writer:
        for collection in (*collections, hidden):
            writer.put_collection(collection)
        for item in (*items, *secrets(items)):
            writer.put(item)
    source = store.source(data_url=DATA_URL, secret=b"s")
    try:
        yield Guarded(source, Policies(declared), Marks(Policies(declared), DATA_URL))
    finally:
        source.close()


ONE_HIDDEN = {"hidden": SECRET}
ALL_BUT_HIDDEN = {"default": SECRET, **dict.fromkeys(archives.COLLECTIONS, OPEN)}


class OnSqlite(ItemSourceTests):
    examples = 15
    declared: Mapping[str, Policy] = ONE_HIDDEN

    def same_item(self, expected: Item, found: Item) -> bool:
        return super().same_item(expected, unmarked(found))

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        with TemporaryDirectory() as folder:
            async with opened(SqliteStore(Path(folder)), items, collections, self.declared) as source:
                shown = {each["id"] for each in (await source.collections(ANONYMOUS)).collections}
                assert "hidden" not in shown
                yield source


class TestOneHidden(OnSqlite):
    pass


class TestAllButHidden(OnSqlite):
    examples = 8
    declared = ALL_BUT_HIDDEN


class TestOnPostgres(OnSqlite):
    examples = 4

    @pytest.fixture(autouse=True)
    def _server(self, postgres_server: str) -> None:
        self.server = postgres_server

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[ItemSource]:
        with fresh(self.server) as url:
            async with opened(PostgresStore(url), items, collections, ONE_HIDDEN) as source:
                yield source


class TestCountsOnSqlite(AggregatesTests):
    examples = 25

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Guarded]:
        with TemporaryDirectory() as folder:
            async with opened(SqliteStore(Path(folder)), items, collections, ONE_HIDDEN) as source:
                yield source


class TestCountsOnPostgres(AggregatesTests):
    examples = 5

    @pytest.fixture(autouse=True)
    def _server(self, postgres_server: str) -> None:
        self.server = postgres_server

    @asynccontextmanager
    async def open_source(
        self, items: Sequence[Item], collections: Sequence[Collection]
    ) -> AsyncIterator[Guarded]:
        with fresh(self.server) as url:
            async with opened(PostgresStore(url), items, collections, ONE_HIDDEN) as source:
                yield source


declarations = st.dictionaries(st.sampled_from(["default", *archives.COLLECTIONS]), policies())


@settings(max_examples=120, deadline=None)
@given(archives.items(), declarations, callers(), requests(), aggregate_requests())
def test_the_answer_is_brute_force_over_what_may_be_found(
    held: list[Item],
    declared: dict[str, Policy],
    who: Caller,
    request: SearchRequest,
    counted: AggregateRequest,
) -> None:
    of = Policies(declared)
    visible = [each for each in held if decide(of.of(each["collection"]), who, "metadata").allowed]
    source = Guarded(Memory(held, archives.collections()), of, Marks(of, DATA_URL))

    async def ask() -> None:
        expected, got, token = brute_force(visible, request), [], None
        while True:
            page = await source.search(who, replace(request, token=token))
            assert page.matched == len(expected)
            got += [(each.collection, each.id) for each in page.items]
            token = page.token
            if token is None:
                break
        assert got == [(each["collection"], each["id"]) for each in expected]
        assert (await source.aggregate(who, counted)).aggregations == aggregate(visible, counted).aggregations
        names = {each["id"] for each in (await source.collections(who)).collections}
        for collection in archives.COLLECTIONS:
            if decide(of.of(collection), who, "metadata").allowed:
                assert (await source.collection(who, collection))["id"] == collection
                assert collection in names
            else:
                assert collection not in names
                with pytest.raises(NotFound):
                    await source.collection(who, collection)
        for each in held:
            if each in visible:
                assert (await source.item(who, each["collection"], each["id"])).id == each["id"]
            else:
                with pytest.raises(NotFound):
                    await source.item(who, each["collection"], each["id"])

    asyncio.run(ask())


async def test_nothing_tells_a_hidden_collection_from_none(tmp_path: Path) -> None:
    item = archives.plain_item(properties={"datetime": "2020-01-01T00:00:00Z", "gsd": 10})
    async with opened(SqliteStore(tmp_path), [item], archives.collections(), ONE_HIDDEN) as source:
        said = []
        for name in ("hidden", "absent"):
            refusals = []
            for ask in (
                source.collection(ANONYMOUS, name),
                source.queryables(ANONYMOUS, name),
                source.item(ANONYMOUS, name, item["id"]),
            ):
                with pytest.raises(NotFound) as refused:
                    await ask
                refusals.append(str(refused.value).replace(name, "NAME"))
            page = await source.search(ANONYMOUS, SearchRequest(collections=(name,)))
            said.append((refusals, list(page.items), page.token, page.matched))
        assert said[0] == said[1]
        assert "test:secret" not in await source.queryables(ANONYMOUS, None)
        assert "test:secret" in await source.queryables(PERSON, None)
        assert (await source.queryables(ANONYMOUS, None)).keys() == {"datetime", "gsd"}
        every = {"op": "or", "args": [{"op": "=", "args": [{"property": "collection"}, "hidden"]}, True]}
        not_one = {"op": "not", "args": [{"op": "=", "args": [{"property": "collection"}, "one"]}]}
        for asked, found in ((every, 1), (not_one, 0)):
            page = await source.search(ANONYMOUS, SearchRequest(filter=asked))
            assert (len(page.items), page.matched) == (found, found)


async def test_a_walk_goes_on_when_a_collection_is_added_and_when_the_login_ends(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    held = [
        archives.plain_item(id=f"i{n}", properties={"datetime": f"2020-01-0{n}T00:00:00Z"})
        for n in range(1, 6)
    ]
    async with opened(store, held, archives.collections(), ONE_HIDDEN) as source:
        first = await source.search(PERSON, SearchRequest(limit=2))
        assert [(each.collection, each.id) for each in first.items] == [("hidden", "i5"), ("one", "i5")]
        with store.writing() as writer:
            writer.put(held[0] | {"collection": "new", "id": "n"})
        source._names = (float("-inf"), ())  # as after a second
        rest = await source.search(ANONYMOUS, SearchRequest(limit=100, token=first.token))
        assert [each.id for each in rest.items] == ["i4", "i3", "i2", "i1", "n"]
        assert {each.collection for each in rest.items} == {"one", "new"}


SCHEME = open_id({"oidc": "https://issuer.test/"})
CLOSED = Policy.model_validate(
    {
        "data": {
            "entitlements": ["urn:x:y:group:z"],
            "licence": {"id": "X", "url": "https://x.test", "accept": True},
        },
        "retention": {"kind": "rolling", "days": 9},
    }
)
_HREFS = st.sampled_from([f"{DATA_URL}/a/b.tif", "https://elsewhere.test/b.tif", f"{DATA_URL}x/b.tif"])
_ASSETS = st.dictionaries(
    st.sampled_from(["a", 'b"properties":{', "c"]),
    st.builds(
        lambda href, more: {"href": href, **more},
        _HREFS,
        st.sampled_from([{}, {"auth:refs": ["s3"]}, {"alternate": {"x": {"href": f"{DATA_URL}/c"}}}]),
    ),
)
_MORE = st.sampled_from(
    [
        {},
        {"stac_extensions": []},
        {"stac_extensions": ["https://e.test/x.json"]},
        {"nested": {"stac_extensions": ["x"], "properties": {"y": 1}}},
        {"nested": {"stac_extensions": ["x"], "links": [{"href": f"{DATA_URL}/n"}]}},
        {"nested": {"stac_extensions": ["x"]}, "stac_extensions": ["https://e.test/x.json"]},
        {"nested": [{"a": 1, "stac_extensions": ["x"]}]},
        {"federation:policy": {"data": "none of ours"}},
        {"text": '"properties":{"auth:schemes":{}}, "href":"https://example.org/data/'},
    ]
)


def _declared(item: Item) -> Item:
    """An item whose assets have fields of the extension says that it has them."""
    if not any(REFS in asset for asset in item["assets"].values()):
        return item
    older = AUTHENTICATION.replace("v1.1.0", "v1.0.0")
    return item | {"stac_extensions": [*item.get("stac_extensions", []), older]}


def _shuffled(item: Item, order: list[str]) -> Item:
    return {name: item[name] for name in sorted(item, key=lambda name: (name not in order, name))}


marked_items = st.builds(
    lambda item, more, assets, order: _shuffled(_declared({**item, **more, "assets": assets}), order),
    archives.items().filter(bool).map(lambda drawn: drawn[0]),
    _MORE,
    _ASSETS,
    st.lists(st.sampled_from(["stac_extensions", "nested", "assets", "text", "properties"])),
)


@settings(max_examples=300, deadline=None)
@given(marked_items, st.sampled_from([OPEN, CLOSED]))
def test_what_is_put_into_the_bytes_is_what_is_put_into_the_item(item: Item, policy: Policy) -> None:
    mark = Marks(Policies({"default": policy}), DATA_URL, SCHEME)._marks[id(policy)]
    body = open_body(item)
    quick, slow = read_body(mark.on(body)), read_body(mark._parsed(body))
    assert quick == slow
    expected: dict[str, Any] = {"data": "open", "retention": {"kind": "complete"}}
    if policy is CLOSED:
        expected = {
            "data": "entitled",
            "licence": "X",
            "accept": True,
            "retention": {"kind": "rolling", "days": 9},
        }
        assert quick["properties"][SCHEMES]["oidc"] == SCHEME["oidc"]
        assert quick["stac_extensions"].count(AUTHENTICATION) == 1
        for name, asset in quick["assets"].items():
            here = asset["href"].startswith(f"{DATA_URL}/")
            assert asset.get(REFS) == (["oidc"] if here else item["assets"][name].get(REFS))
    else:
        assert SCHEMES not in quick["properties"]
    assert quick[POLICY] == expected


def test_a_collection_tells_how_its_data_is_opened() -> None:
    marks = Marks(Policies({"S2": CLOSED, "default": OPEN}), DATA_URL, SCHEME)
    shown = marks.collection({"id": "S2", "stac_extensions": ["https://e.test/x.json"]})
    assert shown[POLICY]["entitlements"] == ["urn:x:y:group:z"]
    assert shown[POLICY]["licence_url"] == "https://x.test"
    assert shown[SCHEMES] == SCHEME
    assert shown["stac_extensions"] == [AUTHENTICATION, "https://e.test/x.json"]
    plain: dict[str, Any] = marks.collection({"id": "other"})
    assert plain.keys() == {"id", POLICY}
