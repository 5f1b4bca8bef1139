"""Quotas: what is let through in one process is exact, and in several it is made up for."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.accounting.ledger import Ledger
from cscale.accounting.quotas import BURST, QuotaCounter
from cscale.errors import QuotaExceeded
from cscale.federation.policies import Quotas

WHO = ("u", "S2")


@dataclass
class Clock:
    """Time as a test tells it."""

    now: float = 100.0
    date: str = "2026-11-22"
    counter: QuotaCounter = field(init=False)

    def __post_init__(self) -> None:
        self.counter = QuotaCounter(lambda: self.now, lambda: self.date)


def lets(counter: QuotaCounter, quotas: Quotas, who: tuple[str, str] = WHO, sent: int = 0) -> bool:
    try:
        counter.enter(who, quotas)
    except QuotaExceeded:
        return False
    counter.leave(who, sent)
    return True


@settings(deadline=None)
@given(
    st.sampled_from([0.2, 1.0, 3.0, 50.0]), st.lists(st.sampled_from([0, 0.01, 0.3, 1.0, 20.0]), max_size=200)
)
def test_no_stretch_of_time_has_more_requests_than_its_rate_and_one_burst(
    rate: float, pauses: list[float]
) -> None:
    clock, quotas = Clock(), Quotas(requests_per_second=rate)
    passed = []
    for pause in pauses:
        clock.now += pause
        if lets(clock.counter, quotas):
            passed.append(clock.now)
    burst = max(1.0, BURST * rate)
    for (i, first), (j, last) in itertools.combinations(enumerate(passed), 2):
        assert j - i + 1 <= burst + rate * (last - first) + 1e-6


@given(st.sampled_from([0.2, 1.0, 3.0, 50.0]))
def test_who_waits_as_long_as_was_said_is_let_through(rate: float) -> None:
    clock, quotas = Clock(), Quotas(requests_per_second=rate)
    while lets(clock.counter, quotas):
        pass
    with pytest.raises(QuotaExceeded) as refused:
        clock.counter.enter(WHO, quotas)
    assert "collection S2" in str(refused.value)
    clock.now += refused.value.retry_after
    assert lets(clock.counter, quotas)


def test_users_and_collections_are_counted_apart() -> None:
    clock, quotas = Clock(), Quotas(requests_per_second=0.5)
    assert lets(clock.counter, quotas)
    assert not lets(clock.counter, quotas)
    assert lets(clock.counter, quotas, ("v", "S2"))
    assert lets(clock.counter, quotas, ("u", "S1"))


def test_as_many_answers_as_are_allowed_are_under_way_at_once() -> None:
    clock, quotas = Clock(), Quotas(concurrent=2)
    clock.counter.enter(WHO, quotas)
    clock.counter.enter(WHO, quotas)
    assert not lets(clock.counter, quotas)
    clock.counter.leave(WHO, 0)
    assert lets(clock.counter, quotas)


def test_a_days_bytes_end_and_begin_again_the_next_day() -> None:
    clock, quotas = Clock(), Quotas(bytes_per_day=100)
    assert lets(clock.counter, quotas, sent=99)
    assert lets(clock.counter, quotas, sent=50)
    assert not lets(clock.counter, quotas)
    with pytest.raises(QuotaExceeded) as refused:
        clock.counter.enter(WHO, quotas)
    assert 1 <= refused.value.retry_after <= 86_400
    clock.date = "2026-11-23"
    assert lets(clock.counter, quotas)


def exchange(ledger: Ledger, *counters: QuotaCounter) -> None:
    for counter in counters:
        untold = counter.untold()
        counter.learn(untold, ledger.write([], untold))


def test_processes_know_of_each_others_bytes_once_they_have_told(state: Path | str, opened: Any) -> None:
    from cscale.accounting.ledger import today

    ledger, quotas = opened(), Quotas(bytes_per_day=100)
    one, other = QuotaCounter(day=today), QuotaCounter(day=today)
    assert lets(one, quotas, sent=60)
    assert lets(other, quotas, sent=60)
    exchange(ledger, one, other, one)
    assert not lets(other, quotas)
    late = QuotaCounter(day=today)  # as after a restart
    assert lets(late, quotas)
    exchange(ledger, late)
    assert not lets(late, quotas)


def test_what_others_let_through_is_made_up_for(opened: Any) -> None:
    ledger, quotas = opened(), Quotas(requests_per_second=10)
    clocks = [Clock(), Clock()]
    passed = 0
    for _ in range(200):  # 20 s, a request each 10 ms at each of the two
        for _, clock in itertools.product(range(10), clocks):
            clock.now += 0.01
            passed += lets(clock.counter, quotas)
        exchange(ledger, *(clock.counter for clock in clocks))
    assert passed <= 20 * 10 + 2 * BURST * 10 + 2 * 10, "two processes let through what one may"
    assert passed >= 0.7 * 20 * 10


def test_what_could_not_be_told_is_told_later(opened: Any) -> None:
    ledger, quotas = opened(), Quotas(bytes_per_day=100)
    counter = QuotaCounter()
    assert lets(counter, quotas, sent=60)
    untold = counter.untold()
    counter.take_back(untold)
    exchange(ledger, counter)
    assert ledger.write([], {WHO: (0, 0)}) == {WHO: (1, 60)}
