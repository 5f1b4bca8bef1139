"""What a configuration says of sites and their policies."""

from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, field_validator, model_validator

from cscale.settings import Section

Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$")]
SiteId = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


class About(Section):
    """What a site or a federation says of itself."""

    id: SiteId
    """Its short name: small letters, digits, hyphens."""
    title: str = ""
    """Its name for people."""
    description: str = ""
    """A sentence or two on what it holds."""
    url: Url
    """The address it is reached at; all links are made from it."""

    @field_validator("url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return str(HttpUrl(url)).rstrip("/")

    @property
    def name(self) -> str:
        """Title, or id where there is none."""
        return self.title or self.id


class Access(Section):
    """Who may read a collection's data."""

    access: Literal["open", "authenticated", "entitled"] = "entitled"
    """`open` to all, to those logged in, or to those with one of the entitlements."""
    entitlements: tuple[str, ...] = ()
    """Any one of these opens the data."""
    licence: str = ""
    """The licence of the data."""


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
    """What a site allows with a collection.

    Logins are not there yet: a site without policies is open, and one that declares anything but open
    access refuses to start.
    """

    metadata: Literal["open", "authenticated"] = "open"
    """Who may find its items."""
    data: Access = Access()
    """Who may read its data."""
    retention: Retention = Retention()
    """How long it stays."""


class Endpoint(Section):
    """One interface of a site."""

    kind: str
    """What is spoken there; `cscale.sources` entry points name the kinds that can be searched."""
    url: Url
    """Where."""


class Member(Section):
    """A site of the federation."""

    id: SiteId
    """Its short name in the federation: small letters, digits, hyphens."""
    title: str = ""
    """Its name for people."""
    endpoints: tuple[Endpoint, ...] = Field(min_length=1)
    """The interfaces it offers."""
    collections: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """The federation's collection ids and what this site calls each, one name or several.

    Unlisted ones that are known have the id that is in use for them; others keep their name.
    """
    product: str | None = None
    """The property that holds a product's name at this site; left out: the item's id is the name."""
    discovery: Literal["live"] = "live"
    """How it is searched: `live` asks it each time."""
    timeout: float = Field(10, gt=0, le=300)
    """Seconds after which a search goes on without it."""
    token: Literal["none", "pass", "exchange"] = "none"
    """What becomes of the caller's token: `none` keeps it here, `pass` hands it on to this site."""
    policies: dict[str, Policy] = Field(default_factory=dict)
    """Its policies by collection; `default` for the others."""

    @property
    def natives(self) -> dict[str, tuple[str, ...]]:
        """`collections`, each with the list of its names at the site."""
        return {name: (own,) if isinstance(own, str) else own for name, own in self.collections.items()}

    @property
    def name(self) -> str:
        """Title, or id where there is none."""
        return self.title or self.id

    @field_validator("token")
    @classmethod
    def _possible(cls, token: str) -> str:
        if token == "exchange":  # noqa: S105  # no password
            raise ValueError("exchange is not possible yet; none and pass are")
        return token

    @field_validator("collections")
    @classmethod
    def _plain_names(cls, collections: dict[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
        for name in collections:
            if "|" in name or not name:
                raise ValueError(f"{name!r}: a federation's collection id is not empty and has no bar (|)")
        own = [
            each for names in collections.values() for each in ([names] if isinstance(names, str) else names)
        ]
        if len(set(own)) < len(own):
            raise ValueError("two ids of the federation mean one collection of the site")
        if any(not names for names in collections.values()):
            raise ValueError("an id of the federation means no collection of the site")
        return collections
