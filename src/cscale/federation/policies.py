"""What a site allows with its collections, as its configuration says it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from cscale.settings import Section

DEFAULT = "default"
"""The name under which the policy of all collections stands that have none of their own."""

Entitlement = Annotated[str, Field(pattern=r"^\S{1,1000}$")]
"""A group or a right as a URN (AARC-G069): `urn:mace:egi.eu:group:VO:role=member#authority`; or the plain
name of a group, where the issuer tells no URNs."""


class Licence(Section):
    """Under which terms a collection's data is given."""

    id: str = Field(min_length=1, max_length=200)
    """Its name, an SPDX identifier where it has one."""
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    """Where its text is."""
    accept: bool = False
    """Whether each person has to accept it before the data is given; that needs a login."""


class Access(Section):
    """Who may read a collection's data."""

    access: Literal["open", "authenticated", "entitled"] = "entitled"
    """`open` to all, to those logged in, or to those with one of the entitlements."""
    entitlements: tuple[Entitlement, ...] = ()
    """Any one of these opens the data; without any, nothing does."""
    licence: str | Licence = ""
    """The licence of the data: its name, or its name, address and whether it has to be accepted."""

    @property
    def terms(self) -> Licence | None:
        """The licence; None where none is declared."""
        if isinstance(self.licence, Licence):
            return self.licence
        return Licence(id=self.licence) if self.licence else None

    @field_validator("licence")
    @classmethod
    def _not_long(cls, licence: str | Licence) -> str | Licence:
        if isinstance(licence, str) and len(licence) > 200:
            raise ValueError("longer than 200 characters; name the licence, and give its text's url")
        return licence


class Quotas(Section):
    """How much of a collection one user may have; what is not named has no limit.

    Anonymous users are told apart by the address they come from.
    """

    requests_per_second: float | None = Field(None, gt=0, le=100_000)
    """Requests of data a second, on average; twice as many may come at once."""
    concurrent: int | None = Field(None, ge=1, le=10_000)
    """Answers under way at once."""
    bytes_per_day: int | None = Field(None, ge=1)
    """Bytes a day, in UTC."""

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return (self.requests_per_second, self.concurrent, self.bytes_per_day) != (None, None, None)


class Retention(Section):
    """How long a collection's data stays."""

    kind: Literal["complete", "rolling"] = "complete"
    """`complete` keeps all, `rolling` the last days."""
    days: int | None = Field(None, ge=1)
    """How many days a rolling archive keeps."""

    @model_validator(mode="after")
    def _days_for_rolling(self) -> Self:
        if (self.kind == "rolling") != (self.days is not None):
            raise ValueError("days goes with kind: rolling, and only with it")
        return self


class Policy(Section):
    """What a site allows with a collection. What is not declared: metadata open, data denied."""

    metadata: Literal["open", "authenticated", "entitled"] = "open"
    """Who may find its items: all, those logged in, or those with one of `data.entitlements`."""
    data: Access = Access()
    """Who may read its data."""
    quotas: Quotas = Quotas()
    """How much of it one user may have."""
    retention: Retention = Retention()
    """How long it stays."""


UNDECLARED = Policy()
"""The policy of a collection of which nothing is declared."""


class Policies:
    """The policies of a site's collections.

    A collection's own policy stands in place of the default, as a whole.

    Args:
        declared: Policies by collection, `default` for the others, as the configuration has them.
    """

    def __init__(self, declared: Mapping[str, Policy]) -> None:
        self._declared = {name: policy for name, policy in declared.items() if name != DEFAULT}
        self.default = declared.get(DEFAULT, UNDECLARED)

    def of(self, collection: str) -> Policy:
        """The policy of a collection."""
        return self._declared.get(collection, self.default)

    @property
    def named(self) -> Mapping[str, Policy]:
        """The policies of the collections that have one of their own."""
        return self._declared

    def __iter__(self) -> Iterator[Policy]:
        """All of them, the default first."""
        yield self.default
        yield from self._declared.values()
