"""Sites whose metadata the hub keeps itself: read once as a whole, then kept up to date.

Public face: `harvest` brings what is kept of a site up to date; `Kept` answers searches from it; `shelf_of`
says where it lies; `keep_harvesting` does it in a service, again and again.
"""

from cscale.discovery.harvest.keeping import shelf_of
from cscale.discovery.harvest.keeping.shelf import Shelf
from cscale.discovery.harvest.kept import Coverage, Kept
from cscale.discovery.harvest.reading import Manner
from cscale.discovery.harvest.rounds import Harvested, Report, Rhythm, harvest
from cscale.discovery.harvest.running import keep_harvesting, wait_for

__all__ = [
    "Coverage",
    "Harvested",
    "Kept",
    "Manner",
    "Report",
    "Rhythm",
    "Shelf",
    "harvest",
    "keep_harvesting",
    "shelf_of",
    "wait_for",
]
