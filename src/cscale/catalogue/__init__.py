"""One archive: its items and collections, and how they get in.

Public face: `SqliteCatalogue`, the `ItemSource` over them; `writing`, which opens a catalogue for
changes. `ingest.ingest` takes files in (it needs the `site` extra).
"""

from cscale.catalogue.sqlite import SqliteCatalogue
from cscale.catalogue.writing import writing

__all__ = ["SqliteCatalogue", "writing"]
