"""Several processes serve one address, as one: all begin, the dead are replaced, all end."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.ports import free_port
from tests.serving import heed_interrupts

SERVER = """
import os, sys
from cscale.net.server import run
from cscale.net.workers import run_workers

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

def work(ready):
    if sys.argv[2] == "fails":
        raise SystemExit("cannot start")
    run(app, "127.0.0.1", int(sys.argv[1]), started=ready, shared=True)

sys.exit(run_workers(3, work, lambda: print("ready", flush=True)))
"""


@pytest.fixture
def served() -> Iterator[tuple["subprocess.Popen[str]", int]]:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port), "works"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process, port
        process.kill()


def answering(port: int, times: int = 60) -> set[int]:
    """The processes that answer."""
    found = set()
    for _ in range(times):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            found.add(int(connection.getresponse().read()))
        except OSError:  # of one that is being replaced
            time.sleep(0.05)
        finally:
            connection.close()
    return found


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_connections_are_shared_out(served: tuple["subprocess.Popen[str]", int]) -> None:
    assert len(answering(served[1])) == 3


def test_one_that_dies_is_replaced(served: tuple["subprocess.Popen[str]", int]) -> None:
    before = answering(served[1])
    victim = before.pop()
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: len(answering(served[1]) - {victim}) == 3)


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_all_end_when_told(served: tuple["subprocess.Popen[str]", int], told: signal.Signals) -> None:
    process, port = served
    workers = answering(port)
    process.send_signal(told)
    assert process.wait(20) == 0
    assert eventually(lambda: not any(map(is_alive, workers)))


def test_none_outlives_the_one_that_began_it(served: tuple["subprocess.Popen[str]", int]) -> None:
    process, port = served
    workers = answering(port)
    process.kill()
    process.wait()
    assert eventually(lambda: not any(map(is_alive, workers)))


def test_workers_that_cannot_start_end_the_service() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVER, "1", "fails"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "cannot start" in done.stderr
    assert "ready" not in done.stdout
