"""`cscale demo` as a newcomer runs it: a process of its own, an empty home, real servers."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.serving import heed_interrupts

CSCALE = str(Path(sys.executable).with_name("cscale"))
OFFLINE = {
    "PIP_INDEX_URL": "http://127.0.0.1:1",
    "PIP_RETRIES": "0",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
}


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "CSCALE_HUB")}
    return {**kept, "HOME": str(home), **OFFLINE}


def demo(home: Path, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    command = [CSCALE, "demo", "--port", str(free_port()), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(home), timeout=240, check=False
    )
    assert done.returncode == code, f"cscale demo ended with {done.returncode}: {done.stderr}{done.stdout}"
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def told(home: Path) -> str:
    """What a first run with generated scenes prints."""
    return demo(home, "--simulated", "--once").stdout


@pytest.mark.parametrize(
    "line",
    [
        "SIMULATED scenes",
        "4 services answer, each a process of its own",
        "70 in sentinel-2-l2a, 70 in S2_L2A_20M; 11 held twice and joined",
        "checked against the source: complete, newest first, each once",
        "held by alpha and beta",
        "B04 downloaded from alpha",
        "sha256 verified",
        "To try, in another terminal",
    ],
)
def test_a_first_run_tells(told: str, line: str) -> None:
    assert line in told


def test_it_fits_on_a_screen(told: str) -> None:
    lines = told.splitlines()
    assert len(lines) <= 40
    commands = lines.index("To try, in another terminal while this one serves:")
    assert max(map(len, lines[:commands])) <= 100


def test_configurations_logs_and_picture_are_kept(told: str, home: Path) -> None:
    folder = home / ".cache" / "cscale" / "demo-simulated"
    for name in ("hub", "alpha", "beta", "gamma"):
        assert (folder / f"{name}.yaml").is_file()
        assert (folder / "logs" / f"{name}.log").is_file()
    assert (folder / "simulated.png").read_bytes().startswith(b"\x89PNG")
    assert "~/.cache/cscale/demo-simulated/simulated.png" in told


def test_json_says_the_same(told: str, home: Path) -> None:
    summary: dict[str, Any] = json.loads(demo(home, "--simulated", "--once", "--json").stdout)
    assert summary["simulated"] is True
    assert summary["search"]["collections"] == {"sentinel-2-l2a": 70, "S2_L2A_20M": 70}
    assert summary["search"]["as_the_source"] is True
    assert {site["id"]: site["returned"] for site in summary["search"]["sites"]} == {
        "alpha": 38,
        "beta": 43,
        "gamma": 70,
    }
    assert summary["download"]["verified"] == "sha256"
    assert f"One product: {summary['product']['id']}" in told


@pytest.fixture
def serving(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A demonstration that goes on serving."""
    command = [CSCALE, "demo", "--simulated", "--json", "--port", str(free_port())]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(home),
        preexec_fn=heed_interrupts,
    ) as process:
        yield process
        process.kill()


def summary_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    summary: dict[str, Any] = json.loads("".join(lines))
    return summary


def test_it_serves_until_ctrl_c_and_its_commands_work(
    serving: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    summary = summary_of(serving)
    outputs = []
    for command in summary["commands"]:
        parts = shlex.split(command)
        if shutil.which(parts[0]) is None:
            continue  # curl is not everywhere
        parts[0] = str(Path(parts[0]).absolute()) if parts[0] != "curl" else parts[0]
        done = subprocess.run(parts, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        outputs.append(done.stdout)
    assert "SIMULATED_0E0N_2018" in outputs[0]
    assert (tmp_path / "downloads" / summary["product"]["id"] / "B08.tif").is_file()
    serving.send_signal(signal.SIGINT)
    assert serving.wait(60) == 0, "Ctrl-C is how it ends"


def test_the_real_scenes_without_network_from_the_cache(wheel: Path, tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "cscale"
    cache.mkdir(parents=True)
    shutil.copy(wheel, cache)
    summary = json.loads(demo(tmp_path, "--once", "--json").stdout)
    assert summary["simulated"] is False
    assert summary["search"]["collections"] == {"sentinel-2-l2a": 140, "S2_L2A_20M": 140}
    assert summary["search"]["held_twice"] == 34
    assert summary["search"]["as_the_source"] is True
    assert summary["product"]["id"] == "S2_E5272N2532_20180825"
    assert summary["product"]["cloud_cover"] == 0
    assert Path(summary["picture"]).stat().st_size > 100_000


def test_the_users_own_scenes(home: Path, told: str, tmp_path: Path) -> None:
    scenes = home / ".cache" / "cscale" / "demo-simulated" / "alpha" / "data"
    summary = json.loads(demo(tmp_path, "--data", str(scenes), "--once", "--json").stdout)
    assert summary["search"]["collections"] == {"S2_L2A": 38}
    assert summary["search"]["as_the_source"] is True
    assert summary["refused"] == []
    assert sum(site["returned"] for site in summary["search"]["sites"]) > 38, "some are held twice"


def test_without_network_and_cache_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    done = demo(tmp_path, "--once", code=1)
    error = done.stderr.splitlines()[-1]
    assert error.startswith("error: the demo's Sentinel-2 scenes")
    assert "--simulated" in error
    assert "--data" in error
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_answer_is_a_failure(home: Path, told: str, tmp_path: Path) -> None:
    """An item that the source knows nothing of: the check must find it."""
    folder = tmp_path / "demo"
    shutil.copytree(home / ".cache" / "cscale" / "demo-simulated", folder)
    known = next((folder / "alpha" / "data" / "S2_L2A").rglob("SIMULATED*.json"))
    stranger = json.loads(known.read_bytes()) | {"id": "stranger", "assets": {}}
    (tmp_path / "stranger.json").write_text(json.dumps(stranger))
    config = str(folder / "alpha.yaml")
    subprocess.run(
        [CSCALE, "ingest", str(tmp_path / "stranger.json"), "--config", config],
        check=True,
        capture_output=True,
    )
    done = demo(tmp_path, "--simulated", "--once", "--dir", str(folder), code=1)
    assert "stranger of sentinel-2-l2a is not in the source" in done.stderr
