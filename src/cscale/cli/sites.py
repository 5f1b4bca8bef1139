"""`cscale sites`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cscale.cli.output import SITES_MISSING, HubUrl, Json, escape, out, print_json, progress_bar
from cscale.client import Federation

if TYPE_CHECKING:
    from cscale.federation import Endpoint, Member
    from cscale.membership import Report

app = typer.Typer(help="The members of a federation.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The members of a federation."""


@app.command("list")
def list_sites(hub: HubUrl = None, as_json: Json = False) -> None:
    """List the members of a federation.

    Example: cscale sites list --hub http://127.0.0.1:8300
    """
    with Federation(hub) as federation:
        sites = federation.sites()
    if as_json:
        print_json({"sites": sites})
        return
    table = Table(box=None, pad_edge=False)
    for name in ("site", "title", "collections", "address"):
        table.add_column(name)
    for site in sites:
        renamed = (
            f"{name} ({own} there)" if own != name else name for name, own in site["collections"].items()
        )
        addresses = (f"{each['kind']} {each['url']}" for each in site["endpoints"])
        cells = (site["id"], site["title"], ", ".join(renamed), ", ".join(addresses))
        table.add_row(*(escape(str(cell)) for cell in cells))
    out.print(table)


@app.command("check")
def check_site(
    url: Annotated[
        str | None, typer.Argument(help="The site's address. Default: the one of --site in --config.")
    ] = None,
    kind: Annotated[str, typer.Option(help="What is spoken there.")] = "stac-api",
    config: Annotated[
        Path | None, typer.Option(metavar="HUB.yaml", help="A hub's configuration, for the site's policies.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="The site's id there.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what the site does in the hub's registry.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=300, help="Seconds that one answer may take.")] = 10,
    as_json: Json = False,
) -> None:
    """Try what a site does, and hold it against the list of what a member offers.

    Some forty requests are sent from this machine, all of them read only. The exit code is 0 where
    nothing of the list is missing, 3 where something is, and 1 where the site does not answer.

    Example: cscale sites check http://127.0.0.1:8311/stac
    """
    if (config is None) != (site is None):
        raise typer.BadParameter("--config and --site go together")
    if keep and config is None:
        raise typer.BadParameter("--keep needs the hub: --config HUB.yaml --site ID")
    if url is None and config is None:
        raise typer.BadParameter("give the site's address, or --config HUB.yaml --site ID")
    from cscale.federation import Endpoint

    state, member = _member(config, site)
    endpoint = _endpoint(member, kind) if url is None and member else _named(Endpoint, url or "", kind)
    report = _checked(endpoint, member, timeout)
    if keep and member is not None:
        from cscale.federation.registry import Registry

        registry = Registry(state)
        registry.keep_profile(member.id, endpoint.url, report.profile)
        registry.close()
    if as_json:
        print_json({**_plain(report), "met": report.met})
    else:
        _show(report)
    if not report.met:
        raise typer.Exit(SITES_MISSING)


def _member(config: Path | None, site: str | None) -> tuple[Any, "Member | None"]:
    """Where a hub keeps what it knows, and its member."""
    if config is None:
        return None, None
    from cscale.app import HubConfig  # only hubs need it
    from cscale.errors import BadConfiguration
    from cscale.settings import load

    hub = load(config, HubConfig)
    for member in hub.sites:
        if member.id == site:
            return hub.state, member
    raise BadConfiguration(
        f"{config}: no site {site}; there are {', '.join(m.id for m in hub.sites) or 'none'}"
    )


def _endpoint(member: "Member", kind: str) -> "Endpoint":
    return next((each for each in member.endpoints if each.kind == kind), member.endpoints[0])


def _named(endpoint: "type[Endpoint]", url: str, kind: str) -> "Endpoint":
    try:
        return endpoint(kind=kind, url=url)
    except ValueError:
        raise typer.BadParameter(f"{url!r} is no address such as https://archive.example/stac") from None


def _checked(endpoint: "Endpoint", member: "Member | None", timeout: float) -> "Report":
    import asyncio
    from importlib.metadata import entry_points

    from cscale.errors import BadInput
    from cscale.membership import check
    from cscale.net.guard import Guard
    from cscale.net.http import HttpPool

    kinds = {each.name: each for each in entry_points(group="cscale.sources")}
    if endpoint.kind not in kinds:
        raise BadInput(f"--kind {endpoint.kind}: not known; known kinds are {', '.join(sorted(kinds))}")

    async def checked() -> "Report":
        http = HttpPool(Guard([endpoint.url]))
        source = None if endpoint.kind == "stac-api" else kinds[endpoint.kind].load()(endpoint, http)
        try:
            return await check(endpoint, source, member=member, patience=timeout, progress=shown)
        finally:
            await http.close()

    with progress_bar("requests") as bar:
        task = bar.add_task("", total=None)

        def shown(done: int, what: str) -> None:
            bar.update(task, completed=done, description=escape(what))

        return asyncio.run(checked())


_STATES = {
    "done": "green",
    "roughly": "green",
    "untried": "dim",
    "met": "green",
    "not declared": "yellow",
}


def _show(report: "Report") -> None:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    out.print(f"{escape(report.title or report.url)}  {escape(versions)}")
    tried = Table(box=None, pad_edge=False)
    for name in ("tried", "", "what came of it"):
        tried.add_column(name)
    for one in report.profile.tries:
        tried.add_row(escape(one.name), _coloured(one.outcome), escape(one.said))
    out.print(tried)
    joining = Table(box=None, pad_edge=False)
    for name in ("a member offers", "", "found"):
        joining.add_column(name)
    for line in report.join:
        more = f"\nto mend: {escape(line.mend)}" if line.mend and line.state != "met" else ""
        joining.add_row(escape(line.name), _coloured(line.state), escape(line.said) + more)
    out.print()
    out.print(joining)
    median = f", median {report.median_ms} ms" if report.median_ms is not None else ""
    odd = f", {report.rejected} records that are no items" if report.rejected else ""
    out.print(f"{report.requests} requests{median}{odd}")


def _coloured(state: str) -> str:
    colour = _STATES.get(state, "red")
    return f"[{colour}]{state}[/{colour}]"


def _plain(report: "Report") -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(report, order="deterministic")
    return plain
