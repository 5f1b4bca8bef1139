"""The tutorial, followed word by word by somebody with two GeoTIFFs and nothing else."""

from pathlib import Path

import numpy
import rasterio
from rasterio.transform import from_origin

from tests.docs.following import blocks, reading
from tests.ports import free_port

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-site.md"


def test_from_a_folder_of_geotiffs_to_a_site_that_stac_clients_and_gdal_read(tmp_path: Path) -> None:
    home, port = tmp_path / "home", str(free_port())
    home.mkdir()
    for day in ("2020-06-01", "2020-06-11"):
        profile = {
            "driver": "GTiff",
            "width": 8,
            "height": 8,
            "count": 1,
            "dtype": "uint8",
            "crs": "EPSG:32633",
        }
        with rasterio.open(
            home / f"field_{day}.tif", "w", **profile, transform=from_origin(500000, 5100000, 10, 10)
        ) as file:
            file.write(numpy.full((1, 8, 8), 7, "uint8"))
    printed = []
    with reading(home, f"http://127.0.0.1:{port}") as reader:
        for language, content in blocks(PAGE):
            text = content.replace("8320", port)
            if language == "yaml":
                (reader.folder / "site.yaml").write_text(text)
            elif language == "text":
                assert reader.printed.startswith(text.strip()), f"the page promises {text!r}"
            elif language == "python":
                reader.python(text)
                printed.append(reader.printed)
            else:
                reader.run(text)
                printed.append(reader.printed)
    table, listed, raster = printed[-3:]
    assert "field_2020-06-01" in table
    assert listed.strip() == f"field_2020-06-11 http://127.0.0.1:{port}/data/scenes/field_2020-06-11.tif"
    assert '"crs": "EPSG:32633"' in raster
