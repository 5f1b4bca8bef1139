"""A real PostgreSQL for the tests: started once, shared by all workers, gone when they are.

The first test that asks for it starts a keeper: a process of its own that makes a database cluster in a
temporary folder, starts the server on a free port of this machine, and waits until pytest has ended,
however it ended. Then it stops the server and removes the folder.

    def test_something(postgres_url: str) -> None: ...   # a schema of one's own
"""

import ctypes
import fcntl
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

WANTED = "postgresql postgresql-postgis (Debian: any version from 15 on, with its PostGIS 3)"
PASSWORD = "s3cr3t-of-the-tests"
_OLDEST = 15
_PR_SET_PDEATHSIG = 1
_STARTS_WITHIN = 60.0  # seconds
_KEEPER: list["subprocess.Popen[bytes]"] = []  # nobody waits for it
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


def binaries() -> Path | None:
    """The folder of the newest server's programs; None where none is new enough, or it has no PostGIS."""
    found = sorted(
        (int(path.parent.parent.name), path.parent)
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if path.parent.parent.name.isdecimal()
    )
    for version, folder in reversed(found):
        if version >= _OLDEST and Path(f"/usr/share/postgresql/{version}/extension/postgis.control").exists():
            return folder
    return None


def required_binaries() -> Path:
    """The same; without them the test is skipped, and fails where it may not be (CI)."""
    folder = binaries()
    if folder is None:
        missing = f"no PostgreSQL with PostGIS here; install {WANTED}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


class Cluster:
    """A database cluster in a folder, and its server as a child of this process.

    Args:
        folder: Where it is kept; made.
        programs: The folder of the server's programs.
    """

    def __init__(self, folder: Path, programs: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        self._server: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self._data.mkdir()
        if user := _user():
            shutil.chown(self._data, user)
        made = self._run("initdb", "-D", self._data, "-U", "cscale", "-A", "trust", "-E", "UTF8",
                         "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        if made.wait() != 0:
            raise RuntimeError(f"initdb failed: {self._log().read_text()}")
        access = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        (self._data / "pg_hba.conf").write_text(access)

    def url(self, database: str = "cscale", user: str = "cscale") -> str:
        """The address of a database."""
        return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        self._server = self._run("postgres", "-D", self._data, f"-p{self.port}", *settings)
        until = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the server does not start: {self._log().read_text()}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server; connections are ended."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait()
            self._server = None

    def prepare(self) -> None:
        """Make the database `cscale`, with PostGIS, and a user who needs a password."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE cscale")
            connection.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")

    def _log(self) -> Path:
        return self._folder / "log"

    def _run(self, program: str, *arguments: object) -> "subprocess.Popen[bytes]":
        user = _user()
        with self._log().open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd="/",
                preexec_fn=_end_with_parent,  # after the change of user, which would undo it
            )


def _user() -> str | None:
    """Whom the server runs as where we are root, as which it refuses to."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def keep(folder: Path, master: int) -> None:
    """Be the keeper: start the server, say where it is, and end it when the process `master` has ended."""
    programs = binaries()
    assert programs is not None, WANTED
    watched = os.pidfd_open(master)
    cluster = Cluster(folder, programs)
    try:
        cluster.start()
        cluster.prepare()
        _say(folder, {"url": cluster.url()})
        select.select([watched], [], [])
    except BaseException as error:
        _say(folder, {"error": str(error)})
        raise
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _say(folder: Path, told: dict[str, str]) -> None:
    (folder / "told.new").write_text(json.dumps(told))
    (folder / "told.new").rename(folder / "told")


def shared_server() -> str:
    """The address of the database that all workers of this run share; started by the first who asks."""
    required_binaries()
    master = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    born = Path(f"/proc/{master}/stat").read_text().rpartition(")")[2].split()[19]  # numbers come again
    base = Path(tempfile.gettempdir(), f"cscale-postgres-{os.getuid()}-{master}-{born}")
    base.mkdir(exist_ok=True)
    base.chmod(0o755)
    with (base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "told").exists():
            # a session of its own: an interrupt at the keyboard is for pytest
            _KEEPER.append(
                subprocess.Popen(
                    [sys.executable, __file__, str(base), str(master)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
            until = time.monotonic() + 2 * _STARTS_WITHIN
            while not (base / "told").exists():
                assert time.monotonic() < until, "the keeper of the tests' PostgreSQL says nothing"
                time.sleep(0.02)
        told: dict[str, str] = json.loads((base / "told").read_text())
    assert "url" in told, told
    return told["url"]


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The address of the shared database."""
    return shared_server()


@contextmanager
def fresh(server: str) -> Iterator[str]:
    """The address of a schema of one's own in the shared database; dropped at the end."""
    schema = f"t{uuid.uuid4().hex[:16]}"
    try:
        yield f"{server}?schema={schema}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of a schema of one's own, not made yet."""
    with fresh(postgres_server) as url:
        yield url


if __name__ == "__main__":
    keep(Path(sys.argv[1]), int(sys.argv[2]))
