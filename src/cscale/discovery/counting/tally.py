"""Counts of several sites, added up so exactly as if the items had been counted in one place. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from cscale.errors import BadInput
from cscale.stac.aggregation.counting import Counts, answer, cells, start_of
from cscale.stac.aggregation.words import (
    GEOHASH,
    KINDS,
    MAX_BUCKETS,
    OVER_TIME,
    PRECISIONS,
    RANGES,
    STEPS,
    TERMS,
    AggregateRequest,
    Aggregation,
    AggregationCollection,
    Bucket,
    Step,
)
from cscale.stac.times import instant

SITES = "federation:sites_frequency"
"""The name of the aggregation that says how many matches each site holds."""
COUNTS = {"federation:counts": "copies"}
"""What stands beside the aggregations: that copies of one product count where they lie, not once."""

Shown = Callable[[str], str | None]
"""A site's collection id to the id it is shown under; None for one that was not asked for."""

_MOST = 1 << 53
_DIGITS = {digit: value for value, digit in enumerate("0123456789bcdefghjkmnpqrstuvwxyz")}


class Unfit(ValueError):
    """An answer that cannot be added to others; says why."""


@dataclass(frozen=True, slots=True)
class SitesFrequency(Aggregation):
    """How many matches each site holds; the members of a hub among them as `inner/beta`."""

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "name": self.name,
            "data_type": "frequency_distribution",
            "frequency_distribution_data_type": "string",
            "buckets": [
                {"key": each.key, "data_type": "string", "frequency": each.frequency} for each in self.buckets
            ],
            "overflow": self.overflow,
        }


def asked_of_a_site(request: AggregateRequest) -> tuple[str, ...]:
    """The names that a site is asked for, so that its answer can be added to others."""
    needed = ["total_count", *(["datetime_min", "datetime_max"] if OVER_TIME in request.names else [])]
    return tuple(dict.fromkeys([*request.names, *needed]))


class Tally:
    """What has been counted so far.

    Args:
        request: What is asked for.

    Attributes:
        counts: Of all sites.
        step: The longest step in which a site has counted over time.
        sites: How many matches each site holds.
        cut: The aggregations of which a site has told its greatest buckets alone, so that others may be
            too low.
    """

    def __init__(self, request: AggregateRequest) -> None:
        self.counts = Counts()
        self.step: Step = "hour"
        self.sites: Counter[str] = Counter()
        self.cut: set[str] = set()
        self._request = request

    @property
    def total(self) -> int:
        """How many matches have been counted."""
        return self.counts.total

    def add(self, site: str, told: Sequence[Aggregation], shown: Shown) -> None:
        """Add what a site has counted.

        Args:
            site: Its id.
            told: Its answer to all of `asked_of_a_site`.
            shown: Translates its collections.

        Raises:
            Unfit: If something is missing, or is counted in another way; then nothing is added.
        """
        by_name = {each.name: each for each in told}
        one = Tally(self._request)
        for name in asked_of_a_site(self._request):
            if name not in by_name:
                raise Unfit(f"it does not tell {name}")
            one._take(by_name[name], shown)
        inner = by_name.get(SITES)
        for each in () if inner is None else inner.buckets:
            one.sites[f"{site}/{each.key}"] += _count(each.frequency)
        if inner is None or one.sites.total() != one.total:
            one.sites = Counter({site: one.total} if one.total else {})
        self.join(one)

    def add_total(self, site: str, more: int) -> None:
        """Add matches of which nothing but their number is known."""
        self.counts.total += more
        self.sites[site] += more

    def join(self, other: "Tally") -> None:
        """Add another tally of the same request."""
        own, more = self.counts, other.counts
        own.total += more.total
        own.meet(more.first, more.last)
        own.hours.update(more.hours)
        own.without.update(more.without)
        for name, counter in more.keys.items():
            own.keys.setdefault(name, Counter()).update(counter)
        self.sites.update(other.sites)
        self.cut |= other.cut
        self.step = _coarser(self.step, other.step)

    def answer(self, extra: Mapping[str, Any] | None = None) -> AggregationCollection:
        """All that was asked for, and how many matches each site holds.

        Args:
            extra: Further members that stand beside the aggregations.
        """
        request, ranked = self._request, sorted(self.sites.items(), key=lambda each: (-each[1], each[0]))
        found = [answer(name, self.counts, request) for name in request.names]
        for at, each in enumerate(found):
            if each.step is not None and each.step != _coarser(each.step, self.step):
                found[at] = answer(OVER_TIME, self.counts, replace(request, step=self.step))
        sites = SitesFrequency(SITES, buckets=[Bucket(*each) for each in ranked[:MAX_BUCKETS]])
        return AggregationCollection([*found, sites], {**COUNTS, **(extra or {})})

    def _take(self, told: Aggregation, shown: Shown) -> None:
        name, counts = told.name, self.counts
        if name == "total_count":
            counts.total = _count(told.value)
        elif KINDS[name] is None:
            moment = None if told.value is None else _instant(told.value)
            counts.meet(moment, moment)
        elif len(told.buckets) > MAX_BUCKETS:
            raise Unfit(f"its {name} has more than {MAX_BUCKETS:,} buckets")
        else:
            counts.without[name] += _count(told.overflow)
            if name == OVER_TIME:
                self._take_times(told)
            else:
                counts.keys[name] = self._keys(told, shown)

    def _take_times(self, told: Aggregation) -> None:
        step = told.step
        if step not in STEPS or self._request.step not in (None, step):
            raise Unfit(f"its {OVER_TIME} has other steps than those asked for")
        if told.buckets:
            self.step = _coarser(self.step, step)
        for each in told.buckets:
            moment = _instant(each.key)
            if start_of(moment, step) != moment:
                raise Unfit(f"its {OVER_TIME} has a bucket that begins at {each.key!r}")
            self.counts.hours[moment] += _count(each.frequency)

    def _keys(self, told: Aggregation, shown: Shown) -> Counter[Any]:
        name = told.name
        counter: Counter[Any] = Counter()
        for each in told.buckets:
            counter[self._key(name, each, shown)] += _count(each.frequency)
        if name not in RANGES and len(told.buckets) == MAX_BUCKETS and told.overflow:
            self.cut.add(name)
        return counter

    def _key(self, name: str, bucket: Bucket, shown: Shown) -> Any:
        """The key that a bucket is counted under."""
        found: Any = bucket.key
        if name in RANGES:
            ends = list(pairwise(RANGES[name][1]))
            limits = (bucket.start, bucket.end)
            found = ends.index(limits) if limits in ends else None
        elif name in PRECISIONS:
            found = cell_named(name, bucket.key, self._request.precision_of(name))
        elif TERMS[name] == "collection":
            found = shown(bucket.key)
        if found is None:
            raise Unfit(f"its {name} has a bucket {bucket.key!r}, which was not asked for")
        return found


def cell_named(name: str, key: str, precision: int) -> tuple[int, int] | None:
    """The column and row of a cell by its name; None where the grid has no such cell."""
    columns, rows = cells(name, precision)
    if name == GEOHASH:
        if len(key) != precision or any(digit not in _DIGITS for digit in key):
            return None
        column = row = 0
        for at in range(5 * precision):
            bit = _DIGITS[key[at // 5]] >> (4 - at % 5) & 1
            column, row = (column << 1 | bit, row) if at % 2 == 0 else (column, row << 1 | bit)
        return column, row
    parts = key.split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts):
        return None
    zoom, column, row = map(int, parts)
    return (column, row) if zoom == precision and column < columns and row < rows else None


def _coarser(one: Step, other: Step) -> Step:
    return STEPS[min(STEPS.index(one), STEPS.index(other))]


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise Unfit(f"it tells {value!r} where a count should stand")
    return value


def _instant(value: object) -> int:
    try:
        return instant(value)
    except BadInput as error:
        raise Unfit(f"it tells a time that is none: {error}") from error
