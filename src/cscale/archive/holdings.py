"""`Holdings`: what the archive asks its catalogue of the files that it serves."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose a file is.

    Attributes:
        collections: The ids of the collections that have items with the file among their assets; where no
            item names it, of those that have files in the nearest folder around it. Empty where there are
            none in any.
        named: Whether an item names the file, or a folder that it lies in.
    """

    collections: frozenset[str]
    named: bool


class Holdings(Protocol):
    """Knows which collection a served file belongs to."""

    def known(self, path: str) -> Claim | None:
        """Whose a file is, as far as that was asked a moment ago; None says nothing but: ask `claim`."""
        ...

    def claim(self, path: str) -> Claim:
        """Whose a file is, as the catalogue says at this moment. Waits for it: not for an event loop.

        Args:
            path: As it is served below `/data`, decoded: `folder/path/in/it`. No such file need exist.

        Raises:
            BadConfiguration: If the catalogue cannot be read.
            SiteError: If its database does not answer.
        """
        ...

    def close(self) -> None:
        """Let go of the catalogue."""
        ...
