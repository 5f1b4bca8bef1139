"""A member on a real socket that takes its time: what it does with each request is a coroutine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Member:
    """A server under way.

    Attributes:
        url: Its address.
        asked: The heads of the requests that came, in order.
        busy: How many are under way.
        busiest: How many were, at most.
        left: How many requests were given up before they were answered.
    """

    url: str
    asked: list[str] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    left: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[["Member"], bool]) -> None:
        """Wait until something holds of it."""
        while not condition(self):
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def member(respond: Callable[[int], Awaitable[bytes]]) -> AsyncIterator[Member]:
    """Serve what `respond` gives for the first, second, ... request (from 0), then close the connection."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            number = len(server.asked)
            server.asked.append(head)
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            server.changed.set()
            answering = asyncio.ensure_future(respond(number))
            gone = asyncio.ensure_future(reader.read())
            try:
                await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    writer.write(answering.result())
                    await writer.drain()
                else:
                    server.left += 1
            finally:
                answering.cancel()
                gone.cancel()
                server.busy -= 1
                server.changed.set()
        writer.close()
        tasks.discard(task)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = Member(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()
