"""Asking one member: retries, redirects, the caller's token, and answers that are too much."""

import asyncio
import gzip
import logging
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import SiteError, SiteUnreachable
from cscale.net.calling import Limits, SiteHttp, Tally, counted
from cscale.net.calling.circuit import State
from cscale.net.http import MAX_ANSWER, HttpPool
from tests.ports import free_port
from tests.scripted import Request, Scripted, answer, scripted

SECRET = "eyJhbGciOi.J9.c2VjcmV0"
BROKEN_OFF = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"


@asynccontextmanager
async def pool() -> AsyncIterator[HttpPool]:
    http = HttpPool()
    try:
        yield http
    finally:
        await http.close()


def in_turn(*answers: bytes | None) -> Callable[[Request], bytes | None]:
    """Give each answer once, the last for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


@asynccontextmanager
async def asking(
    *answers: bytes | None, limits: Limits | None = None
) -> AsyncIterator[tuple[SiteHttp, Scripted]]:
    async with scripted(in_turn(*answers)) as server, pool() as http:
        yield SiteHttp(http, "alpha", [server.url], limits=limits), server


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("first", [b"", *(answer({}, each) for each in (429, 502, 503, 504))])
async def test_a_member_that_is_busy_or_hangs_up_is_asked_again(first: bytes, method: str) -> None:
    async with asking(first, first, answer({"a": 1})) as (site, server):
        with counted(Tally()) as tally:
            body = {"limit": 1} if method == "POST" else None
            got = await site.request(method, server.url, json_body=body)
    assert (got.status, got.body) == (200, b'{"a": 1}')
    assert (len(server.asked), tally.requests, tally.retries) == (3, 3, 2)
    assert {each.body for each in server.asked} == {b'{"limit":1}' if body else b""}


async def test_three_times_is_enough() -> None:
    async with asking(answer({}, 503)) as (site, server):
        assert (await site.request("GET", server.url)).status == 503
        assert len(server.asked) == 3
    async with asking(b"") as (site, server):
        with pytest.raises(SiteUnreachable, match="closed the connection without an answer"):
            await site.request("GET", server.url)
        assert len(server.asked) == 3


async def test_who_is_not_there_is_looked_for_again() -> None:
    async with pool() as http:
        url = f"http://127.0.0.1:{free_port()}"
        site = SiteHttp(http, "alpha", [url])
        with counted(Tally()) as tally, pytest.raises(SiteUnreachable, match="Connection refused"):
            await site.request("GET", url)
    assert tally.retries == 2


@pytest.mark.parametrize(
    "first",
    [
        *(answer({}, each) for each in (200, 400, 401, 403, 404, 405, 415, 500, 501)),
        BROKEN_OFF,
        b"nonsense\r\n\r\n",
        answer({}, 503, retry_after="3600"),
        answer({}, 429, retry_after="Sun, 01 Mar 2127 12:00:00 GMT"),
    ],
)
async def test_nothing_else_is_asked_again(first: bytes) -> None:
    async with asking(first) as (site, server):
        with suppress(SiteError):
            await site.request("GET", server.url)
        assert len(server.asked) == 1


async def test_what_is_not_safe_is_asked_once() -> None:
    async with asking(answer({}, 503)) as (site, server):
        await site.request("POST", server.url, json_body={}, safe=False)
        assert len(server.asked) == 1


async def test_no_retries_where_none_are_wanted() -> None:
    async with asking(answer({}, 503), limits=Limits(retries=0)) as (site, server):
        await site.request("GET", server.url)
        assert len(server.asked) == 1


async def test_a_member_that_asks_to_be_left_alone_for_a_second_is() -> None:
    began: list[float] = []

    def respond(_: Request) -> bytes:
        began.append(time.monotonic())
        early = began[-1] - began[0] < 1
        return answer({}, 503, retry_after="1") if early else answer({})

    async with scripted(respond) as server, pool() as http:
        got = await SiteHttp(http, "alpha", [server.url]).request("GET", server.url)
    assert (got.status, len(server.asked)) == (200, 2)


_FAULTS = {
    "good": (answer({"good": True}), 200, False),
    "busy": (answer({}, 503), 503, True),
    "hung up": (b"", None, True),
    "refused": (answer({}, 400), 400, False),
    "broken off": (BROKEN_OFF, None, False),
}


@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(_FAULTS)), min_size=1, max_size=5), st.integers(0, 2))
def test_whatever_comes_the_first_answer_that_says_something_counts(faults: list[str], retries: int) -> None:
    async def run() -> tuple[int | None, int]:
        async with asking(*(_FAULTS[each][0] for each in faults), limits=Limits(retries=retries)) as (
            site,
            server,
        ):
            try:
                status: int | None = (await site.request("GET", server.url)).status
            except SiteError:
                status = None
            return status, len(server.asked)

    seen = (faults + [faults[-1]] * 3)[: retries + 1]
    asked = next((n for n, each in enumerate(seen, 1) if not _FAULTS[each][2]), len(seen))
    assert asyncio.run(run()) == (_FAULTS[seen[asked - 1]][1], asked)


async def test_redirects_are_followed_three_times() -> None:
    hops = [answer(b"", status, location=f"/{status}") for status in (301, 302, 308)]
    async with asking(*hops, answer({"there": 1})) as (site, server):
        assert (await site.request("GET", f"{server.url}/here")).body == b'{"there": 1}'
    assert [each.path for each in server.asked] == ["/here", "/301", "/302", "/308"]
    async with asking(answer(b"", 302, location="/on")) as (site, server):
        with pytest.raises(SiteError, match="redirects more than 3 times"):
            await site.request("GET", server.url)
    assert len(server.asked) == 4


async def test_a_search_is_sent_on_only_as_it_is() -> None:
    async with asking(answer(b"", 307, location="/there"), answer({})) as (site, server):
        await site.request("POST", server.url, json_body={"limit": 3})
    assert [(each.method, each.json) for each in server.asked] == [("POST", {"limit": 3})] * 2
    async with asking(answer(b"", 302, location="/there")) as (site, server):
        assert (await site.request("POST", server.url, json_body={})).status == 302
    assert len(server.asked) == 1


def bearers(server: Scripted) -> list[str | None]:
    return [each.headers.get("authorization") for each in server.asked]


@pytest.mark.parametrize(("rule", "sent"), [("none", None), ("pass", f"Bearer {SECRET}")])
async def test_the_callers_token_is_passed_where_the_rule_says_so(
    rule: Literal["none", "pass"], sent: str | None
) -> None:
    async with (
        scripted(lambda _: answer({})) as server,
        scripted(lambda _: answer({})) as other,
        pool() as http,
    ):
        site = SiteHttp(http, "alpha", [f"{server.url}/stac"], token=rule)
        await site.request("GET", f"{server.url}/x", bearer=SECRET)
        await site.request("GET", f"{server.url}/x")
        await site.request("GET", f"{other.url}/x", bearer=SECRET)
        await http.request("GET", f"{server.url}/x", bearer=SECRET)
    assert bearers(server) == [sent, None, None]
    assert bearers(other) == [None]


async def test_the_token_does_not_follow_a_redirect_to_another_origin() -> None:
    async with scripted(lambda _: answer({})) as other:
        elsewhere = answer(b"", 307, location=f"{other.url}/there")
        async with scripted(in_turn(answer(b"", 307, location="/near"), elsewhere)) as server, pool() as http:
            site = SiteHttp(http, "alpha", [server.url], token="pass")
            own = {"accept": "text/xml", "x-key": "mine"}
            assert (await site.request("GET", server.url, headers=own, bearer=SECRET)).status == 200
    assert bearers(server) == [f"Bearer {SECRET}"] * 2
    (request,) = other.asked
    assert "authorization" not in request.headers
    assert "x-key" not in request.headers
    assert request.headers["accept"] == "text/xml"


async def test_a_token_that_is_answered_back_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    def respond(request: Request) -> bytes:
        return answer(dict(request.headers), 400)

    caplog.set_level(logging.DEBUG)
    async with scripted(respond) as server, pool() as http:
        site = SiteHttp(http, "alpha", [server.url], token="pass")
        got = await site.request("GET", server.url, bearer=SECRET)
    assert b"Bearer ..." in got.body
    assert SECRET.encode() not in got.body
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "response", [b"", BROKEN_OFF, b"nonsense\r\n\r\n", answer(b"", 302, location="http://[")]
)
async def test_no_error_tells_the_token(response: bytes) -> None:
    async with scripted(lambda _: response) as server, pool() as http:
        site = SiteHttp(http, "alpha", [server.url], token="pass", limits=Limits(retries=0))
        with pytest.raises(SiteError) as failed:
            await site.request("GET", server.url, bearer=SECRET)
    cause: BaseException | None = failed.value
    while cause is not None:
        assert SECRET not in f"{cause!r}{cause}"
        cause = cause.__cause__ or cause.__context__


def test_a_token_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    http = HttpPool()
    SiteHttp(http, "near", ["http://127.0.0.1:8311/stac"], token="pass")
    SiteHttp(http, "safe", ["https://archive.example/stac"], token="pass")
    SiteHttp(http, "mute", ["http://archive.example/stac"])
    assert caplog.messages == []
    SiteHttp(http, "far", ["http://archive.example/stac"], token="pass")
    assert caplog.messages == ["site far: callers' tokens go to archive.example port 80 in the clear"]


async def test_a_bomb_is_given_up_while_it_is_inflated() -> None:
    bomb = gzip.compress(b"\0" * (4 * MAX_ANSWER), 6)
    assert len(bomb) * 500 < 4 * MAX_ANSWER
    async with asking(answer(bomb, content_encoding="gzip")) as (site, server):
        tracemalloc.start()
        with pytest.raises(SiteError, match="longer than 64 MiB"):
            await site.request("GET", server.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2 * MAX_ANSWER
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["nonsense", "", "http://", "http://[", "ftp://a/", "file:///etc/passwd"])
async def test_what_is_no_address_is_an_error_like_any_other(url: str) -> None:
    async with pool() as http:
        with pytest.raises(SiteError):
            await SiteHttp(http, "alpha", ["http://127.0.0.1/"], token="pass").request("GET", url, bearer="x")


async def test_an_address_is_sent_as_it_is_written() -> None:
    async with asking(answer({})) as (site, server):
        for path in ("/a%2Fb", "/a%7Eb?sig=%2B%2F%3d", "/a;b=1,2'(c)", "/é b?q=雲"):
            await site.request("GET", server.url + path)
    paths = [each.path for each in server.asked]
    assert paths == ["/a%2Fb", "/a%7Eb?sig=%2B%2F%3d", "/a;b=1,2'(c)", "/%C3%A9%20b?q=%E9%9B%B2"]


async def test_headers_and_body_are_those_of_the_pool() -> None:
    async def heard(ask: Callable[[str], Any]) -> Mapping[str, str]:
        async with scripted(lambda _: answer({})) as server:
            await ask(server.url)
        return {name: value for name, value in server.asked[0].headers.items() if name != "host"}

    async with pool() as http:
        site = SiteHttp(http, "alpha", ["http://127.0.0.1/"])
        own = {"x-own": "1"}
        by_pool = await heard(lambda url: http.request("POST", url, json_body={"a": 1}, headers=own))
        by_site = await heard(lambda url: site.request("POST", url, json_body={"a": 1}, headers=own))
    assert by_pool == by_site
    assert site.state is State.closed
