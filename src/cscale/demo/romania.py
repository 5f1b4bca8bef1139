"""Real scenes: a Romanian forest seen by Sentinel-2, from the package nrt of the Joint Research Centre."""

import hashlib
import subprocess
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from cscale.demo.scenes import CLASSES, Cube, Numbers, Origin, Source
from cscale.errors import BadConfiguration, BadInput, ChecksumMismatch, SiteError

_PACKAGE = "nrt==0.2.1"
_WHEEL = "nrt-0.2.1-py3-none-any.whl"
SHA256 = "cd0291f99ce91268a0d993f05be1c69678d62504b01d36e7124d0ff3a51b3ee9"
SIZE = 10_908_913
"""The wheel's length in bytes."""

# What the two files say of themselves; they are pinned, so it is stated here and checked by a test.
_EPOCH = date(2015, 8, 1)
_EPSG = 3035
_TEN = ("nrt/data/sentinel2_cube_subset_romania_10m.nc", 10, ("B2", "B3", "B4", "B8", CLASSES))
_TWENTY = ("nrt/data/sentinel2_cube_subset_romania_20m.nc", 20, ("B3", "B4", "B8A", "B11", CLASSES))
_KEYS = {"B2": "B02", "B3": "B03", "B4": "B04", "B8": "B08"}

_INSTEAD = "`cscale demo --simulated` shows generated scenes and `cscale demo --data DIR` your own"

ORIGIN = Origin(
    name="Sentinel-2 L2A over a forest in Romania",
    said=(
        "From the package nrt 0.2.1 of the Joint Research Centre, EUPL-1.2. Contains modified Copernicus\n"
        "Sentinel data 2015-2021. It carries no product names: ids are made from place and date."
    ),
    title="Sentinel-2 L2A over a forest in Romania",
    description=(
        "Surface reflectance of one square kilometre of forest in Romania (22.15 E, 45.20 N), cut out of "
        "Sentinel-2 L2A products and resampled to ETRS89-LAEA by the Joint Research Centre for its package "
        "nrt. The source carries dates without a time of day, and no product names: items stand at midnight "
        "UTC and span their day, and their ids are made from place and date. eo:cloud_cover and "
        "eo:snow_cover are counted in the cut-out itself, from the scene classification."
    ),
    place="E5272N2532",
    place_said="the cell of the European 1 km reference grid that holds the centre, and the date",
    notice=(
        "Contains modified Copernicus Sentinel data {year}. A cut-out of one square kilometre from the "
        "package nrt 0.2.1 (European Union, Joint Research Centre; EUPL-1.2). The id is made from place and "
        "date: the source carries no product name, and no time of day."
    ),
    licence="EUPL-1.2",
    licence_url="https://eupl.eu/1.2/en/",
    providers=(
        {
            "name": "European Union, Copernicus; European Space Agency",
            "roles": ["producer", "licensor"],
            "url": "https://sentinels.copernicus.eu/",
            "description": "Contains modified Copernicus Sentinel data 2015-2021.",
        },
        {
            "name": "European Union, Joint Research Centre",
            "roles": ["processor", "licensor"],
            "url": "https://github.com/ec-jrc/nrt",
            "description": "Cut out and resampled for the package nrt 0.2.1, under EUPL-1.2.",
        },
    ),
    keywords=("Copernicus", "Sentinel-2", "MSI", "L2A", "surface reflectance", "forest", "Romania"),
)


def fetch(cache: Path, started: Callable[[], None] = lambda: None) -> Path:
    """The wheel that holds the scenes: from the cache, else by pip into it.

    Args:
        cache: A folder for what is fetched once; made if there is none.
        started: Called before anything is fetched.

    Raises:
        SiteError: If it is not in the cache and pip cannot fetch it.
        ChecksumMismatch: If what pip was given is not the file that is wanted.
        BadConfiguration: If the cache cannot be written to.
    """
    wheel = cache / _WHEEL
    if not _is_right(wheel):
        started()
        with _folder_in(cache) as aside:
            fetched = _download(aside)
            if not _is_right(fetched):
                raise ChecksumMismatch(f"{_PACKAGE}: what pip fetched is not the file wanted; nothing kept")
            fetched.replace(wheel)
    return wheel


@contextmanager
def _folder_in(cache: Path) -> Iterator[Path]:
    """A folder for half of a download."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-")
    except OSError as error:
        raise BadConfiguration(
            f"the cache {cache}: {error.strerror}; name another place in XDG_CACHE_HOME"
        ) from error
    with folder as aside:
        yield Path(aside)


def _is_right(wheel: Path) -> bool:
    with suppress(OSError), wheel.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == SHA256
    return False


def _download(folder: Path) -> Path:
    """Let pip, as this machine has it set up, fetch the wheel, by its hash and nothing else."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{_PACKAGE} --hash=sha256:{SHA256}\n")
    command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
               "--no-input", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--retries", "1",
               "--dest", str(folder), "--requirement", str(wanted)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        said = done.stdout + done.stderr
        if "DO NOT MATCH THE HASHES" in said:
            raise ChecksumMismatch(f"{_PACKAGE}: pip was offered another file of that name; nothing kept")
        raise SiteError(
            f"the demo's Sentinel-2 scenes ({_PACKAGE}, {SIZE / 1e6:.0f} MB) are not in the cache and pip "
            f"cannot fetch them ({_reason(said)}); without a network, {_INSTEAD}"
        )
    return folder / _WHEEL


def _reason(said: str) -> str:
    """What pip means, in a few words."""
    if "connection" in said.lower():
        return "it gets no connection to its package index"
    lines = [line.removeprefix("ERROR: ").strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"


def read(wheel: Path) -> Source:
    """The scenes in the wheel.

    Raises:
        BadInput: If they are not what is expected there.
    """
    with zipfile.ZipFile(wheel) as archive:
        ten, twenty = (_cube(archive.read(name), pixel, bands) for name, pixel, bands in (_TEN, _TWENTY))
    if ten.days != twenty.days:
        raise BadInput(f"{wheel}: the scenes at 10 m and at 20 m are not of the same days")
    return Source(ORIGIN, ten, twenty, SHA256)


def _cube(content: bytes, pixel: int, names: tuple[str, ...]) -> Cube:
    """The scenes of one netCDF-4 file.

    It is read as the HDF5 that it is: GDAL's netCDF driver does not recognise its coordinates, and
    turns such files upside down.
    """
    with MemoryFile(content, ext=".nc") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        found = {name: _variable(file.name, name) for name in ("time", "x", "y", *names)}
    x, y, days = (found.pop(name).ravel() for name in ("x", "y", "time"))
    values: Mapping[str, Numbers] = {_KEYS.get(name, name): band for name, band in found.items()}
    return Cube(
        epsg=_EPSG,
        west=float(x[0]) - pixel / 2,  # x and y are the pixels' centres
        north=float(y[0]) + pixel / 2,
        pixel=pixel,
        days=tuple(_EPOCH + timedelta(int(day)) for day in days),
        values=values,
    )


def _variable(path: str, name: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint16]]":
    with rasterio.open(f'HDF5:"{path}"://{name}') as variable:
        return np.asarray(variable.read())
