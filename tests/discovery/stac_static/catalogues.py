"""Static catalogues for tests: written to a folder, read from it or from a web server over it."""

import copy
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web

from cscale.discovery.stac_static import StacStatic
from cscale.federation import Endpoint
from cscale.identity import ANONYMOUS
from cscale.net.http import HttpPool

DATA = Path(__file__).parents[4] / "shared" / "data" / "discovery"
Where = Literal["web", "disk"]


def real_items() -> list[dict[str, Any]]:
    """Real items of Sentinel-3, Landsat and Sentinel-2, of several versions of STAC."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there: it holds the real items")
    files = [*sorted((DATA / "s3_stactools").glob("*.json")), *sorted((DATA / "stac_items").glob("*.json"))]
    read = [json.loads(file.read_text()) for file in files]
    return [each for each in read if each.get("type") == "Feature"]


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def linked(kind: str, name: str, *links: tuple[str, str], **members: Any) -> dict[str, Any]:
    """A catalogue or a collection with links."""
    told = {"type": kind, "stac_version": "1.0.0", "id": name, "description": name} | members
    if kind == "Collection":
        told |= {"license": "other", "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}}}
    return told | {"links": [{"rel": rel, "href": href} for rel, href in links]}


def item(name: str, **members: Any) -> dict[str, Any]:
    """A small item."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
        "properties": {"datetime": "2020-01-02T03:04:05Z"},
        "assets": {"data": {"href": "./data.tif"}},
        "links": [],
    } | copy.deepcopy(members)


@dataclass
class Server:
    """A web server over a folder.

    Attributes:
        url: Its address.
        asked: The paths that were asked for.
        broken: Paths, and the status they are answered with.
    """

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if (status := self.broken.get(request.path)) is not None:
            return web.Response(status=status, text="<html>no</html>", headers={"location": "/elsewhere"})
        path = self.folder / request.path.lstrip("/")
        if "\0" in request.path or ".." in request.path or not path.is_file():
            return web.Response(status=404, text="<html>not found</html>")
        return web.Response(body=path.read_bytes(), content_type="text/plain")


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Server]:
    """Serve a folder until the block ends."""
    server = Server(folder)
    app = web.Application()
    app.router.add_get("/{any:.*}", server.respond)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(where: Where, folder: Path, start: str = "catalog.json") -> AsyncIterator[StacStatic]:
    """The source over a catalogue in a folder."""
    http = HttpPool()
    try:
        if where == "disk":
            yield source_of((folder / start).as_uri(), http)
            return
        async with served(folder) as server:
            yield source_of(f"{server.url}/{start}", http)
    finally:
        await http.close()


def source_of(url: str, http: HttpPool) -> StacStatic:
    # Made without checks: whether configurations may name files is for `federation` to say.
    return StacStatic(Endpoint.model_construct(kind="stac-static", url=url), http)


async def walked(source: StacStatic) -> list[dict[str, Any]]:
    return [json.loads(bytes(raw)) async for raw in source.items(ANONYMOUS)]


def names(items: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return sorted((each["collection"], each["id"]) for each in items)
