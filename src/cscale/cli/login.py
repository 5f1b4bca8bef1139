"""`cscale login`, `cscale logout`, `cscale whoami`."""

import asyncio
import os
import sys
import time
import webbrowser
from typing import Annotated, Any

import typer
from rich.text import Text

from cscale.cli.output import FAILED, HubUrl, Json, err, escape, out, print_json
from cscale.client import default_hub
from cscale.client.login import Login, LoginNeeded, Shown, Way, Who, log_in, log_out, who


def login(
    hub: HubUrl = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="URL", help="Where to log in. Default: where the hub says.")
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option("--browser/--device", help="In this machine's browser, or by a code on any device."),
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="As which program. Default: what the hub says."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Log in once for a hub and its sites. A site that trusts another issuer takes one more: --hub SITE.

    In programs, no login is needed: set CSCALE_TOKEN, or CSCALE_CLIENT_ID and CSCALE_CLIENT_SECRET.

    Example: cscale login --hub https://hub.example
    """
    way: Way = "browser" if (_has_browser() if browser is None else browser) else "device"
    show = _open if way == "browser" else _show
    done = asyncio.run(log_in(hub or default_hub(), way, show, issuer=issuer, client_id=client_id))
    if as_json:
        print_json(_about(done))
        return
    out.print(f"{escape(done.name)} is logged in at {escape(done.issuer)}, for {escape(done.hubs[0])}")
    _print_groups(done)


def logout(
    hub: Annotated[
        str | None, typer.Option("--hub", metavar="URL", help="Only the login for this hub or site.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Log out: the issuer revokes the tokens, and this machine forgets them.

    Example: cscale logout
    """
    ended = asyncio.run(log_out(hub=hub))
    if as_json:
        print_json({"logouts": [{"issuer": each.issuer, "problem": problem} for each, problem in ended]})
    elif not ended:
        out.print("nobody was logged in")
    else:
        for each, _ in ended:
            out.print(f"{escape(each.name)} is logged out at {escape(each.issuer)}")
    problems = [problem for _, problem in ended if problem]
    for problem in problems:
        err.print(f"[yellow]forgotten here, but[/yellow] {escape(problem)}")
    if problems:
        raise typer.Exit(FAILED)


def whoami(as_json: Json = False) -> None:
    """Tell who is logged in, in which groups, and until when.

    Example: cscale whoami
    """
    found = asyncio.run(who())
    if as_json:
        print_json({"logins": [_about(each.login) | _until(each) for each in found]})
    for each in () if as_json else found:
        out.print(
            f"{escape(each.login.name)} at {escape(each.login.issuer)}, for {escape(_hubs(each.login))}"
        )
        _print_groups(each.login)
        out.print(f"  {_said(each)}")
    given = _from_environment()
    if given:
        err.print(f"{given} is set: it is used in the place of any login")
    if not found and not given:
        raise LoginNeeded("nobody is logged in: cscale login --hub URL")
    if any(each.problem for each in found):
        raise typer.Exit(FAILED)


def _from_environment() -> str | None:
    return next((name for name in ("CSCALE_TOKEN", "CSCALE_CLIENT_ID") if os.environ.get(name)), None)


def _about(login: Login) -> dict[str, Any]:
    named = {name: login.claims.get(name) for name in ("sub", "name", "email")}
    return {
        "issuer": login.issuer,
        "client_id": login.client_id,
        "hubs": login.hubs,
        **{name: value for name, value in named.items() if value is not None},
        "groups": login.groups,
    }


def _until(found: Who) -> dict[str, Any]:
    times = {"expires_at": found.expires_at, "renewable_until": found.renewed_until}
    shown = {name: _time(at) for name, at in times.items() if at is not None}
    return {**shown, "renewable": found.renewable, "problem": found.problem}


def _said(found: Who) -> str:
    if found.problem:
        return f"[yellow]{escape(found.problem)}[/yellow]"
    until = "" if found.expires_at is None else f"until {_time(found.expires_at)}"
    if not found.renewable:
        return until or "until it is refused"
    more = "" if found.renewed_until is None else f", up to {_time(found.renewed_until)}"
    return f"{until}{', ' if until else ''}then renewed by itself{more}"


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _hubs(login: Login) -> str:
    return ", ".join(login.hubs) or "no hub"


def _print_groups(login: Login) -> None:
    for group in login.groups:
        out.print(f"  {escape(group)}")


def _has_browser() -> bool:
    """Whether a page that this machine opens would be seen by whoever typed the command."""
    if os.environ.get("SSH_CONNECTION") or not sys.stderr.isatty():
        return False
    if sys.platform not in ("win32", "darwin") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _open(shown: Shown) -> None:
    err.print(f"log in in the browser; if it does not open, go to\n  {escape(shown.url)}")
    webbrowser.open(shown.url)


def _show(shown: Shown) -> None:
    err.print(f"to log in at {escape(shown.issuer)}, open\n  {escape(shown.url)}\nand enter the code")
    err.print(f"  [bold]{escape(shown.code or '')}[/bold]")
    if shown.complete:
        if err.is_terminal:
            err.print(_qr(shown.complete))
        err.print(f"or open {escape(shown.complete)}")
    err.print(f"waiting, for {shown.seconds / 60:.0f} minutes at most; Ctrl-C ends it")


def _qr(text: str) -> Text:
    """A QR code, two of its rows to a line; black on white, whatever the terminal's colours are."""
    import segno

    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=2)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    halves = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    lines = (
        "".join(halves[bool(upper), bool(lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    )
    return Text("\n".join(lines), style="black on white", no_wrap=True)
