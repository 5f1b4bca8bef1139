"""The services of a demonstration: started, tied to us, ended, whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cscale.app import HubConfig, SiteConfig
from cscale.demo.archives import Archive
from cscale.demo.services import Service, await_answers, configure, free_ports, serving
from cscale.errors import SiteError
from cscale.settings import load
from tests.ports import free_port


def archives(folder: Path) -> list[Archive]:
    found = [
        Archive(
            "alpha", "Alpha archive", "early", "S2_L2A", "sentinel-2-l2a", folder / "alpha/data", "EUPL-1.2"
        ),
        Archive("beta", "Beta archive", "late", "S2_L2A", "S2_L2A", folder / "beta/data", ""),
    ]
    for archive in found:
        archive.files.mkdir(parents=True, exist_ok=True)
    return found


def configured(folder: Path) -> list[Service]:
    ports, _ = free_ports(free_port())
    return configure(folder, "Demo", archives(folder), ports)


def answers(service: Service) -> bool:
    try:
        with urllib.request.urlopen(f"{service.url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_configurations_are_ones_that_serve_reads(tmp_path: Path) -> None:
    *sites, hub = configured(tmp_path)
    for archive, service in zip(archives(tmp_path), sites, strict=True):
        site = load(service.config, SiteConfig)
        assert (site.site.id, site.site.url) == (archive.id, service.url)
        assert site.data == {"scenes": archive.files}
        assert site.state == tmp_path / archive.id
    federation = load(hub.config, HubConfig)
    assert [member.endpoints[0].url for member in federation.sites] == [f"{each.url}/stac" for each in sites]
    assert [member.collections for member in federation.sites] == [{"sentinel-2-l2a": "S2_L2A"}, {}]


def test_a_port_in_use_is_replaced_and_named() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        first = busy.getsockname()[1]
        ports, used = free_ports(first)
    assert first in used
    assert ports["hub"] != first
    assert len(set(ports.values())) == 4
    assert {"alpha", "beta", "gamma", "hub"} == ports.keys()


def test_services_answer_while_the_block_lasts_and_no_longer(tmp_path: Path) -> None:
    services = configured(tmp_path)
    with serving(services) as running:
        await_answers(running)
        assert all(answers(service) for service in services)
        assert len({os.getpgid(each.process.pid) for each in running} - {os.getpgid(0)}) == 3
    assert not any(answers(service) for service in services)
    assert all(each.process.returncode is not None for each in running)


def test_one_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    services = configured(tmp_path)
    services[1].config.write_text("site: {id: beta}\n")
    with (
        pytest.raises(SiteError, match=r"(?s)beta has ended.*beta\.yaml: .*url: Field required"),
        serving(services) as running,
    ):
        await_answers(running)
    assert all(each.process.returncode is not None for each in running), "the others are ended, too"


_PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {here!r})
from test_services import configured
from cscale.demo.services import await_answers, orderly_end, serving
with orderly_end(), serving(configured(Path(sys.argv[1]))) as running:
    await_answers(running)
    print(*(each.process.pid for each in running), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to a parent that is killed")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_service_outlives_us(tmp_path: Path, how: signal.Signals) -> None:
    code = _PARENT.format(here=str(Path(__file__).parent))
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        services = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(services) == 3
        parent.send_signal(how)
        parent.wait()
    for pid in services:
        while runs(pid):  # the test's own timeout says so if this one lives on
            time.sleep(0.05)


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended, and that nobody has asked for, does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
