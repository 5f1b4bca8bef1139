"""Sentinel-5P files with the structure of the real ones, made of what items of the real ones tell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import msgspec
import numpy
import pytest
from shapely.geometry import shape

from cscale.catalogue.products import is_product, read_product
from cscale.errors import BadInput
from cscale.stac import times
from cscale.stac.items import Item

FOLDER = "discovery/s5p_stactools"
NRTI = "S5P_NRTI_L2__NO2____20210827T012135_20210827T012635_20056_02_020200_20210827T021525"
CH4 = "S5P_OFFL_L2__CH4____20210915T130938_20210915T145107_20333_02_020200_20210917T070031"
NO2 = "S5P_OFFL_L2__NO2____20200303T013547_20200303T031717_12367_01_010302_20200306T053815"
OUTLINE = "om:featureOfInterest/eop:multiExtentOf/gml:surfaceMembers/gml:exterior"

Make = Callable[..., Path]


def detail(properties: dict[str, Any], name: str) -> Any:
    """A detail of a product, which items of two generations hold in two places."""
    kind = "ch4" if "ch4:input_band" in properties else "no2"
    return properties.get(f"s5p:{kind}", {}).get(name, properties.get(f"{kind}:{name}"))


def numbered(values: Any) -> list[str]:
    return [values] if isinstance(values, str) else list(values or [])


def write(path: Path, item: Item) -> None:
    """A file of an item: its outline as it was before it was cut, attributes where real ones have them."""
    properties = item["properties"]
    ring = [place for place in item["geometry"]["coordinates"][0] if abs(place[0]) != 180]
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = "CF-1.7"
        file.attrs["title"] = numpy.bytes_("TROPOMI/S5P NO2 1-Orbit L2 Swath 5.5x3.5km")
        file.attrs["orbit"] = numpy.array([properties["sat:absolute_orbit"]], dtype="int32")
        file.attrs["time_coverage_start"] = properties["start_datetime"]
        file.attrs["time_coverage_end"] = properties["end_datetime"]
        file.attrs["date_created"] = "2021-09-17T07:05:38Z"
        file.attrs["institution"] = "KNMI"
        file.attrs["spatial_resolution"] = "5.5x3.5km2" if "NO2" in path.name else "5.5x7.0km2"
        grid = numpy.array([detail(properties, "geolocation_grid_from_band")], "int32")
        file.attrs["geolocation_grid_from_band"] = grid
        file.attrs["processor_version"] = "2.2.0"
        metadata = file.create_group("METADATA/EOP_METADATA")
        metadata.create_group(OUTLINE).attrs["gml:posList"] = " ".join(f"{y} {x}" for x, y in ring)
        processing = metadata.create_group("eop:metaDataProperty/eop:processing")
        processing.attrs["eop:processingMode"] = properties["s5p:processing_mode"]
        processing.attrs["eop:processingCenter"] = "PDGS-OP"
        processing.attrs["eop:processorName"] = "TROPNLL2DP"
        settings = file.create_group("METADATA/ALGORITHM_SETTINGS")
        for number, band in enumerate(numbered(detail(properties, "input_band")), 1):
            settings.attrs[f"input.{number}.type"] = numpy.bytes_(band)
        for number, light in enumerate(numbered(detail(properties, "irradiance_accompanied")), 1):
            settings.attrs[f"input.{number}.irrType"] = light
        for name, size in zip(("scanline", "ground_pixel"), properties["s5p:shape"], strict=True):
            file.create_dataset(f"PRODUCT/{name}", data=numpy.arange(size, dtype="int32"))


@pytest.fixture
def make(real: Callable[[str], Path], tmp_path: Path) -> Make:
    def made(name: str, called: str | None = None) -> Path:
        path = tmp_path / f"{called or name}.nc"
        write(path, msgspec.json.decode(real(f"{FOLDER}/{name}.json").read_bytes()))
        return path

    return made


@pytest.mark.parametrize(
    ("name", "collection"),
    [(NRTI, "sentinel-5p-l2-no2"), (CH4, "sentinel-5p-l2-ch4"), (NO2, "sentinel-5p-l2-no2")],
)
def test_an_item_holds_what_that_of_the_real_file_does(
    make: Make, real: Callable[[str], Path], name: str, collection: str
) -> None:
    theirs = msgspec.json.decode(real(f"{FOLDER}/{name}.json").read_bytes())["properties"]
    path = make(name)
    assert is_product(path)
    item, base, missing = read_product(path)
    ours = item["properties"]
    assert (item["id"], item["collection"], base, missing) == (name, collection, path.parent, ())
    for moment in ("datetime", "start_datetime", "end_datetime"):
        assert times.instant(ours[moment]) == times.instant(theirs[moment])
    for same in ("sat:absolute_orbit", "sat:platform_international_designator", "s5p:shape"):
        assert ours[same] == theirs[same]
    for same in ("s5p:processing_mode", "s5p:product_type"):
        assert ours[same] == theirs[same]
    kind = "ch4" if "CH4" in name else "no2"
    details = ours[f"s5p:{kind}"]
    assert details["input_band"] == detail(theirs, "input_band")
    assert details["geolocation_grid_from_band"] == detail(theirs, "geolocation_grid_from_band")
    # the extension has room for one
    assert details["irradiance_accompanied"] == numbered(detail(theirs, "irradiance_accompanied"))[0]
    assert ours["platform"] == "sentinel-5p"
    assert ours["processing:facility"] == "PDGS-OP"
    assert ours["processing:software"] == {"TROPNLL2DP": "2.2.0"}
    [asset] = item["assets"].values()
    assert (base / asset["href"]).samefile(path)
    assert asset["file:size"] == path.stat().st_size


def test_the_day_side_of_an_orbit_covers_both_poles(make: Make, real: Callable[[str], Path]) -> None:
    """The items of the real files show it: one closed over the poles, the others left uncut."""
    theirs = shape(msgspec.json.decode(real(f"{FOLDER}/{NO2}.json").read_bytes())["geometry"])
    item = read_product(make(NO2)).item
    ours = shape(item["geometry"])
    assert item["bbox"] == [-180, -90, 180, 90]
    assert ours.intersection(theirs).area / ours.union(theirs).area > 0.9999
    item = read_product(make(NRTI)).item
    assert item["bbox"] == pytest.approx([167.41608, -11.037706, -164.66273, 12.360609])
    assert item["geometry"]["type"] == "MultiPolygon"
    assert shape(read_product(make(CH4)).item["geometry"]).is_valid


def test_a_file_without_an_outline_is_a_box_or_refused(make: Make) -> None:
    path = make(NRTI)
    with h5py.File(path, "a") as file:
        del file["METADATA/EOP_METADATA"]
    with pytest.raises(BadInput, match="has no footprint"):
        read_product(path)
    with h5py.File(path, "a") as file:
        for name, value in {"lon_min": 170.0, "lat_min": -11.0, "lon_max": -170.0, "lat_max": 12.0}.items():
            file.attrs[f"geospatial_{name}"] = numpy.float32(value)
    assert read_product(path).item["bbox"] == [170, -11, -170, 12]


def test_links_out_of_a_file_are_not_followed(make: Make, tmp_path: Path) -> None:
    other = make(NRTI)
    path = tmp_path / f"{NO2}.nc"
    with h5py.File(path, "w") as file, h5py.File(other) as whole:
        for name, value in whole.attrs.items():
            file.attrs[name] = value
        file["METADATA"] = h5py.ExternalLink(str(other), "METADATA")
    with pytest.raises(BadInput, match="has no footprint"):
        read_product(path)


def test_a_file_by_another_name_is_no_product(make: Make) -> None:
    path = make(NRTI, "renamed")
    assert not is_product(path)
    with pytest.raises(BadInput, match="not the name of a Sentinel-5P product"):
        read_product(path)


@pytest.mark.parametrize("cut", [0, 1, 100, 700, 2000, 5000])
def test_a_file_cut_short_is_refused(make: Make, cut: int) -> None:
    path = make(NRTI)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadInput, match=r"not a netCDF-4 file|has no"):
        read_product(path)


def test_attributes_of_the_wrong_kind_are_refused(make: Make) -> None:
    for name, value in {"orbit": "many", "time_coverage_start": 7, "date_created": "yesterday"}.items():
        path = make(NRTI)
        with h5py.File(path, "a") as file:
            file.attrs[name] = value
        with pytest.raises(BadInput, match=path.name):
            read_product(path)
