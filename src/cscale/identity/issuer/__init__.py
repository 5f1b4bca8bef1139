"""The embedded issuer: logins for the demo and for tests, on this machine only.

It speaks OpenID Connect and OAuth 2.0 as the logins of research and of Copernicus do, so what works with
it works with them. It is no login service: its users and passwords stand in its configuration.

Public face: `IssuerSettings`, `issuer_app`, `serve`.
"""

from cscale.identity.issuer.config import IssuerSettings
from cscale.identity.issuer.serving import serve
from cscale.identity.issuer.web import issuer_app

__all__ = ["IssuerSettings", "issuer_app", "serve"]
