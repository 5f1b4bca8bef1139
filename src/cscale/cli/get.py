"""`cscale get`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cscale.cli.output import FAILED, HubUrl, Json, err, escape, out, print_json, progress_bar
from cscale.client import Download, Federation
from cscale.client.download import file_name
from cscale.errors import CscaleError, NotFound


def get(
    item: Annotated[str, typer.Argument(help="The item's id.")],
    asset: Annotated[str | None, typer.Argument(help="The asset's key; all assets if left out.")] = None,
    hub: HubUrl = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", metavar="ID", help="Where several hold the id.")
    ] = None,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Where a folder for the item is made.")] = Path(),
    as_json: Json = False,
) -> None:
    """Download an item's assets; each is verified by its checksum before it gets its name.

    Example: cscale get S2_20200601 B04 --to ./data
    """
    with Federation(hub) as federation:
        found = federation.item(item, collection)
        assets = _wanted(found, asset)
        results = [_fetch(federation, found, key, assets[key], to) for key in assets]
    if as_json:
        print_json({"item": item, "assets": results})
    if any("error" in result for result in results):
        raise typer.Exit(FAILED)
    if not as_json:
        for result in results:
            proof = f"{result['verified']} verified" if result["verified"] else "no checksum to verify"
            out.print(f"{escape(result['path'])}  {result['size']:,} bytes, {proof}")


def _wanted(item: dict[str, Any], asset: str | None) -> dict[str, dict[str, Any]]:
    assets: dict[str, dict[str, Any]] = item.get("assets") or {}
    if asset is None:
        return assets
    if asset not in assets:
        raise NotFound(f"{item['id']} has no asset {asset!r}; it has {', '.join(sorted(assets)) or 'none'}")
    return {asset: assets[asset]}


def _fetch(
    federation: Federation, item: dict[str, Any], key: str, asset: dict[str, Any], to: Path
) -> dict[str, Any]:
    """Download one asset; the result, or what went wrong."""
    folder = to / file_name(str(item["id"]), "item")
    target = folder / file_name(str(asset.get("href", "")), key)
    try:
        with progress_bar("bytes") as bar:
            task = bar.add_task(escape(key), total=None)
            done: Download = federation.download(
                asset, target, lambda got, size: bar.update(task, completed=got, total=size)
            )
    except CscaleError as error:
        err.print(f"[red]failed[/red] {escape(key)}: {escape(str(error))}")
        return {"asset": key, "error": str(error)}
    return {"asset": key, "path": str(done.path), "size": done.size, "verified": done.verified}
