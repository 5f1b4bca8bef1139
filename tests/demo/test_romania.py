"""The real scenes: what is cut is what the source holds, read by another way than ours."""

import json
import os
import subprocess
import sys
import warnings
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform_bounds

from cscale.demo.archives import build, clear, cut
from cscale.demo.romania import SHA256, fetch, read
from cscale.demo.scenes import Source
from cscale.errors import ChecksumMismatch


@pytest.fixture(scope="module")
def source(wheel: Path) -> Source:
    return read(wheel)


@pytest.fixture(scope="module")
def cubes(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The two netCDF files, by resolution."""
    folder = tmp_path_factory.mktemp("netcdf")
    with zipfile.ZipFile(wheel) as archive:
        return {
            pixel: Path(archive.extract(f"nrt/data/sentinel2_cube_subset_romania_{pixel}m.nc", folder))
            for pixel in (10, 20)
        }


@pytest.fixture(scope="module")
def shares(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The items' files of each archive."""
    folder = tmp_path_factory.mktemp("archives")
    shares = cut(source, folder)
    build(source, clear(source, shares), lambda _done, _total: None)
    return {share.archive.id: sorted(share.archive.files.glob("*/*/*/*.json")) for share in shares}


def by_netcdf(path: Path, variable: str) -> tuple[Any, dict[str, str]]:
    """A variable by GDAL's netCDF driver, which starts at the last row, and what the file says of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(f"netcdf:{path}:{variable}") as file:
            return file.read()[:, ::-1], file.tags()


def days_of(tags: dict[str, str]) -> list[date]:
    assert tags["time#units"] == "days since 2015-08-01 00:00:00"
    offsets = tags["NETCDF_DIM_time_VALUES"].strip("{}").split(",")
    return [date(2015, 8, 1) + timedelta(int(offset)) for offset in offsets]


def test_the_source_says_what_we_say_of_it(source: Source, cubes: dict[int, Path]) -> None:
    for cube in (source.ten, source.twenty):
        _, tags = by_netcdf(cubes[cube.pixel], "SCL")
        assert list(cube.days) == days_of(tags)
        here = [
            transform_bounds(crs, "EPSG:4326", *cube.box)
            for crs in (CRS.from_wkt(tags["spatial_ref#spatial_ref"]), CRS.from_epsg(cube.epsg))
        ]
        assert here[0] == pytest.approx(here[1], abs=1e-9)
    assert len(source.ten.days) == 140
    assert source.ten.box == source.twenty.box, "both grids cover the same square kilometre"


@pytest.mark.parametrize("axis", ["x", "y"])
def test_pixels_lie_where_the_source_has_their_centres(
    source: Source, cubes: dict[int, Path], axis: str
) -> None:
    for cube in (source.ten, source.twenty):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(f"netcdf:{cubes[cube.pixel]}:{axis}") as file:
                centres = file.read().ravel()
        steps = np.arange(len(centres)) + 0.5
        ours = cube.west + cube.pixel * steps if axis == "x" else cube.north - cube.pixel * steps
        np.testing.assert_allclose(ours, centres, atol=1e-6)


@pytest.mark.parametrize(
    ("archive", "pixel", "first", "last"),
    [("alpha", 10, 2015, 2018), ("beta", 10, 2018, 2021), ("gamma", 20, 2015, 2021)],
)
def test_an_archive_holds_its_years_pixel_by_pixel(
    shares: dict[str, list[Path]], cubes: dict[int, Path], archive: str, pixel: int, first: int, last: int
) -> None:
    names = {"B02": "B2", "B03": "B3", "B04": "B4", "B08": "B8"}
    items = [(path, json.loads(path.read_bytes())) for path in shares[archive]]
    keys = sorted(items[0][1]["assets"])
    read = {key: by_netcdf(cubes[pixel], names.get(key, key)) for key in keys}
    days = days_of(read["SCL"][1])
    held = [date.fromisoformat(item["properties"]["datetime"][:10]) for _, item in items]
    assert sorted(held) == [day for day in days if first <= day.year <= last]
    for (path, item), day in zip(items, held, strict=True):
        for key in keys:
            with rasterio.open(path.with_name(item["assets"][key]["href"])) as file:
                wanted = read[key][0][days.index(day)]
                assert (file.read(1) == wanted).all(), (
                    f"{archive}: {item['id']} {key} differs from the source"
                )
                assert file.res == (pixel, pixel)


def test_cloud_cover_is_counted_in_the_scene_classification(
    shares: dict[str, list[Path]], cubes: dict[int, Path]
) -> None:
    classes, tags = by_netcdf(cubes[10], "SCL")
    days = days_of(tags)
    for path in shares["alpha"]:
        properties = json.loads(path.read_bytes())["properties"]
        scene = classes[days.index(date.fromisoformat(properties["datetime"][:10]))]
        cloudy = np.count_nonzero((scene >= 8) & (scene <= 10)) / scene.size
        assert properties["eo:cloud_cover"] == pytest.approx(100 * cloudy, abs=0.01)


def test_copies_of_the_shared_year_are_the_same_bytes(shares: dict[str, list[Path]]) -> None:
    alpha, beta = ({path.stem: path.parent for path in shares[name]} for name in ("alpha", "beta"))
    common = alpha.keys() & beta.keys()
    assert {name.split("_")[2][:4] for name in common} == {"2018"}
    for name in common:
        for file in alpha[name].glob("*.tif"):
            assert file.read_bytes() == (beta[name] / file.name).read_bytes(), f"{name} {file.name}"


def test_a_spoilt_cache_is_not_used(wheel: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / wheel.name
    spoilt.write_bytes(wheel.read_bytes()[:-1] + b"?")
    assert fetch(tmp_path) == spoilt
    assert spoilt.read_bytes() == wheel.read_bytes(), "it was fetched anew"
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name], "nothing else is left behind"


def test_another_file_of_the_name_is_refused(tmp_path: Path) -> None:
    """An index that offers a wheel of this name and other content."""
    offered, cache = tmp_path / "offered", tmp_path / "cache"
    offered.mkdir()
    with zipfile.ZipFile(offered / "nrt-0.2.1-py3-none-any.whl", "w") as archive:
        archive.writestr("nrt/__init__.py", "")
        archive.writestr("nrt-0.2.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: nrt\nVersion: 0.2.1\n")
        archive.writestr("nrt-0.2.1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("nrt-0.2.1.dist-info/RECORD", "")
    only_there = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(offered), "PIP_CONFIG_FILE": os.devnull}
    code = f"from pathlib import Path; from cscale.demo.romania import fetch; fetch(Path({str(cache)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | only_there, capture_output=True, text=True, check=False
    )
    assert ChecksumMismatch.__name__ in done.stderr
    assert SHA256 not in done.stdout
    assert list(cache.iterdir()) == [], "nothing of it is kept"
