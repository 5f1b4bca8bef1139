"""`cscale ingest` and `cscale remove`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from cscale.cli.output import FAILED, Json, err, escape, out, print_json, progress_bar

Config = Annotated[Path, typer.Option(metavar="SITE.yaml", help="The site's configuration.")]
Collection = Annotated[
    str | None, typer.Option(metavar="ID", help="The collection; default: the item's own.")
]

_SHOWN = 20


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders: STAC JSON, NDJSON, GeoTIFF.")],
    config: Config,
    collection: Collection = None,
    datetime: Annotated[
        str | None, typer.Option(metavar="TIME", help="When rasters were taken, RFC 3339.")
    ] = None,
    date_pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Where file names say so: groups year, month, day (hour, ...)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take items, collections and raster files into a site's catalogue: all at once, or nothing.

    Taking the same again changes nothing. What cannot be taken is named with the reason.

    Example: cscale ingest ./scenes --config site.yaml --collection my-scenes
    """
    from cscale.app import SiteConfig  # only sites need it
    from cscale.archive.folders import Folders
    from cscale.catalogue.geotiff import Dating
    from cscale.catalogue.ingest import Options
    from cscale.catalogue.ingest import ingest as take
    from cscale.settings import load

    site = load(config, SiteConfig)
    options = Options(Folders(site.data), collection, Dating(datetime, date_pattern))
    started = time.perf_counter()
    with progress_bar("bytes") as bar:
        task = bar.add_task("ingesting", total=None)
        report = take(
            site.catalogue, paths, options, lambda done, total: bar.update(task, completed=done, total=total)
        )
    seconds = time.perf_counter() - started
    taken = sum(report.items.values())
    if as_json:
        refused = [{"input": where, "reason": why} for where, why in report.refused]
        print_json(
            {
                "items": dict(report.items),
                "collections": dict(report.collections),
                "refused": refused,
                "seconds": round(seconds, 3),
            }
        )
    else:
        counts = ", ".join(f"{count:,} {change}" for change, count in report.items.items()) or "none"
        out.print(f"items: {counts} ({taken / max(seconds, 1e-9):,.0f}/s)")
        for where, why in report.refused[:_SHOWN]:
            err.print(f"[yellow]refused[/yellow] {escape(where)}: {escape(why)}")
        if len(report.refused) > _SHOWN:
            err.print(f"... and {len(report.refused) - _SHOWN} more refused; --json lists all")
    if report.refused:
        raise typer.Exit(FAILED)


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
    from cscale.catalogue import writing
    from cscale.settings import load

    site = load(config, SiteConfig)
    with writing(site.catalogue) as writer:
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
