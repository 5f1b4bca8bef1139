"""A form of names: how it is recognised, and what is read from it."""

import re
from collections.abc import Callable
from typing import NamedTuple

from cscale.discovery.products.identity import Facts, Identity

Groups = tuple[str, ...]
"""The parts of a name, as its pattern takes it apart; empty where an optional one is not there."""


class Form(NamedTuple):
    """A form of names.

    Attributes:
        title: What it is called in the documentation.
        example: A real name.
        pattern: Matches a whole name, without folders and extensions.
        identity: The identity, of the text and the parts.
        facts: What the parts tell.
        tells: The same for people.
    """

    title: str
    example: str
    pattern: re.Pattern[str]
    identity: Callable[[str, Groups], Identity]
    facts: Callable[[Groups], Facts]
    tells: str
