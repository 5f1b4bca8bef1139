"""How long to wait, and how often to ask beside what must be asked."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.net.calling.pacing import LONGEST_PAUSE, Allowance, Latencies, backoff, retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("3", 3),
        (" 120 ", 120),
        ("Sun, 01 Mar 2026 12:00:05 GMT", 5),
        ("Sunday, 01-Mar-26 12:00:05 GMT", 5),
        ("Sun Mar  1 12:00:05 2026", 5),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("", 0),
        ("-1", 0),
        ("1.5", 0),
        ("³", 0),
        ("soon", 0),
        ("Sun, 99 Mar 2026 12:00:05 GMT", 0),
    ],
)
def test_both_forms_of_retry_after_are_read(said: str, seconds: float) -> None:
    assert retry_after({"retry-after": said}, NOW) == seconds


def test_no_retry_after_is_none_asked() -> None:
    assert retry_after({}) == 0


@given(st.text(max_size=60))
def test_no_retry_after_breaks_anything(said: str) -> None:
    assert 0 <= retry_after({"retry-after": said}, NOW) < math.inf


@given(st.integers(0, 10**6))
def test_a_date_says_what_the_seconds_say(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"retry-after": date}, NOW) == retry_after({"retry-after": str(seconds)}, NOW)


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True))
def test_pauses_double_with_chance_and_have_an_end(retry: int, chance: float) -> None:
    pause = backoff(retry, lambda: chance)
    whole = min(0.1 * 2 ** min(retry, 30), LONGEST_PAUSE)
    assert whole / 2 <= pause <= whole


@given(st.lists(st.floats(0, 100), max_size=400), st.integers(1, 50))
def test_the_95th_of_a_hundred_is_found_among_the_last(times: list[float], most: int) -> None:
    latencies = Latencies(most=most, least=10)
    for count, each in enumerate(times, 1):
        latencies.add(each)
        last = sorted(times[max(0, count - most) : count])
        if len(last) < 10:
            assert latencies.p95() is None
        else:
            found = latencies.p95()
            assert found in last
            assert sum(each <= found for each in last) >= 0.95 * len(last)
            assert sum(each < found for each in last) < 0.95 * len(last)


@given(st.lists(st.booleans(), max_size=600))
def test_second_requests_are_never_more_than_a_twentieth(wanted: list[bool]) -> None:
    allowance, extra = Allowance(), 0
    for asked, each in enumerate(wanted, 1):
        allowance.earn()
        extra += each and allowance.take()
        assert extra <= asked / 20


def test_where_all_want_one_each_twentieth_has_it() -> None:
    allowance = Allowance()
    taken = 0
    for _ in range(2000):
        allowance.earn()
        taken += allowance.take()
    assert taken == 100


def test_what_is_saved_up_has_an_end() -> None:
    allowance = Allowance()
    for _ in range(10_000):
        allowance.earn()
    assert [allowance.take() for _ in range(7)] == [True] * 5 + [False] * 2
