"""Members that are slow, stuck or away: their circuit, their turn, the second request beside a slow one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cscale.errors import CircuitOpen, SiteError
from cscale.net.calling import Limits, SiteHttp, Tally, counted
from cscale.net.calling.circuit import Circuit, State
from cscale.net.http import HttpPool
from cscale.net.telemetry.metrics import Metrics
from cscale.net.telemetry.sites import SiteMetrics
from tests.net.calling.members import Member, member
from tests.ports import free_port
from tests.scripted import answer

GOOD = answer({"good": True})


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def site(
    url: str, limits: Limits, clock: Clock | None = None, failures: int = 3
) -> AsyncIterator[tuple[SiteHttp, Metrics]]:
    http, metrics = HttpPool(), Metrics()
    circuit = Circuit(failures=failures, clock=clock or Clock(), chance=lambda: 0.0)
    try:
        yield (
            SiteHttp(
                http, "alpha", [url], limits=limits, circuit=circuit, metrics=SiteMetrics(metrics, "alpha")
            ),
            metrics,
        )
    finally:
        await http.close()


async def never(_: int) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


async def good(_: int) -> bytes:
    return GOOD


async def given_up(asked: SiteHttp, server: Member, after: float = 0.05) -> None:
    """Ask by a deadline that passes."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after):
            await asked.request("GET", server.url)


async def test_a_member_that_is_away_is_left_alone_and_tried_again() -> None:
    url, clock = f"http://127.0.0.1:{free_port()}", Clock()
    async with site(url, Limits(retries=0), clock) as (asked, metrics):
        for _ in range(3):
            with pytest.raises(SiteError, match="Connection refused"):
                await asked.request("GET", url)
        assert asked.state is State.open
        clock.now += 1
        with pytest.raises(CircuitOpen) as refused:
            await asked.request("GET", url)
        said = str(refused.value)
        assert said.startswith("not asked since 20")
        assert said.endswith(
            "Z: it failed 3 times in a row, lastly: no connection: Connection refused; tried again in 4 s"
        )
        clock.now += 4  # five seconds have passed: one is let through, and fails
        with pytest.raises(SiteError, match=r"^no connection: Connection refused$"):
            await asked.request("GET", url)
        with pytest.raises(CircuitOpen, match=r"failed 4 times in a row, .* tried again in 10 s$"):
            await asked.request("GET", url)
    text = metrics.text().decode()
    assert 'cscale_site_requests_total{site="alpha",outcome="error"} 4\n' in text
    assert 'cscale_site_requests_total{site="alpha",outcome="circuit-open"} 2\n' in text
    assert 'cscale_site_circuit{site="alpha",state="open"} 1\n' in text
    assert 'cscale_site_circuit{site="alpha",state="closed"} 0\n' in text


async def test_a_member_that_comes_back_is_asked_again_by_all() -> None:
    clock = Clock()

    async def respond(number: int) -> bytes:
        return answer({}, 503) if number < 3 else GOOD

    async with member(respond) as server, site(server.url, Limits(retries=0), clock) as (asked, _):
        for _ in range(3):
            assert (await asked.request("GET", server.url)).status == 503
        with pytest.raises(CircuitOpen, match="lastly: it answered 503"):
            await asked.request("GET", server.url)
        clock.now += 5
        for _ in range(5):
            assert (await asked.request("GET", server.url)).status == 200
        assert asked.state is State.closed
    assert len(server.asked) == 8


async def test_a_member_that_asks_for_a_long_rest_has_it() -> None:
    clock = Clock()

    async def respond(_: int) -> bytes:
        return answer({}, 429, retry_after="60")

    async with member(respond) as server, site(server.url, Limits(), clock) as (asked, _):
        for _ in range(3):
            await asked.request("GET", server.url)
        clock.now += 59
        with pytest.raises(CircuitOpen, match="tried again in 1 s"):
            await asked.request("GET", server.url)
    assert len(server.asked) == 3


async def test_only_one_tries_while_the_others_are_told_so() -> None:
    clock, go = Clock(), asyncio.Event()

    async def respond(number: int) -> bytes:
        if number < 3:
            return answer({}, 503)
        await go.wait()
        return GOOD

    async with member(respond) as server, site(server.url, Limits(retries=0), clock) as (asked, _):
        for _ in range(3):
            await asked.request("GET", server.url)
        clock.now += 5
        trying = asyncio.create_task(asked.request("GET", server.url))
        await server.until(lambda it: len(it.asked) == 4)
        assert asked.state is State.half_open
        with pytest.raises(CircuitOpen, match="tried again at this moment"):
            await asked.request("GET", server.url)
        go.set()
        assert (await trying).status == 200
        assert (await asked.request("GET", server.url)).status == 200
    assert len(server.asked) == 5


async def test_who_tries_does_not_repeat_it() -> None:
    clock = Clock()

    async def respond(_: int) -> bytes:
        return answer({}, 503)

    async with member(respond) as server, site(server.url, Limits(retries=2), clock) as (asked, _):
        for _ in range(3):
            await asked.request("GET", server.url)
        assert len(server.asked) == 9
        clock.now += 5
        await asked.request("GET", server.url)
    assert len(server.asked) == 10


async def test_deadlines_that_pass_open_the_circuit() -> None:
    async with member(never) as server, site(server.url, Limits(patience=0.02)) as (asked, metrics):
        for _ in range(3):
            await given_up(asked, server)
        with pytest.raises(CircuitOpen, match=r"lastly: no answer within 0\.\d s"):
            await asked.request("GET", server.url)
    assert 'outcome="timeout"} 3\n' in metrics.text().decode()
    assert len(server.asked) == 3


async def test_who_gives_up_soon_says_nothing_of_the_member() -> None:
    async with member(never) as server, site(server.url, Limits(patience=60)) as (asked, metrics):
        for _ in range(6):
            await given_up(asked, server)
        assert asked.state is State.closed
    assert 'outcome="given-up"} 6\n' in metrics.text().decode()


async def test_a_try_that_is_given_up_leaves_it_to_the_next() -> None:
    clock = Clock()

    async def respond(number: int) -> bytes:
        if number < 3:
            return answer({}, 503)
        return await never(number) if number == 3 else GOOD

    async with (
        member(respond) as server,
        site(server.url, Limits(retries=0, patience=60), clock) as (asked, _),
    ):
        for _ in range(3):
            await asked.request("GET", server.url)
        clock.now += 5
        await given_up(asked, server)
        assert (await asked.request("GET", server.url)).status == 200
        assert asked.state is State.closed


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_answers_that_are_refusals_leave_the_circuit_closed(status: int) -> None:
    async def respond(_: int) -> bytes:
        return answer({}, status)

    async with member(respond) as server, site(server.url, Limits()) as (asked, _):
        for _ in range(5):
            await asked.request("GET", server.url)
        assert asked.state is State.closed
    assert len(server.asked) == 5


async def test_a_member_has_no_more_at_once_than_its_limit() -> None:
    async def respond(_: int) -> bytes:
        await asyncio.sleep(0.01)
        return GOOD

    async with member(respond) as server, site(server.url, Limits(concurrency=3)) as (asked, _):
        await asyncio.gather(*(asked.request("GET", server.url) for _ in range(20)))
    assert (len(server.asked), server.busiest) == (20, 3)


async def test_waiting_for_ones_turn_counts_against_the_deadline() -> None:
    async with member(never) as server, site(server.url, Limits(concurrency=1)) as (asked, _):
        first = asyncio.create_task(asked.request("GET", server.url))
        await server.until(lambda it: it.busy == 1)
        await given_up(asked, server)
        assert len(server.asked) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await given_up(asked, server)  # the turn was given back
        assert len(server.asked) == 2


async def test_those_who_wait_are_told_when_the_circuit_opens() -> None:
    limits = Limits(concurrency=1, patience=0.02)
    async with member(never) as server, site(server.url, limits, failures=1) as (asked, _):
        first = asyncio.create_task(given_up(asked, server))
        await server.until(lambda it: it.busy == 1)
        waiting = [asyncio.create_task(asked.request("GET", server.url)) for _ in range(9)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        await first
    assert {type(each) for each in outcomes} == {CircuitOpen}
    assert "it failed once: no answer within" in str(outcomes[0])
    assert len(server.asked) == 1


async def test_a_second_request_goes_beside_a_slow_one_and_its_answer_counts() -> None:
    async def respond(number: int) -> bytes:
        return await never(number) if number == 20 else GOOD

    async with member(respond) as server, site(server.url, Limits(hedge=True)) as (asked, metrics):
        for _ in range(20):
            await asked.request("GET", server.url)
        with counted(Tally()) as tally:
            assert (await asked.request("GET", server.url)).status == 200
        assert (tally.requests, tally.hedges) == (2, 1)
        await server.until(lambda it: it.left == 1)  # the slow one was given up
        assert asked.state is State.closed
    assert 'cscale_site_hedges_total{site="alpha"} ' in metrics.text().decode()


@pytest.mark.parametrize("limits", [Limits(hedge=False), Limits(hedge=True, concurrency=1)])
async def test_no_second_request_where_it_is_not_allowed_or_there_is_no_room(limits: Limits) -> None:
    async def respond(number: int) -> bytes:
        return await never(number) if number == 20 else GOOD

    async with member(respond) as server, site(server.url, limits) as (asked, _):
        for _ in range(20):
            await asked.request("GET", server.url)
        await given_up(asked, server, 0.3)
    assert len(server.asked) == 21


async def test_no_second_request_before_the_usual_time_is_known() -> None:
    async def respond(number: int) -> bytes:
        return await never(number) if number == 19 else GOOD

    async with member(respond) as server, site(server.url, Limits(hedge=True)) as (asked, _):
        for _ in range(19):
            await asked.request("GET", server.url)
        await given_up(asked, server, 0.3)
    assert len(server.asked) == 20


async def test_second_requests_are_a_twentieth_at_most() -> None:
    async def respond(number: int) -> bytes:
        await asyncio.sleep(0.001 if number < 20 else 0.02)  # slower than ever: all would want a second one
        return GOOD

    async with member(respond) as server, site(server.url, Limits(hedge=True)) as (asked, _):
        with counted(Tally()) as tally:
            for _ in range(100):
                await asked.request("GET", server.url)
    assert 1 <= tally.hedges <= 5
    assert len(server.asked) == tally.requests == 100 + tally.hedges


@pytest.mark.parametrize(("first", "second", "status"), [(503, 200, 200), (200, 503, 200)])
async def test_of_two_the_good_answer_counts_whichever_comes_first(
    first: int, second: int, status: int
) -> None:
    gate = asyncio.Event()

    async def respond(number: int) -> bytes:
        if number == 20:
            await gate.wait()
            if first == 200:
                await asyncio.sleep(0.05)  # behind the bad one
            return answer({}, first)
        if number == 21:
            gate.set()
            if second == 200:
                await asyncio.sleep(0.05)
            return answer({}, second)
        return GOOD

    async with member(respond) as server, site(server.url, Limits(hedge=True, retries=0)) as (asked, _):
        for _ in range(20):
            await asked.request("GET", server.url)
        assert (await asked.request("GET", server.url)).status == status
    assert len(server.asked) == 22


async def test_a_deadline_ends_both_requests() -> None:
    async def respond(number: int) -> bytes:
        return await never(number) if number >= 20 else GOOD

    async with member(respond) as server, site(server.url, Limits(hedge=True, concurrency=2)) as (asked, _):
        for _ in range(20):
            await asked.request("GET", server.url)
        waiting = asyncio.create_task(asked.request("GET", server.url))
        await server.until(lambda it: len(it.asked) == 22)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await server.until(lambda it: it.left == 2)
        other = [asyncio.create_task(asked.request("GET", server.url)) for _ in range(2)]
        await server.until(lambda it: it.busy == 2)  # both turns were given back
        for each in other:
            each.cancel()
        await asyncio.gather(*other, return_exceptions=True)
