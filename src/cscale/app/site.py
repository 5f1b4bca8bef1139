"""The application of a site: its configuration becomes adapters, adapters services."""

import logging

from starlette.routing import Mount
from starlette.types import ASGIApp

from cscale.app.configuration import SiteConfig
from cscale.app.service import service_app
from cscale.archive import api as archive_api
from cscale.archive.folders import Folders
from cscale.errors import BadConfiguration
from cscale.identity.api import Authenticated
from cscale.net.telemetry import requests as telemetry
from cscale.net.telemetry.metrics import Metrics
from cscale.portal import Front

log = logging.getLogger("cscale")


def site_app(config: SiteConfig, metrics: Metrics | None = None) -> ASGIApp:
    """The application of one archive.

    Args:
        config: Its configuration.
        metrics: Where to count; where several processes serve, all have the same directory.

    Raises:
        BadConfiguration: If it declares a policy that is not enforced yet, or a folder is missing.
    """
    _refuse_unenforced(config)
    folders = Folders(config.data)
    if missing := config.without_column():
        log.warning("no column as yet for %s: cscale migrate --config FILE makes them", ", ".join(missing))
    source, verifier = config.open_catalogue(), config.verifier(config.store.secret())

    async def close() -> None:
        source.close()
        if verifier is not None:
            await verifier.close()

    front = Front(config.site.name, config.site.description, config.site.url)
    delivery = Mount("/data", routes=archive_api.routes(folders))
    counted = metrics or Metrics()
    app = service_app(config.site, source, front, [delivery, *telemetry.routes(counted)], close, source)
    first = Authenticated(archive_api.FirstHand(app, folders), verifier)
    return telemetry.RequestId(telemetry.Counted(first, counted, quick="/data/{address:path}"))


def _refuse_unenforced(config: SiteConfig) -> None:
    for name, policy in config.policies.items():
        declared = "data" in policy.model_fields_set and policy.data.access != "open"
        if declared or policy.metadata != "open":
            raise BadConfiguration(
                f"policies.{name}: only open access can be kept as yet; this site refuses to start "
                "rather than show what it was told to protect"
            )
