"""Clients that cost little: threads on blocking sockets that take each answer in two or three calls."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

_ROOM = 8 * 1024 * 1024  # bytes, for the longest answer


@dataclass(frozen=True)
class Load:
    """What clients saw."""

    seconds: float
    latencies: list[float]
    """Milliseconds, one a request."""
    own_cpu: float
    """Seconds of CPU time that the clients themselves took."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds


class Client:
    """One kept-alive connection to 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(_ROOM))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> memoryview:
        """Send a request and take the whole answer.

        Returns:
            Its body, until the next call.

        Raises:
            RuntimeError: If it is no success, or does not say its length.
        """
        self._socket.sendall(request)
        filled, end = 0, -1
        while end < 0:
            more = self._socket.recv_into(self._buffer[filled : filled + 65536])
            if not more:
                raise RuntimeError("the server closed the connection before it answered")
            filled += more
            end = bytes(self._buffer[:filled]).find(b"\r\n\r\n")
        head = bytes(self._buffer[:end]).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        if head.split(b" ", 2)[1] not in (b"200", b"206") or not length:
            raise RuntimeError(f"unexpected answer: {bytes(self._buffer[: end + 400])!r}")
        begin, stop = end + 4, end + 4 + int(length)
        while filled < stop:
            more = self._socket.recv_into(self._buffer[filled:stop], 0, socket.MSG_WAITALL)
            if not more:
                raise RuntimeError(f"the answer was cut short at byte {filled - begin} of {stop - begin}")
            filled += more
        return self._buffer[begin:stop]


def get(path: str, headers: str = "") -> bytes:
    """A GET as it goes over the wire; each header ends in CRLF."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n{headers}\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST of JSON as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Ask again and again, each of `clients` for itself, for about `seconds`.

    Client `n` begins at the n-th part of `requests`, so that all are asked and rarely two at once.

    Raises:
        RuntimeError: If any answer is no success.
    """
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failures: list[Exception] = []
    stop = time.perf_counter() + seconds

    def work(number: int) -> None:
        try:
            with Client(port) as client:
                turn = number * len(requests) // clients
                while (before := time.perf_counter()) < stop and not failures:
                    client.ask(requests[turn % len(requests)])
                    latencies[number].append((time.perf_counter() - before) * 1000)
                    turn += 1
        except (OSError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(clients)]
    started, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} of {clients} clients failed; the first: {failures[0]}")
    taken = [each for own in latencies for each in own]
    return Load(time.perf_counter() - started, taken, time.process_time() - cpu)
