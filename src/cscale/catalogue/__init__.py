"""One archive: its items and collections, and how they get in and out.

Public face: `Store`, what every database behind a catalogue offers; `SqliteStore` is one.
`ingest.ingest` takes files in (it needs the `site` extra).
"""

from cscale.catalogue.sqlite import SqliteStore
from cscale.catalogue.store import Catalogue, Store, Writer

__all__ = ["Catalogue", "SqliteStore", "Store", "Writer"]
