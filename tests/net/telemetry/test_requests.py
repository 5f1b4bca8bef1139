"""Each request has an id and is counted by its route, over real servers, in one process and in several."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from cscale.net.telemetry.logs import request_id
from cscale.net.telemetry.metrics import Metrics
from cscale.net.telemetry.requests import Counted, RequestId, routes
from tests.ports import free_port
from tests.serving import Served, serving

_ROOT = Path(__file__).parents[3]


def small_app(directory: str = "") -> object:
    metrics = Metrics(Path(directory) if directory else None)

    async def item(request: Request) -> Response:
        await asyncio.sleep(0.01)  # others are answered in between
        return PlainTextResponse(f"{request.path_params['item']} {request_id.get()}")

    async def broken(request: Request) -> Response:
        raise RuntimeError("broken")

    async def data(request: Request) -> Response:
        return PlainTextResponse(request.path_params["path"])

    app = Starlette(
        routes=[
            Route("/items/{item}", item, methods=["GET", "POST"]),
            Route("/broken", broken),
            Mount("/data", routes=[Route("/{path:path}", data)]),
            *routes(metrics),
        ]
    )
    return RequestId(Counted(app, metrics, quick="/data/{path:path}"))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(small_app) as server:
        yield server


async def get(url: str, request: str | None = None, method: str = "GET") -> tuple[str, str]:
    """The body of an answer, and the id it names."""
    headers = {} if request is None else {"X-Request-Id": request}
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers) as response:
        assert len(response.headers.getall("x-request-id")) == 1
        return await response.text(), response.headers["x-request-id"]


async def test_an_id_that_is_sane_is_kept_and_answered(served: Served) -> None:
    for sane in ("a", "A-b_c.9", "x" * 64):
        assert await get(f"{served.url}/items/1", sane) == (f"1 {sane}", sane)


@pytest.mark.parametrize("sent", [None, "", "x" * 65, "a b", "a;b", "ä", "a/b", '"a"', "{}"])
async def test_any_other_id_is_replaced(served: Served, sent: str | None) -> None:
    body, own = await get(f"{served.url}/items/1", sent)
    assert re.fullmatch("[0-9a-f]{16}", own)
    assert body == f"1 {own}"


async def test_requests_at_once_keep_their_ids_apart(served: Served) -> None:
    answers = await asyncio.gather(*(get(f"{served.url}/items/{n}", f"id-{n}") for n in range(40)))
    assert answers == [(f"{n} id-{n}", f"id-{n}") for n in range(40)]


async def test_what_was_not_found_and_what_broke_have_ids_too(served: Served) -> None:
    assert (await get(f"{served.url}/nowhere", "one"))[1] == "one"
    assert (await get(f"{served.url}/broken", "two"))[1] == "two"


async def test_requests_are_counted_by_route() -> None:
    with serving(small_app) as server:
        for path in ("/items/1", "/items/2", "/data/a/b/c", "/nowhere/x", "/broken"):
            await get(server.url + path)
        await get(f"{server.url}/items/1", method="POST")
        await get(f"{server.url}/items/1", method="DELETE")
        await get(f"{server.url}/items/1", method="BREW")
        text, _ = await get(f"{server.url}/metrics")
    counted = set(re.findall(r"^cscale_http_requests_total\{(.*)\} (\d+)$", text, re.M))
    assert counted == {
        ('method="GET",route="/items/{item}",status="200"', "2"),
        ('method="POST",route="/items/{item}",status="200"', "1"),
        ('method="DELETE",route="/items/{item}",status="405"', "1"),
        ('method="other",route="/items/{item}",status="405"', "1"),
        ('method="GET",route="/data/{path:path}",status="200"', "1"),
        ('method="GET",route="other",status="404"', "1"),
        ('method="GET",route="/broken",status="500"', "1"),
    }
    assert 'cscale_http_request_seconds_count{method="GET",route="/items/{item}"} 2\n' in text


async def test_the_numbers_are_prometheus_text(served: Served) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{served.url}/metrics") as response:
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


_WORKERS = """
import sys
from cscale.net.server import run
from cscale.net.workers import run_workers
from tests.net.telemetry.test_requests import small_app
port, directory = int(sys.argv[1]), sys.argv[2]
run_workers(
    2, lambda ready: run(small_app(directory), "127.0.0.1", port, started=ready, shared=True),
    lambda: print("ready", flush=True),
)
"""


async def load(url: str) -> list[str]:
    """What `/metrics` says, several times, after 60 requests over a connection of its own each."""
    for number in range(60):  # the kernel shares the connections out
        await get(f"{url}/items/{number}")
    return [(await get(f"{url}/metrics"))[0] for _ in range(8)]


def test_of_several_processes_each_tells_all_that_was_served(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", _WORKERS, str(port), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            told = asyncio.run(load(f"http://127.0.0.1:{port}"))
        finally:
            process.terminate()
            process.wait(20)
    assert len(list(tmp_path.glob("*.metrics"))) == 2
    for text in told:
        assert 'cscale_http_requests_total{method="GET",route="/items/{item}",status="200"} 60\n' in text
