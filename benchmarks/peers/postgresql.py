"""Debian's PostgreSQL 15, on a folder and a port of its own, gone afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring.processes import Server, free_port, served
from benchmarks.peers import environment

BIN = Path("/usr/lib/postgresql/15/bin")
_USER = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to be root
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
}
"""As an archive of this size would be set up; its changes reach the disk as PostgreSQL's defaults want."""


def variables(server: Server, database: str) -> dict[str, str]:
    """How clients find a database."""
    return environment.environ(
        PGHOST="127.0.0.1",
        PGPORT=str(server.port),
        PGUSER="postgres",
        PGPASSWORD="none",
        PGDATABASE=database,
    )


@contextmanager
def postgres() -> Iterator[Server]:
    """A new, empty PostgreSQL until the block ends; user `postgres`, any password."""
    environment.require("postgresql-15")
    with tempfile.TemporaryDirectory(prefix="cscale-bench-pg-") as folder:
        if _USER:
            shutil.chown(folder, _USER, _USER)
        data, port = Path(folder) / "data", free_port()
        owner = {"user": _USER, "group": _USER, "extra_groups": []} if _USER else {}
        initdb = [
            BIN / "initdb",
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale",
            "C.UTF-8",
        ]
        subprocess.run(initdb, cwd=folder, stdout=subprocess.DEVNULL, check=True, **owner)  # type: ignore[call-overload]
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [BIN / "postgres", "-D", data, "-c", f"port={port}", *settings]
        with served(command, port, user=_USER, end=signal.SIGINT) as server:
            _await(server)
            yield server


def _await(server: Server) -> None:
    """Until it takes statements; connections it takes before."""
    for _ in range(300):
        ready = [str(BIN / "pg_isready"), "-q"]
        if subprocess.run(ready, env=variables(server, "postgres"), check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL takes no statements, 30 s after it was started")
