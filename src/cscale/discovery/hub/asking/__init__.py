"""One member asked within its time: what it may be asked, what it sends, and what its answer counts for."""

from cscale.discovery.hub.asking.asked import Asking
from cscale.discovery.hub.asking.site import Site
from cscale.discovery.hub.asking.status import Status, missing_names

__all__ = ["Asking", "Site", "Status", "missing_names"]
