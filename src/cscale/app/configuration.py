"""The configuration files of sites and hubs; each room types its own section."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from cscale.archive.holdings import Holdings
from cscale.catalogue import Catalogue, SqliteStore, Store
from cscale.catalogue.holdings import SqliteHoldings
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.federation import About, Member, Policy
from cscale.federation.marking import open_id
from cscale.identity.settings import Identity
from cscale.identity.tokens import Verifier
from cscale.net.signing import shared_secret
from cscale.settings import Section

_POSTGRESQL = ("postgresql://", "postgres://")


class ServiceConfig(Section):
    """What sites and hubs have in common."""

    state: Path | str
    """Where the service keeps what it knows: a directory, or a `postgresql://` address (`?schema=`)."""

    identity: Identity | None = None
    """Whose tokens are taken; left out: everybody is anonymous."""

    @field_validator("state", mode="after")
    @classmethod
    def _from_folder(cls, state: Path | str, info: ValidationInfo) -> Path | str:
        if str(state).startswith(_POSTGRESQL):
            return str(state)
        return _below(Path(state), info)

    def verifier(self, secret: bytes) -> Verifier | None:
        """What checks tokens, if anybody's are taken.

        Args:
            secret: The service's own: pseudonyms of callers are made with it.
        """
        return None if self.identity is None else Verifier(self.identity, secret)


class SiteConfig(ServiceConfig):
    """The configuration file of a site."""

    site: About
    """What it is."""
    queryables: dict[str, Kind] = Field(default_factory=dict)
    """More properties that filters answer quickly; each is a `number`, a `string` or `strings` (a list)."""
    data: dict[str, Path] = Field(default_factory=dict)
    """Folders served below `/data`: name and place."""
    policies: dict[str, Policy] = Field(default_factory=dict)
    """Policies by collection; `default` for the others."""

    @field_validator("data", mode="after")
    @classmethod
    def _data_from_folder(cls, folders: dict[str, Path], info: ValidationInfo) -> dict[str, Path]:
        return {name: _below(path, info) for name, path in folders.items()}

    @property
    def about(self) -> About:
        """What the service says of itself."""
        return self.site

    @field_validator("queryables", mode="after")
    @classmethod
    def _of_one_kind(cls, queryables: dict[str, Kind]) -> dict[str, Kind]:
        for name, kind in queryables.items():
            if COLUMNS.get(name, kind) != kind:
                raise ValueError(f"{name} is a {COLUMNS[name]} in every catalogue; leave it out")
        return queryables

    @property
    def store(self) -> Store:
        """Where the catalogue is kept."""
        if isinstance(self.state, Path):
            return SqliteStore(self.state, columns=self._columns)
        from cscale.catalogue.postgresql import PostgresStore  # only those who have one need its driver

        return PostgresStore(self.state, columns=self._columns)

    def open_catalogue(self) -> Catalogue:
        """The catalogue, open for searches: the caller's to close."""
        store = self.store
        return store.source(data_url=f"{self.site.url}/data", secret=store.secret())

    def open_holdings(self) -> Holdings:
        """What tells which collection a served file belongs to: the caller's to close."""
        if isinstance(self.state, Path):
            return SqliteHoldings(self.state, self.data_url)
        from cscale.catalogue.holdings.postgresql import PostgresHoldings  # as of the catalogue

        return PostgresHoldings(self.state, self.data_url)

    @property
    def data_url(self) -> str:
        """The address under which the site serves its files."""
        return f"{self.site.url}/data"

    @property
    def schemes(self) -> dict[str, Any]:
        """How to log in, as items tell it."""
        issuers = self.identity.issuers if self.identity else ()
        named = [(each.provider or f"oidc{n or ''}", each.issuer) for n, each in enumerate(issuers)]
        return open_id(dict(named))

    def without_column(self) -> list[str]:
        """The queryables that the catalogue has no column for as yet, or one of another kind."""
        there = self.store.columns()
        return [name for name, kind in self._columns.items() if there.get(name) != kind]

    @property
    def _columns(self) -> dict[str, Kind]:
        return {**COLUMNS, **self.queryables}


class HubConfig(ServiceConfig):
    """The configuration file of a hub."""

    federation: About
    """What it is."""
    sites: tuple[Member, ...] = ()
    """Its members; the order says whose copy is preferred."""
    listings: float = Field(60, ge=0)
    """Seconds that a member's list of collections is believed."""
    watch: float = Field(5, ge=0, le=1440)
    """Minutes between two looks at how each member is; 0: never."""

    @field_validator("sites", mode="after")
    @classmethod
    def _no_id_twice(cls, sites: tuple[Member, ...]) -> tuple[Member, ...]:
        ids = [site.id for site in sites]
        if twice := {each for each in ids if ids.count(each) > 1}:
            raise ValueError(f"site ids must differ; twice: {', '.join(sorted(twice))}")
        return sites

    @property
    def about(self) -> About:
        """What the service says of itself."""
        return self.federation

    def secret(self) -> bytes:
        """What seals cursors: shared by all processes of the hub; made at first."""
        if isinstance(self.state, Path):
            return shared_secret(self.state)
        from cscale.catalogue.postgresql import PostgresStore  # only those who have one need its driver

        return PostgresStore(self.state).secret()


def _below(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path.expanduser()).resolve()
