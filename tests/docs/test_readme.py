"""README's commands do what it says, from `make demo` on."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.docs.following import blocks, reading
from tests.ports import free_port
from tests.serving import heed_interrupts

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """`make demo` under way; the port of its hub."""
    port, folder = free_port(), tmp_path_factory.mktemp("demo")
    command = ["make", "demo", f"ARGS=--port {port} --dir {folder}"]
    printed = folder.with_suffix(".out")
    with (
        printed.open("w") as file,
        subprocess.Popen(
            command, cwd=ROOT, stdout=file, start_new_session=True, preexec_fn=heed_interrupts
        ) as demo,
    ):
        try:
            while "Ready after" not in printed.read_text():
                assert demo.poll() is None, f"make demo ended: {printed.read_text()}"
                time.sleep(0.2)
            yield port
            os.killpg(demo.pid, signal.SIGINT)
            demo.wait(30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(demo.pid, signal.SIGKILL)


def test_the_commands_answer_what_the_readme_shows(demo: int, tmp_path: Path) -> None:
    compared = 0
    with reading(tmp_path / "home", f"http://127.0.0.1:{demo}") as reader:
        for language, content in blocks(ROOT / "README.md"):
            reader.folder = ROOT
            here = (
                content.replace("8300", str(demo))
                .replace("8311", str(demo + 11))
                .replace("/tmp/scenes", str(tmp_path))
            )
            if language == "python":
                reader.python(here)
            elif language == "text":
                shown = [line.split() for line in reader.printed.splitlines()]
                assert shown == [line.split() for line in here.splitlines()]
                compared += 1
            elif not content.startswith("make"):
                reader.run(here)
    assert compared == 3


def test_the_two_commands_are_targets_that_make_knows() -> None:
    for language, content in blocks(ROOT / "README.md"):
        if language == "sh" and content.startswith("make"):
            done = subprocess.run(
                ["make", "-n", content.split()[1]], cwd=ROOT, capture_output=True, check=False
            )
            assert done.returncode == 0, content


def test_every_room_is_on_the_map() -> None:
    readme = (ROOT / "README.md").read_text()
    for room in (ROOT / "src" / "cscale").iterdir():
        if room.name not in ("__init__.py", "__main__.py", "__pycache__", "py.typed"):
            assert f"`{room.name}{'/' if room.is_dir() else ''}`" in readme, (
                f"{room.name} is not on README's map"
            )
