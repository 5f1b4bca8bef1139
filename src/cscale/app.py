"""The composition root: settings become adapters, adapters services, services an ASGI application.

The only place that chooses what stands behind a protocol.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from pydantic import Field, ValidationInfo, field_validator
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from cscale.archive import api as archive_api
from cscale.archive.folders import Folders
from cscale.catalogue import Catalogue, SqliteStore, Store
from cscale.catalogue.queryables import COLUMNS, Kind
from cscale.discovery import Hub, Site, Source
from cscale.discovery import api as discovery_api
from cscale.errors import BadConfiguration, CscaleError
from cscale.federation import About, Member, Policy
from cscale.net.http import HttpPool
from cscale.net.responses import error_response, reply
from cscale.net.signing import shared_secret
from cscale.net.via import Via
from cscale.portal import Front
from cscale.portal import api as portal_api
from cscale.settings import Section
from cscale.stac import ItemSource
from cscale.stac import api as stac_api
from cscale.stac.source import Aggregates

log = logging.getLogger("cscale")

_STAC = "/stac"
_POSTGRESQL = ("postgresql://", "postgres://")


class ServiceConfig(Section):
    """What sites and hubs have in common."""

    state: Path
    """The directory where the service keeps what it knows."""

    @field_validator("state", mode="after")
    @classmethod
    def _from_folder(cls, state: Path | str, info: ValidationInfo) -> Path | str:
        if str(state).startswith(_POSTGRESQL):
            return str(state)
        return _below(Path(state), info)


class SiteConfig(ServiceConfig):
    """The configuration file of a site."""

    site: About
    """What it is."""
    state: Path | str  # type: ignore[assignment]  # a hub's is a directory as yet
    """The directory where the site keeps what it knows, or a `postgresql://` address."""
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
    """Seconds that a member's list of collections is believed in what it does not hold."""

    @field_validator("state", mode="before")
    @classmethod
    def _is_a_directory(cls, state: object) -> object:
        if isinstance(state, str) and state.startswith(_POSTGRESQL):
            raise ValueError("a hub keeps its state in a directory as yet")
        return state

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


def _below(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path.expanduser()).resolve()


def site_app(config: SiteConfig) -> ASGIApp:
    """The application of one archive.

    Raises:
        BadConfiguration: If it declares a policy that is not enforced yet, or a folder is missing.
    """
    _refuse_unenforced(config)
    folders = Folders(config.data)
    if missing := config.without_column():
        log.warning("no column as yet for %s: cscale migrate --config FILE makes them", ", ".join(missing))
    source = config.open_catalogue()

    async def close() -> None:
        source.close()

    front = Front(config.site.name, config.site.description, config.site.url)
    delivery = Mount("/data", routes=archive_api.routes(folders))
    return archive_api.FirstHand(_app(config.site, source, front, [delivery], close, source), folders)


def hub_app(config: HubConfig) -> Starlette:
    """The application of a hub.

    Raises:
        BadConfiguration: If a member has no interface that can be searched.
    """
    http = HttpPool()
    sites = [
        Site(rank, member, _source(member, http), fresh=config.listings)
        for rank, member in enumerate(config.sites)
    ]
    source = Hub(sites, secret=shared_secret(config.state), url=f"{config.federation.url}{_STAC}")
    members = [(member.id, member.name, member.endpoints[0].url) for member in config.sites]
    front = Front(config.federation.name, config.federation.description, config.federation.url, members)

    async def close() -> None:
        await source.close()
        await http.close()

    return _app(config.federation, source, front, discovery_api.routes(config.sites), close)


def _source(member: Member, http: HttpPool) -> Source:
    """The adapter to a member's first interface that can be searched."""
    kinds = {each.name: each for each in entry_points(group="cscale.sources")}
    for endpoint in member.endpoints:
        if endpoint.kind in kinds:
            source: Source = kinds[endpoint.kind].load()(endpoint, http)
            return source
    raise BadConfiguration(
        f"site {member.id}: none of its endpoints can be searched; known kinds are {', '.join(sorted(kinds))}"
    )


def _refuse_unenforced(config: SiteConfig) -> None:
    for name, policy in config.policies.items():
        declared = "data" in policy.model_fields_set and policy.data.access != "open"
        if declared or policy.metadata != "open":
            raise BadConfiguration(
                f"policies.{name}: only open access can be kept as yet; this site refuses to start "
                "rather than show what it was told to protect"
            )


def _app(
    about: About,
    source: ItemSource,
    front: Front,
    more: Sequence[BaseRoute],
    close: Callable[[], Awaitable[None]],
    aggregates: Aggregates | None = None,
) -> Starlette:
    service = stac_api.Service(about.id, about.name, about.description or about.name, f"{about.url}{_STAC}")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await close()

    async def health(request: Request) -> Response:
        body = {"status": "ok", "id": about.id, "version": version("cscale")}
        return await reply(request, msgspec.json.encode(body))

    async def http_error(request: Request, error: Exception) -> Response:
        response = await _http_error(request, error)
        below_stac = request.url.path == _STAC or request.url.path.startswith(f"{_STAC}/")
        return stac_api.in_form(request, service, response) if below_stac else response

    app = Starlette(
        routes=[
            *stac_api.routes(source, service, _STAC, aggregates=aggregates),
            *portal_api.routes(source, front),
            Route("/health", health, methods=["GET"]),
            *more,
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "HEAD", "POST"],
                allow_headers=["*"],
                expose_headers=["ETag", "Link", "Content-Range", "Accept-Ranges", "Content-Length"],
            ),
            Middleware(Via, name=quote(about.url.partition("://")[2], safe=":")),
        ],
        exception_handlers={**_HANDLERS, HTTPException: http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would be made from the Host header
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """What the router refuses: an address or a method that is not here."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: "there is nothing at this address", 405: f"{request.method} is not possible here"}
    body = {"code": "HttpError", "description": said.get(status, str(error))}
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


async def _unforeseen(request: Request, error: Exception) -> Response:
    """An error of our own: the log has it, the caller need not."""
    log.error("%s %r failed", request.method, request.scope["path"], exc_info=error)
    body = {"code": "InternalError", "description": "this service has failed; its log says how"}
    return Response(msgspec.json.encode(body), 500, media_type="application/json")


_HANDLERS: dict[Any, Any] = {
    CscaleError: error_response,
    Exception: _unforeseen,
}
