"""Three archives out of one source, as partial as real ones, each under names of its own."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from cscale.app import SiteConfig
from cscale.archive.folders import Folders
from cscale.catalogue.ingest import Options, ingest
from cscale.catalogue.sqlite.schema import FORMAT
from cscale.demo.items import item_id, scene_collection, scene_item
from cscale.demo.scenes import CLASSES, NO_DATA, Cube, Numbers, Source
from cscale.errors import BadConfiguration, BadInput
from cscale.settings import load
from cscale.stac.times import instant

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""

TEN = "sentinel-2-l2a"
"""What the federation calls the scenes at 10 m."""
SHARED_YEAR = 2018
"""The year that alpha and beta both hold."""
_MADE = "made.json"
_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


@dataclass(frozen=True)
class Archive:
    """A site of the demonstration.

    Attributes:
        id: Its short name.
        title: Its name for people.
        holds: What it holds, in a few words.
        collection: Its own name for its collection.
        shown: The federation's name for that, or the same.
        files: The folder that it serves.
        licence: The licence of its data.
    """

    id: str
    title: str
    holds: str
    collection: str
    shown: str
    files: Path
    licence: str


@dataclass(frozen=True)
class Expected:
    """What a search must say of a product.

    Attributes:
        moment: Where it stands in time, in microseconds since 1970.
        sites: The ids of the archives that hold it, in order of configuration.
    """

    moment: int
    sites: tuple[str, ...]


Truth = Mapping[tuple[str, str], Expected]
"""All products, by the collection they are shown in and their id."""


@dataclass(frozen=True, eq=False)
class Share:
    """What of a source an archive holds.

    Attributes:
        archive: The archive.
        cube: The scenes it is cut from.
        indices: Which of them it holds, ascending.
    """

    archive: Archive
    cube: Cube
    indices: Sequence[int]


def cut(source: Source, folder: Path) -> list[Share]:
    """Who holds what: alpha the early years at 10 m, beta the late ones, gamma all years at 20 m."""
    years = [day.year for day in source.ten.days]
    early = [index for index, year in enumerate(years) if year <= SHARED_YEAR]
    late = [index for index, year in enumerate(years) if year >= SHARED_YEAR]
    first, last = years[0], years[-1]

    def share(name: str, span: str, collection: str, cube: Cube, indices: Sequence[int]) -> Share:
        title = f"{name.capitalize()} archive{' (SIMULATED scenes)' if source.origin.simulated else ''}"
        holds = f"{span} at {cube.pixel} m"
        shown = TEN if cube is source.ten else collection
        files, licence = folder / name / "data", source.origin.licence
        archive = Archive(name, title, holds, collection, shown, files, licence)
        return Share(archive, cube, indices)

    return [
        share("alpha", f"{first}-{SHARED_YEAR}", "S2_L2A", source.ten, early),
        share("beta", f"{SHARED_YEAR}-{last}", "SENTINEL2_L2A", source.ten, late),
        share("gamma", f"{first}-{last}", "S2_L2A_20M", source.twenty, range(len(years))),
    ]


def truth(source: Source, shares: Sequence[Share]) -> Truth:
    """What a search over all shares must find, as the source has it."""
    products: dict[tuple[str, str], Expected] = {}
    for share in shares:
        for index in share.indices:
            day = share.cube.days[index]
            key = (share.archive.shown, item_id(source.origin, share.cube, day))
            known = products.get(key)
            sites = (*known.sites, share.archive.id) if known else (share.archive.id,)
            products[key] = Expected(instant(f"{day}T00:00:00Z"), sites)
    return products


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep a demonstration's folder to this process.

    Raises:
        BadConfiguration: If another demonstration runs in it, it cannot be made, or it holds other things.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark = folder / ".cscale-demo"
        if not mark.exists() and any(folder.iterdir()):
            raise BadConfiguration(
                f"{folder}: holds other things than a demonstration; choose an empty folder with --dir"
            )
        lock = os.open(mark, _OPEN, 0o644)
    except OSError as error:
        raise BadConfiguration(f"{folder}: {error.strerror}; choose another folder with --dir") from error
    with closing(os.fdopen(lock)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadConfiguration(
                f"{folder}: a demonstration is running in it; end that one, or choose another with --dir"
            ) from error
        yield


def clear(source: Source, shares: Sequence[Share]) -> list[Share]:
    """Make room for what is not there as it should be, and leave alone what is.

    Returns:
        The shares that have to be built.
    """
    wanting = [share for share in shares if not _stands(share.archive.files.parent, _recipe(source))]
    for share in wanting:
        shutil.rmtree(share.archive.files.parent, ignore_errors=True)
        share.archive.files.mkdir(parents=True)
    return wanting


def build(source: Source, shares: Sequence[Share], progress: Progress) -> int:
    """Write archives' files and items; a collection is there whole or not at all.

    Args:
        source: The scenes.
        shares: Who is to hold what.
        progress: Told how many raster files are written, of how many.

    Returns:
        How many raster files were written.
    """
    total, done = sum(len(share.indices) * len(share.cube.values) for share in shares), 0
    for share in shares:
        files, collection = share.archive.files, share.archive.collection
        aside = files / f".{collection}.part"
        for count in _write(source, share, aside):
            done += count
            progress(done, total)
        aside.rename(files / collection)
        made = {"recipe": _recipe(source), "files": _files(files)}
        (files.parent / _MADE).write_bytes(msgspec.json.encode(made))
    return total


def take_in(config: Path) -> None:
    """Ingest what an archive's folder holds, as `cscale ingest` does.

    Args:
        config: The site's configuration file.

    Raises:
        BadInput: If anything is refused.
    """
    site = load(config, SiteConfig)
    report = ingest(site.store, list(site.data.values()), Options(Folders(site.data)))
    if report.refused:
        where, why = report.refused[0]
        raise BadInput(f"{site.site.name} refuses what was made for it: {where}: {why}")


def _recipe(source: Source) -> str:
    """What the files are made from and by: they are made anew when either changes."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(f"{source.recipe} {FORMAT}".encode() + code).hexdigest()


def _stands(state: Path, recipe: str) -> bool:
    """Whether an archive is there, made by this recipe, and nobody has touched its files since."""
    with suppress(OSError, msgspec.DecodeError):
        made: Any = msgspec.json.decode((state / _MADE).read_bytes())
        return bool(made == {"recipe": recipe, "files": _files(state / "data")})
    return False


def _files(folder: Path) -> dict[str, list[int]]:
    """Length and time of change of each file that an archive serves."""
    found = {str(path.relative_to(folder)): path.stat() for path in sorted(folder.rglob("*.*"))}
    return {name: [status.st_size, status.st_mtime_ns] for name, status in found.items()}


def _write(source: Source, share: Share, folder: Path) -> Iterator[int]:
    """Write a collection's files; tells now and then how many raster files more are done."""
    folder.mkdir()
    host = {"name": share.archive.title, "roles": ["host"], "description": "An archive of `cscale demo`."}
    described = scene_collection(source.origin, share.cube, share.indices, share.archive.collection, host)
    (folder / "collection.json").write_bytes(msgspec.json.encode(described))
    for index in share.indices:
        yield _write_scene(source, share, folder, index)


def _write_scene(source: Source, share: Share, folder: Path, index: int) -> int:
    """Write a scene: its item, and each band as a file of its own."""
    item = scene_item(source.origin, share.cube, index, share.archive.collection)
    place = folder / str(share.cube.days[index].year) / item["id"]
    place.mkdir(parents=True)
    for key, values in share.cube.values.items():
        _write_cog(place / f"{key}.tif", share.cube, key, values[index])
    (place / f"{item['id']}.json").write_bytes(msgspec.json.encode(item))
    return len(share.cube.values)


def _write_cog(path: Path, cube: Cube, key: str, values: Numbers) -> None:
    rows, columns = cube.size
    with MemoryFile() as memory:  # writing bit by bit into a file takes a fifth longer
        with memory.open(
            driver="COG",
            height=rows,
            width=columns,
            count=1,
            dtype="uint8" if key == CLASSES else "uint16",
            crs=CRS.from_epsg(cube.epsg),
            transform=Affine(*cube.transform),
            nodata=NO_DATA,
            compress="DEFLATE",
            predictor="YES",
            blocksize=128,
            overviews="NONE",
        ) as file:
            file.write(values.astype(file.dtypes[0]), 1)
        path.write_bytes(memory.getbuffer())
