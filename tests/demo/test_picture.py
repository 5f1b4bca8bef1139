"""The picture of a product."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

from cscale.demo.picture import draw
from cscale.errors import BadInput


def write(path: Path, *planes: Any) -> str:
    stacked = np.stack(planes).astype("uint16")
    profile = {"driver": "GTiff", "dtype": "uint16", "crs": "EPSG:3035", "nodata": 0}
    count, height, width = stacked.shape
    transform = from_origin(5e6, 3e6, 10, 10)
    with rasterio.open(
        path, "w", **profile, count=count, height=height, width=width, transform=transform
    ) as file:
        file.write(stacked)
    return str(path)


def read(path: Path) -> tuple[Any, dict[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            assert file.driver == "PNG"
            return file.read().astype(int), file.tags()


def quarters(corner: int) -> Any:
    """Dark but for one quarter: 0 upper left, 1 upper right, 2 lower left, 3 lower right."""
    plane = np.full((40, 40), 100)
    top, left = 20 * (corner // 2), 20 * (corner % 2)
    plane[top : top + 20, left : left + 20] = 3000
    return plane


@pytest.fixture
def bands(tmp_path: Path) -> list[str]:
    """Red is bright in the upper left, green upper right, blue lower left, infrared lower right."""
    return [write(tmp_path / f"{name}.tif", quarters(corner)) for corner, name in enumerate("rgbn")]


def test_each_band_has_its_colour_in_its_place(bands: list[str], tmp_path: Path) -> None:
    draw(bands[:3], "title", "notice", tmp_path / "picture.png")
    image, _ = read(tmp_path / "picture.png")
    assert image.shape == (3, 600, 600)
    assert [image[:, row, column].argmax() for row, column in ((150, 150), (150, 450), (450, 150))] == [
        0,
        1,
        2,
    ]
    assert image[:, 450, 450].max() < 30, "what is dark in all three is dark"


def test_with_infrared_there_is_false_colour_beside(bands: list[str], tmp_path: Path) -> None:
    draw(bands, "title", "notice", tmp_path / "picture.png")
    image, _ = read(tmp_path / "picture.png")
    false = image[:, :, -600:]
    places = ((450, 450), (150, 150), (150, 450))  # infrared, red and green are shown as red, green and blue
    assert [false[:, row, column].argmax() for row, column in places] == [0, 1, 2]


def test_hues_stay_in_true_colour(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(100, 2100, 40), (40, 1))
    places = [
        write(tmp_path / f"{n}.tif", 100 + (ramp - 100) * part) for n, part in enumerate((1, 0.5, 0.25))
    ]
    draw(places, "title", "notice", tmp_path / "picture.png")
    red, green, blue = read(tmp_path / "picture.png")[0][:, 300, 500]
    assert red > green > blue > 0


def test_no_data_is_black_and_does_not_spoil_the_rest(tmp_path: Path) -> None:
    plane = quarters(0)
    plane[:, 30:] = 0
    draw([write(tmp_path / "a.tif", plane)], "title", "notice", tmp_path / "picture.png")
    image, _ = read(tmp_path / "picture.png")
    assert image[:, :, 480:].max() == 0
    assert image[:, 100, 100].min() > 200


def test_one_file_of_three_bands_is_colours(tmp_path: Path) -> None:
    place = write(tmp_path / "visual.tif", quarters(0), quarters(1), quarters(2))
    draw([place], "title", "notice", tmp_path / "picture.png")
    image, _ = read(tmp_path / "picture.png")
    assert [image[:, row, column].argmax() for row, column in ((150, 150), (150, 450), (450, 150))] == [
        0,
        1,
        2,
    ]


def test_the_notice_travels_with_the_picture(bands: list[str], tmp_path: Path) -> None:
    draw(bands, "A forest", "Contains modified Copernicus Sentinel data 2018", tmp_path / "picture.png")
    _, tags = read(tmp_path / "picture.png")
    assert "Contains modified Copernicus Sentinel data 2018" in " ".join(tags.values())


def test_a_simulated_picture_is_stamped(bands: list[str], tmp_path: Path) -> None:
    draw(bands, "title", "notice", tmp_path / "plain.png")
    draw(bands, "title", "notice", tmp_path / "stamped.png", simulated=True)
    plain, stamped = (read(tmp_path / name)[0] for name in ("plain.png", "stamped.png"))
    changed = (plain != stamped).any(axis=0)
    assert changed[-42:, :222].mean() > 0.5, "it stands in the lower left corner"
    assert not changed[:-42].any()
    assert not changed[:, 222:].any()


def test_what_is_no_raster_is_refused_and_no_picture_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("no raster")
    with pytest.raises(BadInput, match="cannot be drawn"):
        draw([str(tmp_path / "a.tif")], "title", "notice", tmp_path / "picture.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
