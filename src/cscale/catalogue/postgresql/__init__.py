"""A catalogue in a schema of a PostgreSQL database, with PostGIS."""

from cscale.catalogue.postgresql.searching.source import PostgresCatalogue
from cscale.catalogue.postgresql.store import PostgresStore
from cscale.catalogue.postgresql.writing.writer import writing

__all__ = ["PostgresCatalogue", "PostgresStore", "writing"]
