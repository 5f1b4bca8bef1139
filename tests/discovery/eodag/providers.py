"""Providers for EODAG that are servers of our own: its code runs as it is, and talks HTTP to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from cscale.discovery.eodag import Eodag
from cscale.federation import Endpoint
from cscale.net.http import HttpPool

pytest.importorskip("eodag", reason="an optional extra: pip install 'cscale[eodag]'")


def at_creodias(url: str) -> dict[str, Any]:
    """EODAG's own CREODIAS, all of it, but for the address."""
    return {"creodias": {"search": {"api_endpoint": f"{url}/Products"}}}


def a_stac_api(url: str, **pagination: Any) -> dict[str, Any]:
    """A provider that nobody knows, with a STAC API."""
    mapping = {"id": "id", "start_datetime": "properties.datetime"}
    search: dict[str, Any] = {
        "type": "StacSearch",
        "api_endpoint": f"{url}/search",
        "need_auth": False,
        "sort": {"sort_param_mapping": mapping},
    }
    if pagination:
        search["pagination"] = pagination
    return {"ours": {"search": search, "products": {"GENERIC_COLLECTION": {"_collection": "{collection}"}}}}


@contextmanager
def source(folder: Path, provider: str, told: dict[str, Any]) -> Iterator[Eodag]:
    """The source over a provider of an EODAG configuration file."""
    file = folder / "providers.yml"
    file.write_text(yaml.safe_dump(told))
    yield source_of(f"{file.as_uri()}#{provider}", folder / "eodag")


def source_of(url: str, folder: Path | None) -> Eodag:
    # Made without checks: which addresses configurations may name is for `federation` to say.
    endpoint = Endpoint.model_construct(kind="eodag", url=url)
    return Eodag(endpoint, HttpPool(), folder=folder)
