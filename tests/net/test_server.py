"""A server ends when it is told to, whatever its clients do, and says why it cannot start."""

import signal
import socket
import subprocess
import sys

import pytest

from cscale.errors import BadConfiguration
from cscale.net.server import run
from tests.ports import free_port

SERVER = """
import asyncio, sys
from cscale.net.server import run

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/endless":
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await asyncio.sleep(0)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b"done"})

run(app, "127.0.0.1", int(sys.argv[1]), started=lambda: print("ready", flush=True), grace=float(sys.argv[2]))
"""


def start(grace: str) -> tuple["subprocess.Popen[str]", int]:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), grace], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    return server, port


def asked(port: int, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    return client


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_client_that_stands_still_does_not_keep_a_server_from_ending(told: signal.Signals) -> None:
    server, port = start("1")
    with asked(port, "/endless") as client:
        assert client.recv(12) == b"HTTP/1.1 200"
        server.send_signal(told)
        assert server.wait(60) == 0
    assert server.stdout is not None
    server.stdout.close()


def test_a_request_under_way_is_finished_before_a_server_ends() -> None:
    server, port = start("30")
    with asked(port, "/slow") as client:
        assert client.recv(12) == b"HTTP/1.1 200"
        server.send_signal(signal.SIGTERM)
        rest = b""
        while chunk := client.recv(65536):
            rest += chunk
    assert b"done" in rest
    assert server.wait(60) == 0
    assert server.stdout is not None
    server.stdout.close()


def test_a_port_in_use_is_refused_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadConfiguration, match="--port"):
            run(None, "127.0.0.1", taken.getsockname()[1])
