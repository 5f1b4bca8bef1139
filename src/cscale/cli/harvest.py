"""`cscale harvest`."""

import asyncio
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from cscale.cli.output import FAILED, SITES_MISSING, Json, err, escape, out, print_json, progress_bar
from cscale.errors import BadConfiguration

if TYPE_CHECKING:
    from cscale.app import HubConfig
    from cscale.discovery.harvest import Harvested, Report
    from cscale.net.http import HttpPool

_SHOWN = 20


def harvest(
    config: Annotated[Path, typer.Option(metavar="HUB.yaml", help="The hub's configuration.")],
    site: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this site, also if it is searched live; may be repeated."),
    ] = None,
    once: Annotated[bool, typer.Option(help="Harvest each site once, and end.")] = False,  # a switch
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Processes that make items ready; 0: none but this one.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Keep the metadata of sites in the hub's own catalogue, those with `discovery: harvest`.

    A harvest that was interrupted goes on where it was. The hub harvests by itself, too; of all processes
    that would, one does. Without --once it goes on until Ctrl-C, each site in its own interval.

    Example: cscale harvest --config hub.yaml --site alpha --once
    """
    from cscale.app import HubConfig  # only hubs need it
    from cscale.settings import load

    hub = load(config, HubConfig)
    reports = asyncio.run(_harvest(hub, site or [], workers, once=once, as_json=as_json))
    if not once:
        return
    if as_json:
        print_json({"sites": [_counts(report, seconds) for report, seconds in reports]})
    failed = [report for report, _ in reports if report.counts.errors]
    if failed:
        raise typer.Exit(FAILED if len(failed) == len(reports) else SITES_MISSING)


async def _harvest(
    hub: "HubConfig", only: list[str], workers: int, *, once: bool, as_json: bool
) -> list[tuple["Report", float]]:
    from cscale.discovery.harvest import Report, wait_for
    from cscale.net.guard import Guard
    from cscale.net.http import HttpPool

    # only the hosts that the configuration names may lie in a network of one's own
    http = HttpPool(Guard(endpoint.url for member in hub.sites for endpoint in member.endpoints))
    reports: list[tuple[Report, float]] = []
    stopped = asyncio.Event()
    try:
        sites = _sites(hub, only, workers, http)
        if not once:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
            err.print(f"harvesting {escape(', '.join(site.id for site in sites))}; Ctrl-C ends it")
        while True:
            for site in sites:
                if once or await wait_for(site) <= 0:
                    work = asyncio.create_task(_one(site, as_json=as_json, once=once))
                    await asyncio.wait({work, ending := asyncio.create_task(stopped.wait())},
                                       return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
                    ending.cancel()
                    if not work.done():
                        work.cancel()
                        await asyncio.wait({work})
                        return reports
                    reports.append(work.result())
            if once:
                return reports
            reports.clear()
            pause = max(min([await wait_for(site) for site in sites], default=60.0), 1.0)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), pause)
                return reports
    finally:
        await http.close()


async def _one(site: "Harvested", *, as_json: bool, once: bool) -> tuple["Report", float]:
    from cscale.discovery.harvest import harvest as harvested

    started = time.perf_counter()
    with progress_bar("items") as bar:
        task = bar.add_task(f"harvesting {site.id}", total=None)
        report = await harvested(
            site,
            lambda counts, progress: bar.update(
                task,
                completed=sum(counts.items.values()),
                total=sum(notes.expected or 0 for notes in progress.collections.values()) or None,
            ),
        )
    seconds = time.perf_counter() - started
    if not as_json:
        out.print(_sentence(report, seconds))
        for reason in report.counts.reasons[:_SHOWN]:
            err.print(f"[yellow]rejected[/yellow] {escape(reason)}")
        for error in report.counts.errors:
            err.print(f"[red]error[/red] {escape(f'{site.id}: {error}')}")
    elif not once:
        sys.stdout.write(msgspec.json.encode(_counts(report, seconds)).decode() + "\n")
        sys.stdout.flush()
    return report, seconds


def _sites(hub: "HubConfig", only: list[str], workers: int, http: "HttpPool") -> list["Harvested"]:
    from cscale.app import harvested, interface, part
    from cscale.net.telemetry.metrics import Metrics

    if unknown := set(only) - {member.id for member in hub.sites}:
        raise BadConfiguration(
            f"no site {', '.join(sorted(unknown))} in this hub; it has "
            f"{', '.join(member.id for member in hub.sites) or 'none'}"
        )
    sites = []
    for member in hub.sites:
        if member.id in only or (not only and member.discovery == "harvest"):
            found = interface(member, part(member, http, Metrics()), hub)
            sites.append(harvested(member, found, hub, processes=workers))
    if not sites:
        raise BadConfiguration("no site of this hub has `discovery: harvest`; name one with --site")
    return sites


def _counts(report: "Report", seconds: float) -> dict[str, Any]:
    counts = report.counts
    return {
        "site": report.site,
        "items": dict(counts.items),
        "removed": counts.removed,
        "rejected": counts.rejected,
        "reasons": counts.reasons,
        "errors": counts.errors,
        "left": report.left,
        "elsewhere": report.elsewhere,
        "seconds": round(seconds, 3),
    }


def _sentence(report: "Report", seconds: float) -> str:
    if report.elsewhere:
        return f"{report.site}: another process is harvesting it"
    counts = report.counts
    items = ", ".join(f"{count:,} {change}" for change, count in counts.items.items()) or "no items"
    more = f", {counts.removed:,} removed" if counts.removed else ""
    more += f", {counts.rejected:,} rejected" if counts.rejected else ""
    more += f"; {report.left:,} stretches of time are still to be read" if report.left else ""
    rate = sum(counts.items.values()) / max(seconds, 1e-9)
    return f"{report.site}: {items}{more} ({rate:,.0f}/s)"
