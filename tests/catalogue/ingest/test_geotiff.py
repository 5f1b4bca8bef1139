"""Raster files as items: a date that is told or none, and a place on the globe as it is."""

import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from cscale.catalogue.ingest.geotiff import Dating, read_geotiff
from cscale.catalogue.queryables import COLUMNS
from cscale.catalogue.rows import row_of
from cscale.errors import BadInput
from cscale.stac.items import Item

DAY = "_20200601.tif"
UTM32 = {"crs": "EPSG:32632", "transform": Affine(10, 0, 600000, 0, -10, 5200000)}


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Makes a raster: what is not said is a small one in UTM."""

    def write(
        name: str = f"x{DAY}", value: Any = 3, tags: dict[str, str] | None = None, **profile: Any
    ) -> Path:
        path = tmp_path / name
        profile = (
            UTM32 | {"driver": "GTiff", "width": 60, "height": 50, "count": 2, "dtype": "uint16"} | profile
        )
        with warnings.catch_warnings(), rasterio.open(path, "w", **profile) as file:
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            band = numpy.full((file.height, file.width), value, file.dtypes[0])
            file.write(numpy.stack([band] * file.count))
            file.update_tags(**(tags or {}))
        return path

    return write


def outline(item: Item) -> shapely.Geometry:
    return shape(item["geometry"])


def pixels(path: Path) -> shapely.Geometry:
    """The centres of a raster's outermost pixels, in longitude and latitude: the oracle of its place."""
    with rasterio.open(path) as source:
        rows, columns = numpy.mgrid[0.5 : source.height, 0.5 : source.width]
        edge = (rows < 1) | (rows > source.height - 1) | (columns < 1) | (columns > source.width - 1)
        xs, ys = source.transform @ (columns[edge], rows[edge])
        return shapely.MultiPoint(numpy.transpose(rasterio.warp.transform(source.crs, "EPSG:4326", xs, ys)))


def test_an_item_tells_what_the_file_is(make: Any) -> None:
    item = read_geotiff(make("scene.v1_20200601T103021.tif"), Dating())
    asset = item["assets"]["data"]
    assert item["id"] == "scene.v1_20200601T103021"
    assert item["properties"]["datetime"] == "2020-06-01T10:30:21Z"
    assert item["properties"]["proj:epsg"] == 32632
    assert item["properties"]["proj:shape"] == [50, 60]
    assert (asset["href"], asset["roles"]) == ("./scene.v1_20200601T103021.tif", ["data"])
    assert asset["type"] == "image/tiff; application=geotiff"
    assert [band["data_type"] for band in asset["raster:bands"]] == ["uint16", "uint16"]
    assert asset["raster:bands"][0]["statistics"]["mean"] == 3
    assert row_of(msgspec.json.decode(msgspec.json.encode(item)), COLUMNS)


def test_a_cloud_optimized_file_is_told_as_one(make: Any) -> None:
    item = read_geotiff(make(driver="COG"), Dating())
    assert item["assets"]["data"]["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"


@pytest.mark.parametrize(
    "grid",
    [
        pytest.param(UTM32, id="north up"),
        pytest.param({"transform": Affine(2000, 0, 500000, 0, -2000, 5200000)}, id="bent edges"),
        pytest.param({"transform": Affine(10, 0, 600000, 0, 10, 5200000)}, id="south up"),
        pytest.param({"transform": UTM32["transform"] @ Affine.rotation(30)}, id="rotated"),
        pytest.param({"crs": "EPSG:4326", "transform": Affine(0.1, 0, 10, 0, -0.1, 50)}, id="degrees"),
        pytest.param({"crs": "EPSG:3035", "transform": Affine(1e4, 0, 4e6, 0, -1e4, 3e6)}, id="equal area"),
    ],
)
def test_the_geometry_is_the_outline_of_the_pixels(make: Any, grid: dict[str, Any]) -> None:
    path = make(**grid)
    item = read_geotiff(path, Dating())
    around, centres = outline(item), pixels(path)
    assert item["bbox"] == list(around.bounds)
    assert around.contains(centres)
    # a pixel is as wide as the raster's hull is wider than the hull of the centres
    assert around.area == pytest.approx(centres.convex_hull.area, rel=0.05)


def test_over_the_antimeridian_it_is_cut_there(make: Any) -> None:
    path = make(crs="EPSG:32601", transform=Affine(1000, 0, 160000, 0, -1000, 1000000))
    item = read_geotiff(path, Dating())
    west, _, east, _ = item["bbox"]
    assert west == pytest.approx(179.9, abs=0.1)
    assert east == pytest.approx(-179.5, abs=0.1)
    assert [part.bounds[i] for part, i in zip(outline(item).geoms, (2, 0), strict=True)] in (
        [180, -180],
        [-180, 180],
    )
    assert outline(item).contains(pixels(path))
    assert outline(item).area < 1


@pytest.mark.parametrize(("crs", "pole"), [("EPSG:3413", 90), ("EPSG:3031", -90)])
def test_around_a_pole_it_holds_the_pole(make: Any, crs: str, pole: float) -> None:
    path = make(crs=crs, transform=Affine(1e5, 0, -3e6, 0, -1e5, 2.5e6))
    around = outline(read_geotiff(path, Dating()))
    assert around.is_valid
    assert around.bounds[0::2] == (-180, 180)
    assert pole in around.bounds[1::2]
    assert around.contains(pixels(path))
    assert not around.intersects(shapely.Point(0, 0))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("nodata", [None, 3])
def test_any_kind_of_values_becomes_json(make: Any, dtype: str, nodata: float | None) -> None:
    assert msgspec.json.encode(read_geotiff(make(dtype=dtype, nodata=nodata), Dating()))


def test_a_file_of_nothing_but_nan_becomes_json(make: Any) -> None:
    assert msgspec.json.encode(
        read_geotiff(make(dtype="float32", value=numpy.nan, nodata=numpy.nan), Dating())
    )


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        ({"crs": None}, "no coordinate reference system"),
        ({"crs": "EPSG:4326", "transform": Affine(1, 0, 10, 0, -1, 95)}, "not all lie on Earth"),
        ({"crs": 'LOCAL_CS["x",UNIT["metre",1]]'}, "not a GeoTIFF that can be read"),
        (
            {"crs": "+proj=geos +h=35785831 +datum=WGS84", "transform": Affine(2e5, 0, -6e6, 0, -2e5, 5e6)},
            "read",
        ),
    ],
)
def test_what_lies_nowhere_is_refused(make: Any, grid: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read_geotiff(make(**grid), Dating())


def test_what_is_no_geotiff_is_refused(tmp_path: Path, make: Any) -> None:
    whole = make(width=500, height=500).read_bytes()
    png = make("picture.png", driver="PNG", crs=None).read_bytes()
    text, cut, empty = b"hello", whole[: len(whole) // 2], b""
    for content in (text, cut, empty, png):
        path = tmp_path / f"y{DAY}"
        path.write_bytes(content)
        with pytest.raises(BadInput, match="not a GeoTIFF that can be read"):
            read_geotiff(path, Dating())


def test_a_file_that_names_others_does_not_open_them(tmp_path: Path, make: Any) -> None:
    """GDAL would follow what a VRT names, wherever that is."""
    path = tmp_path / f"y{DAY}"
    path.write_text(
        f'<VRTDataset rasterXSize="60" rasterYSize="50"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>10,1,0,50,0,-1</GeoTransform>"
        f'<VRTRasterBand dataType="UInt16" band="1"><SimpleSource><SourceFilename>{make()}</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(BadInput, match="not a GeoTIFF"):
        read_geotiff(path, Dating())


def dated(make: Any, dating: Dating | None = None, **file: Any) -> str:
    text: str = read_geotiff(make(**file), dating or Dating())["properties"]["datetime"]
    return text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20200601", "2020-06-01T00:00:00Z"),
        ("s2_2020-06-01", "2020-06-01T00:00:00Z"),
        ("s2_2020_06_01_ndvi", "2020-06-01T00:00:00Z"),
        ("S2_20200601T103021_B04", "2020-06-01T10:30:21Z"),
        ("x_20200601_103021", "2020-06-01T10:30:21Z"),
        ("x_20200601T103021_20200601T103021", "2020-06-01T10:30:21Z"),
        ("v12345678901_20200601", "2020-06-01T00:00:00Z"),
    ],
)
def test_the_date_stands_in_the_name(make: Any, name: str, expected: str) -> None:
    assert dated(make, name=f"{name}.tif", tags={"TIFFTAG_DATETIME": "2001:01:01 00:00:00"}) == expected


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        ("TIFFTAG_DATETIME", "2019:02:03 04:05:06", "2019-02-03T04:05:06Z"),
        ("ACQUISITIONDATETIME", "2019-02-03T04:05:06+02:00", "2019-02-03T02:05:06Z"),
        ("ACQUISITION_DATETIME", "2019-02-03T04:05:06.5Z", "2019-02-03T04:05:06.500000Z"),
        ("SENSING_TIME", "2019-02-03", "2019-02-03T00:00:00Z"),
    ],
)
def test_the_date_stands_in_a_tag(make: Any, tag: str, text: str, expected: str) -> None:
    assert dated(make, name="x.tif", tags={tag: text}) == expected


def test_the_date_that_is_said_counts_before_all_others(make: Any) -> None:
    assert dated(make, Dating(fixed="2018-01-02T03:04:05+01:00")) == "2018-01-02T02:04:05Z"


def test_a_pattern_says_where_the_date_stands(make: Any) -> None:
    pattern = r"to_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    assert dated(make, Dating(pattern=pattern), name="20190101_to_20200601.tif") == "2020-06-01T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "tags", "reason"),
    [
        ("nothing.tif", {}, "no date"),
        ("x_20201301.tif", {}, "no date"),
        ("x_20200230.tif", {}, "is no date"),
        ("x_20200601_20200701.tif", {}, "several dates"),
        ("x.tif", {"TIFFTAG_DATETIME": "0000:00:00 00:00:00"}, "no date"),
        ("x.tif", {"TIFFTAG_DATETIME": "today"}, "no date"),
    ],
)
def test_what_has_no_date_is_refused(make: Any, name: str, tags: dict[str, str], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        read_geotiff(make(name=name, tags=tags), Dating())


@pytest.mark.parametrize(
    "options",
    [
        {"fixed": "yesterday"},
        {"pattern": "("},
        {"pattern": r"(?P<year>\d{4})"},
    ],
)
def test_a_dating_that_cannot_work_is_refused_at_once(options: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        Dating(**options)


def test_a_year_of_two_digits_is_not_guessed(make: Any) -> None:
    dating = Dating(pattern=r"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)")
    with pytest.raises(BadInput, match="four digits"):
        dated(make, dating, name="200601.tif")


@given(st.text(max_size=40) | st.from_regex(r"[A-Z]{2}_[0-9]{4}-?[0-9]{2}-?[0-9]{2}.?[0-9]*", fullmatch=True))
def test_no_date_comes_from_anywhere_but_the_name(name: str) -> None:
    try:
        moment = Dating().of(Path(f"{name}.tif"), {})
    except BadInput:
        return
    assert all(f"{part:02}" in name for part in (moment.year, moment.month, moment.day))
