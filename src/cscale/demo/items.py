"""STAC items and collections of a demonstration's archives."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rasterio.warp import transform_bounds, transform_geom

from cscale.demo.scenes import BANDS, CLASSES, NO_DATA, Cube, Origin

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = [
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
]
_STAC_VERSION = "1.1.0"
_SCALE, _OFFSET = 0.0001, 0  # before baseline 04.00 reflectance had no offset
_CLASSES_SAID = (
    "Sen2Cor scene classification: 2 dark, 3 cloud shadow, 4 vegetation, 5 bare, 6 water, 7 unclassified, "
    "8 and 9 cloud of medium and high probability, 10 thin cirrus, 11 snow"
)


def item_id(origin: Origin, cube: Cube, day: date) -> str:
    """The id of a scene, made from place and date; a copy elsewhere has the same."""
    kind = "SIMULATED" if origin.simulated else "S2"
    resolution = "" if cube.pixel == 10 else f"_{cube.pixel}M"
    return f"{kind}_{origin.place}_{day:%Y%m%d}{resolution}"


def scene_item(origin: Origin, cube: Cube, index: int, collection: str) -> dict[str, Any]:
    """The STAC item of a scene, its assets beside it, its collection two folders up."""
    day = cube.days[index]
    crs = f"EPSG:{cube.epsg}"
    west, south, east, north = cube.box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = transform_geom(crs, "EPSG:4326", {"type": "Polygon", "coordinates": [ring]}, precision=7)
    corners = geometry["coordinates"][0]
    longitudes, latitudes = zip(*corners, strict=True)
    return {
        "type": "Feature",
        "stac_version": _STAC_VERSION,
        "stac_extensions": _EXTENSIONS,
        "id": item_id(origin, cube, day),
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]},
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "properties": {
            "title": f"{origin.title}, {day}, {cube.pixel} m",
            "description": origin.notice.format(year=day.year),
            "datetime": f"{day}T00:00:00Z",
            "start_datetime": f"{day}T00:00:00Z",
            "end_datetime": f"{day}T23:59:59Z",
            **({} if origin.simulated else {"constellation": "sentinel-2", "instruments": ["msi"]}),
            "gsd": cube.pixel,
            "eo:cloud_cover": cube.cloud_cover(index),
            "eo:snow_cover": cube.snow_cover(index),
            "proj:code": crs,
            "proj:shape": list(cube.size),
            "proj:transform": list(cube.transform),
            "cscale:id_from": ["place", "date"],
            "cscale:simulated": origin.simulated,
        },
        "assets": {key: _asset(key) for key in cube.values},
        "links": [
            {"rel": "collection", "href": "../../collection.json", "type": "application/json"},
            {"rel": "license", "href": origin.licence_url, "title": origin.licence},
        ],
    }


def _asset(key: str) -> dict[str, Any]:
    asset: dict[str, Any] = {"href": f"{key}.tif", "type": COG, "nodata": NO_DATA, "roles": ["data"]}
    if key == CLASSES:
        return asset | {"title": "Scene classification", "description": _CLASSES_SAID, "data_type": "uint8"}
    band = BANDS[key]
    return asset | {
        "title": f"{key}, {band.common}: surface reflectance",
        "data_type": "uint16",
        "raster:scale": _SCALE,
        "raster:offset": _OFFSET,
        "bands": [
            {"name": key, "eo:common_name": band.common, "eo:center_wavelength": band.wavelength},
        ],
        "roles": ["data", "reflectance"],
    }


def scene_collection(
    origin: Origin, cube: Cube, indices: Sequence[int], collection: str, host: Mapping[str, Any]
) -> dict[str, Any]:
    """The STAC collection of an archive's scenes.

    Args:
        origin: Where they come from.
        cube: The scenes.
        indices: Those that the archive holds, ascending.
        collection: Its id.
        host: The archive as a STAC Provider.
    """
    clouds = [cube.cloud_cover(index) for index in indices]
    return {
        "type": "Collection",
        "stac_version": _STAC_VERSION,
        "stac_extensions": _EXTENSIONS,
        "id": collection,
        "title": f"{origin.title}, {cube.pixel} m",
        "description": f"{origin.description} An id holds {origin.place_said}.",
        "license": origin.licence,
        "keywords": list(origin.keywords),
        "providers": [*origin.providers, host],
        "extent": {
            "spatial": {"bbox": [list(transform_bounds(f"EPSG:{cube.epsg}", "EPSG:4326", *cube.box))]},
            "temporal": {
                "interval": [
                    [f"{cube.days[indices[0]]}T00:00:00Z", f"{cube.days[indices[-1]]}T23:59:59Z"],
                ]
            },
        },
        "summaries": {
            "gsd": [cube.pixel],
            "proj:code": [f"EPSG:{cube.epsg}"],
            "eo:cloud_cover": {"minimum": min(clouds), "maximum": max(clouds)},
        },
        "item_assets": {key: _template(key) for key in cube.values},
        "links": [{"rel": "license", "href": origin.licence_url, "title": origin.licence}],
    }


def _template(key: str) -> dict[str, Any]:
    return {name: value for name, value in _asset(key).items() if name != "href"}
