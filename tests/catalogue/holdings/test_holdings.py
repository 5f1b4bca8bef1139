"""Whose a file is, on both databases: as the items say, whatever was put, changed and removed."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.archive.folders import percent_encoded
from cscale.archive.holdings import Claim, Holdings
from cscale.catalogue import SqliteStore, Store
from cscale.catalogue.bodies import DATA
from cscale.catalogue.holdings import SqliteHoldings
from cscale.catalogue.holdings.claims import folders
from cscale.catalogue.holdings.postgresql import PostgresHoldings
from cscale.catalogue.postgresql import PostgresStore
from cscale.errors import BadConfiguration
from cscale.stac.items import Item
from cscale.testing import archives
from tests.postgres import PASSWORD, fresh, postgres_server

__all__ = ["postgres_server"]

DATA_URL = "https://example.org/data"
Opened = tuple[Store, Callable[[], Holdings]]
PATHS = ("s/a.tif", "s/b.tif", "s/x/a.tif", "s/x/y z.tif", "s/x/cube.zarr", "s/xé/%25.tif", "t/a.tif", "s0")
ASKED = (
    *PATHS,
    "s/x/cube.zarr/0/0",
    "s/x/new",
    "s/x/y/z",
    "t/new",
    "u/new",
    "u",
    "s/a.tif/x",
    "s/b.ti",
    "a\0b",
)


def item(name: str, collection: str, paths: Sequence[str], form: str = DATA) -> Item:
    assets = {f"a{n}": {"href": f"{form}/{percent_encoded(path)}"} for n, path in enumerate(paths)}
    return archives.plain_item(id=name, collection=collection, assets=assets)


def truth(held: Sequence[tuple[str, Sequence[str]]], path: str) -> Claim:
    for place in (path, *folders(path)):
        if named := {collection for collection, paths in held if place in paths}:
            return Claim(frozenset(named), named=True)
    for folder in folders(path):
        near = {of for of, paths in held for each in paths if each.startswith(f"{folder}/")}
        if near:
            return Claim(frozenset(near), named=False)
    return Claim(frozenset(), named=False)


class _Opened:
    """A store, and holdings that are closed at the end."""

    def __init__(self, state: Path | str) -> None:
        self.state = state
        self.store: Store = SqliteStore(state) if isinstance(state, Path) else PostgresStore(state)
        self.store.columns() if isinstance(state, str) else self.store.source(data_url="", secret=b"").close()
        self.made: list[Holdings] = []

    def holdings(self) -> Holdings:
        made = (
            SqliteHoldings(self.state, DATA_URL)
            if isinstance(self.state, Path)
            else PostgresHoldings(self.state, DATA_URL)
        )
        self.made.append(made)
        return made


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    if request.param == "sqlite":
        yield tmp_path / "site"
        return
    with fresh(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.fixture
def opened(state: Path | str) -> Iterator[_Opened]:
    made = _Opened(state)
    yield made
    for each in made.made:
        each.close()


def asked_anew(holdings: Holdings, path: str) -> Claim:
    holdings._kept.clear()  # type: ignore[attr-defined]  # as after a second
    return holdings.claim(path)


changes = st.lists(
    st.tuples(
        st.sampled_from(["i", "j", "k"]),
        st.sampled_from(["one", "two"]),
        st.none() | st.lists(st.sampled_from(PATHS), unique=True, max_size=3),
    ),
    max_size=4,
    unique_by=lambda change: change[:2],
)


def _follow(made: _Opened, rounds: list[list[Any]]) -> None:
    holdings, held = made.holdings(), dict[tuple[str, str], Sequence[str]]()
    for changed in rounds:
        with made.store.writing() as writer:
            for name, collection, paths in changed:
                if paths is None:
                    writer.remove(collection, name)
                    held.pop((name, collection), None)
                else:
                    writer.put(item(name, collection, paths))
                    held[name, collection] = paths
        now = [(collection, paths) for (_, collection), paths in held.items()]
        for path in ASKED:
            assert asked_anew(holdings, path) == truth(now, path), path


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(changes, max_size=4))
def test_it_follows_every_change_on_sqlite(rounds: list[list[Any]]) -> None:
    with TemporaryDirectory() as folder:
        made = _Opened(Path(folder))
        _follow(made, rounds)
        made.made[0].close()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(changes, max_size=4))
def test_it_follows_every_change_on_postgresql(postgres_server: str, rounds: list[list[Any]]) -> None:
    with fresh(postgres_server) as url:
        made = _Opened(url)
        _follow(made, rounds)
        made.made[0].close()


def test_assets_are_known_in_every_form_and_links_are_none(opened: _Opened) -> None:
    own = item("a", "one", ["s/a.tif"])
    own["assets"]["far"] = {
        "href": "https://elsewhere.test/s/b.tif",
        "alternate": {"x": {"href": f"{DATA}/s/c"}},
    }
    own["links"] = [{"rel": "derived_from", "href": f"{DATA}/s/link.json"}]
    with opened.store.writing() as writer:
        writer.put(own)
        writer.put(item("b", "two", ["t/d e.tif"], DATA_URL))
    holdings = opened.holdings()
    one, two = frozenset({"one"}), frozenset({"two"})
    assert holdings.claim("s/a.tif") == holdings.claim("s/c") == Claim(one, named=True)
    assert holdings.claim("t/d e.tif") == Claim(two, named=True)
    assert holdings.claim("s/b.tif") == holdings.claim("s/link.json") == Claim(one, named=False)


def test_a_removed_collection_and_one_of_its_name_are_two(opened: _Opened) -> None:
    holdings = opened.holdings()
    with opened.store.writing() as writer:
        writer.put(item("a", "one", ["s/a.tif"]))
    assert asked_anew(holdings, "s/a.tif").named
    with opened.store.writing() as writer:
        writer.remove_collection("one")
    assert asked_anew(holdings, "s/a.tif") == Claim(frozenset(), named=False)
    with opened.store.writing() as writer:
        writer.put(item("a", "new", ["s/b.tif"]))
    assert asked_anew(holdings, "s/b.tif") == Claim(frozenset({"new"}), named=True)
    assert not asked_anew(holdings, "s/a.tif").named


def test_processes_share_one_index_and_what_was_asked_is_known_for_a_moment(opened: _Opened) -> None:
    one, other = opened.holdings(), opened.holdings()
    with opened.store.writing() as writer:
        writer.put(item("a", "one", ["s/a.tif"]))
    expected = Claim(frozenset({"one"}), named=True)
    assert one.known("s/a.tif") is None
    assert one.claim("s/a.tif") == other.claim("s/a.tif") == one.known("s/a.tif") == expected


def test_many_items_are_read_in_batches(opened: _Opened) -> None:
    with opened.store.writing() as writer:
        for n in range(2500):
            writer.put(item(f"i{n}", "one" if n % 2 else "two", [f"s/{n}/a.tif"]))
    holdings = opened.holdings()
    for n in (0, 1, 999, 1000, 1001, 2499):
        assert holdings.claim(f"s/{n}/a.tif").collections == {"one" if n % 2 else "two"}
    assert holdings.claim("s/2500").collections == {"one", "two"}


def test_a_catalogue_made_anew_is_another(tmp_path: Path) -> None:
    made = _Opened(tmp_path / "site")
    with made.store.writing() as writer:
        writer.put(item("a", "one", ["s/a.tif"]))
    first = made.holdings()
    assert first.claim("s/a.tif").named
    first.close()
    for path in (tmp_path / "site").glob("catalogue.sqlite*"):
        path.rename(path.with_name(f"old-{path.name}"))
    again = _Opened(tmp_path / "site")
    with again.store.writing() as writer:
        writer.put(item("a", "two", ["s/b.tif"]))
    second = again.holdings()
    assert second.claim("s/b.tif") == Claim(frozenset({"two"}), named=True)
    assert not second.claim("s/a.tif").named
    second.close()


def test_a_lost_connection_is_made_again(postgres_server: str) -> None:
    with fresh(postgres_server) as url:
        made = _Opened(url)
        with made.store.writing() as writer:
            writer.put(item("a", "one", ["s/a.tif"]))
        holdings = made.holdings()
        assert holdings.claim("s/a.tif").named
        with psycopg.connect(postgres_server, autocommit=True) as killer:
            pid = made.made[0]._own._open.info.backend_pid  # type: ignore[attr-defined]
            killer.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert asked_anew(holdings, "s/a.tif").named
        holdings.close()


def test_a_database_that_is_gone_is_told_without_the_password(tmp_path: Path) -> None:
    for holdings in (
        PostgresHoldings(f"postgresql://cscale:{PASSWORD}@127.0.0.1:1/none", DATA_URL),
        SqliteHoldings(tmp_path / "file", DATA_URL),
    ):
        (tmp_path / "file").touch()
        with pytest.raises((BadConfiguration, OSError)) as refused:
            holdings.claim("s/a.tif")
        assert PASSWORD not in str(refused.value)
