"""STAC API 1.0 over any `ItemSource`: core, collections, features, item search, and their extensions.

Public face: `routes` and `Service`; `in_form` makes pages of errors from outside the routes. What a source
does not offer is neither claimed nor linked.
"""

from cscale.stac.api.answering import in_form
from cscale.stac.api.offer import Service
from cscale.stac.api.routing import routes

__all__ = ["Service", "in_form", "routes"]
