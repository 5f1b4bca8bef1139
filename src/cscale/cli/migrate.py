"""`cscale migrate`."""

from pathlib import Path
from typing import Annotated

import typer

from cscale.cli.output import Json, escape, out, print_json


def migrate(
    config: Annotated[Path, typer.Option(metavar="SITE.yaml", help="The site's configuration.")],
    as_json: Json = False,
) -> None:
    """Bring a site's catalogue up to date: to this version's format, with the columns it configures.

    It is needed after an update of cscale that says so, and after a change of `queryables`. Where
    nothing is to do, nothing is done. An interrupted migration leaves the catalogue as it was.

    Example: cscale migrate --config site.yaml
    """
    from cscale.app import SiteConfig  # only sites need it
    from cscale.settings import load

    done = load(config, SiteConfig).store.migrate()
    if as_json:
        print_json({"done": done})
        return
    for line in done:
        out.print(escape(line))
    if not done:
        out.print("up to date")
