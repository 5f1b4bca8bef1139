"""What a configuration says of sites."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote

from pydantic import Field, HttpUrl, ValidationInfo, field_validator

from cscale.federation.policies import Access, Policy, Retention
from cscale.settings import Section

__all__ = ["About", "Access", "Endpoint", "Member", "Policy", "Retention", "SiteId", "Url"]

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


class Endpoint(Section):
    """One interface of a site."""

    kind: str
    """What is spoken there; `cscale.sources` entry points name the kinds that can be searched."""
    url: str
    """Where: http(s)://; for stac-static also a path, for eodag eodag://PROVIDER or FILE#PROVIDER."""

    @field_validator("url")
    @classmethod
    def _an_address(cls, url: str, info: ValidationInfo) -> str:
        kind = info.data.get("kind")
        if re.fullmatch(r"https?://[^/\s]+(/\S*)?", url) and kind != "eodag":
            return url
        if kind == "eodag" and re.fullmatch(r"eodag://[\w.-]+", url):
            return url
        if kind not in ("stac-static", "eodag") or "://" in url.removeprefix("file://"):
            raise ValueError(f"{url!r} is no address that kind {kind} can be at")
        name, mark, provider = url.partition("#") if kind == "eodag" else (url, "", "")
        path = unquote(name.removeprefix("file://")) if name.startswith("file://") else name
        folder: Path = (info.context or {}).get("folder", Path())
        return (folder / Path(path).expanduser()).absolute().as_uri() + mark + provider


class Harvest(Section):
    """How often what is read of a site whose metadata is kept here."""

    interval: float = Field(60, gt=0)
    """Minutes from the end of one harvest to the next."""
    recent: float = Field(30, ge=0)
    """How many days are read anew each time, where changes cannot be asked for."""
    rotation: float = Field(30, ge=0)
    """In how many days everything is read anew; 0: at each harvest."""


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
    discovery: Literal["live", "harvest"] = "live"
    """How it is searched: `live` asks it each time, `harvest` keeps its metadata here."""
    harvest: Harvest = Harvest()
    """How often, where it is harvested."""
    timeout: float = Field(10, gt=0, le=300)
    """Seconds after which a search goes on without it."""
    token: Literal["none", "pass", "exchange"] = "none"  # noqa: S105  # no password
    """What becomes of the caller's token: `none` keeps it here, `pass` hands it on to this site."""
    concurrency: int = Field(8, ge=1, le=32)
    """How many requests it is asked at once; further ones wait for their turn."""
    retries: int = Field(2, ge=0, le=2)
    """How often a request is repeated that found nobody, or somebody who was busy."""
    pause: float = Field(5, gt=0, le=300)
    """Seconds for which it is left alone after three failures; each failed try doubles them, up to 300."""
    hedge: bool = False
    """Whether a second request may go beside one that is slower than most; a twentieth more at most."""
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
