"""Which collection a served file belongs to: `Holdings` of the archive, on both databases.

Public face: `SqliteHoldings`; `PostgresHoldings` is in `postgresql`, as only those who have one need its
driver. Each keeps an index of the files that items name, and brings it up to date when it is asked after
the catalogue has changed: only what has changed is read.
"""

from cscale.catalogue.holdings.sqlite import SqliteHoldings

__all__ = ["SqliteHoldings"]
