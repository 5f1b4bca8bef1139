"""The application of a hub: its configuration becomes adapters, adapters services."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeGuard

from starlette.types import ASGIApp

from cscale.app.configuration import HubConfig
from cscale.app.service import STAC, service_app
from cscale.discovery import Hub, Site, Source
from cscale.discovery import api as discovery_api
from cscale.discovery.harvest import Harvested, Kept, Rhythm, keep_harvesting, shelf_of
from cscale.discovery.source import Walkable
from cscale.errors import BadConfiguration
from cscale.federation import Endpoint, Member
from cscale.federation.profiles import Profiled, unknown
from cscale.federation.registry import Registry
from cscale.identity.api import Authenticated
from cscale.membership import Health, Report, check
from cscale.membership.health import Watched
from cscale.net.calling import Limits, SiteHttp
from cscale.net.calling.circuit import Circuit
from cscale.net.guard import Guard
from cscale.net.http import Http, HttpPool
from cscale.net.telemetry import requests as telemetry
from cscale.net.telemetry.metrics import Metrics
from cscale.net.telemetry.sites import SiteMetrics
from cscale.portal import Front


@dataclass(frozen=True)
class Interface:
    """A member's interface that is searched or harvested.

    Attributes:
        endpoint: Its entry.
        source: Its adapter.
    """

    endpoint: Endpoint
    source: Source | Walkable


def hub_app(config: HubConfig, metrics: Metrics | None = None) -> ASGIApp:
    """The application of a hub.

    Args:
        config: Its configuration.
        metrics: Where to count; where several processes serve, all have the same directory.

    Raises:
        BadConfiguration: If a member has no interface that can be searched.
    """
    counted = metrics or Metrics()
    guard = Guard(url for member in config.sites for url in _on_the_web(member))
    http, registry = HttpPool(guard), Registry(config.state)
    found = [interface(member, part(member, http, counted), config, registry) for member in config.sites]
    kept = {
        member.id: Kept(each.source, shelf_of(config.state, member.id))
        for member, each in zip(config.sites, found, strict=True)
        if member.discovery == "harvest"
    }
    sites = [
        Site(rank, member, kept.get(member.id) or _live(member, each), fresh=config.listings)
        for rank, (member, each) in enumerate(zip(config.sites, found, strict=True))
    ]
    secret = config.secret()
    verifier = config.verifier(secret)
    source = Hub(sites, secret=secret, url=f"{config.federation.url}{STAC}")
    watched = [_watched(*each, guard) for each in zip(config.sites, found, strict=True)]
    health = Health(registry, watched, every=config.watch * 60)
    members = [(member.id, member.name, member.endpoints[0].url) for member in config.sites]
    front = Front(config.federation.name, config.federation.description, config.federation.url, members)

    async def close() -> None:
        await source.close()
        await http.close()
        for each in kept.values():
            await asyncio.to_thread(each.close)
        await asyncio.to_thread(registry.close)
        if verifier is not None:
            await verifier.close()

    background: list[Callable[[], Coroutine[Any, Any, None]]] = [health.run] if config.watch else []
    due = [
        harvested(member, each, config)
        for member, each in zip(config.sites, found, strict=True)
        if member.id in kept
    ]
    background += [lambda: keep_harvesting(due)] if due else []
    routes = [*discovery_api.routes(config.sites, health.standing), *telemetry.routes(counted)]
    app = service_app(config.federation, source, front, routes, close, source, background, config.identity)
    return telemetry.RequestId(telemetry.Counted(Authenticated(app, verifier), counted))


def interface(member: Member, http: Http, config: HubConfig, registry: Registry | None = None) -> Interface:
    """The adapter to a member's first interface of a kind that is known.

    Args:
        member: The member.
        http: The connections to use.
        config: The hub's configuration.
        registry: Where what is known of the member is kept; None: nothing is.

    Raises:
        BadConfiguration: If it has none.
    """
    kinds = {each.name: each for each in entry_points(group="cscale.sources")}
    for endpoint in member.endpoints:
        if endpoint.kind in kinds:
            profiled: Profiled = registry.profiled(member.id, endpoint.url) if registry else unknown
            more: dict[str, Any] = {}
            if endpoint.kind == "eodag" and isinstance(config.state, Path):
                more["folder"] = config.state / "eodag"
            return Interface(endpoint, kinds[endpoint.kind].load()(endpoint, http, profiled, **more))
    raise BadConfiguration(
        f"site {member.id}: none of its endpoints can be searched; known kinds are {', '.join(sorted(kinds))}"
    )


def _live(member: Member, found: Interface) -> Source:
    if _is_searched(found.source):
        return found.source
    raise BadConfiguration(
        f"site {member.id}: {found.endpoint.kind} cannot be searched live; write discovery: harvest"
    )


def _is_searched(source: Source | Walkable) -> TypeGuard[Source]:
    return hasattr(source, "search")


def part(member: Member, http: HttpPool, metrics: Metrics) -> SiteHttp:
    """A member's part in the pool of connections.

    Args:
        member: The member.
        http: The pool.
        metrics: Where to count.
    """
    limits = Limits(member.concurrency, member.retries, member.hedge, patience=member.timeout / 2)
    urls = _on_the_web(member)
    rule: Literal["none", "pass"] = "pass" if member.token == "pass" else "none"  # noqa: S105
    circuit, counted = Circuit(pause=member.pause), SiteMetrics(metrics, member.id)
    return SiteHttp(http, member.id, urls, token=rule, limits=limits, circuit=circuit, metrics=counted)


def _on_the_web(member: Member) -> list[str]:
    """The addresses of a member's interfaces that are asked over HTTP."""
    return [each.url for each in member.endpoints if each.url.startswith(("http://", "https://"))]


def _watched(member: Member, found: Interface, guard: Guard) -> Watched:
    """A member as its health is watched."""
    source = found.source
    trial: Callable[[], Awaitable[Report]] | None = None
    if _is_searched(source):
        asked = None if found.endpoint.kind == "stac-api" else source
        trial = lambda: check(  # noqa: E731
            found.endpoint, asked, member=member, patience=member.timeout, guard=guard
        )
    return Watched(member.id, found.endpoint.url, source, member.timeout, trial)


def harvested(member: Member, found: Interface, config: HubConfig, processes: int = 1) -> Harvested:
    """A member as it is harvested.

    Args:
        member: The member.
        found: Its interface.
        config: The hub's configuration.
        processes: How many make items ready beside this one; 0 for a thread of it.
    """
    return Harvested(
        member.id,
        f"{found.endpoint.kind} {found.endpoint.url}",
        found.source,
        shelf_of(config.state, member.id),
        rhythm=Rhythm(**member.harvest.model_dump()),
        processes=processes,
    )
