"""The composition root: settings become adapters, adapters services, services an ASGI application.

The only place that chooses what stands behind a protocol.
"""

from cscale.app.configuration import HubConfig, SiteConfig
from cscale.app.hub import harvested, hub_app, interface, part
from cscale.app.site import site_app

__all__ = ["HubConfig", "SiteConfig", "harvested", "hub_app", "interface", "part", "site_app"]
