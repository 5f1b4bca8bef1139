"""`cscale demo`."""


def demo() -> None:
    """Three sites and a hub on this machine, with real Sentinel-2 data."""
