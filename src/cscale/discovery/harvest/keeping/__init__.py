"""Where a harvest is kept, and how far it has come."""

from pathlib import Path

from cscale.discovery.harvest.keeping.shelf import FolderShelf, Shelf


def shelf_of(state: Path | str, site: str) -> Shelf:
    """The shelf of a site in a hub's state.

    Args:
        state: The hub's state: a directory, or a `postgresql://` address.
        site: The site's id.

    Raises:
        BadConfiguration: If the address cannot be read.
    """
    if isinstance(state, Path):
        return FolderShelf(state / "harvest" / site)
    from cscale.discovery.harvest.keeping.postgresql import (
        PostgresShelf,  # only those who have one need its driver
    )

    return PostgresShelf(state, site)
