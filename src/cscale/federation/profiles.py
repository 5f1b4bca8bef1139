"""What a site has been seen to do: written by `membership/`, read where searches are planned."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["done", "roughly", "ignored", "refused", "wrong", "untried"]
"""What became of one try: the site did it; did it, with more than was asked for; answered as if it had
not been asked; refused; answered wrongly; or it was not tried."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One try and what came of it.

    Attributes:
        name: What was tried, such as `datetime` or `POST search`.
        outcome: What came of it.
        said: The same in words.
    """

    name: str
    outcome: Outcome
    said: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a site does, as it was tried.

    Attributes:
        leaves: The parts of a search that it does not evaluate, by the names of the parameters of STAC
            API: `filter`, `sortby`, `datetime`, `bbox`, `intersects`, `ids`, `collections`, `q`.
        refuses: The methods, `GET` or `POST`, by which it does not let itself be searched.
        page: The longest page it gives; None where it is not known.
        claims: The conformance classes it claims.
        counts: Whether it says how many items match, and the number is right.
        stable: Whether the same pages come when they are walked twice; None where it was not tried.
        cors: Whether pages of other origins may ask it; None where it was not tried.
        tls: Whether it is reached over TLS with a certificate that is good.
        ranges: Whether a range of an asset can be read; None where it was not tried.
        checked_at: When it was tried, as RFC 3339 text; None where only some things are known of it.
        tries: All that was tried.
    """

    leaves: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    page: int | None = None
    claims: tuple[str, ...] = ()
    counts: bool = False
    stable: bool | None = None
    cors: bool | None = None
    tls: bool = False
    ranges: bool | None = None
    checked_at: str | None = None
    tries: tuple[Tried, ...] = ()


Profiled = Callable[[], Profile | None]
"""Tells what is known of a site at this moment; None where nobody has tried it yet."""


def unknown() -> None:
    """Of a site that nobody has tried."""
