"""`cscale search`."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from cscale.cli.output import SITES_MISSING, HubUrl, Json, err, escape, out, print_json, progress_bar
from cscale.client import Federation, Found


def search(
    hub: HubUrl = None,
    collections: Annotated[
        str | None, typer.Option("--collections", "-c", metavar="ID,...", help="Only these collections.")
    ] = None,
    ids: Annotated[str | None, typer.Option(metavar="ID,...", help="Only these items.")] = None,
    bbox: Annotated[
        str | None, typer.Option(metavar="W,S,E,N", help="A box in degrees; west > east crosses 180.")
    ] = None,
    datetime: Annotated[
        str | None, typer.Option(metavar="FROM/TO", help="Dates or RFC 3339 times; .. for an open end.")
    ] = None,
    cql2: Annotated[
        str | None, typer.Option("--filter", metavar="CQL2", help="Such as: eo:cloud_cover < 10")
    ] = None,
    sortby: Annotated[
        str | None, typer.Option(metavar="FIELD,...", help="- before a field for descending.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many items at most.")] = 10,
    geojson: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the items into this file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Search all archives at once. Sites missing from the answer are named, and the exit code is 3.

    Example: cscale search --bbox 23,46,24,47 --datetime 2020-06-01/2020-09-01 --filter "eo:cloud_cover < 10"
    """
    query = _query(collections, ids, bbox, datetime, cql2, sortby)
    with Federation(hub) as federation, progress_bar("items") as bar:
        task = bar.add_task("searching", total=limit)
        found = federation.search(query, limit, lambda done: bar.update(task, completed=done))
    collection = {"type": "FeatureCollection", "features": found.items}
    status = {"federation:missing": found.missing, "federation": {"sites": list(found.sites.values())}}
    if geojson is not None:
        _write_aside(geojson, msgspec.json.encode(collection | status))
    if as_json:
        print_json(collection | {"numberReturned": len(found.items), "more": found.more} | status)
    else:
        _show(found, geojson)
    if found.missing:
        err.print(f"[yellow]missing from this answer[/yellow]: {escape(', '.join(found.missing))}")
        raise typer.Exit(SITES_MISSING)


def _query(
    collections: str | None,
    ids: str | None,
    bbox: str | None,
    datetime: str | None,
    cql2: str | None,
    sortby: str | None,
) -> dict[str, Any]:
    query: dict[str, Any] = {}
    if collections:
        query["collections"] = collections.split(",")
    if ids:
        query["ids"] = ids.split(",")
    if bbox:
        query["bbox"] = _numbers(bbox)
    if datetime:
        query["datetime"] = whole_days(datetime)
    if cql2:
        query |= {"filter": cql2, "filter-lang": "cql2-text"}
    if sortby:
        query["sortby"] = [
            {"field": field.lstrip("+-"), "direction": "desc" if field.startswith("-") else "asc"}
            for field in sortby.split(",")
        ]
    return query


def _numbers(bbox: str) -> list[float]:
    try:
        return [float(number) for number in bbox.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{bbox!r} is not four or six numbers", param_hint="--bbox") from None


def whole_days(text: str) -> str:
    """Dates without a time as whole days: `2020-06-01/2020-06-30` ends at the end of the 30th."""
    ends = text.split("/")
    if len(ends) == 1 and _is_day(text):
        ends = [text, text]
    if len(ends) == 2 and _is_day(ends[0]):
        ends[0] += "T00:00:00Z"
    if len(ends) == 2 and _is_day(ends[1]):
        ends[1] += "T23:59:59.999999Z"
    return "/".join(ends)


def _is_day(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-"


def _write_aside(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(content)
    aside.replace(path)


def _show(found: Found, geojson: Path | None) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("time", "item", "collection", "cloud", "held by"):
        table.add_column(name, no_wrap=True, overflow="fold")
    for item in found.items:
        properties = item.get("properties") or {}
        cloud = properties.get("eo:cloud_cover")
        table.add_row(
            escape(str(properties.get("datetime") or properties.get("start_datetime") or ""))[:19],
            escape(str(item.get("id"))),
            escape(str(item.get("collection"))),
            f"{cloud:.0f} %" if isinstance(cloud, int | float) else "",
            escape(", ".join(str(place.get("site")) for place in item.get("federation:sites", []))),
        )
    if found.items:
        out.print(table)
    shown = f"{len(found.items):,}" + (f" of {found.matched:,}" if found.matched else "")
    answered = ", ".join(f"{escape(name)} {_answer(status)}" for name, status in found.sites.items())
    more = "; there are more (--limit)" if found.more else ""
    kept = f"; written to {geojson}" if geojson else ""
    err.print(f"{shown} items{f' - {answered}' if answered else ''}{more}{kept}")


def _answer(status: dict[str, Any]) -> str:
    if status["state"] == "ok":
        return f"{status['returned']:,}"
    return f"[yellow]{status['state']}[/yellow] ({escape(str(status.get('reason')))})"
