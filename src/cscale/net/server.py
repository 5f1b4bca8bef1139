"""Runs an ASGI application on a socket until it is told to stop."""

import asyncio
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from cscale.errors import BadConfiguration

log = logging.getLogger("cscale.net")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_HTTP1 = HTTP1Settings(header_read_timeout=30_000)


def run(
    app: Any,
    host: str,
    port: int,
    *,
    started: Callable[[], None] = lambda: None,
    grace: float = 10.0,
    shared: bool = False,
) -> None:
    """Serve `app` until SIGINT or SIGTERM, let requests under way finish, and end the process.

    Args:
        app: An ASGI application.
        host: The address to listen on.
        port: The TCP port to listen on.
        started: Called once, when requests are taken.
        grace: Seconds after which requests still under way are cut: a client that stands still does not
            keep a service from ending.
        shared: Whether other processes serve the same address: they share its connections.

    Raises:
        BadConfiguration: If the address cannot be listened on.
    """
    if not shared:
        check_free(host, port)
    _keep_memory()
    asyncio.run(_serve(app, host, port, started, grace))


def _keep_memory() -> None:
    """Let the C library keep what is freed.

    Else it gives each answer's megabytes back, and getting them anew costs more than the answer itself.
    """
    with suppress(OSError, AttributeError):  # not everywhere is it glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 256 << 20)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def check_free(host: str, port: int) -> None:
    """Refuse a port that is in use: the server itself would share it in silence.

    Raises:
        BadConfiguration: If the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadConfiguration(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port"
            ) from error


async def _serve(app: Any, host: str, port: int, started: Callable[[], None], grace: float) -> None:
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.auto,
        http1_settings=_HTTP1,
        websockets=False,
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()
    finish: Callable[[], None] = server.stop

    def stop() -> None:
        loop.call_later(grace, _cut, grace)
        finish()

    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError, NotImplementedError):
            loop.add_signal_handler(name, stop)
    serving = asyncio.create_task(server.serve())
    await _answers(host, port, serving)
    log.info("listening on %s port %d", host, port)
    started()
    await serving
    _end()


async def _answers(host: str, port: int, serving: "asyncio.Task[None]") -> None:
    while not serving.done():
        with suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.02)


def _cut(grace: float) -> None:
    """End although requests are under way: their connections may never end."""
    log.warning("requests still under way after %g s are cut", grace)
    _end()


def _end() -> None:
    """End the process with all said and done.

    The server's own threads may outlast the interpreter and abort the process while it is torn down; so
    it is not.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody listens any more
            stream.flush()
    os._exit(0)
