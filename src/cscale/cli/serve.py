"""`cscale serve`."""

from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cscale.cli.output import err
from cscale.errors import BadConfiguration


class Role(StrEnum):
    """What is served."""

    hub = "hub"
    site = "site"
    issuer = "issuer"


class LogForm(StrEnum):
    """How log lines are written."""

    text = "text"
    json = "json"


def serve(
    role: Annotated[Role, typer.Argument(help="What the file configures: a hub, a site, or an issuer.")],
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration, YAML.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The port. Default: the one of its url.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the work.")] = 1,
    log: Annotated[LogForm, typer.Option(help="The form of log lines.")] = LogForm.text,
) -> None:
    """Serve a hub, a site, or an issuer to try logins out with, until Ctrl-C.

    Example: cscale serve site --config site.yaml --port 8311 --workers 4
    """
    if role is Role.issuer:
        if workers != 1:
            raise typer.BadParameter("an issuer is one process", param_hint="--workers")
        _serve_issuer(config, host, port, log)
        return
    from cscale.app import HubConfig, SiteConfig, hub_app, site_app  # only servers need it
    from cscale.net.server import check_free, run
    from cscale.net.telemetry.logs import configure
    from cscale.net.telemetry.metrics import Metrics
    from cscale.net.workers import run_workers
    from cscale.settings import load

    configure(log.value)
    settings: HubConfig | SiteConfig = (
        load(config, HubConfig) if role is Role.hub else load(config, SiteConfig)
    )
    about = settings.about
    listening = port or urlsplit(about.url).port or 8000

    def app(shared: Path | None = None) -> object:
        metrics = Metrics(shared)
        return hub_app(settings, metrics) if isinstance(settings, HubConfig) else site_app(settings, metrics)

    def started() -> None:
        err.print(f"{about.name}: {about.url}, listening on {host} port {listening}; Ctrl-C ends it")

    if workers == 1:
        run(app(), host, listening, started=started)
        return
    check_free(host, listening)
    with TemporaryDirectory(prefix="cscale-metrics-") as folder:
        status = run_workers(
            workers,
            lambda ready: run(app(Path(folder)), host, listening, started=ready, shared=True),
            started,
        )
    raise typer.Exit(status)


def _serve_issuer(config: Path, host: str, port: int | None, log: LogForm) -> None:
    try:
        from cscale.identity.issuer import IssuerSettings, serve
    except ModuleNotFoundError as error:
        raise BadConfiguration(f"an issuer needs {error.name}: pip install 'cscale[issuer]'") from error
    from cscale.net.telemetry.logs import configure
    from cscale.settings import load

    configure(log.value)
    settings = load(config, IssuerSettings)
    about = settings.issuer
    listening = port or urlsplit(about.url).port or 8000

    def started() -> None:
        err.print(f"{about.title}: {about.url}, listening on {host} port {listening}; Ctrl-C ends it")

    serve(settings, host, listening, started)
