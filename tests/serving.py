"""Real servers for tests: an application in a process of its own, on a socket of its own."""

import inspect
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import free_port

_ROOT = Path(__file__).parents[1]
_MAIN = """
import runpy, sys
from cscale.net.server import run
file, name, port, *arguments = sys.argv[1:]
app = runpy.run_path(file)[name](*arguments)
run(app, "127.0.0.1", int(port), started=lambda: print("ready", flush=True))
"""


@dataclass(frozen=True)
class Served:
    """A server under way."""

    port: int
    process: "subprocess.Popen[str]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open_files(self, under: Path) -> list[str]:
        """The files beneath a directory that the server holds open at this moment."""
        links = Path(f"/proc/{self.process.pid}/fd").iterdir()
        return [target for target in map(_target, links) if target.startswith(f"{under.resolve()}/")]

    def memory(self) -> int:
        """The server's resident memory in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])


@contextmanager
def serving(factory: Callable[..., Any], *arguments: str) -> Iterator[Served]:
    """Serve what `factory(*arguments)` returns, an ASGI application, until the block ends.

    The factory is a function of a module's top level; its process loads that module anew.
    """
    port = free_port()
    command = [sys.executable, "-c", _MAIN, inspect.getfile(factory), factory.__name__, str(port), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "the server ended before it took requests"
            yield Served(port, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def heed_interrupts() -> None:
    """For `preexec_fn`: Ctrl-C ends a command, also where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed since it was listed
        return ""
