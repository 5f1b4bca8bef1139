"""Ports for servers in tests: each test process has a range of its own, so that no two take one at once.

A port that the kernel chooses is free only until another process is given it, too; and a server that was
killed must find its port free when it starts again.
"""

import itertools
import os
import socket

_FIRST, _EACH = 10_000, 1_000  # below those the kernel hands out to connections
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 20
_ours = range(_FIRST + _worker * _EACH, _FIRST + (_worker + 1) * _EACH)
_begin = os.getpid() % _EACH  # another run of the tests may go on at the same time
_next = itertools.cycle((*_ours[_begin:], *_ours[:_begin]))


def free_port() -> int:
    """A TCP port of this test process that nobody listens on."""
    for port in itertools.islice(_next, _EACH):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(port)
    raise AssertionError(f"none of {_EACH} ports is free")
