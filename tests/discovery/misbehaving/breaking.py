"""Faults of delivery: what is late, never comes, ends too early, never ends, or is no JSON."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.discovery.misbehaving.fault import Cut, Fault, Harm, never
from tests.discovery.misbehaving.wire import Call, Reply

if TYPE_CHECKING:
    from tests.discovery.misbehaving.site import Misbehaving

_CHUNK = 1 << 16


@dataclass
class Broken(Fault):
    """What happens to answers to searches, or to all, beyond the first ones.

    Attributes:
        after: How many searches are answered well before.
        everywhere: Whether what is no search is struck, too.
    """

    after: int = 0
    everywhere: bool = False

    @property
    def harm(self) -> Harm:  # type: ignore[override]  # as it begins at once or not
        """Who answers at first may have answered with all that was needed."""
        return "may" if self.after else "must"

    async def delivered(
        self, site: "Misbehaving", call: Call, reply: Reply, writer: asyncio.StreamWriter
    ) -> Reply:
        if call.searches and self.after:
            self.after -= 1
            return reply
        if self.after or not (call.searches or self.everywhere):
            return reply
        return await self.strike(site, reply, writer)

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        """What happens instead of an answer.

        Raises:
            Cut: If nothing more is to be sent.
        """
        raise NotImplementedError


@dataclass
class Delays(Broken):
    """Answers come late.

    Attributes:
        seconds: By how much.
    """

    seconds: float = 0.05
    harm = "none"

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        await asyncio.sleep(self.seconds)
        return reply


@dataclass
class Hangs(Broken):
    """Nothing comes, and the connection stays open."""

    is_slow = True

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        await never()
        return reply


@dataclass
class HangsHalfway(Broken):
    """The first half comes, then nothing, and the connection stays open."""

    is_slow = True

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        writer.write(reply.whole[: -max(len(reply.body) // 2, 1)])
        await never()
        return reply


@dataclass
class Closes(Broken):
    """The connection is closed without an answer."""

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        raise Cut


@dataclass
class CutsShort(Broken):
    """The connection is closed in the middle of the answer."""

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        writer.write(reply.whole[: -max(len(reply.body) // 2, 1)])
        raise Cut


@dataclass
class Endless(Broken):
    """The answer begins as one, and never ends."""

    is_slow = True

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        writer.write(reply.head(1 << 40) + b'{"type":"FeatureCollection","features":[')
        while True:
            writer.write(b" " * _CHUNK)
            await writer.drain()
            await asyncio.sleep(0.01)


GARBLED: dict[str, Callable[[bytes], bytes]] = {
    "page of HTML": lambda _: b"<!doctype html><title>Please log in</title>",
    "cut JSON": lambda body: body[: -max(len(body) // 2, 1)],
    "not UTF-8": lambda body: body.decode().encode("utf-16"),
    "deep nesting": lambda _: b'{"type":"FeatureCollection","features":' + b"[" * 100_000 + b"]" * 100_000,
    "nothing": lambda _: b"",
    "a list": lambda _: b"[]",
    "a number of features": lambda _: b'{"type":"FeatureCollection","features":3}',
    "an error as 200": lambda _: b'{"code":"500","description":"internal"}',
}
"""What is sent instead of an answer, with status 200."""


@dataclass
class Garbles(Broken):
    """The answer is something else."""

    kind: str = "page of HTML"

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        return Reply(GARBLED[self.kind](reply.body), 200, dict(reply.headers), reply.kind)


@dataclass
class Dies(Broken):
    """The socket is closed, with all connections; a test may open it again."""

    async def strike(self, site: "Misbehaving", reply: Reply, writer: asyncio.StreamWriter) -> Reply:
        await site.listener.close()
        raise Cut
