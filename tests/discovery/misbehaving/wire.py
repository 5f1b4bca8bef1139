"""HTTP/1.1 over a socket, byte for byte in the hands of whoever answers: for servers that misbehave.

A `Listener` runs in the event loop of a `Loop`, a thread of its own, so that a test asks from outside.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request that came in.

    Attributes:
        method: The HTTP method.
        target: Path and query, as they came.
        headers: By their names in small letters.
        body: What was sent.
        came: When, in seconds of the monotonic clock.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    came: float = 0.0

    @cached_property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def searches(self) -> bool:
        """Whether it asks for items."""
        return self.path.endswith(("/search", "/items")) or "/next/" in self.path


@dataclass
class Reply:
    """What is to be answered.

    Attributes:
        body: The content.
        status: The HTTP status.
        headers: Beside the content's type and length.
        kind: The content's type.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/geo+json"

    def head(self, length: int | None = None) -> bytes:
        """Status line and headers, which announce this length: by default that of the body."""
        told = {
            "content-type": self.kind,
            "content-length": str(len(self.body) if length is None else length),
            **self.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        return f"HTTP/1.1 {self.status} So\r\n{lines}\r\n".encode("latin-1")

    @property
    def whole(self) -> bytes:
        return self.head() + self.body


def said(body: object, status: int = 200, **headers: str) -> Reply:
    """A reply of JSON."""
    return Reply(json.dumps(body).encode(), status, headers)


Serve = Callable[[Call, asyncio.StreamWriter], Awaitable[bool]]
"""Answers a request; whether the connection stays open."""


class Listener:
    """A socket that is listened on, and can be closed with all its connections, and opened again.

    Args:
        port: The TCP port of 127.0.0.1.
        serve: What answers.
    """

    def __init__(self, port: int, serve: Serve) -> None:
        self.port = port
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Listen no more, and break off all connections, but for the one that this is called from."""
        if self._server is not None:
            self._server.close()
        own = asyncio.current_task()
        others = {task: writer for task, writer in self._connections.items() if task is not own}
        for task, writer in others.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._serve(await _read(reader), writer):
                    await writer.drain()
        finally:
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            self._connections.pop(task, None)


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, target, headers, body, time.monotonic())


class Loop:
    """An event loop in a thread of its own, as a context."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this there, and wait for what comes of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)
