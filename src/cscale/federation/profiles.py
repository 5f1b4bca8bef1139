"""What a site has been seen to do: written by `membership/`, read where searches are planned."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What a site does, as it was tried.

    Attributes:
        leaves: The parts of a search that it does not evaluate, by the names of the parameters of STAC
            API: `filter`, `sortby`, `datetime`, `bbox`, `intersects`, `ids`, `collections`, `q`.
        refuses: The methods, `GET` or `POST`, by which it does not let itself be searched.
        page: The longest page it gives; None where it is not known.
    """

    leaves: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    page: int | None = None


Profiled = Callable[[], Profile | None]
"""Tells what is known of a site at this moment; None where nobody has tried it yet."""


def unknown() -> None:
    """Of a site that nobody has tried."""
