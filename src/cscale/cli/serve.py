"""`cscale serve`."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cscale.cli.output import err


class Role(StrEnum):
    """What is served."""

    hub = "hub"
    site = "site"


def serve(
    role: Annotated[Role, typer.Argument(help="Whether the file configures a hub or a site.")],
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration, YAML.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port. Default: the one of its url.")
    ] = None,
) -> None:
    """Serve a hub or a site until Ctrl-C.

    Example: cscale serve site --config site.yaml --port 8311
    """
    from cscale.app import HubConfig, SiteConfig, hub_app, site_app  # only servers need it
    from cscale.net.server import run
    from cscale.settings import load

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if role is Role.hub:
        hub = load(config, HubConfig)
        about, app = hub.about, hub_app(hub)
    else:
        site = load(config, SiteConfig)
        about, app = site.about, site_app(site)
    listening = port or urlsplit(about.url).port or 8000

    def started() -> None:
        err.print(f"{about.name}: {about.url}, listening on {host} port {listening}; Ctrl-C ends it")

    run(app, host, listening, started=started)
