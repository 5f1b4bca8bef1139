"""Federations for tests: sites and hubs as `cscale serve` processes with configuration files."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cscale.catalogue.sqlite import writing
from cscale.stac.items import Collection, Item
from tests.ports import free_port


@dataclass(frozen=True)
class Got:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, method: str = "GET", body: object = None, **headers: str) -> Got:
    """Send a request as it is written; a body that is not bytes becomes JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if content is not None:
        fields.setdefault("content-type", "application/json")
    try:
        connection.request(method, url.removeprefix(f"http://{parts.netloc}") or "/", content, fields)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.headers.items()}
        return Got(response.status, names, response.read())
    finally:
        connection.close()


@dataclass
class Service:
    """A site or a hub: its configuration file, and its process while it runs."""

    role: str
    config: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None
    held: set[tuple[str, str]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.config.stem

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stac(self) -> str:
        return f"{self.url}/stac"

    def start(self) -> None:
        command = [sys.executable, "-m", "cscale", "serve", self.role, "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, "--port", str(self.port)], stderr=log, stdout=log)

    @property
    def log(self) -> Path:
        return self.config.with_suffix(".log")

    def await_started(self) -> None:
        while True:
            assert self.process is not None
            assert self.process.poll() is None, f"it did not start: {self.log.read_text()}"
            try:
                assert ask(f"{self.url}/health").status == 200
            except OSError:
                time.sleep(0.05)
            else:
                return

    def send(self, number: signal.Signals) -> None:
        """Send a signal; wait for the end, where it is one that ends a process."""
        assert self.process is not None
        self.process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(30)

    def ingest(self, items: Sequence[Item], collections: Sequence[Collection] = ()) -> None:
        """Let the site hold these items and no others."""
        names = {(item["collection"], item["id"]) for item in items}
        with writing(self.config.parent / self.name / "catalogue.sqlite") as writer:
            for collection, item_id in self.held - names:
                writer.remove(collection, item_id)
            for each in collections:
                writer.put_collection(each)
            for item in items:
                writer.put(item)
        self.held = names


def _is_whole(hub: Service) -> bool:
    return bool(ask(f"{hub.stac}/search").json.get("federation:missing") == [])


class Federation:
    """Services under way, each in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._services: list[Service] = []

    def __getitem__(self, name: str) -> Service:
        return next(service for service in self._services if service.name == name)

    def site(self, name: str, port: int = 0, **told: Any) -> Service:
        """A site whose data is open, unless its policies say otherwise."""
        told.setdefault("policies", {"default": {"data": {"access": "open"}}})
        return self._start("site", name, port, {"site": {"id": name, "title": name.title()}, **told})

    def hub(self, name: str, members: Sequence[Mapping[str, Any]], port: int = 0, **more: Any) -> Service:
        """A hub that takes nothing for granted of what its members listed before: tests change it."""
        told = {"federation": {"id": name}, "sites": list(members), "listings": 0, "watch": 0}
        return self._start("hub", name, port, told | more)

    def _start(self, role: str, name: str, port: int, config: dict[str, Any]) -> Service:
        service = Service(role, self._folder / f"{name}.yaml", port or free_port())
        about = config["site" if role == "site" else "federation"]
        about["url"] = service.url
        service.config.write_text(json.dumps({**config, "state": f"./{name}"}))
        service.start()
        self._services.append(service)
        return service

    def await_started(self) -> None:
        for service in self._services:
            service.await_started()

    def heal(self) -> None:
        """Start again what was killed, let go on what was stopped, until each hub has all members back."""
        for service in self._services:
            assert service.process is not None
            if service.process.poll() is None:
                service.send(signal.SIGCONT)
            else:
                service.start()
        self.await_started()
        for service in self._services:
            while (
                service.role == "hub" and ask(f"{service.stac}/search").json.get("federation:missing") != []
            ):
                time.sleep(0.05)

    def close(self) -> None:
        for service in self._services:
            if service.process is not None and service.process.poll() is None:
                service.process.kill()
            if service.process is not None:
                service.process.wait()


@contextmanager
def federation(folder: Path) -> Iterator[Federation]:
    """A federation that ends with the block."""
    running = Federation(folder)
    try:
        yield running
    finally:
        running.close()


def member(service: Service, site: str, **told: Any) -> dict[str, Any]:
    """A service as an entry of a hub's configuration; one that failed is soon asked again."""
    endpoint = {"kind": "stac-api", "url": service.stac}
    return {"id": site, "endpoints": [endpoint], "pause": 0.1, **told}


def walked(first: Got, at_most: int = 500) -> Iterator[dict[str, Any]]:
    """The pages of a search, from `next` link to `next` link, as any client follows them."""
    got = first
    for _ in range(at_most):
        assert got.status == 200, got.body
        page: dict[str, Any] = got.json
        yield page
        link = next((link for link in page["links"] if link["rel"] == "next"), None)
        if link is None:
            return
        got = ask(link["href"], link.get("method", "GET"), link.get("body"))
    raise AssertionError(f"the walk does not end: {at_most} pages, and still a next link")
