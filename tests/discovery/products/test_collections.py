"""Collections of many providers: those of the old service, every one; and those in real answers."""

import json

import pytest

from cscale.discovery.products import canonical
from cscale.discovery.products.collections import APART, APART_RULES, RULES, SAME, why_apart
from tests.discovery.products.making import DATA, features, needs_data

ONE_BY_ONE = {
    "EODC|sentinel1-grd": "sentinel-1-grd",
    "VITO|urn:eop:VITO:CGS_S1_GRD_L1": "sentinel-1-grd",
    "VITO|urn:eop:VITO:CGS_S1_SLC_L1": "sentinel-1-slc",
    "VITO|urn:eop:VITO:CGS_S2_L1C": "sentinel-2-l1c",
    "VITO|urn:eop:VITO:COP_DEM_GLO_30M_COG": "cop-dem-glo-30",
    "VITO|urn:eop:VITO:COP_DEM_GLO_90M_COG": "cop-dem-glo-90",
    "VITO|urn:eop:VITO:ESA_WorldCover_10m_2020_AWS_V1": "esa-worldcover-10m-2020-v1",
    "VITO|urn:eop:VITO:ESA_WorldCover_10m_2020_V1": "esa-worldcover-10m-2020-v1",
    "VITO|urn:eop:VITO:ESA_WorldCover_10m_2021_AWS_V2": "esa-worldcover-10m-2021-v2",
    "VITO|urn:eop:VITO:ESA_WorldCover_10m_2021_V2": "esa-worldcover-10m-2021-v2",
}
AS_THEY_ARE = (
    "sentinel-1-grd", "sentinel-1-ocn", "sentinel-1-raw", "sentinel-1-slc", "sentinel-2-l1b",
    "sentinel-2-l1c", "sentinel-2-l2a", "sentinel-3-olci-l1b", "sentinel-3-olci-l2", "sentinel-3-slstr-l1b",
    "sentinel-3-slstr-l2", "sentinel-3-stm-l2", "sentinel-3-syn-l2", "sentinel-5p-l1b", "sentinel-5p-l2",
)  # fmt: skip
NO_OTHERS = (
    *(f"CREODIAS|{name}" for name in (
        "LANDSAT-5", "SENTINEL-1", "SENTINEL-2", "ENVISAT", "COP-DEM", "SENTINEL-1-RTC", "SENTINEL-5P",
        "SMOS", "LANDSAT-8", "S2GLC", "TERRAAQUA", "SENTINEL-3", "LANDSAT-7", "SENTINEL-6",
    )),
    "EODC|s1-global-sigma0", "EODC|s1-demo-sigma0", "VITO|urn:eop:VITO:CGS_S1_GRD_SIGMA0_L1",
)  # fmt: skip


@needs_data
def test_each_collection_of_the_old_service_has_a_shared_id_or_a_reason() -> None:
    listed = (DATA / "cscale_mqs" / "collection_ids.txt").read_text().split()
    assert len(listed) == 94
    for native in listed:
        provider, _, name = native.partition("|")
        if native in ONE_BY_ONE:
            expected: str | None = ONE_BY_ONE[native]
        elif provider in ("GRNET-OPENSTACK", "CollGS_CZ") or native == "EODC|sentinel-2-l1c":
            assert name in AS_THEY_ARE
            expected = name
        else:
            in_family = name.startswith(
                ("urn:eop:VITO:TERRASCOPE_", "urn:eop:VITO:ESA_WorldCover_S", "urn:ogc:def:EOP:VITO:")
            )
            assert in_family or native in NO_OTHERS, native
            expected = None
        assert canonical(native) == canonical(name) == expected, native
        assert (why_apart(native) is None) == (expected is not None), native


@pytest.mark.parametrize(
    ("native", "shared"),
    [
        ("sentinel-2-c1-l2a", "sentinel-2-l2a"),  # Earth Search
        ("sentinel-s2-l2a-cogs", "sentinel-2-l2a"),
        ("SENTINEL1_GRD", "sentinel-1-grd"),  # EODC
        ("S2_MSI_L1C", "sentinel-2-l1c"),  # EODAG
        ("PEPS_S2_L1C", "sentinel-2-l1c"),  # GEODES
        ("landsat-c2l2-sr", "landsat-c2-l2"),  # USGS
        ("landsat-c2-l2", "landsat-c2-l2"),  # Planetary Computer, Earth Search
        ("sentinel-3-synergy-vg1-l2-netcdf", "sentinel-3-synergy-2-vg1"),
        ("sentinel-3-syn-2-vg1-stc", "sentinel-3-synergy-2-vg1"),  # CDSE
        ("sentinel-3-slstr-lst-l2-netcdf", "sentinel-3-slstr-2-lst"),
        ("sentinel-3-sl-2-lst-ntc", "sentinel-3-slstr-2-lst"),
        ("sentinel-3-sr-2-lan-li-nrt", "sentinel-3-sral-2-lan-li"),
        ("sentinel-3-olci-1-efr", "sentinel-3-olci-1-efr"),
        ("sentinel-5p-l1-ra-bd4-offl", "sentinel-5p-l1b-ra-bd4"),
        ("sentinel-5p-l2-o3-pr-rpro", "sentinel-5p-l2-o3-pr"),
        ("sentinel-5p-l2-netcdf", "sentinel-5p-l2"),
        ("SENTINEL-2-L2A", "sentinel-2-l2a"),
        ("naip", None),
        ("HLSL30.v1.5", None),
        ("", None),
    ],
)
def test_ids_of_other_providers(native: str, shared: str | None) -> None:
    assert canonical(native) == shared


@needs_data
def test_collections_of_real_items_are_known_or_not_shared() -> None:
    found = {
        each.get("collection")
        for path in DATA.rglob("*json")
        for each in features(json.loads(path.read_text()))
    }
    unknown = {each for each in found if each and canonical(each) is None and why_apart(each) is None}
    assert unknown == {"naip", "HLSL30.v1.5", "s2_l2a_zarr_sample"}


def test_a_shared_id_is_its_own_and_no_id_is_both() -> None:
    becomes = {*SAME, *(shared for _, _, example in RULES if (shared := canonical(example)))}
    assert len(becomes) > len(RULES)
    for shared in becomes:
        assert canonical(shared) == shared
    natives = [name.lower() for shared, names in SAME.items() for name in (shared, *names)]
    assert len(natives) == len(set(natives))
    for name in (*APART, *(example for _, _, example in RULES), *natives):
        assert (canonical(name) is None) != (why_apart(name) is None)
    assert len(APART_RULES) == 3
