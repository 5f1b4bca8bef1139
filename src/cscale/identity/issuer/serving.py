"""Serves the issuer on this machine, by the standard library's own server: it is asked little."""

import ipaddress
import signal
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from cscale.errors import BadConfiguration
from cscale.identity.issuer.config import IssuerSettings
from cscale.identity.issuer.web import issuer_app
from cscale.net.server import check_free


def serve(config: IssuerSettings, host: str, port: int, started: Callable[[], None] = lambda: None) -> None:
    """Serve the issuer until SIGINT or SIGTERM.

    Args:
        config: Its configuration.
        host: The address to listen on: a loopback one.
        port: The TCP port to listen on.
        started: Called once, when requests are taken.

    Raises:
        BadConfiguration: If the address is not of this machine alone, or cannot be listened on.
    """
    address = _loopback(host)
    check_free(address, port)
    server = _Server((address, port), _Handler)
    server.set_app(issuer_app(config))
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # not the main thread: whoever started it stops it
            signal.signal(name, lambda *_: stop.set())
    thread = threading.Thread(target=server.serve_forever, name="issuer", daemon=True)
    thread.start()
    started()
    stop.wait()
    server.shutdown()
    server.server_close()


def _loopback(host: str) -> str:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or address.version != 4 or not address.is_loopback:
        raise BadConfiguration(
            f"the embedded issuer is for trying things out, with passwords in its configuration: it listens"
            f" on this machine only (127.0.0.1), not on {host}; for others use a real login service"
        )
    return str(address)


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def server_bind(self) -> None:
        """Without asking the name service who this machine is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Handler(WSGIRequestHandler):
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Nothing: addresses carry codes."""
