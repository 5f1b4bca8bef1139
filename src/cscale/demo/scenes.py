"""What a demonstration shows: scenes of one place on two grids, and what must be said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint16]

CLASSES = "SCL"
"""The asset key of the scene classification."""
NO_DATA = 0
_CLOUDY = (8, 9, 10)
_SNOW = 11


@dataclass(frozen=True)
class Band:
    """A band of Sentinel-2's instrument.

    Attributes:
        name: As ESA names it in file names.
        common: As STAC's eo extension names it.
        wavelength: The nominal centre, in micrometres.
    """

    name: str
    common: str
    wavelength: float


BANDS: Mapping[str, Band] = {
    band.name: band
    for band in (
        Band("B02", "blue", 0.490),
        Band("B03", "green", 0.560),
        Band("B04", "red", 0.665),
        Band("B08", "nir", 0.842),
        Band("B8A", "nir08", 0.865),
        Band("B11", "swir16", 1.610),
    )
}


@dataclass(frozen=True, eq=False)
class Cube:
    """Scenes of one place on one grid.

    Attributes:
        epsg: The coordinate reference system, in metres.
        west: Its left edge.
        north: Its upper edge.
        pixel: The length of a pixel's side.
        days: When the scenes were taken, ascending.
        values: By band and `SCL`: days x rows x columns, rows from north to south; 0 is no data.
            Bands are surface reflectance times 10,000.
    """

    epsg: int
    west: float
    north: float
    pixel: int
    days: Sequence[date]
    values: Mapping[str, Numbers]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.values[CLASSES].shape[1:]
        return rows, columns

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """Column and row to x and y, as the projection extension writes it."""
        return (self.pixel, 0, self.west, 0, -self.pixel, self.north)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        rows, columns = self.size
        return (self.west, self.north - rows * self.pixel, self.west + columns * self.pixel, self.north)

    def cloud_cover(self, index: int) -> float:
        """Percent of a scene's pixels in cloud: classes 8 to 10, as ESA counts them for a whole product."""
        return self._share(index, _CLOUDY)

    def snow_cover(self, index: int) -> float:
        """Percent of a scene's pixels under snow or ice: class 11."""
        return self._share(index, (_SNOW,))

    def _share(self, index: int, wanted: Sequence[int]) -> float:
        classes = self.values[CLASSES][index]
        known = int(np.count_nonzero(classes))
        return round(100 * int(np.isin(classes, wanted).sum()) / known, 2) if known else 0.0


@dataclass(frozen=True)
class Origin:
    """Where scenes come from, and what has to be said of them.

    Attributes:
        name: One line for people.
        said: What else they are to know first.
        title: What a collection of them is called, without its resolution.
        description: What they are.
        place: What stands for the place in ids.
        place_said: How an id is made of it.
        notice: What each item says of itself; `{year}` stands for its year.
        licence: Its SPDX identifier.
        licence_url: Its text.
        providers: STAC Providers.
        keywords: For collections.
        simulated: Whether nobody has ever seen what they show.
    """

    name: str
    said: str
    title: str
    description: str
    place: str
    place_said: str
    notice: str
    licence: str
    licence_url: str
    providers: Sequence[Mapping[str, Any]]
    keywords: Sequence[str]
    simulated: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """All scenes of a demonstration.

    Attributes:
        origin: Where they come from.
        ten: Those at 10 m.
        twenty: Those at 20 m, of the same days.
        recipe: What they are made from; another one means other scenes.
    """

    origin: Origin
    ten: Cube
    twenty: Cube
    recipe: str
