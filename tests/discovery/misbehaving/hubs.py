"""A hub in this process behind a real socket; another takes its place as quickly as a test needs one."""

import asyncio
import http.client
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp

from cscale.app import HubConfig, hub_app
from tests.discovery.federations import Archive
from tests.discovery.misbehaving.fault import Fault
from tests.discovery.misbehaving.site import Misbehaving, served
from tests.discovery.misbehaving.wire import Loop
from tests.federated import Got
from tests.ports import free_port

PATIENCE = 8.0
"""Seconds that a hub waits for a site that answers: on a loaded machine, too, it does."""
IMPATIENCE = 0.15
"""Seconds that a hub waits for a site which is known not to answer."""


def asked(
    url: str, body: object = None, *, patience: float = PATIENCE + 1, headers: Mapping[str, str] = {}
) -> Got:
    """The answer to a GET, or to a POST of JSON; more than this many seconds in silence are a failure."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=patience)
    content = None if body is None else json.dumps(body)
    sent = {"content-type": "application/json", **headers} if content else dict(headers)
    try:
        connection.request("POST" if content else "GET", f"{parts.path}?{parts.query}", content, sent)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.headers.items()}
        return Got(response.status, names, response.read())
    finally:
        connection.close()


def walked(url: str, body: object = None, *, most: int = 60) -> Iterator[Got]:
    """The answers of a walk from `next` link to `next` link; it ends with one that is no page."""
    got = asked(url, body)
    for _ in range(most):
        yield got
        links = got.json.get("links", []) if got.status == 200 else []
        link = next((link for link in links if link["rel"] == "next"), None)
        if link is None:
            return
        got = asked(link["href"], link.get("body"))
    raise AssertionError(f"the walk does not end: {most} pages, and still a next link")


class Stage:
    """Where one hub after the other is served, from a loop that is not the sites'."""

    def __init__(self) -> None:
        self.port = free_port()
        self._app: ASGIApp | None = None

    @property
    def stac(self) -> str:
        return f"http://127.0.0.1:{self.port}/stac"

    @contextmanager
    def open(self) -> Iterator["Stage"]:
        with Loop() as self._loop, Loop() as self.sites_loop:
            server = Server(
                self._dispatch,
                address="127.0.0.1",
                port=self.port,
                interface=Interfaces.ASGINL,
                websockets=False,
                log_enabled=False,
            )
            serving = asyncio.run_coroutine_threadsafe(_serve(server), self._loop.loop)
            while not _answers(self.stac):
                pass
            try:
                yield self
            finally:
                self._loop.loop.call_soon_threadsafe(server.stop)
                serving.result(30)

    async def _dispatch(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send)

    @contextmanager
    def hub(self, members: Sequence[dict[str, Any]]) -> Iterator[None]:
        """A new hub over these stands on the stage until the block ends."""
        with tempfile.TemporaryDirectory() as folder:
            about = {"id": "hub", "url": f"http://127.0.0.1:{self.port}"}
            told = {"federation": about, "state": ".", "sites": members, "watch": 0}
            app = hub_app(HubConfig.model_validate(told, context={"folder": Path(folder)}))
            self._loop.run(self._enter(app))
            try:
                yield
            finally:
                self._loop.run(self._leave())

    async def _enter(self, app: ASGIApp) -> None:
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._said: asyncio.Queue[Any] = asyncio.Queue()
        self._life = asyncio.ensure_future(app({"type": "lifespan"}, self._told.get, self._said.put))
        await self._tell("startup")
        self._app = app

    async def _leave(self) -> None:
        self._app = None
        await self._tell("shutdown")
        await self._life

    async def _tell(self, event: str) -> None:
        await self._told.put({"type": f"lifespan.{event}"})
        said = await self._said.get()
        assert said["type"] == f"lifespan.{event}.complete", said

    @contextmanager
    def federation(
        self, archives: Sequence[Archive], faults: Sequence[Sequence[Fault]], **told: Any
    ) -> Iterator[list[Misbehaving]]:
        """A hub over sites with these faults, until the block ends.

        Args:
            archives: The sites: their entries, as far as they do not speak of time, and their items.
            faults: Of each.
            told: What is told of all of them beside.
        """
        each = zip(archives, faults, strict=True)
        sites = [Misbehaving(archive.items, some) for archive, some in each]
        entries = [entry(archive, site) | told for archive, site in zip(archives, sites, strict=True)]
        with served(self.sites_loop, sites), self.hub(entries):
            yield sites


def entry(archive: Archive, site: Misbehaving) -> dict[str, Any]:
    """A site's entry in the configuration of a hub."""
    member = archive.member
    slow = any(fault.is_slow for fault in site.faults)
    told: dict[str, Any] = {
        "id": member.id,
        "endpoints": [{"kind": "stac-api", "url": site.url}],
        "collections": member.collections,
        "timeout": IMPATIENCE if slow else PATIENCE,
    }
    return told if member.product is None else told | {"product": member.product}


async def _serve(server: Server) -> None:
    await server.serve()


def _answers(url: str) -> bool:
    try:
        asked(url)
    except OSError:
        return False
    return True
