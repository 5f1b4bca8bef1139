"""The names of Sentinel products, taken apart and put together again. Pure: no file is looked at.

Sources: Sentinel-1 Product Specification (S1-RS-MDA-52-7441) 3.1.1; Sentinel-2 Products Specification
(S2-PDGS-TAS-DI-PSD) 3.3 for compact names and 3.2 for those until December 2016; Sentinel-3 PDGS File
Naming Convention (GMES-S3GS-EOPG-09-0009) 4; Sentinel-5P Level 1B and Level 2 File Naming
(S5P-OPER-SRS) 4.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

_STAMP = "%Y%m%dT%H%M%S"
_TIME = r"\d{8}T\d{6}"
_EXTENSIONS = re.compile(r"\.(SAFE|SEN3|EOF|zip|nc)$", re.IGNORECASE)


def _stamp(moment: datetime) -> str:
    return f"{moment.year:04}{moment:%m%dT%H%M%S}"  # strftime leaves zeros off early years


def _whole(text: str) -> int | None:
    return int(text) if text.strip("_") else None


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sentinel1Name:
    """S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.

    Attributes:
        unit: A to D.
        mode: IW, EW, WV, a stripmap S1 to S6; EN, N1 to N6, Z1, AI and others of calibration.
        type: RAW, SLC, GRD or OCN, or an intermediate one.
        resolution: F, H or M; `_` where it has none.
        level: 0 to 2.
        grade: The class: S standard, A annotation, N noise, C calibration.
        polarisation: SH, SV, DH, DV, or HH, HV, VV, VH where one was kept.
        start: First instant sensed, in UTC.
        stop: Last instant sensed.
        absolute_orbit: At the start.
        datatake: The datatake's number, below 16**6.
        unique: The last part, a checksum that tells apart processings of one datatake, with `_COG` where
            the images were made cloud-optimized.
    """

    mission: ClassVar = "S1"
    unit: str
    mode: str
    type: str
    resolution: str
    level: int
    grade: str
    polarisation: str
    start: datetime
    stop: datetime
    absolute_orbit: int
    datatake: int
    unique: str

    pattern: ClassVar = re.compile(
        r"S1([A-Z])_([A-Z0-9]{2})_([A-Z0-9_]{3})([FHM_])_(\d)([A-Z_])([A-Z]{2})"
        rf"_({_TIME})_({_TIME})_(\d{{6}})_([0-9A-F]{{6}})_([0-9A-F]{{4}}(?:_COG)?)",
        re.ASCII,
    )

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> Self:
        """The name of a pattern's groups."""
        unit, mode, kind, resolution, level, grade, polarisation, start, stop, orbit, datatake, unique = parts
        return cls(
            unit, mode, kind, resolution, int(level), grade, polarisation, _moment(start), _moment(stop),
            int(orbit), int(datatake, 16), unique,
        )  # fmt: skip

    def __str__(self) -> str:
        return (
            f"S1{self.unit}_{self.mode}_{self.type}{self.resolution}"
            f"_{self.level}{self.grade}{self.polarisation}_{_stamp(self.start)}_{_stamp(self.stop)}"
            f"_{self.absolute_orbit:06}_{self.datatake:06X}_{self.unique}"
        )


@dataclass(frozen=True, slots=True)
class Sentinel2Name:
    """S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157, or the longer form until 2016.

    Attributes:
        unit: A to D.
        level: 0, 1A, 1B, 1C or 2A.
        start: The datatake's first instant sensed, in UTC; of the product in the longer form.
        baseline: Of the processing, as in 05.09; None in the longer form.
        relative_orbit: 1 to 143.
        tile: As in 01WCP; None for a product of several tiles.
        generated: The discriminator, near the time at which it was made.
        site: The centre that made it, in the longer form only.
        stop: The last instant sensed, in the longer form only.
    """

    mission: ClassVar = "S2"
    unit: str
    level: str
    start: datetime
    baseline: str | None
    relative_orbit: int
    tile: str | None
    generated: datetime
    site: str | None = None
    stop: datetime | None = None

    pattern: ClassVar = re.compile(
        rf"S2([A-Z])_MSIL(0_|1A|1B|1C|2A)_({_TIME})_N(\d\d)(\d\d)_R(\d{{3}})_T(\d\d[A-Z]{{3}})_({_TIME})",
        re.ASCII,
    )
    longer: ClassVar = re.compile(
        rf"S2([A-Z])_OPER_PRD_MSIL(0_|1A|1B|1C|2A)_([A-Z0-9_]{{4}})_({_TIME})"
        rf"_R(\d{{3}})_V({_TIME})_({_TIME})",
        re.ASCII,
    )

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> Self:
        """The name of a pattern's groups."""
        unit, level, start, major, minor, orbit, tile, generated = parts
        return cls(
            unit, level.strip("_"), _moment(start), f"{major}.{minor}", int(orbit), tile, _moment(generated)
        )

    @classmethod
    def of_longer(cls, parts: tuple[str, ...]) -> Self:
        """The name of the longer pattern's groups."""
        unit, level, site, generated, orbit, start, stop = parts
        return cls(
            unit, level.strip("_"), _moment(start), None, int(orbit), None, _moment(generated),
            site, _moment(stop),
        )  # fmt: skip

    def __str__(self) -> str:
        level = self.level.ljust(2, "_")
        if self.stop is not None:
            return (
                f"S2{self.unit}_OPER_PRD_MSIL{level}_{self.site}_{_stamp(self.generated)}"
                f"_R{self.relative_orbit:03}_V{_stamp(self.start)}_{_stamp(self.stop)}"
            )
        return (
            f"S2{self.unit}_MSIL{level}_{_stamp(self.start)}_N{(self.baseline or '00.00').replace('.', '')}"
            f"_R{self.relative_orbit:03}_T{self.tile}_{_stamp(self.generated)}"
        )


@dataclass(frozen=True, slots=True)
class Sentinel3Name:
    """S3A_OL_2_WFR____20210604T001016_20210604T001316_20210604T021918_0179_072_273_1440_MAR_O_NR_003.

    Attributes:
        unit: A to D; `_` where it is of several.
        source: OL, SL, SR, SY, MW and others of the instruments.
        level: 0 to 2; `_` where it has none.
        type: The six characters after the level, without filling, as in WFR.
        start: First instant sensed, in UTC.
        stop: Last instant sensed.
        generated: When it was made.
        duration: Seconds; None for a tile of the map.
        cycle: None for a tile of the map.
        relative_orbit: 1 to 385; None for a tile of the map.
        frame: Where along the orbit it begins, seconds; None for stripes and tiles.
        area: The tile of the map, as in EUROPE; None for what lies along an orbit.
        centre: The centre that made it, as in MAR.
        platform: O operational, F reference, D development, R reprocessing.
        timeliness: NR, ST or NT.
        baseline: The collection, as in 003.
    """

    mission: ClassVar = "S3"
    unit: str
    source: str
    level: str
    type: str
    start: datetime
    stop: datetime
    generated: datetime
    duration: int | None
    cycle: int | None
    relative_orbit: int | None
    frame: int | None
    area: str | None
    centre: str
    platform: str
    timeliness: str
    baseline: str

    pattern: ClassVar = re.compile(
        rf"S3([A-Z_])_([A-Z]{{2}})_([012_])_([A-Z0-9_]{{6}})_({_TIME})_({_TIME})_({_TIME})"
        r"_(?:(\d{4})_(\d{3})_(\d{3})_(\d{4}|_{4})|(?=[A-Z])([A-Z0-9_]{17}))"
        r"_([A-Z0-9_]{3})_([A-Z_])_([A-Z0-9_]{2})_([A-Z0-9_]{3})",
        re.ASCII,
    )

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> Self:
        """The name of a pattern's groups."""
        unit, source, level, kind, start, stop, generated, duration, cycle, orbit, frame, area, *rest = parts
        centre, platform, timeliness, baseline = rest
        return cls(
            unit, source, level, kind.rstrip("_"), _moment(start), _moment(stop), _moment(generated),
            _whole(duration), _whole(cycle), _whole(orbit), _whole(frame),
            area.rstrip("_") or None, centre, platform, timeliness, baseline,
        )  # fmt: skip

    def __str__(self) -> str:
        if self.area is not None:
            instance = self.area.ljust(17, "_")
        else:
            frame = "____" if self.frame is None else f"{self.frame:04}"
            instance = f"{self.duration:04}_{self.cycle:03}_{self.relative_orbit:03}_{frame}"
        times = "_".join(_stamp(moment) for moment in (self.start, self.stop, self.generated))
        return (
            f"S3{self.unit}_{self.source}_{self.level}_{self.type.ljust(6, '_')}_{times}_{instance}"
            f"_{self.centre}_{self.platform}_{self.timeliness}_{self.baseline}"
        )


@dataclass(frozen=True, slots=True)
class Sentinel5PName:
    """S5P_OFFL_L2__CH4____20210915T130938_20210915T145107_20333_02_020200_20210917T070031.

    Attributes:
        stream: NRTI, OFFL or RPRO; others of tests.
        type: The ten characters as they are, as in L2__CH4___.
        start: First instant of the orbit or granule, in UTC.
        stop: Its last instant.
        absolute_orbit: At the start.
        collection: As in 02.
        processor: The processor's version, as in 02.02.00.
        generated: When it was made.
    """

    mission: ClassVar = "S5P"
    unit: ClassVar = ""
    stream: str
    type: str
    start: datetime
    stop: datetime
    absolute_orbit: int
    collection: str
    processor: str
    generated: datetime

    pattern: ClassVar = re.compile(
        rf"S5P_([A-Z0-9_]{{4}})_([A-Z0-9_]{{10}})_({_TIME})_({_TIME})_(\d{{5}})_(\d\d)_(\d{{6}})_({_TIME})",
        re.ASCII,
    )

    @property
    def level(self) -> str:
        """As in 2 or 1B."""
        return self.type[1:3].rstrip("_")

    @classmethod
    def of(cls, parts: tuple[str, ...]) -> Self:
        """The name of a pattern's groups."""
        stream, kind, start, stop, orbit, collection, processor, generated = parts
        version = ".".join(processor[at : at + 2] for at in (0, 2, 4))
        return cls(
            stream, kind, _moment(start), _moment(stop), int(orbit), collection, version, _moment(generated)
        )

    def __str__(self) -> str:
        return (
            f"S5P_{self.stream}_{self.type}_{_stamp(self.start)}_{_stamp(self.stop)}"
            f"_{self.absolute_orbit:05}_{self.collection}_{self.processor.replace('.', '')}"
            f"_{_stamp(self.generated)}"
        )


ProductName = Sentinel1Name | Sentinel2Name | Sentinel3Name | Sentinel5PName

_FORMS = (
    (Sentinel1Name.pattern, Sentinel1Name.of),
    (Sentinel2Name.pattern, Sentinel2Name.of),
    (Sentinel2Name.longer, Sentinel2Name.of_longer),
    (Sentinel3Name.pattern, Sentinel3Name.of),
    (Sentinel5PName.pattern, Sentinel5PName.of),
)


def bare(name: str) -> str:
    """A product's name without the extensions that its folder or file has."""
    while (shorter := _EXTENSIONS.sub("", name)) != name:
        name = shorter
    return name


def parse_name(name: str) -> ProductName | None:
    """Read a product's name, with or without extension; None where it is none."""
    name = bare(name)
    for pattern, of in _FORMS:
        if match := pattern.fullmatch(name):
            try:
                return of(match.groups(default=""))
            except ValueError:  # a day or an hour that does not exist
                return None
    return None
