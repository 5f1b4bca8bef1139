"""`cscale demo`."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cscale.cli.output import FAILED, Json, err, escape, out, print_json, progress_bar
from cscale.client import Download, Federation
from cscale.client.federation import DEFAULT_HUB
from cscale.errors import CscaleError, SiteError

if TYPE_CHECKING:
    from cscale.demo.archives import Archive, Truth
    from cscale.demo.services import Running
    from cscale.demo.walk import Choice, Walk

_SHOWN = 5


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the last print.")] = False,
    simulated: Annotated[bool, typer.Option("--simulated", help="Show generated scenes.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", exists=True, file_okay=False, help="Show your own GeoTIFF and STAC files."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", metavar="DIR", file_okay=False, help="Where it is all kept. Default: the cache."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65522, help="The hub's; the sites' are 11 to 13 above.")
    ] = 8300,
    as_json: Json = False,
) -> None:
    """Three archives and a hub on this machine, with real Sentinel-2 data, until Ctrl-C.

    Each is a process of its own. One search over all of them is checked against the source, one product
    is downloaded and drawn. With --data, your own scenes are shared out: in order of time, alpha lists
    the first 40 % of them, beta the 40 % in the middle, gamma the last 40 %; nothing is copied.

    Example: cscale demo --once
    """
    from cscale.demo.archives import claimed  # only the demo needs it
    from cscale.demo.services import await_answers, configure, free_ports, orderly_end, serving

    if simulated and data:
        raise typer.BadParameter("scenes are either generated or your own", param_hint="--data")
    kind = "-simulated" if simulated else "-own" if data else ""
    place = (folder or _cache() / f"demo{kind}").resolve()
    told = _Told(err if as_json else out)
    with orderly_end(), claimed(place):
        stage = _own(place, data.resolve(), told) if data else _cut(place, told, simulated=simulated)
        ports, used = free_ports(port)
        if used:
            told.say.print(f"  in use already, so replaced: ports {', '.join(map(str, used))}")
        services = configure(place, stage.title, stage.archives, ports)
        with serving(services) as running, Federation(services[-1].url) as hub:
            stage.fill(running)  # while they start
            await_answers(running)
            told.step(f"{len(running)} services answer, each a process of its own")
            try:
                summary = _show(stage, running, hub, place, told)
            except CscaleError:
                err.print(f"the services' logs lie in {escape(str(place / 'logs'))}")
                raise
            if as_json:
                print_json(summary)
            if not once:
                _serve_on(running, told.say)
    if stage.refused:
        raise typer.Exit(FAILED)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cscale"


@dataclass
class _Told:
    """What has been said, and when.

    Attributes:
        say: Where to.
        started: When all began.
        last: When the last step ended.
    """

    say: Console
    started: float = field(default_factory=time.perf_counter)
    last: float = field(default_factory=time.perf_counter)

    def step(self, text: str) -> None:
        """Say that a step is done, and how long it took."""
        now = time.perf_counter()
        self.say.print(f"  {text:<66}[dim]{now - self.last:5.1f} s[/dim]")
        self.last = now


@dataclass(frozen=True)
class _Stage:
    """What is about to be served.

    Attributes:
        title: The federation's.
        archives: Who holds what.
        truth: What a search must find.
        fill: Fills the services' catalogues.
        refused: What was not taken, and why.
        simulated: Whether it is made up.
    """

    title: str
    archives: "Sequence[Archive]"
    truth: "Truth"
    fill: "Callable[[Sequence[Running]], None]"
    refused: Sequence[tuple[str, str]] = ()
    simulated: bool = False


def _cut(place: Path, told: _Told, *, simulated: bool) -> _Stage:
    """Our scenes, real or generated, cut into three archives."""
    from cscale.demo.archives import build, clear, cut, take_in, truth  # only the demo needs it
    from cscale.demo.romania import SIZE, fetch, read
    from cscale.demo.simulated import generate

    if simulated:
        source = generate()
    else:
        source = read(fetch(_cache(), lambda: err.print(f"fetching {SIZE / 1e6:.0f} MB of scenes ...")))
    origin, days = source.origin, source.ten.days
    told.say.print(f"[bold]{escape(origin.name)}[/bold], {len(days)} dates from {days[0]} to {days[-1]}")
    told.say.print(f"{escape(origin.said)}\n")
    told.step("scenes generated" if simulated else "scenes fetched or found in the cache, sha256 verified")
    shares = cut(source, place)
    wanting = clear(source, shares)

    def fill(running: "Sequence[Running]") -> None:
        with _progress("rasters", "cutting archives") as progress:
            made = build(source, wanting, progress)
        told.step(
            f"three archives cut: {made:,} raster files" if made else "three archives stand as they were"
        )
        for each in running[: len(shares)]:
            take_in(each.service.config)
        told.step(f"{sum(len(share.indices) for share in shares):,} items in their catalogues")

    return _Stage(
        title=f"Demo federation{' (SIMULATED scenes)' if simulated else ''}",
        archives=[share.archive for share in shares],
        truth=truth(source, shares),
        fill=fill,
        simulated=simulated,
    )


def _own(place: Path, scenes: Path, told: _Told) -> _Stage:
    """The user's scenes, shared out over three archives."""
    from cscale.demo.own import SHARED_OUT, archives, share_out  # only the demo needs it

    told.say.print(f"[bold]Your scenes in {escape(str(scenes))}[/bold]\n{SHARED_OUT}\n")
    with _progress("files", "reading") as progress:
        truth, refused = share_out(place, scenes, progress)
    told.step(f"{len(truth):,} scenes read")
    for where, why in refused[:_SHOWN]:
        err.print(f"[yellow]refused[/yellow] {escape(where)}: {escape(why)}")
    if len(refused) > _SHOWN:
        err.print(f"... and {len(refused) - _SHOWN} more refused; `cscale ingest --json` lists all")
    return _Stage("Demo federation (your scenes)", archives(scenes), truth, lambda _running: None, refused)


@contextmanager
def _progress(unit: str, what: str) -> Iterator[Callable[[int, int], None]]:
    with progress_bar(unit) as bar:
        task = bar.add_task(what, total=1)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(
    stage: _Stage, running: "Sequence[Running]", hub: Federation, place: Path, told: _Told
) -> dict[str, Any]:
    """Search, download, draw and tell; the summary.

    Raises:
        CscaleError: If anything of it does not come out as it should.
    """
    from cscale.demo.picture import draw  # only the demo needs it
    from cscale.demo.walk import choose, download, said, search_all

    walk = search_all(hub, stage.truth)
    if walk.wrong:
        raise CscaleError(
            f"the search over all archives does not say what the source does: {said(walk.wrong)}"
        )
    _show_search(stage, running, walk, hub.url, told.say)
    choice = choose(walk.found.items, [each.service.url for each in running])
    with _progress("bytes", "downloading") as progress:
        done = download(hub, choice, place / "downloads", lambda got, size: progress(got, size or got))
    picture = place / f"{'simulated' if stage.simulated else 'picture'}.png"
    title = f"{choice.item['id']}{' (SIMULATED)' if stage.simulated else ''}"
    notice = str(choice.item["properties"].get("description") or "")
    others = [choice.href(key) for key in choice.colours[1:]]
    draw([str(done.path), *others], title, notice, picture, simulated=stage.simulated)
    commands = _commands(choice, hub.url)
    _show_product(running, choice, done, picture, told.say)
    _show_rest(commands, place, told)
    return _summary(stage, running, walk, choice, done, picture, commands) | {
        "folder": str(place),
        "seconds": round(time.perf_counter() - told.started, 2),
    }


def _show_search(stage: _Stage, running: "Sequence[Running]", walk: "Walk", hub: str, say: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("archive", "address", "collection", "holds"):
        table.add_column(name, no_wrap=True, overflow="fold")
    for name in ("items", "in"):
        table.add_column(name, justify="right", no_wrap=True)
    for archive, each in zip(stage.archives, running, strict=False):  # the hub is last
        status = walk.found.sites[archive.id]
        answered = f"{status['returned']:,}", f"{status.get('elapsed_ms', 0)} ms"
        table.add_row(archive.id, each.service.url, archive.collection, archive.holds, *answered)
    say.print()
    say.print(table)
    counts = ", ".join(f"{count:,} in {escape(name)}" for name, count in walk.collections.items())
    twice = f"; {walk.held_twice:,} held twice and joined" if walk.held_twice else ""
    say.print(
        f"\n[bold]One search over all three[/bold] at {hub}: {len(walk.found.items):,} products"
        f"\n  {counts}{twice}"
        "\n  [green]checked against the source[/green]: complete, newest first, each once, holders right"
        f"\n  {walk.pages} {'page' if walk.pages == 1 else 'pages'} in {walk.seconds:.2f} s"
    )


def _show_product(
    running: "Sequence[Running]", choice: "Choice", done: Download, picture: Path, say: Console
) -> None:
    cloud = f"{choice.cloud_cover:.0f} % cloud, " if choice.cloud_cover is not None else ""
    key, href = choice.colours[0], choice.href(choice.colours[0])
    source = next(each.service.id for each in running if href.startswith(each.service.url))
    beside = " in true and in false colour" if len(choice.colours) == 4 else ""
    say.print(
        f"\n[bold]One product[/bold]: {escape(str(choice.item['id']))}, {cloud}"
        f"held by {' and '.join(choice.held_by)}"
        f"\n  {escape(key)} downloaded from {source}, {done.size:,} bytes, "
        f"[green]{done.verified} verified[/green]"
        f"\n    {escape(_short(done.path))}"
        f"\n  its picture{beside}, read from the archive"
        f"\n    {escape(_short(picture))}"
    )


def _show_rest(commands: Sequence[str], place: Path, told: _Told) -> None:
    tried = "".join(f"\n  [cyan]{escape(command)}[/cyan]" for command in commands)
    told.say.print(
        f"\n[bold]To try[/bold], in another terminal while this one serves:{tried}"
        f"\n\nConfigurations and logs: {escape(_short(place))}"
        f"\nReady after {time.perf_counter() - told.started:.1f} s."
    )


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _commands(choice: "Choice", hub: str) -> list[str]:
    """Three commands that ask the hub."""
    me = _me()
    where = "" if hub == DEFAULT_HUB else f" --hub {hub}"
    item = choice.item
    year = str(item["properties"].get("datetime") or item["properties"]["start_datetime"])[:4]
    clear = ' --filter "eo:cloud_cover < 10"' if choice.cloud_cover is not None else ""
    name = shlex.quote(str(item["id"]))
    collection = shlex.quote(str(item["collection"]))
    asset = shlex.quote(choice.colours[-1])
    return [
        f"{me} search --datetime {year}-06-01/{year}-08-31{clear}{where}",
        f"{me} get {name} {asset} --collection {collection} --to downloads{where}",
        f"curl '{hub}/stac/search?collections={item['collection']}&limit=1'",
    ]


def _me() -> str:
    """How this command can be called from where it was called."""
    here, found = Path(sys.argv[0]), shutil.which("cscale")
    if found and here.exists() and Path(found).samefile(here):
        return "cscale"
    if here.name == "cscale" and here.exists():
        return shlex.quote(os.path.relpath(here))
    return f"{shlex.quote(sys.executable)} -m cscale"


def _summary(
    stage: _Stage,
    running: "Sequence[Running]",
    walk: "Walk",
    choice: "Choice",
    done: Download,
    picture: Path,
    commands: Sequence[str],
) -> dict[str, Any]:
    return {
        "simulated": stage.simulated,
        "hub": running[-1].service.url,
        "services": {each.service.id: each.service.url for each in running},
        "configurations": {each.service.id: str(each.service.config) for each in running},
        "search": {
            "products": len(walk.found.items),
            "collections": dict(walk.collections),
            "held_twice": walk.held_twice,
            "sites": list(walk.found.sites.values()),
            "pages": walk.pages,
            "seconds": round(walk.seconds, 3),
            "as_the_source": not walk.wrong,
        },
        "product": {
            "id": choice.item["id"],
            "collection": choice.item["collection"],
            "held_by": list(choice.held_by),
            "cloud_cover": choice.cloud_cover,
        },
        "download": {"path": str(done.path), "size": done.size, "verified": done.verified},
        "picture": str(picture),
        "commands": list(commands),
        "refused": [{"input": where, "reason": why} for where, why in stage.refused],
    }


def _serve_on(running: "Sequence[Running]", say: Console) -> None:
    """Serve until Ctrl-C.

    Raises:
        SiteError: If the hub ends by itself.
    """
    from cscale.demo.services import HUB, watch  # only the demo needs it

    say.print("Serving until Ctrl-C.")
    try:
        for ended in watch(running):
            if ended.service.id == HUB:
                raise SiteError(f"the hub has ended; the end of {ended.service.log}:\n{ended.last_lines}")
            say.print(f"{ended.service.id} has ended; the hub answers without it, and says so")
    except KeyboardInterrupt:
        say.print("\nAll ended.")
