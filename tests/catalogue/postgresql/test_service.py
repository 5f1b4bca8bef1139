"""A catalogue in service: databases that are not there, go away, are slow, or are not ours to change."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cscale.catalogue.postgresql import PostgresCatalogue, PostgresStore
from cscale.catalogue.postgresql.connection import Place
from cscale.catalogue.postgresql.schema import opened as connected
from cscale.errors import BadConfiguration, NotFound, SiteError, SiteTimeout
from cscale.identity import ANONYMOUS
from cscale.stac.search import SearchRequest
from cscale.testing.archives import plain_item
from tests.catalogue.postgresql.conftest import DATA_URL, Opened, put, run
from tests.postgres import PASSWORD, Cluster, required_binaries

MANY = SearchRequest(limit=100)


async def test_cursors_and_secret_are_shared_by_processes(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"), plain_item(id="b"))
    first = await opened(store.secret()).search(ANONYMOUS, SearchRequest(limit=1))
    again = await opened(store.secret()).search(ANONYMOUS, SearchRequest(limit=1, token=first.token))
    assert [item.id for item in (*first.items, *again.items)] == ["a", "b"]


async def test_an_answer_shows_one_state_while_items_change(store: PostgresStore, opened: Opened) -> None:
    def change(*rounds: int) -> None:
        for round_ in rounds:
            moment = {"datetime": f"2020-06-0{round_ + 1}T00:00:00Z"}
            put(store, *(plain_item(id=f"{n}", properties=moment) for n in range(60)))

    change(0)
    source = opened()
    writes = asyncio.create_task(asyncio.to_thread(change, *range(1, 6)))
    while not writes.done():
        for page in await asyncio.gather(*(source.search(ANONYMOUS, MANY) for _ in range(12))):
            times = {item.body.partition(b'"datetime":')[2][:12] for item in page.items}
            assert (len(page.items), page.matched, len(times)) == (60, 60, 1)
    await writes


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server of one's own, not started yet; in a folder that its user can reach."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Cluster(Path(folder, "own"), required_binaries())


async def test_a_server_that_was_restarted_is_asked_again(own_cluster: Cluster) -> None:
    cluster = own_cluster
    cluster.start()
    try:
        cluster.prepare()
        store = PostgresStore(cluster.url())
        put(store, plain_item(id="a"))
        source = store.source(data_url=DATA_URL, secret=b"s")
        assert len((await source.search(ANONYMOUS, MANY)).items) == 1
        cluster.stop()
        with pytest.raises(SiteError, match="does not answer") as refused:
            await source.search(ANONYMOUS, MANY)
        assert PASSWORD not in str(refused.value)
        cluster.start()
        assert len((await source.search(ANONYMOUS, MANY)).items) == 1
        source.close()
    finally:
        cluster.stop()


async def test_connections_that_were_ended_are_replaced(
    store: PostgresStore, opened: Opened, postgres_url: str
) -> None:
    put(store, plain_item(id="a"))
    source = opened()
    await asyncio.gather(*(source.search(ANONYMOUS, MANY) for _ in range(5)))
    with connected(Place.parse(postgres_url)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE state = 'idle' AND query = 'ROLLBACK' AND pid <> pg_backend_pid()"
        )
    assert len((await source.search(ANONYMOUS, MANY)).items) == 1


async def test_a_statement_that_takes_too_long_is_given_up(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"))
    source = opened(statement_timeout=0.2)
    with connected(store._place) as connection, connection.transaction():
        connection.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SiteTimeout, match=r"0\.2 s"):
            await source.search(ANONYMOUS, MANY)
    assert len((await source.search(ANONYMOUS, MANY)).items) == 1


async def test_more_searches_than_connections_wait_their_turn(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"))
    source = opened()
    pages = await asyncio.gather(*(source.search(ANONYMOUS, MANY) for _ in range(50)))
    assert [len(page.items) for page in pages] == [1] * 50


async def test_what_is_not_found_costs_no_connection(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"))
    source = opened()
    assert len((await source.search(ANONYMOUS, MANY)).items) == 1
    pool = source._pool._mine()
    [connection] = pool.idle
    for _ in range(3):
        with pytest.raises(NotFound):
            await source.collection(ANONYMOUS, "nowhere")
    assert pool.idle == [connection]


async def test_a_search_that_is_given_up_leaves_no_harm(store: PostgresStore, opened: Opened) -> None:
    put(store, plain_item(id="a"))
    source = opened()
    for _ in range(15):
        task = asyncio.create_task(source.search(ANONYMOUS, MANY))
        await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len((await source.search(ANONYMOUS, MANY)).items) == 1


def open_it(url: str) -> PostgresCatalogue:
    return PostgresStore(url).source(data_url=DATA_URL, secret=b"s")


def test_a_database_that_cannot_be_reached_is_told_without_the_password(
    postgres_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port = postgres_server.rpartition(":")[2]
    for url in (
        "postgresql://user:pass-word@127.0.0.1:1/db",
        postgres_server.replace("/cscale", "/nowhere"),
        f"postgresql://guarded:pass-word@127.0.0.1:{port}",
    ):
        with pytest.raises(BadConfiguration, match="cannot be reached") as refused:
            open_it(url)
        told = f"{refused.value!r} {refused.value.__cause__} {caplog.text}"
        assert "pass-word" not in told
        assert PASSWORD not in told
        assert "127.0.0.1" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hu@ss@host/db",
        "postgresql://user:hu/ss@host/db",
        "postgresql://user:hu#ss@host/db",
        "postgresql://user:hu?ss@host/db",
        "postgresql://user:hush@host:port/db",
        "postgresql://user:hush@host/db?nothing=known",
        "postgresql://user:hush@host/db?schema=No%20name",
        "mysql://user:hush@host/db",
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_the_password(url: str) -> None:
    with pytest.raises(BadConfiguration, match="state") as refused:
        PostgresStore(url)
    told = f"{refused.value} {refused.value.__cause__}"
    assert "ss@" not in told
    assert "user:hu" not in told


def test_a_place_does_not_show_its_password() -> None:
    assert "hush" not in repr(Place.parse("postgresql://user:hush@host:5/db?schema=own"))


def test_a_database_without_postgis_says_what_to_do(postgres_server: str) -> None:
    base = postgres_server.rpartition("/")[0]
    run(postgres_server, "CREATE DATABASE bare TEMPLATE template0")
    try:
        run(
            f"{base}/bare",
            "GRANT CREATE ON DATABASE bare TO guarded; GRANT CREATE ON SCHEMA public TO guarded",
        )
        url = f"{base}/bare".replace("cscale:", "guarded:", 1)
        with pytest.raises(BadConfiguration, match="CREATE EXTENSION postgis"):
            open_it(url)
        open_it(f"{base}/bare").close()  # its owner can
        run(postgres_server, "REVOKE CREATE ON DATABASE bare FROM guarded")
        with pytest.raises(BadConfiguration, match="CREATE SCHEMA other AUTHORIZATION guarded"):
            open_it(f"{url}?schema=other")
    finally:
        run(postgres_server, "DROP DATABASE bare WITH (FORCE)")


def test_a_database_of_another_encoding_is_refused(postgres_server: str) -> None:
    base = postgres_server.rpartition("/")[0]
    run(postgres_server, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with pytest.raises(BadConfiguration, match="ENCODING 'UTF8'"):
            open_it(f"{base}/latin")
    finally:
        run(postgres_server, "DROP DATABASE latin WITH (FORCE)")


@pytest.mark.parametrize(("found", "told"), [(0, "cscale migrate"), (99, "newer cscale")])
def test_a_catalogue_of_another_format_is_refused(postgres_url: str, found: int, told: str) -> None:
    open_it(postgres_url).close()
    with connected(Place.parse(postgres_url)) as connection:
        connection.execute("UPDATE format SET n = %s", [found or -1])
    with pytest.raises(BadConfiguration, match=told):
        open_it(postgres_url)
    if found:
        with pytest.raises(BadConfiguration, match=told):
            PostgresStore(postgres_url).migrate()
        with pytest.raises(BadConfiguration, match=told), PostgresStore(postgres_url).writing():
            pass
