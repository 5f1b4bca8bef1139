"""`cscale ingest` and `cscale remove`."""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from cscale.cli.output import FAILED, Json, err, escape, out, print_json, progress_bar

if TYPE_CHECKING:  # only sites need it
    from cscale.app import SiteConfig
    from cscale.catalogue.ingest import Options, Report
    from cscale.catalogue.ingest.watch import Batch

Config = Annotated[Path, typer.Option(metavar="SITE.yaml", help="The site's configuration.")]
Collection = Annotated[
    str | None, typer.Option(metavar="ID", help="The collection; default: the item's own.")
]
Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="Remove items that came from these paths before and are not there any more."
    ),
]
AllowEmpty = Annotated[
    bool, typer.Option("--allow-empty", help="With --prune: also where a path is missing or empty.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Change nothing, tell what would be taken and removed.")
]
Trust = Annotated[
    bool, typer.Option("--trust-checksums", help="Take promised checksums without reading the files.")
]
Watched = Annotated[
    bool, typer.Option("--watch", help="Go on: take what arrives, changes or (--prune) disappears.")
]
Taken = Annotated[str | None, typer.Option(metavar="TIME", help="When rasters were taken, RFC 3339.")]
Pattern = Annotated[
    str | None,
    typer.Option(metavar="REGEX", help="Where file names say so: groups year, month, day (hour, ...)."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes that read. Default: as many as the input is worth."),
]
Poll = Annotated[
    float | None,
    typer.Option(min=0.1, metavar="SECONDS", help="With --watch: look so often; for network file systems."),
]
Quiet = Annotated[
    float,
    typer.Option(min=0, metavar="SECONDS", help="With --watch: how long a file must be left alone."),
]
Paths = Annotated[
    list[Path],
    typer.Argument(
        help="Files and folders: STAC JSON, NDJSON, stac-geoparquet, GeoTIFF, Sentinel products "
        "(folders, zips, Sentinel-5P files), static catalogues (catalog.json or collection.json)."
    ),
]

_SHOWN = 20


def ingest(
    paths: Paths,
    config: Config,
    collection: Collection = None,
    datetime: Taken = None,
    date_pattern: Pattern = None,
    prune: Prune = False,
    allow_empty: AllowEmpty = False,
    dry_run: DryRun = False,
    trust_checksums: Trust = False,
    workers: Workers = None,
    watch: Watched = False,
    poll: Poll = None,
    quiet: Quiet = 3.0,
    as_json: Json = False,
) -> None:
    """Take items, collections, rasters and products into a site's catalogue: all at once, or nothing.

    Taking the same again changes nothing. What cannot be taken is named with the reason. Items older than
    their collection's rolling retention (`policies`) leave the catalogue; files always stay.

    For example:

    cscale ingest ./scenes --config site.yaml --collection my-scenes

    cscale ingest items.ndjson items.parquet --config site.yaml

    cscale ingest ./catalogue/catalog.json --config site.yaml

    cscale ingest ./S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE --config site.yaml

    cscale ingest ./scenes --config site.yaml --prune --dry-run

    cscale ingest ./incoming --config site.yaml --watch --prune
    """
    from cscale.app import SiteConfig  # only sites need it
    from cscale.archive.folders import Folders
    from cscale.catalogue.ingest import Options
    from cscale.catalogue.ingest.geotiff import Dating
    from cscale.settings import load

    _check(watch=watch, dry_run=dry_run, poll=poll, allow_empty=allow_empty, prune=prune)
    site = load(config, SiteConfig)
    options = Options(
        Folders(site.data),
        collection,
        Dating(datetime, date_pattern),
        prune=prune,
        allow_empty=allow_empty,
        dry_run=dry_run,
        trust_checksums=trust_checksums,
        policies=site.policies,
        processes=workers,
    )
    if watch:
        _watch(site, paths, options, (quiet, poll), as_json=as_json)
    else:
        _once(site, paths, options, as_json=as_json)


def _check(*, watch: bool, dry_run: bool, poll: float | None, allow_empty: bool, prune: bool) -> None:
    if watch and dry_run:
        raise typer.BadParameter("a watch changes things; leave one of the two out", param_hint="--dry-run")
    if poll is not None and not watch:
        raise typer.BadParameter("goes with --watch only", param_hint="--poll")
    if allow_empty and not prune:
        raise typer.BadParameter("goes with --prune only", param_hint="--allow-empty")


def _once(site: "SiteConfig", paths: list[Path], options: "Options", *, as_json: bool) -> None:
    from cscale.catalogue.ingest import ingest as take

    started = time.perf_counter()
    with progress_bar("bytes read and written") as bar:
        task = bar.add_task("ingesting", total=None)
        report = take(
            site.store, paths, options, lambda done, total: bar.update(task, completed=done, total=total)
        )
    seconds = time.perf_counter() - started
    if as_json:
        print_json(_counts(report) | _troubles(report) | {"seconds": round(seconds, 3)})
    else:
        out.print(("would be taken, " if options.dry_run else "") + _sentence(report, seconds))
        _print_troubles(report)
    if report.refused:
        raise typer.Exit(FAILED)


def _watch(
    site: "SiteConfig",
    paths: list[Path],
    options: "Options",
    rhythm: tuple[float, float | None],
    *,
    as_json: bool,
) -> None:
    from cscale.catalogue.ingest.watch import Rhythm, Watch
    from cscale.catalogue.sqlite.store import FILE as CATALOGUE

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    ignored = [site.state / CATALOGUE] if isinstance(site.state, Path) else []
    tell: Callable[[Batch], None] = _tell_json if as_json else _tell
    watch = Watch(site.store, paths, options, Rhythm(*rhythm), tell, ignored)
    err.print(f"watching {escape(', '.join(map(str, paths)))}; Ctrl-C ends it")
    watch.run(stop)
    err.print("ended")


def _tell(batch: "Batch") -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if batch.report is None:
        err.print(f"{now} [red]failed[/red]: {escape(str(batch.error))}")
        return
    out.print(f"{now} {_sentence(batch.report, batch.seconds)}")
    out.file.flush()
    _print_troubles(batch.report)


def _tell_json(batch: "Batch") -> None:
    line: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "inputs": batch.inputs,
    }
    if batch.report is None:
        line |= {"error": batch.error}
    else:
        line |= _counts(batch.report) | _troubles(batch.report)
    sys.stdout.write(msgspec.json.encode(line | {"seconds": round(batch.seconds, 3)}).decode() + "\n")
    sys.stdout.flush()


def _counts(report: "Report") -> dict[str, Any]:
    return {
        "items": dict(report.items),
        "collections": dict(report.collections),
        "removed": report.removed,
        "gone": [f"{held.collection}/{held.id}" for held in report.gone],
        "expired": report.expired,
        "outdated": report.outdated,
    }


def _troubles(report: "Report") -> dict[str, Any]:
    return {
        "refused": [{"input": where, "reason": why} for where, why in report.refused],
        "warnings": [{"input": where, "warning": what} for where, what in report.warnings],
    }


def _sentence(report: "Report", seconds: float) -> str:
    taken = sum(report.items.values())
    counts = ", ".join(f"{count:,} {change}" for change, count in report.items.items()) or "none"
    others = {
        "removed": report.removed,
        "expired": report.expired,
        "older than their collection keeps": report.outdated,
    }
    more = "".join(f", {count:,} {what}" for what, count in others.items() if count)
    rate = f" ({taken / max(seconds, 1e-9):,.0f}/s)" if taken else ""
    return f"items: {counts}{more}{rate}"


def _print_troubles(report: "Report") -> None:
    for held in report.gone[:_SHOWN]:
        err.print(f"removed {escape(f'{held.collection}/{held.id}')}")
    if len(report.gone) > _SHOWN:
        err.print(f"... and {len(report.gone) - _SHOWN} more removed; --json lists all")
    for what, more, colour, troubles in (
        ("refused", "refused", "yellow", report.refused),
        ("warning", "warnings", "cyan", report.warnings),
    ):
        for where, why in troubles[:_SHOWN]:
            err.print(f"[{colour}]{what}[/{colour}] {escape(where)}: {escape(why)}")
        if len(troubles) > _SHOWN:
            err.print(f"... and {len(troubles) - _SHOWN} more {more}; --json lists all")


def remove(
    items: Annotated[list[str], typer.Argument(help="Ids of items.")],
    config: Config,
    collection: Collection = None,
    as_json: Json = False,
) -> None:
    """Remove items from a site's catalogue; their files stay.

    Example: cscale remove S2_20200601 --config site.yaml
    """
    from cscale.app import SiteConfig  # only sites need it
    from cscale.settings import load

    site = load(config, SiteConfig)
    with site.store.writing() as writer:
        removed = {item: writer.remove(collection, item) for item in items}
    absent = [item for item, count in removed.items() if not count]
    if as_json:
        print_json({"removed": sum(removed.values()), "absent": absent})
    else:
        out.print(f"removed: {sum(removed.values())}")
        for item in absent:
            err.print(f"[yellow]no item[/yellow] {escape(item)}")
    if absent:
        raise typer.Exit(FAILED)
