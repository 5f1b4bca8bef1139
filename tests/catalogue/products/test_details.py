"""What single parts of products tell: values, grids, swaths, names; and what is left out without them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cscale.catalogue.products import Product, read_product
from cscale.catalogue.products.manifest import multihash
from cscale.catalogue.products.sentinel2.bands import image_key

S2 = "discovery/s2_safe"
SINCE = f"{S2}/S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE"
BEFORE = f"{S2}/S2A_MSIL2A_20190212T192651_N0212_R013_T07HFE_20201007T160857.SAFE"
LEVEL_1 = f"{S2}/S2A_MSIL1C_20210908T042701_N0301_R133_T46RER_20210908T070248.SAFE"
WIDE = "discovery/safe_manifests/S1B_IW_SLC__1SDV_20210401T052622_20210401T052650_026269_032297_EFA4.SAFE"
ROME = "sar/sarsen_rome/S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE"
COLOUR = (
    "discovery/safe_manifests/S3A_OL_2_WFR____20210604T001016_20210604T001316_20210604T021918_0179_072_273_1440"
    "_MAR_O_NR_003.SEN3"
)
ANNOTATION = """<product><imageInformation><rangePixelSpacing>{}</rangePixelSpacing>
<azimuthPixelSpacing>1.4e+01</azimuthPixelSpacing><numberOfSamples>22000</numberOfSamples>
<numberOfLines>13000</numberOfLines></imageInformation></product>"""

Complete = Callable[[str], Product]
Copied = Callable[..., Path]


def with_files(path: Path, *patterns: str) -> Product:
    """A copied product, where the missing files that match are there."""
    for missing in read_product(path).missing:
        if any(re.search(pattern, missing) for pattern in patterns):
            (path / missing).parent.mkdir(parents=True, exist_ok=True)
            (path / missing).touch()
    return read_product(path)


def test_reflectances_have_an_offset_since_baseline_4(complete: Complete) -> None:
    since, before = (complete(name).item["assets"] for name in (SINCE, BEFORE))
    [red] = since["red"]["raster:bands"]
    assert (red["scale"], red["offset"], red["nodata"]) == (0.0001, -0.1, 0)
    assert before["red"]["raster:bands"][0]["offset"] == 0
    assert since["aot"]["raster:bands"][0] | {"nodata": 0} == since["aot"]["raster:bands"][0]
    assert (since["aot"]["raster:bands"][0]["scale"], since["wvp"]["raster:bands"][0]["unit"]) == (
        0.001,
        "cm",
    )
    assert [each["value"] for each in since["scl"]["raster:bands"][0]["classification:classes"]] == list(
        range(12)
    )


@pytest.mark.parametrize(("told", "offset"), [("N0509", -0.1), ("N0400", -0.1), ("N0301", 0), ("N0214", 0)])
def test_without_the_products_metadata_the_offset_goes_by_the_baseline_in_the_name(
    copied: Copied, told: str, offset: float
) -> None:
    path = copied(SINCE, called=Path(SINCE).name.replace("N0509", told))
    (path / "MTD_MSIL2A.xml").unlink()
    product = with_files(path, r"B04_10m\.jp2$")
    assert product.item["assets"]["red"]["raster:bands"][0]["offset"] == offset
    assert product.item["properties"]["s2:processing_baseline"] == f"{told[1:3]}.{told[3:]}"
    assert "MTD_MSIL2A.xml" in product.missing


def test_an_offset_of_one_band_is_of_that_band(copied: Copied) -> None:
    path = copied(SINCE)
    told = path / "MTD_MSIL2A.xml"
    text = told.read_bytes()
    told.write_bytes(text.replace(b'band_id="3">-1000', b'band_id="3">-500'))
    assets = with_files(path, r"B0[34]_10m\.jp2$").item["assets"]
    assert assets["red"]["raster:bands"][0]["offset"] == -0.05
    assert assets["green"]["raster:bands"][0]["offset"] == -0.1


def test_images_lie_where_the_tile_says(complete: Complete) -> None:
    assets = complete(SINCE).item["assets"]
    assert assets["red"]["proj:transform"] == [10, 0, 300000, 0, -10, 7400040]
    assert assets["red_60m"]["proj:shape"] == [1830, 1830]
    assert assets["preview"]["proj:bbox"] == [300000, 7290280, 409760, 7400040]
    assert (
        "proj:shape" not in complete(LEVEL_1).item["assets"]["red"]
    )  # there the tile's metadata tell nothing


def test_the_name_in_the_metadata_is_the_products_whatever_its_folder_is_called(copied: Copied) -> None:
    assert read_product(copied(SINCE, called="renamed")).item["id"] == Path(SINCE).stem


def test_without_the_tiles_metadata_the_item_does_without_them(copied: Copied) -> None:
    path = copied(SINCE)
    granule = next(path.rglob("MTD_TL.xml"))
    granule.unlink()
    item, _, missing = read_product(path)
    assert str(granule.relative_to(path)) in missing
    assert "view:sun_azimuth" not in item["properties"]
    assert item["properties"]["proj:code"] == "EPSG:32601"
    assert item["properties"]["eo:cloud_cover"] == pytest.approx(15.047897)
    assert not any("/view/" in url for url in item["stac_extensions"])


def test_angles_of_bands_that_saw_nothing_are_left_out(copied: Copied) -> None:
    path = copied(BEFORE)
    granule = next(path.rglob("MTD_TL.xml"))
    text = granule.read_bytes()
    granule.write_bytes(re.sub(rb'(<ZENITH_ANGLE unit="deg">)[\d.]+', rb"\1NaN", text))
    properties = read_product(path).item["properties"]
    assert "view:incidence_angle" not in properties
    assert "view:sun_elevation" not in properties
    assert properties["s2:water_percentage"] == 48.349833


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("GRANULE/x/IMG_DATA/T32TPS_20170105T102402_B8A.jp2", "nir08"),
        ("GRANULE/x/IMG_DATA/R20m/L2A_T32TPS_20170105T102402_B02_20m.jp2", "blue_20m"),
        ("GRANULE/x/IMG_DATA/R20m/T32TPS_20170105T102402_SCL_20m.tif", "scl"),
        ("GRANULE/x/QI_DATA/MSK_CLDPRB_20m.jp2", "cloud"),
        ("GRANULE/x/QI_DATA/MSK_SNWPRB_60m.jp2", "snow_60m"),
        ("GRANULE/x/QI_DATA/T32TPS_20170105T102402_PVI.jp2", "preview"),
        ("GRANULE/x/QI_DATA/MSK_DETFOO_B02.jp2", None),
        ("GRANULE/x/QI_DATA/MSK_QUALIT_B8A.jp2", None),
        ("R60m/B01.jp2", "coastal"),
        ("R10m/TCI.jp2", "visual"),
        ("B99.jp2", None),
        ("INSPIRE.xml", None),
    ],
)
def test_images_are_known_by_their_names(path: str, key: str | None) -> None:
    assert image_key(path) == key


def test_swaths_have_their_own_pixels(copied: Copied) -> None:
    path = copied(WIDE)
    product = with_files(path, r"\.tiff$")
    assert {f"iw{swath}-{side}" for swath in (1, 2, 3) for side in ("vv", "vh")} <= product.item[
        "assets"
    ].keys()
    for missing in product.missing:
        if match := re.fullmatch(r"annotation/s1b-iw(\d)-.*\.xml", missing):
            (path / "annotation").mkdir(exist_ok=True)
            (path / missing).write_text(ANNOTATION.format(f"2.{match[1]}"))
    item = read_product(path).item
    spacings = {key: item["assets"][key]["sar:pixel_spacing_range"] for key in ("iw1-vv", "iw2-vh", "iw3-vv")}
    assert spacings == {"iw1-vv": 2.1, "iw2-vh": 2.2, "iw3-vv": 2.3}
    assert item["assets"]["iw2-vh"]["sar:polarizations"] == ["VH"]
    assert "sar:pixel_spacing_range" not in item["properties"]


def test_a_missing_measurement_file_is_told_and_its_asset_left_out(copied: Copied) -> None:
    path = copied(ROME)
    gone = [name for name in read_product(path).missing if re.fullmatch(r"measurement/.*-grd-vv-.*", name)]
    assert len(gone) == 1
    assert "vv" not in read_product(path).item["assets"]
    (path / "measurement").mkdir()
    (path / gone[0]).touch()
    item, _, missing = read_product(path)
    assert item["assets"]["vv"]["href"] == f"./{gone[0]}"
    assert item["assets"]["vv"]["file:checksum"].startswith("d50110")
    assert gone[0] not in missing


def test_colours_have_the_wavelengths_that_the_manifest_tells(complete: Complete) -> None:
    assets = complete(COLOUR).item["assets"]
    [band] = assets["oa01-reflectance"]["eo:bands"]
    assert band == {"name": "Oa01", "center_wavelength": 0.4, "full_width_half_max": 0.015}
    assert assets["oa01-reflectance"]["roles"] == ["data"]
    assert assets["tie-meteo"]["roles"] == ["metadata"]


def test_checksums_are_multihashes() -> None:
    assert multihash("MD5", "D41D8CD98F00B204E9800998ECF8427E") == "d50110d41d8cd98f00b204e9800998ecf8427e"
    assert multihash("SHA3-256", "ab" * 32) == "1620" + "ab" * 32
    assert multihash("SHA-256", "ab" * 32) == "1220" + "ab" * 32
    assert multihash("MD5", "ab" * 15) is None
    assert multihash("MD5", "xy" * 16) is None
    assert multihash("CRC32", "ab" * 4) is None
