"""What a legacy archive's page tells beside its items: what the site left to the hub."""

from dataclasses import dataclass

from cscale.discovery.source import SourcePage


@dataclass(frozen=True, slots=True)
class Told(SourcePage):
    """One page of a site that does not evaluate all of a request.

    Attributes:
        left: The parts of the request that the site did not evaluate exactly, by the names of the
            parameters of STAC API: `filter`, `sortby`, `datetime`, `bbox`, `intersects`, `ids`,
            `collections`, `q`. All that match are in the answer; so may be others.
        rejected: How many of the site's records are no items and were left out.
    """

    left: frozenset[str] = frozenset()
    rejected: int = 0
