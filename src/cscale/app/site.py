"""The application of a site: its configuration becomes adapters, adapters services."""

import asyncio
import logging

from starlette.routing import Mount
from starlette.types import ASGIApp

from cscale.accounting import api as accounting_api
from cscale.accounting.ledger import Ledger
from cscale.accounting.licences import Licences
from cscale.accounting.pseudonyms import Pseudonyms
from cscale.accounting.quotas import QuotaCounter
from cscale.accounting.recorder import Recorder
from cscale.app.configuration import SiteConfig
from cscale.app.service import service_app
from cscale.archive import api as archive_api
from cscale.archive.delivery import Books, Delivery
from cscale.archive.folders import Folders
from cscale.federation.guarded import Guarded
from cscale.federation.marking import Marks
from cscale.federation.policies import Policies, Policy
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
        BadConfiguration: If a folder is missing.
    """
    folders, policies = Folders(config.data), Policies(config.policies)
    if missing := config.without_column():
        log.warning("no column as yet for %s: cscale migrate --config FILE makes them", ", ".join(missing))
    if config.data and not any(_may_be_given(policy) for policy in policies):
        log.warning(
            "no data is given to anybody: declare whom it is for under `policies`, such as"
            " {default: {data: {access: open}}}"
        )
    secret = config.store.secret()
    source, verifier, holdings = config.open_catalogue(), config.verifier(secret), config.open_holdings()
    guarded = Guarded(source, policies, Marks(policies, config.data_url, config.schemes))
    ledger, quotas, pseudonyms = Ledger(config.state, config.site.id), QuotaCounter(), Pseudonyms(secret)
    terms = (policy.data.terms for policy in policies)
    licences = Licences(ledger, frozenset(each.id for each in terms if each and each.accept))
    recorder = Recorder(ledger, lambda path: delivery.collection_of(path), quotas)
    delivery = Delivery(folders, policies, holdings, Books(recorder, quotas, licences, pseudonyms))

    async def index() -> None:
        await asyncio.to_thread(holdings.claim, "-")  # so that no request waits for the first reading

    async def close() -> None:
        await asyncio.to_thread(recorder.close)
        ledger.close()
        holdings.close()
        source.close()
        if verifier is not None:
            await verifier.close()

    front = Front(config.site.name, config.site.description, config.site.url)
    counted = metrics or Metrics()
    routes = [
        Mount("/data", routes=archive_api.routes(folders, delivery)),
        *accounting_api.routes(licences, pseudonyms),
        *telemetry.routes(counted),
    ]
    app = service_app(
        config.site,
        guarded,
        front,
        routes,
        close,
        guarded,
        background=[index],
        identity=config.identity,
    )
    first = Authenticated(archive_api.FirstHand(app, folders, delivery=delivery), verifier)
    return telemetry.RequestId(telemetry.Counted(first, counted, quick="/data/{address:path}"))


def _may_be_given(policy: Policy) -> bool:
    """Whether there is anybody to whom the data is given."""
    return policy.data.access != "entitled" or bool(policy.data.entitlements)
