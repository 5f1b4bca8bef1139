"""`cscale login`, `whoami` and `logout` as a person and a program run them."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cscale.cli.login import _qr
from tests.client.login.places import Hub, Place, hub
from tests.identity.issuer.browsing import Browser
from tests.peers.oidc.running import provider
from tests.ports import free_port

_ROOT = Path(__file__).parents[2]
_BROWSE = """
import sys
from cscale.client.login import Shown
from tests.client.login.places import Place
from tests.identity.issuer.browsing import Browser
issuer, client, kind = PLACE
url = sys.argv[1]
Browser().get(Place(issuer, client, kind).by_browser(Shown(issuer, url)).location)
"""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    pytest.importorskip("authlib", reason="the embedded issuer needs authlib and flask")
    from tests.identity.issuer.served import issuing

    with issuing(tmp_path_factory.mktemp("issuer")) as issuer:
        yield Place(issuer.url, "cscale", "embedded")


@pytest.fixture(scope="module")
def npm() -> Iterator[Place]:
    with provider() as url:
        yield Place(url, "cli", "npm")


@pytest.fixture(params=["embedded", "npm"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def running(place: Place) -> Iterator[Hub]:
    with hub() as found:
        found.trusts(place)
        yield found


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment of a person who never logged in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CSCALE_", "XDG_"))}
    kept |= {"XDG_STATE_HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    return kept | {"PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])}


def command(home: dict[str, str], *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "cscale", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=home,
    )
    assert done.returncode == code, f"ended with {done.returncode}: {done.stdout} {done.stderr}"
    return done


def by_device(home: dict[str, str], place: Place, *arguments: str) -> tuple[str, str]:
    """Log in by what the terminal shows; standard output and error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cscale", "login", "--device", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=home,
    )
    assert process.stderr is not None
    told: list[str] = []
    for line in process.stderr:
        told.append(line)
        if found := re.search(r"or open (http\S+)", line):
            code = re.search(r"user_code=([\w-]+)", found[1])
            assert code is not None
            from cscale.client.login import Shown

            shown = Shown(place.issuer, found[1], code[1], found[1])
            threading.Thread(target=place.by_code, args=[shown]).start()
            break
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 0, "".join(told) + rest
    return out, "".join(told) + rest


def kept(home: dict[str, str]) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in Path(home["XDG_STATE_HOME"]).rglob("*.json")]


def test_login_by_code_then_whoami_then_logout(place: Place, running: Hub, home: dict[str, str]) -> None:
    out, told = by_device(home, place, "--hub", running.url)
    assert f"is logged in at {place.issuer}, for {running.url}" in out
    assert "role=member" in out
    assert "enter the code" in told
    (login,) = kept(home)
    who = command(home, "whoami")
    assert "Alice" in who.stdout
    assert "role=member" in who.stdout
    assert re.search(r"until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, then renewed by itself", who.stdout)
    (told_as_json,) = json.loads(command(home, "whoami", "--json").stdout)["logins"]
    assert told_as_json["sub"] == "alice"
    assert told_as_json["hubs"] == [running.url]
    assert told_as_json["renewable"] is True
    assert told_as_json["problem"] is None
    ended = command(home, "logout")
    assert "is logged out" in ended.stdout
    shown = out + told + who.stdout + who.stderr + json.dumps(told_as_json) + ended.stdout + ended.stderr
    assert login["tokens"]["access"] not in shown
    assert login["tokens"]["refresh"] not in shown
    assert kept(home) == []
    assert "cscale login" in command(home, "whoami", code=1).stderr
    assert "nobody was logged in" in command(home, "logout").stdout
    answer = Browser().post(
        f"{place.issuer}/token",
        {
            "grant_type": "refresh_token",
            "refresh_token": login["tokens"]["refresh"],
            "client_id": place.client_id,
        },
    )
    assert answer.json["error"] == "invalid_grant"


def test_login_in_the_browser(place: Place, running: Hub, home: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "browse.py"
    script.write_text(f"PLACE = {(place.issuer, place.client_id, place.kind)}\n{_BROWSE}")
    home |= {"BROWSER": f"{shlex.join([sys.executable, str(script)])} %s"}
    done = command(home, "login", "--browser", "--hub", running.url, "--json")
    told = json.loads(done.stdout)
    assert told["sub"] == "alice"
    assert told["issuer"] == place.issuer
    (login,) = kept(home)
    assert login["tokens"]["access"] not in done.stdout + done.stderr


def test_an_issuer_and_a_client_can_be_named(embedded: Place, home: dict[str, str]) -> None:
    with hub() as running:
        arguments = ("--issuer", embedded.issuer, "--client-id", "cscale", "--json")
        out, _ = by_device(home | {"CSCALE_HUB": running.url}, embedded, *arguments)
    assert json.loads(out)["client_id"] == "cscale"
    assert running.seen == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--hub", "http://hub.example"), "gets no token"),
        (("--hub", "http://127.0.0.1:9"), "no connection"),
        (("--hub", "http://127.0.0.1:9", "--issuer", "nonsense", "--client-id", "x"), "https"),
        (
            ("--hub", "http://127.0.0.1:9", "--issuer", "http://127.0.0.1:9", "--client-id", "x"),
            "no connection",
        ),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(
    home: dict[str, str], arguments: tuple[str, ...], words: str
) -> None:
    done = command(home, "login", "--device", *arguments, code=1)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    told = json.loads(command(home, "login", "--device", *arguments, "--json", code=1).stdout)
    assert words in told["description"]


def test_whoami_says_what_is_wrong_with_a_login(embedded: Place, home: dict[str, str]) -> None:
    with hub() as running:
        running.trusts(embedded)
        by_device(home, embedded, "--hub", running.url)
        (path,) = Path(home["XDG_STATE_HOME"]).rglob("*.json")
        login = json.loads(path.read_bytes())
        login["tokens"] |= {"refresh": "revoked", "renew_at": 0.0}
        path.write_text(json.dumps(login))
        assert "log in again" in command(home, "whoami", code=1).stdout
        (told,) = json.loads(command(home, "whoami", "--json", code=1).stdout)["logins"]
        assert "log in again" in told["problem"]


def test_a_token_of_the_environment_is_mentioned_and_not_shown(home: dict[str, str]) -> None:
    done = command(home | {"CSCALE_TOKEN": "the-token"}, "whoami")
    assert "CSCALE_TOKEN is set" in done.stderr
    assert "the-token" not in done.stdout + done.stderr


@pytest.mark.parametrize("url", ["https://a.example/", "https://issuer.example/device?user_code=ABCD-EFGH"])
def test_the_qr_code_in_the_terminal_is_the_one_of_the_address(url: str) -> None:
    segno = pytest.importorskip("segno")
    rows: list[list[int]] = []
    for line in _qr(url).plain.split("\n"):
        rows.append([int(each in "█▀") for each in line])
        rows.append([int(each in "█▄") for each in line])
    wanted = [[int(bool(each)) for each in row] for row in segno.make(url, error="l", micro=False).matrix]
    inner = [row[2:-2] for row in rows[2:]][: len(wanted)]
    assert inner == wanted
    assert not any(rows[0] + rows[1])  # a quiet zone around it
    assert _qr(url).style == "black on white"


def test_an_issuer_is_served_on_this_machine_only(home: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("authlib", reason="the embedded issuer needs authlib and flask")
    from tests.identity.issuer.served import settings

    port = free_port()
    config = tmp_path / "issuer.yaml"
    config.write_text(json.dumps(settings(f"http://127.0.0.1:{port}")))
    refused = command(home, "serve", "issuer", "--config", str(config), "--host", "0.0.0.0", code=1)
    assert "this machine only" in refused.stderr
    arguments = ["serve", "issuer", "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cscale", *arguments], stderr=subprocess.PIPE, text=True, env=home
    )
    try:
        assert process.stderr is not None
        assert "Ctrl-C ends it" in process.stderr.readline()
        told = Browser().get(f"http://127.0.0.1:{port}/.well-known/openid-configuration").json
        assert told["issuer"] == f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0
