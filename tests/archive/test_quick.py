"""What is answered before any routing is what the routes would have answered."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from cscale.archive import quick
from cscale.archive.api import FirstHand, routes
from cscale.archive.folders import Folders

SIZE = 2_000_000
CONTENT = Random(3).randbytes(SIZE)
Fields = list[tuple[bytes, bytes]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folder = tmp_path_factory.mktemp("quick")
    (folder / "scene.tif").write_bytes(CONTENT)
    (folder / "page.html").write_text("<b>page</b>")
    (folder / "empty").touch()
    return Folders({"scenes": folder})


async def answer(app: ASGIApp, path: str, fields: Fields, method: str = "GET") -> tuple[Any, ...]:
    """Status, headers and body of an answer."""
    scope = {"type": "http", "method": method, "path": path, "headers": fields, "query_string": b""}
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(bytes(message.get("body", b"")) for message in sent[1:])
    return sent[0]["status"], sorted(sent[0]["headers"]), body


ends = st.sampled_from([0, 1, 10, 65536, 1_000_000, 1_048_576, SIZE - 1, SIZE, SIZE + 5, 10**14, 10**30])
ranges = st.one_of(
    st.builds(lambda first, last: f"bytes={first}-{last}", ends, ends),
    st.sampled_from(["bytes=5-", "bytes=-5", "bytes=5-1,9-2", "items=0-1", "bytes=0-1 ", "Bytes=0-1", "x"]),
)
others = st.sampled_from(
    [
        (b"if-none-match", b"*"),
        (b"if-match", b'"other"'),
        (b"if-range", b'"other"'),
        (b"if-modified-since", b"Sun, 22 Nov 2099 16:31:25 GMT"),
        (b"accept", b"*/*"),
        (b"range", b"bytes=7-9"),
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        ["scene.tif", "page.html", "empty", "none", "../scene.tif", ".hidden", "", "a\0b", "scene.tif/x"]
    ),
    asked=ranges,
    more=st.lists(others, max_size=2),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
)
@example(path="scene.tif", asked="bytes=100-70000", more=[], method="GET")
def test_the_answer_is_that_of_the_routes(
    folders: Folders, path: str, asked: str, more: Fields, method: str
) -> None:
    async def both() -> None:
        plain = Starlette(routes=[Mount("/data", routes=routes(folders))])
        fields = [(b"range", asked.encode()), *more]
        where = f"/data/scenes/{path}"
        expected = await answer(plain, where, fields, method)
        quickly = FirstHand(plain, folders)
        assert await answer(quickly, where, fields, method) == expected
        quickly._quick.close()

    asyncio.run(both())


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[Callable[[], bytes | None]]:
    """The first three bytes of `folder/a`, asked for again and again."""
    quickly = quick.QuickRanges(Folders({"d": folder}), lambda _: {})

    def first_bytes() -> bytes | None:
        found = quickly.answer("d/a", [(b"range", b"bytes=0-2")])
        return found and bytes(found[1])

    yield first_bytes
    await asyncio.sleep(quick._SECONDS * 1.5)


async def test_what_is_answered_is_one_file_and_the_newest_once_it_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    async with kept(tmp_path) as first_bytes:
        assert first_bytes() == b"old"
        (tmp_path / "a").write_bytes(b"written over")
        assert first_bytes() == b"wri"
        (tmp_path / "b").write_bytes(b"put in its place")
        (tmp_path / "b").rename(tmp_path / "a")
        assert first_bytes() in (b"wri", b"put")
        await asyncio.sleep(quick._SECONDS * 1.5)
        assert first_bytes() == b"put"
        os.truncate(tmp_path / "a", 0)
        assert first_bytes() is None


def test_no_file_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bytes")

    async def ask() -> None:
        async with kept(tmp_path) as first_bytes:
            assert first_bytes() == b"byt"

    asyncio.run(ask())
    assert not [link for link in Path("/proc/self/fd").iterdir() if link.resolve() == tmp_path / "a"]
