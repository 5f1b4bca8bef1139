"""pgstac on a PostgreSQL of its own, loaded by pypgstac and served by stac-fastapi-pgstac."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring.processes import Server, free_port, served
from benchmarks.peers import environment
from benchmarks.peers.postgresql import BIN, postgres, variables


@dataclass(frozen=True)
class Database:
    """A PostgreSQL under way."""

    server: Server

    @property
    def variables(self) -> dict[str, str]:
        """How clients find it."""
        return variables(self.server, "pgstac")

    def anew(self, collections: Path) -> None:
        """An empty pgstac, but for collections from an NDJSON file."""
        for statement in ("DROP DATABASE IF EXISTS pgstac", "CREATE DATABASE pgstac"):
            self._run(BIN / "psql", "-q", "-d", "postgres", "-c", statement)
        self._run(environment.command("pypgstac"), "migrate")
        self._run(environment.command("pypgstac"), "load", "collections", collections)

    def load(self, items: Path) -> float:
        """Load an NDJSON file of items with `pypgstac load items`; the seconds that the command takes."""
        started = time.perf_counter()
        self._run(environment.command("pypgstac"), "load", "items", items)
        return time.perf_counter() - started

    def settle(self) -> None:
        """What autovacuum would do in time: statistics for the planner."""
        self._run(BIN / "psql", "-q", "-c", "VACUUM ANALYZE")

    def count(self) -> int:
        """How many items it holds."""
        return int(self._run(BIN / "psql", "-Atc", "SELECT count(*) FROM pgstac.items"))

    @contextmanager
    def api(self) -> Iterator[Server]:
        """stac-fastapi-pgstac on uvicorn, its usual server, one worker."""
        port = free_port()
        command = [str(environment.command("uvicorn")), "--factory", "stac_fastapi.pgstac.app:create_app"]
        options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
        with served([*command, *options], port, env=self.variables) as server:
            yield server

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(command, env=self.variables, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
        return done.stdout


@contextmanager
def database() -> Iterator[Database]:
    """A PostgreSQL for pgstac, gone when the block ends."""
    environment.require("postgresql-15-postgis-3")
    environment.python()
    with postgres() as server:
        yield Database(server)
