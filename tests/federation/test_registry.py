"""What a hub keeps of its members, on both databases."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from cscale.errors import BadConfiguration
from cscale.federation.profiles import Profile, Tried
from cscale.federation.registry import Availability, HealthCheck, Registry
from tests.postgres import PASSWORD, postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]

URL = "https://alpha.test/stac"
PROFILE = Profile(
    leaves=frozenset({"filter", "q"}),
    refuses=frozenset({"POST"}),
    page=100,
    claims=("https://api.stacspec.org/v1.0.0/core",),
    counts=True,
    stable=False,
    cors=None,
    tls=True,
    ranges=True,
    checked_at="2026-11-22T00:00:00Z",
    tries=(Tried("filter", "ignored", "é []"),),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "hub"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def opened(state: Path | str) -> Iterator[Callable[[], Registry]]:
    registries = []

    def open_it() -> Registry:
        registries.append(Registry(state))
        return registries[-1]

    yield open_it
    for each in registries:
        each.close()


def test_profiles_are_kept_whole_and_replaced(opened: Callable[[], Registry]) -> None:
    one, other = opened(), opened()
    one.keep_profile("alpha", URL, Profile())
    one.keep_profile("alpha", URL, PROFILE)
    one.keep_profile("beta", "https://beta.test", Profile())
    assert other.profiles() == {"alpha": (URL, PROFILE), "beta": ("https://beta.test", Profile())}


def test_a_profile_is_told_as_it_was_last_read_and_only_of_its_address(
    opened: Callable[[], Registry],
) -> None:
    registry = opened()
    tell, moved = registry.profiled("alpha", URL), registry.profiled("alpha", "https://new.test")
    assert tell() is None
    registry.keep_profile("alpha", URL, PROFILE)
    assert tell() is None
    registry.profiles()
    assert tell() == PROFILE
    assert moved() is None


def test_checks_are_counted_by_month(opened: Callable[[], Registry]) -> None:
    registry = opened()
    for good in (True, True, False):
        registry.keep_health("alpha", HealthCheck(1.5, good, "" if good else "it is down", 12), "2026-10")
    registry.keep_health("alpha", HealthCheck(2.5, good=True), "2026-11")
    registry.keep_health("beta", HealthCheck(3.5, good=False, said="gone"), "2026-11")
    assert opened().health() == {
        "alpha": HealthCheck(2.5, good=True),
        "beta": HealthCheck(3.5, good=False, said="gone"),
    }
    assert opened().availability() == {
        "alpha": [Availability("2026-11", 1, 0), Availability("2026-10", 2, 1)],
        "beta": [Availability("2026-11", 0, 1)],
    }
    assert registry.availability(months=1)["alpha"] == [Availability("2026-11", 1, 0)]


@pytest.mark.parametrize(
    ("good", "bad", "rating"),
    [
        (1, 0, "stable"),
        (995, 5, "stable"),
        (994, 6, "fair"),
        (95, 5, "fair"),
        (949, 51, "warning"),
        (0, 1, "warning"),
    ],
)
def test_a_month_is_rated(good: int, bad: int, rating: str) -> None:
    assert Availability("2026-11", good, bad).rating == rating


def test_a_lease_is_held_by_one_until_it_lets_go(opened: Callable[[], Registry]) -> None:
    one, other = opened(), opened()
    assert one.take_lease("health", "a", 3600)
    assert not other.take_lease("health", "b", 3600)
    assert one.take_lease("health", "a", 3600)
    assert other.take_lease("harvest", "b", 3600)
    other.give_lease("health", "b")  # it is not his to give
    assert not other.take_lease("health", "b", 3600)
    one.give_lease("health", "a")
    assert other.take_lease("health", "b", 3600)


def test_a_lease_ends_when_it_is_not_renewed(opened: Callable[[], Registry]) -> None:
    one, other = opened(), opened()
    assert one.take_lease("health", "a", -1)
    assert other.take_lease("health", "b", 3600)
    assert not one.take_lease("health", "a", 3600)


_WORKER = """
import sys
from cscale.federation.registry import HealthCheck, Registry
state, name = sys.argv[1:]
sys.stdin.readline()
held = 0
for n in range(60):
    registry = Registry(state)
    registry.keep_health("alpha", HealthCheck(float(n), n % 3 > 0, name), "2026-11")
    held += registry.take_lease("work", name, 3600)
    registry.close()
print(held)
"""


def test_several_processes_share_one(state: Path | str, opened: Callable[[], Registry]) -> None:
    """They make its tables at once, no count is lost, and one of them holds the lease."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(state), f"w{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    for each in workers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate(timeout=120)[0] for each in workers]
    assert [each.returncode for each in workers] == [0, 0, 0]
    assert sorted(map(int, told)) == [0, 0, 60]
    assert opened().availability() == {"alpha": [Availability("2026-11", 120, 60)]}


def test_a_newer_registry_is_refused(state: Path | str, opened: Callable[[], Registry]) -> None:
    opened().profiles()
    if isinstance(state, Path):
        with sqlite3.connect(state / "registry.sqlite") as connection:
            connection.execute("UPDATE meta SET value = 2")
        connection.close()
    else:
        address, _, schema = state.partition("?schema=")
        with psycopg.connect(address) as served:
            served.execute(f"UPDATE {schema}.meta SET value = 2".encode())
    with pytest.raises(BadConfiguration, match="version 2, this cscale knows 1"):
        opened().profiles()


def test_a_file_that_is_no_registry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(BadConfiguration, match="cannot be used"):
        Registry(tmp_path).profiles()


def test_a_database_that_is_away_is_an_error_without_the_password(postgres_server: str) -> None:
    registry = Registry(f"postgresql://someone:{PASSWORD}@127.0.0.1:9/none")
    with pytest.raises(BadConfiguration, match=r"127\.0\.0\.1:9/none: the registry cannot be used") as error:
        registry.health()
    assert PASSWORD not in str(error.value)
    wrong = Registry(f"{postgres_server}_that_is_not_there")
    with pytest.raises(BadConfiguration) as error:
        wrong.health()
    assert PASSWORD not in str(error.value)


@pytest.mark.parametrize(
    "address", ["postgresql://h:port/d", "postgresql://h/d?schema=A", "postgresql://h/d?schema=a;b"]
)
def test_an_address_that_cannot_be_read_is_refused(address: str) -> None:
    with pytest.raises(BadConfiguration, match="state:"):
        Registry(address)
