"""A catalogue in one SQLite file."""

from cscale.catalogue.sqlite.source import SqliteCatalogue
from cscale.catalogue.sqlite.store import SqliteStore
from cscale.catalogue.sqlite.writing import writing

__all__ = ["SqliteCatalogue", "SqliteStore", "writing"]
