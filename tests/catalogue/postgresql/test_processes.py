"""Several real processes over one database: servers, ingests and the other commands."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from cscale.stac.items import Item
from cscale.testing.archives import collections, plain_item
from tests.cli.test_commands import CSCALE, cscale
from tests.federated import Service, ask
from tests.ports import free_port
from tests.postgres import fresh

BEFORE, PAGE = 400, 8
LATER = 300  # items of each ingest that comes while pages are turned


def configured(folder: Path, name: str, state: str, **more: Any) -> Path:
    config = folder / f"{name}.yaml"
    about = {"id": "alpha", "title": "Alpha", "url": "https://alpha.example.org"}
    config.write_text(json.dumps({"site": about, "state": state, **more}))
    return config


def scene(name: str, n: int, **properties: Any) -> Item:
    """One of many, twenty an instant; those of different names stand between each other."""
    moment = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(days=n // 20)
    collection = ("one", "two")[n % 2]
    told = {"datetime": moment.isoformat().replace("+00:00", "Z"), **properties}
    return plain_item(id=f"{n % 20:02}-{name}-{n:04}", collection=collection, properties=told)


def written(path: Path, values: Sequence[Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, values)))
    return path


def order(item: dict[str, Any]) -> tuple[float, str, str]:
    """Newest first."""
    moment = datetime.fromisoformat(item["properties"]["datetime"])
    return -moment.timestamp(), item["id"], item["collection"]


@pytest.fixture
def servers(tmp_path: Path, postgres_url: str) -> Iterator[list[Service]]:
    """Two servers of one site."""
    before = written(tmp_path / "before.ndjson", [scene("a", n) for n in range(BEFORE)])
    config = configured(tmp_path, "first", postgres_url)
    cscale("ingest", str(before), "--config", str(config))
    with ExitStack() as stack:
        started = []
        for name in ("first", "second"):
            service = Service("site", configured(tmp_path, name, postgres_url), free_port())
            service.start()
            process = service.process
            assert process is not None
            stack.callback(process.wait)
            stack.callback(process.terminate)
            started.append(service)
        for service in started:
            service.await_started()
        yield started


def test_pages_are_turned_from_server_to_server_while_others_write(
    servers: list[Service], tmp_path: Path
) -> None:
    """What was there before and stays is reached once, in order; so is what comes and lies ahead."""
    writers = iter(
        [
            ["ingest", "new.ndjson"],
            ["ingest", "between.ndjson", "changed.ndjson"],
            ["remove", *(scene("a", n)["id"] for n in range(20))],
        ]
    )
    written(tmp_path / "new.ndjson", [scene("b", BEFORE + n) for n in range(LATER)])
    written(tmp_path / "between.ndjson", [scene("c", n) for n in range(LATER)])
    written(tmp_path / "changed.ndjson", [scene("a", n, gsd=10) for n in range(0, LATER, 2)])
    found: list[dict[str, Any]] = []
    under_way: subprocess.Popen[bytes] | None = None
    during = 0
    token: str | None = None
    for at, server in enumerate(cycle(servers)):
        body = {"limit": PAGE} | ({} if token is None else {"token": token})
        got = ask(f"{server.stac}/search", "POST", body)
        assert got.status == 200, got.body
        found += got.json["features"]
        # each writer begins after some pages and has ended some pages later
        if at % 12 == 4 and (arguments := next(writers, None)):
            under_way = subprocess.Popen([CSCALE, *arguments, "--config", "first.yaml"], cwd=tmp_path)
        elif under_way is not None and at % 12 == 10:
            assert under_way.wait(120) == 0
            under_way = None
        during += under_way is not None
        links = [link for link in got.json["links"] if link["rel"] == "next"]
        if not links:
            break
        token = links[0]["body"]["token"]
    assert during > 10
    assert under_way is None
    assert next(writers, None) is None
    names = [(item["collection"], item["id"]) for item in found]
    assert len(set(names)) == len(names)
    assert [order(item) for item in found] == sorted(order(item) for item in found)
    stay = {(item["collection"], item["id"]) for item in (scene("a", n) for n in range(20, BEFORE))}
    assert stay <= set(names)
    ahead = {(item["collection"], item["id"]) for item in (scene("c", n) for n in range(20))}
    assert ahead <= set(names)  # the oldest, which the pages reached after the ingest had ended
    assert not any(name.endswith(f"-a-{n:04}") for _, name in names for n in range(20))


def test_both_servers_tell_what_the_last_ingest_has_kept(servers: list[Service], tmp_path: Path) -> None:
    for round_ in range(3):
        path = written(tmp_path / "more.ndjson", [scene("d", n, round=round_) for n in range(40)])
        cscale("ingest", str(path), "--config", str(tmp_path / "first.yaml"))
        for server in servers:
            asked = {"filter": {"op": "=", "args": [{"property": "round"}, round_]}, "limit": 100}
            assert len(ask(f"{server.stac}/search", "POST", asked).json["features"]) == 40
            described = ask(f"{server.stac}/collections").json["collections"]
            assert [each["id"] for each in described] == ["one", "two"]


@pytest.fixture
def other_url(postgres_server: str) -> Iterator[str]:
    with fresh(postgres_server) as url:
        yield url


def test_the_commands_on_a_database(tmp_path: Path, postgres_url: str, other_url: str) -> None:
    configured(tmp_path, "site", postgres_url)
    own = [scene("a", n, **{"my:count": n}) for n in range(30)]
    written(tmp_path / "items.ndjson", [collections()[0], *own])

    def run(command: str, *arguments: str, code: int = 0) -> str:
        return cscale(command, *arguments, "--config", "site.yaml", cwd=tmp_path, code=code).stdout

    def exported() -> list[dict[str, Any]]:
        run("export", "--out", "out.ndjson")
        return [json.loads(line) for line in (tmp_path / "out.ndjson").read_text().splitlines()]

    assert json.loads(run("ingest", "items.ndjson", "--json"))["items"] == {"added": 30}
    assert json.loads(run("ingest", "items.ndjson", "--json"))["items"] == {"unchanged": 30}
    removed = json.loads(run("remove", own[0]["id"], "--json"))
    assert removed == {"removed": 1, "absent": []}
    written(tmp_path / "items.ndjson", [own[1] | {"assets": {"x": {"href": "https://e.org/x"}}}, *own[2:5]])
    assert json.loads(run("ingest", "items.ndjson", "--json"))["items"] == {"changed": 1, "unchanged": 3}
    kept = exported()
    items = [each for each in kept if each["type"] == "Feature"]
    assert {each["id"] for each in items} == {each["id"] for each in own[1:]}
    [changed] = [each for each in items if each["id"] == own[1]["id"]]
    assert changed["assets"] == {"x": {"href": "https://e.org/x"}}
    configured(tmp_path, "site", postgres_url, queryables={"my:count": "number"})
    assert json.loads(run("migrate", "--json"))["done"] == ["column my:count: filled from 29 items"]
    assert json.loads(run("migrate", "--json"))["done"] == []
    run("export", "--out", "again.parquet")
    assert exported() == kept
    configured(tmp_path, "other", other_url)
    cscale("ingest", "again.parquet", "--config", "other.yaml", cwd=tmp_path)
    cscale("export", "--config", "other.yaml", "--out", "other.ndjson", cwd=tmp_path)
    assert [json.loads(line) for line in (tmp_path / "other.ndjson").read_text().splitlines()] == kept
