"""The sites and the hub: a configuration file and a process of its own each, none of which outlives us."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import yaml

from cscale.demo.archives import Archive
from cscale.errors import SiteError
from cscale.net.server import free_port

HUB = "hub"
FEDERATION = "demo"
"""What the hub says it is."""
HOST = "127.0.0.1"
_ABOVE: Mapping[str, int] = {HUB: 0, "alpha": 11, "beta": 12, "gamma": 13}


_PATIENCE = 60.0
_GRACE = 5.0
_LAST_LINES = 15


@dataclass(frozen=True)
class Service:
    """A site or the hub, as it is configured.

    Attributes:
        id: Its short name.
        role: What it is.
        port: Where it listens.
        config: Its configuration file.
        log: Where it writes what it does.
    """

    id: str
    role: Literal["hub", "site"]
    port: int
    config: Path
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return _url(self.port)


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def free_ports(first: int) -> tuple[dict[str, int], list[int]]:
    """A port for each service, and those that are in use and had to be replaced.

    Args:
        first: The hub's; the sites' are 11 to 13 above.
    """
    wanted = {name: first + above for name, above in _ABOVE.items()}
    used = [port for port in wanted.values() if not _is_free(port)]
    taken = set(wanted.values())
    ports: dict[str, int] = {}
    for name, port in wanted.items():
        found = port
        while port in used and found in taken:
            found = free_port(HOST)
        taken.add(found)
        ports[name] = found
    return ports, used


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def configure(
    folder: Path, title: str, archives: Sequence[Archive], ports: Mapping[str, int]
) -> list[Service]:
    """Write the configuration files; the services they are for, the hub last.

    Args:
        folder: Where to.
        title: The federation's name.
        archives: The sites.
        ports: Where each service listens.
    """
    services = []
    for archive in archives:
        about = {
            "id": archive.id,
            "title": archive.title,
            "description": f"An archive of the demonstration: {archive.holds}.",
            "url": _url(ports[archive.id]),
        }
        own = {
            "site": about,
            "state": f"./{archive.id}",
            "data": {"scenes": _written(archive.files, folder)},
            "policies": {"default": {"data": {"access": "open", "licence": archive.licence}}},
        }
        services.append(_service(folder, archive.id, "site", ports[archive.id], own))
    hub = {
        "federation": {
            "id": FEDERATION,
            "title": title,
            "description": "; ".join(f"{archive.id}: {archive.holds}" for archive in archives) + ".",
            "url": _url(ports[HUB]),
        },
        "state": f"./{HUB}",
        "sites": [_member(archive, ports[archive.id]) for archive in archives],
    }
    return [*services, _service(folder, HUB, "hub", ports[HUB], hub)]


def _member(archive: Archive, port: int) -> dict[str, Any]:
    member: dict[str, Any] = {
        "id": archive.id,
        "title": archive.title,
        "endpoints": [{"kind": "stac-api", "url": f"{_url(port)}/stac"}],
    }
    if archive.shown != archive.collection:
        member["collections"] = {archive.shown: archive.collection}
    return member | {"policies": {"default": {"data": {"access": "open", "licence": archive.licence}}}}


def _written(path: Path, folder: Path) -> str:
    return f"./{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)


def _service(
    folder: Path, name: str, role: Literal["hub", "site"], port: int, content: Mapping[str, Any]
) -> Service:
    config, log = folder / f"{name}.yaml", folder / "logs" / f"{name}.log"
    head = (
        f"# Written by `cscale demo`, each time anew. Read by: cscale serve {role} --config {config.name}\n"
    )
    aside = config.with_name(f".{config.name}.part")
    aside.write_text(head + yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True))
    aside.replace(config)
    return Service(name, role, port, config, log)


@dataclass(frozen=True)
class Running:
    """A service and its process."""

    service: Service
    process: "subprocess.Popen[bytes]"

    @property
    def last_lines(self) -> str:
        """The end of its log."""
        with suppress(OSError):
            return "\n".join(self.service.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
        return ""


@contextmanager
def serving(services: Sequence[Service]) -> Iterator[list[Running]]:
    """Run services, and end them with the block, whatever ends it; also if this process is killed.

    They answer once `await_answers` returns. To be called from the main thread: where the system can
    tie a child to its parent (Linux), it ties it to the thread that made it.
    """
    running: list[Running] = []
    try:
        for service in services:
            running.append(_start(service))  # noqa: PERF401  # if one fails, those before it are ended
        yield running
    finally:
        _end(running)


def await_answers(running: Sequence[Running]) -> None:
    """Wait until all services answer.

    Raises:
        SiteError: If one does not; shows the end of its log.
    """
    for each in running:
        _await(each)


# Runs first in the child: asks to be killed with its parent, then becomes what it is told.
_TIED = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""


def _start(service: Service) -> Running:
    command = [sys.executable, "-P", "-m", "cscale", "serve", service.role, "--config", str(service.config)]
    tied = [sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid()), *command]
    service.log.parent.mkdir(exist_ok=True)
    with service.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own words
            tied, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
        )
    return Running(service, process)


def _await(running: Running) -> None:
    """Wait until a service answers, as itself."""
    until = time.monotonic() + _PATIENCE
    while running.process.poll() is None and time.monotonic() < until:
        if _answers_as(running.service):
            return
        time.sleep(0.02)
    state = "has ended" if running.process.poll() is not None else "does not answer"
    raise SiteError(f"{running.service.id} {state}; the end of {running.service.log}:\n{running.last_lines}")


def _answers_as(service: Service) -> bool:
    with closing(http.client.HTTPConnection(HOST, service.port, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
            told = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
    return isinstance(told, dict) and told.get("id") == (FEDERATION if service.role == "hub" else service.id)


def watch(running: Sequence[Running]) -> Iterator[Running]:
    """Each service that ends by itself, as it does; never returns while one is left."""
    alive = list(running)
    while alive:
        time.sleep(0.2)
        for each in [each for each in alive if each.process.poll() is not None]:
            alive.remove(each)
            yield each


def _end(running: Sequence[Running]) -> None:
    for each in running:
        each.process.terminate()
    until = time.monotonic() + _GRACE
    for each in running:
        try:
            each.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            each.process.kill()
            each.process.wait()


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let a signal to end (SIGTERM, SIGHUP) unwind what is under way, as Ctrl-C does."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
