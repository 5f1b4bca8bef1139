"""A hub over members of all kinds, as services: live, harvested, static; products under many names."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cscale.discovery.products import place_of
from cscale.stac.items import Item
from cscale.stac.times import instant
from tests.discovery.federations import feature
from tests.federated import Federation, Service, ask, federation, member, walked

NAME = "S2A_MSIL2A_20220401T105621_N0400_R094_T34LBQ_20220401T170109"
OTHER_BASELINE = "S2A_MSIL2A_20220401T105621_N0510_R094_T34LBQ_20240522T020109"
BEGUN, SENSED = "2022-04-01T10:56:21Z", "2022-04-01T11:23:21Z"
HERE = place_of(NAME) or (0.0, 0.0, 0.0, 0.0)


def scene(item_id: str, collection: str, time_of: str, **properties: Any) -> Item:
    told = {name.replace("__", ":"): value for name, value in properties.items()}
    return feature(item_id, collection, instant(time_of), told, HERE)


ALPHA = [scene(f"{NAME}.SAFE", "S2_MSI_L2A", BEGUN), scene("other", "c", "2020-01-01T00:00:00Z")]
BETA = [
    scene("S2A_34LBQ_20220401_0_L2A", "sentinel-2-l2a", SENSED, s2__product_uri=f"{NAME}.SAFE"),
    scene("S2A_34LBQ_20220401_1_L2A", "sentinel-2-l2a", SENSED, s2__product_uri=f"{OTHER_BASELINE}.SAFE"),
]
STATIC = [scene("kept", "c", "2021-01-01T00:00:00Z"), scene("other", "c", "2020-01-01T00:00:00Z")]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("members")
    with federation(folder) as running:
        alpha, beta = running.site("alpha"), running.site("beta")
        alpha.ingest(ALPHA)
        beta.ingest(BETA)
        running.await_started()
        static: dict[str, Any] = {"kind": "stac-static", "url": str(_static(folder / "static"))}
        often = {"interval": 0.001, "rotation": 0}
        running.hub(
            "hub",
            [
                member(alpha, "alpha"),
                member(beta, "beta", discovery="harvest", harvest=often),
                {"id": "gamma", "endpoints": [static], "discovery": "harvest", "harvest": often},
            ],
        )
        running.await_started()
        while ask(f"{running['hub'].stac}/search").json.get("federation:missing") != []:
            time.sleep(0.1)
        yield running


def _static(folder: Path) -> Path:
    folder.mkdir()
    links = [{"rel": "item", "href": f"./{item['id']}.json"} for item in STATIC]
    for item in STATIC:
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
    interval = [["2020-01-01T00:00:00Z", None]]
    extent = {"spatial": {"bbox": [list(HERE)]}, "temporal": {"interval": interval}}
    whole: dict[str, Any] = {
        "type": "Collection",
        "id": "c",
        "description": "c",
        "license": "other",
        "extent": extent,
    }
    whole |= {"stac_version": "1.0.0", "links": links}
    path = folder / "collection.json"
    path.write_text(json.dumps(whole))
    return path


@pytest.fixture
def hub(services: Federation) -> Service:
    return services["hub"]


def held(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(place["site"], place["id"]) for place in item["federation:sites"]]


@pytest.mark.parametrize("sortby", ["-datetime", "%2Bdatetime", "id"])
def test_live_and_harvested_members_are_one(hub: Service, sortby: str) -> None:
    pages = list(walked(ask(f"{hub.stac}/search?limit=1&sortby={sortby}")))
    found = {item["id"]: held(item) for page in pages for item in page["features"]}
    assert found == {
        NAME: [("alpha", f"{NAME}.SAFE"), ("beta", "S2A_34LBQ_20220401_0_L2A")],
        OTHER_BASELINE: [("beta", "S2A_34LBQ_20220401_1_L2A")],
        "kept": [("gamma", "kept")],
        "other": [("alpha", "other"), ("gamma", "other")],
    }
    for page in pages:
        read = {site["id"]: site.get("harvested_at") for site in page["federation"]["sites"]}
        skipped = {site["id"] for site in page["federation"]["sites"] if site["state"] == "skipped"}
        assert {site for site, at in read.items() if at} == {"beta", "gamma"} - skipped


@pytest.mark.parametrize("form", [NAME, f"{NAME}.SAFE", "S2A_34LBQ_20220401_0_L2A"])
def test_a_product_is_found_by_its_name_in_any_form(hub: Service, form: str) -> None:
    item = ask(f"{hub.stac}/collections/sentinel-2-l2a/items/{form}").json
    assert (item["id"], item["collection"]) == (NAME, "sentinel-2-l2a")
    assert held(item) == [("alpha", f"{NAME}.SAFE"), ("beta", "S2A_34LBQ_20220401_0_L2A")]
    found = ask(f"{hub.stac}/search?ids={form}&collections=sentinel-2-l2a").json["features"]
    assert NAME in [each["id"] for each in found]


def test_processings_of_one_acquisition_are_versions_of_each_other(hub: Service) -> None:
    older, newer = (
        ask(f"{hub.stac}/collections/sentinel-2-l2a/items/{name}").json for name in (NAME, OTHER_BASELINE)
    )
    assert (older["properties"]["deprecated"], newer["properties"]["deprecated"]) == (True, False)
    [leads] = [link["href"] for link in older["links"] if link["rel"] == "successor-version"]
    assert ask(leads).json["id"] == OTHER_BASELINE
    page = ask(f"{hub.stac}/search?collections=sentinel-2-l2a").json["features"]
    assert {item["id"]: item["properties"]["deprecated"] for item in page} == {
        NAME: True,
        OTHER_BASELINE: False,
    }


def test_collections_of_many_names_are_one(hub: Service) -> None:
    collections = {each["id"]: each for each in ask(f"{hub.stac}/collections").json["collections"]}
    assert collections["sentinel-2-l2a"]["federation:backends"] == ["alpha", "beta"]
    assert collections.keys() == {"sentinel-2-l2a", "c", *(
        ["alpha|S2_MSI_L2A", "alpha|c", "beta|sentinel-2-l2a", "gamma|c"]
    )}  # fmt: skip


def test_whom_to_ask_is_known(hub: Service) -> None:
    page = ask(f"{hub.stac}/search?datetime=../2020-06-01T00:00:00Z").json
    states = {site["id"]: (site["state"], site.get("reason")) for site in page["federation"]["sites"]}
    assert states["alpha"][0] == states["gamma"][0] == "ok"
    assert states["beta"] == ("skipped", f"holds nothing before {SENSED}")
    far = ask(f"{hub.stac}/search?bbox=100,50,101,51").json
    assert [site["state"] for site in far["federation"]["sites"]] == ["skipped"] * 3
    assert far["features"] == []


def test_the_hub_counts_what_its_sites_hold(hub: Service) -> None:
    counted = ask(f"{hub.stac}/aggregate?aggregations=total_count,collection_frequency").json
    told = {each["name"]: each for each in counted["aggregations"]}
    assert told["total_count"]["value"] == len(ALPHA + BETA + STATIC)
    buckets = {each["key"]: each["frequency"] for each in told["federation:sites_frequency"]["buckets"]}
    assert buckets == {"alpha": 2, "beta": 2, "gamma": 2}
    assert counted["federation:counts"] == "copies"


def test_a_harvested_member_that_is_dead_is_still_searched(services: Federation, hub: Service) -> None:
    services["beta"].send(signal.SIGKILL)
    page = ask(f"{hub.stac}/search?limit=10").json
    assert page["federation:missing"] == []
    assert {item["id"] for item in page["features"]} == {NAME, OTHER_BASELINE, "kept", "other"}
    services.heal()


def test_the_hub_tells_how_it_does(hub: Service) -> None:
    metrics = ask(f"{hub.url}/metrics").body.decode()
    assert 'site="alpha"' in metrics
    got = ask(f"{hub.stac}/search", x_request_id="mine-1")
    assert got.headers["x-request-id"] == "mine-1"
