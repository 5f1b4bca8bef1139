"""`cscale sites`."""

import typer
from rich.table import Table

from cscale.cli.output import HubUrl, Json, escape, out, print_json
from cscale.client import Federation

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
