"""The words of the aggregation extension, v0.3.0, and what each of its names counts.

The extension's own text leaves the form of an answer open in places; there it is that of the servers in
use: `data_type` is `integer`, `datetime` or `frequency_distribution`, a bucket has `key` and `frequency`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cscale.stac.search import SearchRequest

Step = Literal["year", "month", "day", "hour"]
"""The length of a bucket of time."""
STEPS: tuple[Step, ...] = ("year", "month", "day", "hour")

TERMS: Mapping[str, str] = {
    "collection_frequency": "collection",
    "platform_frequency": "platform",
    "constellation_frequency": "constellation",
    "instruments_frequency": "instruments",
    "orbit_state_frequency": "sat:orbit_state",
    "relative_orbit_frequency": "sat:relative_orbit",
    "instrument_mode_frequency": "sar:instrument_mode",
    "polarizations_frequency": "sar:polarizations",
    "product_type_frequency": "product:type",
    "processing_level_frequency": "processing:level",
    "processing_baseline_frequency": "s2:processing_baseline",
    "grid_code_frequency": "grid:code",
}
"""Names that count each value of a property; of a list, each of its values."""
RANGES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "cloud_cover_frequency": ("eo:cloud_cover", tuple(range(0, 101, 10))),
}
"""Names that count ranges of a number: the property and the ranges' ends; the last has both of its own."""
GEOHASH, GEOTILE = "centroid_geohash_grid_frequency", "centroid_geotile_grid_frequency"
PRECISIONS: Mapping[str, tuple[int, int, int]] = {GEOHASH: (1, 12, 2), GEOTILE: (0, 24, 3)}
"""Names that count cells of a grid, by the centre of the items' boxes: least, greatest, usual precision."""
OVER_TIME = "datetime_frequency"

KINDS: Mapping[str, str | None] = {
    "total_count": None,
    "datetime_min": None,
    "datetime_max": None,
    OVER_TIME: "datetime",
    **dict.fromkeys(TERMS, "string"),
    **dict.fromkeys(RANGES, "numeric"),
    **dict.fromkeys(PRECISIONS, "string"),
}
"""All names, and the data type of their buckets; None where the answer is one value."""

MAX_BUCKETS = 10_000
"""The most buckets of one aggregation; what falls into others is its overflow."""


@dataclass(frozen=True, slots=True)
class AggregateRequest:
    """What is to be counted.

    Attributes:
        search: Of which items; its order, limit, token and fields do not count.
        names: What is asked for, of `KINDS`.
        step: The length of the buckets of time; None to choose by the time that the matches span.
        precision: The precision of grids, by name; the usual one where none is given.
    """

    search: SearchRequest
    names: tuple[str, ...] = ("total_count",)
    step: Step | None = None
    precision: Mapping[str, int] = field(default_factory=dict)

    def precision_of(self, name: str) -> int:
        """The precision of a grid."""
        return self.precision.get(name, PRECISIONS[name][2])


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many items share a value, a range, a stretch of time or a cell.

    Attributes:
        key: Which: the value as text, the ends of the range, the first instant, the name of the cell.
        frequency: How many.
        start: The range's first value, inclusive; None where it is no range.
        end: Its last value, exclusive but for the last range.
    """

    key: str
    frequency: int
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One answer.

    Attributes:
        name: What was asked for.
        value: Where the answer is one value: a number, a time in RFC 3339, None where nothing matches.
        buckets: Where it is not: those that hold anything; times and ranges in their order, others
            by how much they hold.
        overflow: Matches that are in no bucket.
        step: The length of buckets of time.
    """

    name: str
    value: int | str | None = None
    buckets: Sequence[Bucket] = ()
    overflow: int = 0
    step: Step | None = None

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        kind = KINDS[self.name]
        if kind is None:
            return {**described(self.name), "value": self.value}
        buckets: list[dict[str, Any]] = []
        for each in self.buckets:
            shown: dict[str, Any] = {"key": each.key, "data_type": kind, "frequency": each.frequency}
            if each.start is not None:
                shown |= {"from": each.start, "to": each.end}
            buckets.append(shown)
        step = {} if self.step is None else {"interval": self.step}
        return {**described(self.name), **step, "buckets": buckets, "overflow": self.overflow}


@dataclass(frozen=True, slots=True)
class AggregationCollection:
    """All that was asked for.

    Attributes:
        aggregations: In the order of the request's names.
        extra: Members that stand beside `aggregations` in the answer.
    """

    aggregations: Sequence[Aggregation]
    extra: Mapping[str, Any] = field(default_factory=dict)


def described(name: str) -> dict[str, Any]:
    """What `/aggregations` says of a name."""
    kind = KINDS[name]
    if kind is None:
        return {"name": name, "data_type": "integer" if name == "total_count" else "datetime"}
    return {
        "name": name,
        "data_type": "frequency_distribution",
        "frequency_distribution_data_type": kind,
    }
