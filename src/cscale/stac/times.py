"""Instants and intervals of time, as microseconds since 1970-01-01T00:00:00Z.

Text is RFC 3339. Digits beyond the microsecond are cut off. Integers keep the order exact and cheap.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from cscale.errors import BadInput, BadRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:[0-5]\d)?", re.ASCII)

MIN_INSTANT = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The first instant that can be written."""
MAX_INSTANT = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last instant that can be written."""


def instant(text: object) -> int:
    """Read an RFC 3339 instant.

    A missing time zone is read as UTC, as STAC wants all times in UTC.

    Returns:
        Microseconds since 1970-01-01T00:00:00Z.

    Raises:
        BadInput: If `text` is not such an instant.
    """
    match = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadInput(f"{text!r} is not an RFC 3339 time such as 2020-06-01T10:30:00Z")
    day, clock, seconds, fraction, zone = match.groups()
    leap = seconds == "60"  # a leap second is the one after 59, as clocks have no 60
    shown = f"{day}T{clock}{'59' if leap else seconds}{fraction or ''}{(zone or 'Z').upper()}"
    try:
        passed = datetime.fromisoformat(shown) - _EPOCH
    except ValueError as error:
        raise BadInput(f"{text!r} is not a time that exists: {error}") from error
    moment = (passed.days * 86_400 + passed.seconds + leap) * _SECOND + passed.microseconds
    if not MIN_INSTANT <= moment <= MAX_INSTANT:
        raise BadInput(f"{text!r} lies outside the years 0001 to 9999 in UTC")
    return moment


def text_of(moment: int) -> str:
    """Write an instant in RFC 3339, in UTC, with as many digits as it needs."""
    shown = _EPOCH + timedelta(microseconds=min(max(moment, MIN_INSTANT), MAX_INSTANT))
    digits = "microseconds" if shown.microsecond else "seconds"
    return shown.replace(tzinfo=None).isoformat(timespec=digits) + "Z"


@dataclass(frozen=True, slots=True)
class Span:
    """A closed stretch of time in microseconds since 1970; an instant where both ends are one.

    Attributes:
        start: Its first instant.
        end: Its last instant.
        at: Where it stands when it is compared as one instant: an item's `datetime`.
    """

    start: int
    end: int
    at: int = field(compare=False)

    @classmethod
    def instant(cls, moment: int) -> "Span":
        """The span of one instant."""
        return cls(moment, moment, moment)

    @classmethod
    def day(cls, text: object) -> "Span":
        """The span of a day in UTC, written as 2020-06-01.

        Raises:
            BadInput: If `text` is not such a day.
        """
        start = instant(f"{text}T00:00:00Z")
        return cls(start, start + 86_400 * _SECOND - 1, start)

    @classmethod
    def of(cls, value: object) -> "Span":
        """The span that a value is: itself, a day, or an RFC 3339 instant.

        Raises:
            BadInput: If `value` is none of these.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and len(value) == 10:
            return cls.day(value)
        return cls.instant(instant(value))


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of time.

    Attributes:
        start: Its first instant, microseconds since 1970; None for open.
        end: Its last instant; None for open.
    """

    start: int | None
    end: int | None

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read the `datetime` parameter: an instant, or two with `/`, one of them open (`..` or empty).

        Raises:
            BadRequest: If `text` is neither; names the parameter.
        """
        if not isinstance(text, str):
            raise BadRequest(f"datetime: {text!r} is not text such as 2020-01-01T00:00:00Z/..")
        parts = text.split("/")
        if len(parts) > 2:
            raise BadRequest(f"datetime: {text!r} has more than two ends")
        start, end = (_end(part, text, closed=len(parts) == 1) for part in (parts[0], parts[-1]))
        if start is None and end is None:
            raise BadRequest(f"datetime: {text!r} is open at both ends; leave the parameter out instead")
        if start is not None and end is not None and start > end:
            raise BadRequest(f"datetime: {text!r} ends before it starts")
        return cls(start, end)

    def meets(self, start: int, end: int) -> bool:
        """Whether the closed interval from `start` to `end` shares an instant with this one."""
        return (self.end is None or start <= self.end) and (self.start is None or end >= self.start)

    def within(self, start: int | None, end: int | None) -> "Interval":
        """The part of this interval that lies between `start` and `end` (None: no bound)."""
        starts = [moment for moment in (self.start, start) if moment is not None]
        ends = [moment for moment in (self.end, end) if moment is not None]
        return Interval(max(starts, default=None), min(ends, default=None))

    def __str__(self) -> str:
        if self.start == self.end and self.start is not None:
            return text_of(self.start)
        shown = [".." if moment is None else text_of(moment) for moment in (self.start, self.end)]
        return "/".join(shown)


def _end(part: str, whole: str, *, closed: bool) -> int | None:
    if part in ("", "..") and not closed:
        return None
    match = _RFC3339.fullmatch(part)
    if match is None or match[5] is None:
        raise BadRequest(
            f"datetime: {part!r} in {whole!r} is not an RFC 3339 time with a zone (2020-06-01T00:00:00Z)"
        )
    try:
        return instant(part)
    except BadInput as error:
        raise BadRequest(f"datetime: {error}") from error
