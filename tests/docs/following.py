"""A reader who follows a page of the documentation word by word."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_BIN = Path(sys.executable).parent


@dataclass
class Reader:
    """Runs what a page says, in order, and remembers what was printed.

    Attributes:
        folder: Where the reader stands.
        home: The reader's home.
        printed: What the last command printed.
    """

    folder: Path
    home: Path
    printed: str = ""
    _servers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def run(self, command: str) -> None:
        """Run a shell command; `cd` is remembered, a server is left running."""
        script = f"set -e\n{command}\npwd > {self.home}/.stands"
        if "cscale serve" in command:
            self._servers.append(self._start(command))
            self._await_server(command)
            return
        done = subprocess.run(
            ["bash", "-c", script], **self._where(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        self.printed = done.stdout
        self.folder = Path((self.home / ".stands").read_text().strip())

    def python(self, code: str) -> None:
        """Run a Python script."""
        done = subprocess.run(
            [sys.executable, "-c", code], **self._where(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.printed = done.stdout

    def close(self) -> None:
        """End what is left running."""
        for server in self._servers:
            server.terminate()
            server.wait(20)

    def _start(self, command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["bash", "-c", f"exec {command.strip()}"], **self._where(), stderr=subprocess.DEVNULL
        )

    def _await_server(self, command: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            asked = subprocess.run(
                ["bash", "-c", "cscale search --json"], **self._where(), capture_output=True, check=False
            )
            if asked.returncode == 0:
                return
            assert self._servers[-1].poll() is None, f"{command} ended"
            time.sleep(0.2)
        raise AssertionError(f"{command} does not answer")

    def _where(self) -> dict[str, Any]:
        path = f"{_BIN}:/usr/bin:/bin"
        hub = (self.home / ".hub").read_text()
        return {
            "cwd": self.folder,
            "env": {"PATH": path, "HOME": str(self.home), "CSCALE_HUB": hub},
        }


@contextmanager
def reading(home: Path, hub: str) -> Iterator[Reader]:
    """A reader with an empty home who asks the hub (or site) at `hub` unless told otherwise."""
    home.mkdir(exist_ok=True)
    (home / ".hub").write_text(hub)
    reader = Reader(home, home)
    try:
        yield reader
    finally:
        reader.close()


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: language and content, without their common indentation."""
    found = []
    for indent, language, content in _FENCE.findall(page.read_text()):
        lines = [line.removeprefix(indent) for line in content.splitlines()]
        found.append((language, "\n".join(lines) + "\n"))
    if not found:
        pytest.fail(f"{page} has no blocks to follow")
    return found
