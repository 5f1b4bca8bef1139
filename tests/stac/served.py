"""What the tests of the STAC API ask: a site, and a hub over it and another, on real sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cscale.stac.items import Item
from tests.discovery.federations import MORNING, feature
from tests.federated import Federation, federation, member

PAGES = (
    "",
    "/",
    "/conformance",
    "/api",
    "/api.html",
    "/queryables",
    "/search",
    "/collections",
    "/collections/scenes",
    "/collections/scenes/queryables",
    "/collections/scenes/items",
    "/collections/named/items/plain",
)
"""All routes, each with an address that is there."""
DAY = 86_400_000_000
IDS = ("plain", "a/b", "50%", "50%25", "what?", "a b+c", "é雲😀", "#1", "..x", "x/items/y", "q&a=1;2,3")
BOXES = ((23.0, 46.0, 24.0, 47.0), (10.0, 10.0, 11.0, 11.0))


def scenes(count: int = 60) -> list[Item]:
    """Many scenes in one collection, two and two at one time, and all kinds of ids in another."""
    held = [_scene(f"scene-{number:03}", "scenes", number) for number in range(count)]
    return held + [_scene(item_id, "named", number) for number, item_id in enumerate(IDS)]


def _scene(item_id: str, collection: str, number: int) -> Item:
    properties = {"eo:cloud_cover": number * 7 % 100, "platform": f"sentinel-2{'ab'[number % 2]}"}
    item = feature(item_id, collection, MORNING + number // 2 * DAY, properties, BOXES[number % 3 == 0])
    assets = {"red": {"href": f"https://files.test/{number}.tif", "type": "image/tiff"}}
    return item | {"assets": assets}


def collections() -> list[dict[str, Any]]:
    return [
        {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": name,
            "title": f"All of {name}",
            "description": "Scenes to try the API on",
            "license": "CC0-1.0",
            "extent": {
                "spatial": {"bbox": [[10, 10, 24, 47]]},
                "temporal": {"interval": [["2020-05-20T00:00:00Z", None]]},
            },
            "links": [],
        }
        for name in ("scenes", "named")
    ]


@contextmanager
def served(folder: Path) -> Iterator[Federation]:
    """Sites `alpha` and `beta`, each with half of the scenes and a third of them in common, and `hub`."""
    held = scenes()
    with federation(folder) as running:
        alpha, beta = running.site("alpha"), running.site("beta")
        alpha.ingest(held, collections())
        beta.ingest(held[30:], collections())
        running.hub("hub", [member(alpha, "alpha"), member(beta, "beta")])
        running.await_started()
        yield running


def links(body: dict[str, Any]) -> dict[str, str]:
    """Where an answer's links lead, by relation."""
    return {link["rel"]: link["href"] for link in body["links"]}
