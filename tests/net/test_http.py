"""Asking other sites over HTTP: what is sent, and that every bad answer is the same kind of error."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from cscale.errors import SiteError
from cscale.net.http import MAX_ANSWER, Answer, HttpPool
from tests.ports import free_port
from tests.scripted import Request, Scripted, answer, scripted


@asynccontextmanager
async def asking(respond: Callable[[Request], bytes | None]) -> AsyncIterator[tuple[HttpPool, Scripted]]:
    http = HttpPool()
    async with scripted(respond) as server:
        try:
            yield http, server
        finally:
            await http.close()


async def answered(response: bytes) -> Answer:
    async with asking(lambda _: response) as (http, server):
        return await http.request("GET", f"{server.url}/x")


async def test_a_body_is_sent_as_json_and_an_answer_read_whole() -> None:
    own = {"x-own": "1"}
    async with asking(lambda _: answer({"a": 1}, 418)) as (http, server):
        got = await http.request("POST", f"{server.url}/x?y=%2F", json_body={"q": "é"}, headers=own)
    assert got == Answer(418, b'{"a": 1}')
    (request,) = server.asked
    assert (request.method, request.path, request.json) == ("POST", "/x?y=%2F", {"q": "é"})
    assert request.headers["content-type"] == "application/json"
    assert "application/geo+json" in request.headers["accept"]
    assert request.headers["x-own"] == "1"
    assert "cookie" not in request.headers


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%7Eb?sig=%2B%2F%3d", "/a;b=1,2'(c)", "/?a=b&a=&c"])
async def test_an_address_is_sent_as_it_is_written(path: str) -> None:
    async with asking(lambda _: answer({})) as (http, server):
        await http.request("GET", server.url + path)
    assert server.asked[0].path == path


async def test_an_address_that_must_be_quoted_is() -> None:
    async with asking(lambda _: answer({})) as (http, server):
        await http.request("GET", f"{server.url}/é b?q=雲")
        await http.request("GET", f"{server.url}/a\r\nx-evil: 1\r\n\r\n")
    assert server.asked[0].path == "/%C3%A9%20b?q=%E9%9B%B2"
    assert "x-evil" not in server.asked[1].headers


@pytest.mark.parametrize("url", ["nonsense", "", "http://", "http://[", "ftp://a/", "file:///etc/passwd"])
async def test_what_is_no_address_is_an_error_like_any_other(url: str) -> None:
    http = HttpPool()
    try:
        with pytest.raises(SiteError):
            await http.request("GET", url)
    finally:
        await http.close()


async def test_a_redirect_is_not_followed() -> None:
    async with asking(lambda _: answer(b"", 302, location="/elsewhere")) as (http, server):
        assert (await http.request("GET", server.url)).status == 302
    assert len(server.asked) == 1


async def test_cookies_are_not_kept() -> None:
    async with asking(lambda _: answer({}, 200, set_cookie="a=b")) as (http, server):
        await http.request("GET", server.url)
        await http.request("GET", server.url)
    assert "cookie" not in server.asked[1].headers


async def test_nobody_there_is_told_without_an_address() -> None:
    http = HttpPool()
    with pytest.raises(SiteError, match=r"^no connection: Connection refused$"):
        await http.request("GET", f"http://127.0.0.1:{free_port()}/")
    await http.close()


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (b"", "closed the connection without an answer"),
        (b"nonsense\r\n\r\n", "BadStatusLine|400|Bad"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "broke off|Transfer|chunk"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: " + b"b" * 100_000 + b"\r\n\r\n", "."),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope", "broke off|decode"),
    ],
)
async def test_a_broken_answer_is_told_in_a_sentence(response: bytes, said: str) -> None:
    with pytest.raises(SiteError, match=said) as refused:
        await answered(response)
    assert len(str(refused.value)) <= 200


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_answer_is_read(coding: str) -> None:
    body = gzip.compress(b"[1]") if coding == "gzip" else zlib.compress(b"[1]")
    assert (await answered(answer(body, content_encoding=coding))).body == b"[1]"


async def test_an_answer_longer_than_the_limit_is_given_up_before_it_is_in_memory() -> None:
    bomb = gzip.compress(b"\0" * (4 * MAX_ANSWER), 1)
    with pytest.raises(SiteError, match="longer than 64 MiB"):
        await answered(answer(bomb, content_encoding="gzip"))


async def test_who_gives_up_leaves_no_connection_behind() -> None:
    async with asking(lambda _: None) as (http, server):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await http.request("GET", server.url)
        assert len(server.asked) == 1


async def test_a_pool_that_was_closed_opens_again() -> None:
    async with asking(lambda _: answer({})) as (http, server):
        await http.request("GET", server.url)
        await http.close()
        await http.close()
        assert (await http.request("GET", server.url)).status == 200


async def test_a_file_is_read_as_it_arrives_and_redirects_are_followed() -> None:
    content = bytes(range(256)) * 4096

    def respond(request: Request) -> bytes:
        return answer(content) if request.path == "/file" else answer(b"", 307, location="/file")

    async with asking(respond) as (http, server), http.stream(f"{server.url}/there") as (length, chunks):
        assert length == len(content)
        assert b"".join([chunk async for chunk in chunks]) == content


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (answer({}, 404), "answered 404"),
        (answer(b"", 302, location="/again"), "redirects more than 5 times"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "broke off"),
        (b"", "closed the connection"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(response: bytes, said: str) -> None:
    async with asking(lambda _: response) as (http, server):
        with pytest.raises(SiteError, match=said) as refused:
            async with http.stream(f"{server.url}/file.tif") as (_, chunks):
                assert [chunk async for chunk in chunks]
    assert f"{server.url}/file.tif" in str(refused.value)
