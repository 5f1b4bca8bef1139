"""Real products of the shared data against the items that others made of them."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pystac
import pytest
import shapely
from shapely.geometry import shape

from cscale.catalogue.products import Product, bare, is_product, read_product
from cscale.stac import times
from cscale.stac.geometry import Box, planar
from cscale.stac.items import Item, item_times
from tests.catalogue.products.cases import AWS, CASES, NOT_HERE, OURS, RASTER, S2, Case
from tests.catalogue.products.conftest import SHARED

Real = Callable[[str], Path]

COMPARED = [case for case in CASES if case.theirs]


def theirs_of(case: Case, real: Real) -> Item:
    assert case.theirs
    path = case.theirs
    if path == OURS:
        path = f"{case.path}/{path}"
    elif not path.endswith(".json"):
        path = f"{path}/{Path(path).name}.json"
    item: Item = msgspec.json.decode(real(path).read_bytes())
    return item


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_the_item_of_a_real_product_holds(case: Case, real: Real) -> None:
    path = real(case.path)
    assert is_product(path)
    item, base, missing = read_product(path)
    assert item["id"] == (case.item or bare(path.name))
    assert item["collection"] == case.collection
    assert base == (path if path.is_dir() else path.parent)
    assert len(missing) == case.missing
    assert not any((base / each).exists() for each in missing)
    for asset in item["assets"].values():
        assert (base / asset["href"]).is_file()
        assert asset["roles"]
        assert asset["type"]
    properties = item["properties"]
    assert {
        name: properties.get(name) for name, value in case.holds.items() if properties.get(name) != value
    } == {}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_item_of_a_real_product_is_a_valid_one(case: Case, real: Real) -> None:
    item = read_product(real(case.path)).item
    outline = shape(item["geometry"])
    assert outline.is_valid
    assert not outline.is_empty
    assert planar(item["geometry"], item["bbox"]).equals(outline)  # nothing is left to be cut
    assert all(part.exterior.is_ccw for part in shapely.get_parts(outline))
    assert shapely.box(*outline.bounds).covers(outline)
    assert Box.parse(item["bbox"]).geometry().buffer(1e-9).covers(outline)
    assert msgspec.json.decode(msgspec.json.encode(item)) == item
    moment, first, last = item_times(item)
    assert moment is not None
    assert first <= moment <= last
    passed = pystac.Item.from_dict(item, preserve_dict=True).to_dict(include_self_link=False)
    assert passed["properties"].items() >= item["properties"].items()
    prefixes = {name.partition(":")[0] for name in item["properties"] if ":" in name}
    told = {url.split("/")[3] for url in item["stac_extensions"]}
    known = {"proj": "projection", "s1": "sentinel-1", "s2": "sentinel-2", "s3": "sentinel-3"}
    assert {known.get(prefix, prefix) for prefix in prefixes} <= told
    assert len(set(item["stac_extensions"])) == len(item["stac_extensions"])


@pytest.mark.parametrize("case", COMPARED, ids=str)
def test_footprints_are_those_that_others_found(case: Case, real: Real) -> None:
    ours, theirs = read_product(real(case.path)).item, theirs_of(case, real)
    mine, other = shape(ours["geometry"]), planar(theirs["geometry"], theirs["bbox"])
    assert mine.intersection(other).area / mine.union(other).area >= case.overlap
    assert ours["bbox"] == pytest.approx(theirs["bbox"], abs=1e-4)  # they round Sentinel-3's to four digits


def alike(name: str, mine: Any, other: Any) -> bool:
    """Whether two values say the same."""
    if isinstance(other, str) and isinstance(mine, str) and other[:2] == "20" and other.endswith("Z"):
        return times.instant(mine) == times.instant(other)
    if name in ("platform", "constellation", "instruments"):
        return str(mine).lower() == str(other).lower()
    if isinstance(other, float) and name == "view:azimuth":  # theirs is no mean of directions
        return math.isclose(mine, other, abs_tol=0.05)
    if isinstance(other, float):
        return isinstance(mine, int | float) and math.isclose(mine, other, rel_tol=1e-9)
    return bool(mine == other)


@pytest.mark.parametrize("case", COMPARED, ids=str)
def test_properties_are_those_that_others_found(case: Case, real: Real) -> None:
    ours = read_product(real(case.path)).item["properties"]
    theirs = theirs_of(case, real)["properties"]
    allowed = NOT_HERE | case.lacks
    lacking = {name for name in theirs.keys() - ours.keys() if f"{name.partition(':')[0]}:" not in allowed}
    assert lacking <= allowed
    differing = {
        name: (ours[name], other)
        for name, other in theirs.items()
        if name in ours and name not in case.holds and not alike(name, ours[name], other)
    }
    assert differing == {}


SAFE_CASES = [case for case in COMPARED if not case.path.startswith(AWS)]
WRONG = {"schema-product-hh", "schema-product-hv"}
"""Where theirs take the annotation on interference for that of the product."""


@pytest.mark.parametrize("case", SAFE_CASES, ids=str)
def test_assets_of_a_complete_product_are_those_that_others_found(
    case: Case, real: Real, complete: Callable[[str], Product]
) -> None:
    product = complete(case.path)
    root = f"{product.base.name}/"
    theirs = {
        key: asset | {"href": "./" + asset["href"].rpartition(root)[2].removeprefix("./")}
        for key, asset in theirs_of(case, real)["assets"].items()
        if key not in WRONG
    }
    ours = product.item["assets"]
    assert product.missing == ()
    assert {key: ours.get(key, {}).get("href") for key in theirs} == {
        key: asset["href"] for key, asset in theirs.items()
    }
    for key, asset in theirs.items():
        check_asset(key, ours[key], asset)


def check_asset(key: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """What both say of an asset is the same."""
    for name in ours.keys() & theirs.keys() & {"gsd", "file:size", *RASTER}:
        if key != "safe-manifest":  # no manifest states its own size
            assert ours[name] == pytest.approx(theirs[name])
    if "file:checksum" in theirs and key != "safe-manifest":
        assert ours["file:checksum"] == f"d50110{theirs['file:checksum']}"  # theirs is no multihash
    for kind in ("eo:bands", "raster:bands"):
        for mine, other in zip(ours.get(kind, ()), theirs.get(kind, ()), strict=False):
            told = {field: value for field, value in other.items() if isinstance(value, int | float)}
            assert {field: mine.get(field) for field in told} == pytest.approx(told)
            assert mine.get("name") == other.get("name")
    if "raster:bands" in theirs:
        assert len(ours["raster:bands"]) == len(theirs["raster:bands"])


def test_the_table_has_all_products_that_are_there() -> None:
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not on this machine")
    found = {
        str(path.relative_to(SHARED))
        for folder in ("discovery", "sar", "optical")
        for path in (SHARED / folder).rglob("*")
        if is_product(path)
    }
    assert found == {case.path for case in CASES}


def test_two_products_made_one_second_apart_are_two_items(real: Real) -> None:
    stem = f"{S2}/S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T02215"
    one, other = (read_product(real(f"{stem}{last}.SAFE")).item for last in "78")
    assert one["id"] != other["id"]
    for name in ("datetime", "s2:generation_time"):  # the second tells of itself the time of the first
        assert one["properties"][name] == other["properties"][name]
    assert one["properties"]["s2:tile_id"] != other["properties"]["s2:tile_id"]
