"""GeoTIFF and COG files as STAC items, by rio-stac. A date is read or refused, never made up."""

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy
import rasterio
import rasterio.warp
import rio_stac
import shapely
from shapely.geometry import mapping

from cscale.archive.folders import percent_encoded
from cscale.errors import BadInput
from cscale.stac import times
from cscale.stac.geometry import bounds_of, planar
from cscale.stac.items import Item

DATE_PATTERN = (
    r"(?<!\d)(?P<year>19\d\d|20\d\d)[-_]?(?P<month>0[1-9]|1[0-2])[-_]?(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:[T_-]?(?P<hour>[01]\d|2[0-3])[-_:]?(?P<minute>[0-5]\d)[-_:]?(?P<second>[0-5]\d))?(?!\d)"
)
"""A date, perhaps with a time, in a file's name."""

_POINTS_AN_EDGE = 21
_BEND = 1e-4  # by how much of its size an outline may be off where it is bent
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TAGS = ("ACQUISITIONDATETIME", "ACQUISITION_DATETIME", "SENSING_TIME", "TIFFTAG_DATETIME")


@dataclass(frozen=True, slots=True)
class Dating:
    """How to date a file that is not an item.

    Attributes:
        fixed: The date of all files, RFC 3339 or a day; None to look into each.
        pattern: A regular expression for file names with the groups year, month, day and, if known,
            hour, minute, second; None for the usual ways to write a date.
    """

    fixed: str | None = None
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.fixed is not None and _DAY.fullmatch(self.fixed):
            object.__setattr__(self, "fixed", f"{self.fixed}T00:00:00Z")
        if self.fixed is not None:
            times.instant(self.fixed)
        if self.pattern is not None:
            _check_pattern(self.pattern)

    def of(self, path: Path, tags: dict[str, str]) -> datetime:
        """The time of a file, in UTC.

        Raises:
            BadInput: If neither option, name nor tags tell it, or the name tells two.
        """
        if self.fixed is not None:
            return _moment(self.fixed)
        named = {
            _from_match(match) for match in re.finditer(self.pattern or DATE_PATTERN, path.stem, re.ASCII)
        }
        if len(named) > 1:
            shown = ", ".join(sorted(moment.isoformat() for moment in named))
            raise BadInput(
                f"its name holds several dates ({shown}); choose with --date-pattern or --datetime"
            )
        if named:
            return named.pop()
        for tag in _TAGS:
            if tag in tags and (moment := _from_tag(tags[tag])) is not None:
                return moment
        raise BadInput(
            "no date: neither its name nor its tags tell when it was taken; say so with --datetime, "
            "or with --date-pattern how its name does"
        )


def _check_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise BadInput(f"--date-pattern: not a regular expression ({error})") from error
    if not {"year", "month", "day"} <= groups.keys():
        raise BadInput("--date-pattern: it needs the groups (?P<year>..), (?P<month>..) and (?P<day>..)")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(times.text_of(times.instant(text)))


def _from_match(match: re.Match[str]) -> datetime:
    parts = {name: int(text) for name, text in match.groupdict().items() if text}
    try:
        if parts["year"] < 1000:
            raise ValueError("a year has four digits")
        return datetime(**parts, tzinfo=UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{match.group()!r} in its name is no date: {error}") from error


def _from_tag(text: str) -> datetime | None:
    """The time of a TIFF tag: RFC 3339, or `YYYY:MM:DD HH:MM:SS` as TIFF 6.0 writes it."""
    shown = re.sub(r"^(\d{4}):(\d\d):(\d\d)", r"\1-\2-\3", text.strip(), flags=re.ASCII)
    try:
        return _moment(shown if len(shown) > 10 else f"{shown}T00:00:00Z")
    except BadInput:
        return None


def read_geotiff(path: Path, dating: Dating) -> Item:
    """The STAC item of a GeoTIFF.

    Its id is the file's name without suffix, its one asset is `data`; the geometry is the raster's
    outline in longitude and latitude, cut at the antimeridian.

    Raises:
        BadInput: If it cannot be read, lies nowhere on Earth, or has no date.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of no use to whoever ingests a thousand files
            with rasterio.open(path, driver="GTiff") as source:  # others would follow what files name
                return _item(source, path, dating)
    except BadInput:
        raise
    except Exception as error:  # GDAL's own errors have no public base
        raise BadInput(f"not a GeoTIFF that can be read: {error}") from error


def _item(source: rasterio.DatasetReader, path: Path, dating: Dating) -> Item:
    if source.crs is None:
        raise BadInput("it has no coordinate reference system, so it lies nowhere")
    outline = planar({"type": "Polygon", "coordinates": [outline_of(source)]})
    described: Item = rio_stac.create_stac_item(
        source,
        input_datetime=dating.of(path, source.tags()),
        id=path.stem,
        asset_name="data",
        asset_roles=["data"],
        asset_media_type=_media_type(source),
        with_proj=True,
        with_raster=not any(kind.startswith("complex") for kind in source.dtypes),  # they have no histogram
        with_eo=True,
    ).to_dict()
    described["assets"]["data"]["href"] = f"./{percent_encoded(path.name)}"
    return described | {"geometry": mapping(outline), "bbox": bounds_of(outline).numbers()}


def outline_of(source: rasterio.DatasetReader) -> list[tuple[float, float]]:
    """The closed ring around a raster's pixels; longitudes run on beyond 180 where it crosses there.

    Raises:
        BadInput: If a corner lies nowhere on Earth.
    """
    edge = numpy.linspace(0.0, 1.0, _POINTS_AN_EDGE, endpoint=False)
    zero, one = numpy.zeros_like(edge), numpy.ones_like(edge)
    columns = numpy.concatenate([edge, one, 1 - edge, zero, [0.0]]) * source.width
    rows = numpy.concatenate([zero, edge, one, 1 - edge, [0.0]]) * source.height
    xs, ys = source.transform @ (columns, rows)
    longitudes, latitudes = numpy.array(rasterio.warp.transform(source.crs, "OGC:CRS84", xs, ys))
    if not (numpy.isfinite(longitudes).all() and (abs(latitudes) <= 90).all()):
        raise BadInput("its corners do not all lie on Earth")
    longitudes = numpy.unwrap(longitudes, period=360)
    ring = numpy.stack([longitudes, latitudes], axis=1)
    if abs(longitudes[-1] - longitudes[0]) > 180:  # once around: it holds a pole
        pole = math.copysign(90, latitudes.mean())
        ring = numpy.vstack([ring, [longitudes[-1], pole], [longitudes[0], pole], ring[0]])
    line = shapely.LineString(ring)
    return list(line.simplify(max(numpy.ptp(ring, axis=0)) * _BEND).coords)


def _media_type(source: rasterio.DatasetReader) -> str:
    structure: dict[str, str] = source.tags(ns="IMAGE_STRUCTURE")
    profile = "; profile=cloud-optimized" if structure.get("LAYOUT") == "COG" else ""
    return f"image/tiff; application=geotiff{profile}"


SUFFIXES: Sequence[str] = (".tif", ".tiff")
