"""What an identity is, and when two are of one product. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = date(1970, 1, 1).toordinal()


class Facts(NamedTuple):
    """What is known of a product; None is what is not told.

    Attributes:
        mission: S1, S2, S3, S5P, Landsat or CLMS.
        unit: The satellite, as in A, or LC08.
        kind: Level and type, as in 2A or IW_GRDH_1SDV.
        place: Tile, path and row, frame, or orbit and datatake.
        start: When it was sensed, as it is written in the official name.
        stop: The end of that.
        made: What tells this processing from others of the same acquisition.
        stream: The timeliness, where the name has one.
        baseline: Of the processing, as in 05.09.
        first: It was sensed at this instant or after, microseconds since 1970.
        last: It was sensed at this instant or before.
    """

    mission: str
    unit: str | None = None
    kind: str | None = None
    place: str | None = None
    start: str | None = None
    stop: str | None = None
    made: str | None = None
    stream: str | None = None
    baseline: str | None = None
    first: int | None = None
    last: int | None = None


class Identity(NamedTuple):
    """Which product an item is of.

    Attributes:
        product: Equal for copies of one product, different for anything else.
        acquisition: Equal for all processings of one acquisition to one type of product; None where
            that is not known.
        name: The product's name in the mission's own form; None where it cannot be known.
        version: Orders the processings of one acquisition, the newest last: when it was made, as
            year to second, then the baseline. Empty texts are what is not told, and stand first.
        partial: What is known of a product whose processing is not told; None where `product` is of the
            product itself.
    """

    product: str
    acquisition: str | None = None
    name: str | None = None
    version: tuple[str, str] = ("", "")
    partial: Facts | None = None


def same_product(one: Identity, other: Identity) -> bool:
    """Whether two items are copies: an equivalence, as it is equality of keys."""
    return one.product == other.product


def agree(one: Facts, other: Facts) -> bool:
    """Whether nothing that both tell is against their being one product."""
    if one.mission != other.mission:
        return False
    for a, b in zip(one[1:9], other[1:9], strict=True):
        if a != b and a is not None and b is not None:
            return False
    first, last = max(one.first or 0, other.first or 0), min(_end(one), _end(other))
    return first <= last


def settled(told: Facts) -> bool:
    """Whether facts are enough to look for the one product they are of.

    Its type, its place and its time are, if the time is known to an hour: a satellite sees a place again
    after one orbit of about 100 minutes at the earliest.
    """
    near = told.first is not None and told.last is not None and told.last - told.first <= HOUR
    return told.kind is not None and told.place is not None and (told.start is not None or near)


def joined(identities: Sequence[Identity], known: Iterable[tuple[Identity, Facts]]) -> list[Identity]:
    """Identities, in their order, with those that tell less made whole where exactly one product agrees.

    Args:
        identities: As they are.
        known: The products among them, with what is known of each.
    """
    held: dict[str, dict[str, tuple[Identity, Facts]]] = {}
    for each, facts in known:
        at_place = held.setdefault(facts.place or "", {})
        before = at_place.get(each.product)
        if before is None or _fullness(each) > _fullness(before[0]):
            at_place[each.product] = each, facts
    return [_whole(each, held) for each in identities]


def _whole(one: Identity, held: dict[str, dict[str, tuple[Identity, Facts]]]) -> Identity:
    told = one.partial
    if told is None or not settled(told):
        return one
    found = [each for each, facts in held.get(told.place or "", {}).values() if agree(told, facts)]
    return found[0] if len(found) == 1 else one


def _fullness(one: Identity) -> tuple[str, tuple[str, str], str]:
    """The same of all orders: which of a product's copies tells most."""
    return one.name or "", one.version, one.acquisition or ""


def _end(told: Facts) -> float:
    return float("inf") if told.last is None else told.last


def moment(stamp: str) -> int | None:
    """Microseconds since 1970 of `YYYYMMDDTHHMMSS`, or of its day alone; None if there is none such.

    A leap second is the one after 59.
    """
    try:
        midnight = _midnight(stamp[:8])
        if len(stamp) == 8:
            return midnight
        hour, minute, second = int(stamp[9:11]), int(stamp[11:13]), int(stamp[13:])
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return midnight + (hour * 3600 + minute * 60 + second) * SECOND


@lru_cache(maxsize=4096)
def _midnight(day: str) -> int:
    return (date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() - _EPOCH) * DAY


def window(start: str, stop: str, before: int, after: int) -> tuple[int | None, int | None]:
    """The instants from a margin before `start` to one after `stop`; none where there is no such time."""
    first = moment(start)
    last = first if start == stop else moment(stop)
    if first is None or last is None:
        return None, None
    return min(first, last) - before, max(first, last) + after
