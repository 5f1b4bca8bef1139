"""What is kept of use, on both databases: records only ever added, hours that are their sums."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cscale.accounting.ledger import HOUR, Hour, Ledger, Use
from cscale.errors import BadConfiguration
from tests.postgres import PASSWORD

Opened = Callable[[], Ledger]
NOON = 1_790_000_000 // HOUR * HOUR

uses = st.builds(
    Use,
    at=st.sampled_from([NOON, NOON + 1.5, NOON + HOUR - 0.001, NOON + HOUR]),
    user=st.sampled_from(["", "u1", "u2"]),
    collection=st.sampled_from(["", "S2", "é"]),
    path=st.sampled_from(["scenes/a.tif", "scenes/b c.tif"]),
    status=st.sampled_from([200, 206, 404]),
    requests=st.integers(1, 5),
    bytes=st.sampled_from([0, 1, 2**40]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.lists(uses, max_size=5), max_size=4))
def test_records_are_kept_in_order_and_hours_are_their_sums(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Use]]
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("books"), "alpha")
    for batch in batches:
        ledger.write(batch)
    _is_the_sum(ledger, [use for batch in batches for use in batch])
    ledger.close()


def test_both_databases_sum_alike(opened: Opened) -> None:
    ledger = opened()
    kept = [
        Use(NOON + n, user, "S2", f"scenes/{n}", status, 2, 10)
        for n in range(600)
        for user, status in (("u", 206), ("", 200), ("u", 403))
    ]
    ledger.write(kept[:1000])
    ledger.write(kept[1000:])
    _is_the_sum(ledger, kept)
    assert ledger.hours(start=NOON + HOUR) == []
    assert len(ledger.hours(end=NOON + 1)) == 2


def _is_the_sum(ledger: Ledger, written: list[Use]) -> None:
    assert ledger.records(10_000) == written[::-1]
    requests: Counter[tuple[int, str, str]] = Counter()
    sent: Counter[tuple[int, str, str]] = Counter()
    for each in written:
        if each.status < 400:
            key = (int(each.at) // HOUR * HOUR, each.user, each.collection)
            requests[key] += each.requests
            sent[key] += each.bytes
    expected = {Hour(*key[:2], "alpha", key[2], requests[key], sent[key]) for key in requests}
    assert set(ledger.hours()) == expected
    assert len(ledger.hours()) == len(expected)


def test_processes_that_begin_at_once_lose_nothing(opened: Opened) -> None:
    ledgers = [opened() for _ in range(4)]
    told: list[int] = []

    def write(ledger: Ledger, first: int) -> None:
        for n in range(10):
            whose = {(f"u{(n + first) % 3}", "S2"): (1, 5), (f"u{(n + first + 1) % 3}", "S2"): (1, 5)}
            ledger.write([Use(NOON, "u", "S2", f"{first}/{n}", 200, 1, 5)], whose)
            told.append(1)

    threads = [threading.Thread(target=write, args=[ledger, n]) for n, ledger in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 40
    assert len(ledgers[0].records()) == 40
    assert ledgers[0].hours() == [Hour(NOON, "u", "alpha", "S2", 40, 200)]
    known = ledgers[1].write([], {(f"u{n}", "S2"): (0, 0) for n in range(3)})
    assert sum(requests for requests, _ in known.values()) == 80
    assert sum(sent for _, sent in known.values()) == 400


def test_a_licence_is_accepted_once_and_for_each_user(opened: Opened) -> None:
    one, other = opened(), opened()
    one.accept("u", "X-1")
    first = one.accepted("u")
    other.accept("u", "X-1")
    other.accept("u", "X-2")
    assert one.accepted("u").keys() == {"X-1", "X-2"}
    assert one.accepted("u")["X-1"] == first["X-1"]
    assert one.accepted("other") == {}


def test_an_error_names_the_place_and_not_the_password(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for state in (tmp_path / "file", f"postgresql://cscale:{PASSWORD}@127.0.0.1:1/none"):
        with pytest.raises(BadConfiguration) as refused:
            Ledger(state, "alpha").records()
        assert "accounting cannot be kept here" in str(refused.value)
        assert PASSWORD not in str(refused.value)
    for state in ("postgresql://h:port/x", "postgresql://h/x?schema=Odd;"):
        with pytest.raises(BadConfiguration):
            Ledger(state, "alpha")


def test_the_tables_stand_beside_those_of_the_catalogue(postgres_url: str) -> None:
    from cscale.catalogue.postgresql import PostgresStore
    from cscale.federation.registry import Registry

    Ledger(postgres_url, "alpha").write([])
    PostgresStore(postgres_url).secret()
    registry = Registry(postgres_url)
    registry.profiles()
    registry.close()
    Ledger(postgres_url, "alpha").accept("u", "X")
    with psycopg.connect(postgres_url.partition("?")[0]) as connection:
        schema = postgres_url.partition("schema=")[2]
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
        assert {"usage_record", "item", "profile"} <= {name for (name,) in rows}
