"""A picture of a product: true colour, and beside it false colour, where plants shine red."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from cscale.errors import BadInput

Plane = NDArray[np.float64]
Image = NDArray[np.uint8]

_SIDE = 600
_GAP = 8
_LOW, _HIGH = 1, 99.2
_GAMMA = 0.75
# Over HTTP: ask for the file itself only, and read little.
_READING = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff,.jp2",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_PROXY": "",  # the archives are on this machine
}


def draw(places: Sequence[str], title: str, notice: str, to: Path, *, simulated: bool = False) -> None:
    """Draw a picture of a product.

    Args:
        places: Files or addresses of its red, green, blue and near infrared; the last may be left out.
            One alone is drawn as what it is: its first three bands as colours, or one in grey.
        title: What it shows; kept in the file.
        notice: What has to be said of it; kept in the file.
        to: The PNG file to make.
        simulated: Write SIMULATED across it.

    Raises:
        BadInput: If a file cannot be read.
    """
    planes = _read(places)
    views = [_stretched(planes[:3] if len(planes) >= 3 else planes[:1] * 3)]
    if len(planes) == 4:
        views.append(_stretched([planes[3], planes[0], planes[1]], apart=True))
    image = _side_by_side(views)
    if simulated:
        _stamp(image, "SIMULATED")
    aside = to.with_name(f".{to.stem}.part.png")
    bands, height, width = image.shape
    texts = {"title": title, "copyright": notice, "software": "cscale demo"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture lies nowhere
        with rasterio.open(
            aside, "w", driver="PNG", height=height, width=width, count=bands, dtype="uint8", **texts
        ) as file:
            file.write(image)
    aside.replace(to)


def _read(places: Sequence[str]) -> list[Plane]:
    """The planes, all of one size, enlarged or reduced to fit; no data is not a number."""
    planes: list[Plane] = []
    try:
        with rasterio.Env(**_READING):
            for place in places:
                with rasterio.open(place) as file:
                    bands = [1, 2, 3] if len(places) == 1 and file.count >= 3 else [1]
                    scale = _SIDE / max(file.height, file.width)
                    shape = (len(bands), round(file.height * scale), round(file.width * scale))
                    way = Resampling.cubic if scale > 1 else Resampling.average
                    found: Any = file.read(bands, out_shape=shape, resampling=way, masked=True)
                    planes += list(found.astype(float).filled(np.nan))
    except (RasterioError, rasterio.RasterioIOError) as error:
        raise BadInput(f"{place}: cannot be drawn: {error}") from error
    return planes


def _stretched(planes: Sequence[Plane], *, apart: bool = False) -> Image:
    """Planes as an image, each from its own darkness on.

    With one brightness for all, hues stay; with planes `apart`, each has its own.
    """
    stacked = np.stack(planes)
    if not np.isfinite(stacked).any():
        return np.zeros(stacked.shape, np.uint8)
    dark = np.nanpercentile(stacked, _LOW, axis=(1, 2), keepdims=True)
    light = np.nanpercentile(stacked - dark, _HIGH, axis=(1, 2) if apart else None, keepdims=True)
    shown = np.clip((stacked - dark) / np.maximum(light, 1e-9), 0, 1) ** _GAMMA
    return np.nan_to_num(shown * 255).round().astype(np.uint8)


def _side_by_side(views: Sequence[Image]) -> Image:
    gap = np.full((3, views[0].shape[1], _GAP), 255, np.uint8)
    parts = [part for view in views for part in (gap, view)][1:]
    return np.concatenate(parts, axis=2)


# Letters of three by five, a row after the other, each row three bits.
_LETTERS = {
    "A": 0o25755, "D": 0o65556, "E": 0o74647, "I": 0o72227, "L": 0o44447, "M": 0o57755,
    "S": 0o34216, "T": 0o72222, "U": 0o55557,
}  # fmt: skip


def _stamp(image: Image, text: str) -> None:
    """Write in the lower left corner, white on black."""
    rows = np.zeros((7, 4 * len(text) + 1), np.uint8)
    for place, letter in enumerate(text):
        for row in range(5):
            bits = _LETTERS[letter] >> (3 * (4 - row)) & 7
            rows[row + 1, 4 * place + 1 : 4 * place + 4] = [255 * (bits >> shift & 1) for shift in (2, 1, 0)]
    large = np.kron(rows, np.ones((6, 6), np.uint8))
    image[:, -large.shape[0] :, : large.shape[1]] = large
