"""How items get from a page into the catalogue."""
