"""`cscale export`."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from cscale.cli.ingest import Config
from cscale.cli.output import Json, out, print_json, progress_bar
from cscale.cli.search import whole_days
from cscale.errors import BadRequest


def export(
    config: Config,
    to: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The file: .ndjson, or .parquet for stac-geoparquet."),
    ],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", metavar="ID", help="Only these collections.")
    ] = None,
    datetime: Annotated[
        str | None, typer.Option(metavar="INTERVAL", help="Only then: 2020-01-01T00:00:00Z/.. or an instant.")
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(metavar="W,S,E,N", help="Only there: degrees; W > E crosses 180 degrees.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="ndjson|parquet", help="The format; default: by the suffix."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write what a site's catalogue holds, collections and items, into one file.

    The hrefs of the site's own files are their addresses at the site. `cscale ingest` takes the file again:
    the other site then holds the same items, and their files stay where they are.

    For example:

    cscale export --config site.yaml --out all.ndjson

    cscale export --config site.yaml --out new.parquet --datetime 2020-06-01/..
    """
    from cscale.app import SiteConfig  # only sites need it
    from cscale.catalogue.export import export as write
    from cscale.catalogue.export import format_of
    from cscale.settings import load
    from cscale.stac.search import from_query

    try:
        chosen = format_of(to, form)
    except BadRequest as error:
        raise typer.BadParameter(str(error), param_hint="--format") from error
    asked = {
        "collections": ",".join(collection) if collection else None,
        "datetime": datetime and whole_days(datetime),
        "bbox": bbox,
    }
    if any("," in each for each in collection or ()):
        raise typer.BadParameter("one each; give the option several times", param_hint="--collection")
    request = from_query([(name, text) for name, text in asked.items() if text is not None])
    site, started = load(config, SiteConfig), time.perf_counter()
    with closing(site.open_catalogue()) as source, progress_bar("items") as bar:
        task = bar.add_task("exporting", total=None)

        def progress(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        items, collections = asyncio.run(write(source, request, to, chosen, progress))
    _show(to, items, collections, time.perf_counter() - started, as_json=as_json)


def _show(path: Path, items: int, collections: int, seconds: float, *, as_json: bool) -> None:
    if as_json:
        said: dict[str, Any] = {"out": str(path), "items": items, "collections": collections}
        print_json(said | {"bytes": path.stat().st_size, "seconds": round(seconds, 3)})
    else:
        out.print(
            f"items: {items:,}, collections: {collections:,}, {path.stat().st_size:,} bytes "
            f"({items / max(seconds, 1e-9):,.0f}/s)"
        )
