"""Instants and intervals, against RFC 3339, STAC API's examples, and Python's own clock as an oracle."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import BadInput, BadRequest
from cscale.stac.times import MAX_INSTANT, MIN_INSTANT, Interval, Span, instant, text_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(MIN_INSTANT, MAX_INSTANT)
ends = st.none() | instants
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
intervals = st.tuples(ends, ends).filter(lambda two: two != (None, None)).map(
    lambda two: Interval(*(two if None in two else sorted(two)))  # type: ignore[type-var]  # no None here
)  # fmt: skip


@settings(deadline=None)
@given(instants)
def test_an_instant_survives_being_written_and_read(moment: int) -> None:
    assert instant(text_of(moment)) == moment


@settings(deadline=None)
@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones))  # noqa: DTZ001  # bounds
def test_any_zone_is_read_as_python_reads_it(moment: datetime) -> None:
    assert instant(moment.isoformat()) == (moment - EPOCH) // timedelta(microseconds=1)


@settings(deadline=None)
@given(instants, instants)
def test_texts_in_utc_order_as_their_instants_do(one: int, other: int) -> None:
    whole = [moment - moment % 1_000_000 for moment in (one, other)]
    assert (text_of(whole[0]) < text_of(whole[1])) == (whole[0] < whole[1])


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"),  # the examples of RFC 3339, 5.8
        ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
        ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
        ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z"),
        ("1985-04-12t23:20:50z", "1985-04-12T23:20:50Z"),  # lower case is allowed, 5.6
        ("1985-04-12 23:20:50Z", "1985-04-12T23:20:50Z"),  # a space, too
        ("2020-01-01T00:00:00-00:00", "2020-01-01T00:00:00Z"),  # an unknown local offset, 4.3
        ("2020-01-01T00:00:00", "2020-01-01T00:00:00Z"),
        ("2020-01-01T00:00:00.1234567899Z", "2020-01-01T00:00:00.123456Z"),
        ("2020-02-29T00:00:00Z", "2020-02-29T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_rfc_3339_is_read(text: str, same: str) -> None:
    assert text_of(instant(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "now", "2020", "2020-06", "2020-06-01", "20200601T000000Z", "2020-W01-1T00:00:00Z",
        "2020-153T00:00:00Z", "2020-06-01T", "2020-06-01T10", "2020-06-01T10:30", "2020-06-01T10:30Z",
        "2020-06-01x10:30:00Z", "2020-06-01T103000.000000Z", "2020-06-01T10:30:00,5Z",
        "2020-06-01T10:30:00.Z", "2020-06-01T10:30:00+0100", "2020-06-01T10:30:00+01",
        "2020-06-01T10:30:00+01:00:30", "2020-06-01T10:30:00+01:60", "2020-06-01T10:30:00+24:00",
        "2020-06-01T24:00:00Z", "2020-06-01T10:60:00Z", "2020-06-01T10:30:61Z", "2020-13-01T00:00:00Z",
        "2020-00-01T00:00:00Z", "2020-06-31T00:00:00Z", "2021-02-29T00:00:00Z", "2020-06-01T10:30:00ZZ",
        "2020-06-01T10:30:00Z\n", " 2020-06-01T10:30:00Z", "+2020-06-01T10:30:00Z", "-2020-06-01T10:30:00Z",
        "12020-06-01T10:30:00Z", "0000-01-01T00:00:00Z", "\uff12\uff10\uff12\uff10-06-01T10:30:00Z",
        "2020-06-01T10:30:00\u221201:00", "2020-06-01T10:30:00Z\x00", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z", "\ud800", None, 5, 1.5, True,
        b"2020-06-01T10:30:00Z", ["2020-06-01T10:30:00Z"], {},
    ],
)  # fmt: skip
def test_what_is_not_rfc_3339_is_bad_input_that_shows_it(text: object) -> None:
    with pytest.raises(BadInput) as caught:
        instant(text)
    assert repr(text) in str(caught.value)


@settings(deadline=None)
@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d*)?([Zz]|[+-]\d\d:?\d\d)?"))
def test_any_text_is_an_instant_or_bad_input(text: str) -> None:
    try:
        moment = instant(text)
    except BadInput:
        return
    assert MIN_INSTANT <= moment <= MAX_INSTANT
    assert instant(text_of(moment)) == moment


def test_what_cannot_be_written_is_written_as_the_nearest_that_can() -> None:
    assert text_of(MIN_INSTANT - 1) == text_of(MIN_INSTANT) == "0001-01-01T00:00:00Z"
    assert text_of(MAX_INSTANT + 1) == text_of(MAX_INSTANT) == "9999-12-31T23:59:59.999999Z"


@settings(deadline=None)
@given(intervals)
def test_an_interval_survives_being_written_and_read(interval: Interval) -> None:
    assert Interval.parse(str(interval)) == interval


@settings(deadline=None)
@given(intervals, instants, instants)
def test_an_interval_meets_what_shares_an_instant_with_it(interval: Interval, one: int, other: int) -> None:
    start, end = sorted((one, other))
    first = MIN_INSTANT if interval.start is None else interval.start
    last = MAX_INSTANT if interval.end is None else interval.end
    assert interval.meets(start, end) == (max(first, start) <= min(last, end))
    assert interval.meets(first, first)
    assert interval.meets(last, last)


@settings(deadline=None)
@given(intervals, ends, ends, instants)
def test_the_part_within_bounds_has_what_lies_in_both(
    interval: Interval, start: int | None, end: int | None, moment: int
) -> None:
    part = interval.within(start, end)
    both = interval.meets(moment, moment) and Interval(start, end).meets(moment, moment)
    assert part.meets(moment, moment) == both


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2020-06-01T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-01T00:00:00Z"),
        ("2020-06-01T00:00:00Z/2020-07-01T00:00:00Z", "2020-06-01T00:00:00Z", "2020-07-01T00:00:00Z"),
        ("2020-06-01T02:00:00+02:00/..", "2020-06-01T00:00:00Z", None),
        ("2020-06-01T00:00:00Z/", "2020-06-01T00:00:00Z", None),
        ("../2020-06-01T00:00:00Z", None, "2020-06-01T00:00:00Z"),
        ("/2020-06-01T00:00:00Z", None, "2020-06-01T00:00:00Z"),
        ("1985-04-12t23:20:50.000z", "1985-04-12T23:20:50Z", "1985-04-12T23:20:50Z"),
    ],
)
def test_the_datetime_parameter_is_read(text: str, start: str | None, end: str | None) -> None:
    interval = Interval.parse(text)
    read = [None if moment is None else text_of(moment) for moment in (interval.start, interval.end)]
    assert read == [start, end]


A, B = "1984-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52Z"


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "..", "../..", "/..", "../", f"/{A}/{B}", f"{A}/{B}/", f"/{A}/{B}/", f"{B}/{A}",
        f"{A}//{B}", f"{A}/../{B}", f"{A},{B}", f" {A}", f"{A} ", f"{A}/ ", f"../ {A}", f"{A}/None", "...",
        "./..", "1985-04-12", "1985-04-12/1986-04-12", "1937-01-01T12:00:27.87+0100",
        "37-01-01T12:00:27.87Z", "1985-12-12T23:20:50.52", "21985-12-12T23:20:50.52Z",
        "1985-13-12T23:20:50.52Z", "1985-12-32T23:20:50.52Z", "1985-12-01T25:20:50.52Z",
        "1985-12-01T00:60:50.52Z", "1985-12-01T00:06:61.52Z", "1985-04-12T23:20:50.Z",
        "1985-04-12T23:20:50,Z", "1990-12-31T23:59:61Z", "1985-04-12T23:20:50,52Z", "2020-06-01T00:00:00",
        "2020-06-01T00:00:00-01", "2020-06-01T00:00:00+1:00", f"{A}/2020-06-01T00:00:00.123", "\x00", None,
        5, True, [A], {"start": A}, A.encode(),
    ],
)  # fmt: skip
def test_a_bad_datetime_is_a_bad_request_that_names_the_parameter(text: object) -> None:
    with pytest.raises(BadRequest, match=r"^datetime: "):
        Interval.parse(text)


@settings(deadline=None)
@given(st.text(alphabet="0123456789-:TZtz+./ ", max_size=60) | st.text())
def test_any_text_is_an_interval_or_a_bad_request(text: str) -> None:
    try:
        interval = Interval.parse(text)
    except BadRequest:
        return
    assert Interval.parse(str(interval)) == interval


def test_a_day_lasts_to_the_last_microsecond_before_the_next() -> None:
    day = Span.day("2020-02-28")
    assert [text_of(day.start), text_of(day.end)] == ["2020-02-28T00:00:00Z", "2020-02-28T23:59:59.999999Z"]
    assert day.at == day.start
    assert Span.day("2020-02-29").start == day.end + 1


def test_a_span_is_made_of_a_day_an_instant_or_itself() -> None:
    assert Span.of("2020-02-28") == Span.day("2020-02-28")
    assert Span.of("2020-02-28T00:00:00Z") == Span.instant(instant("2020-02-28T00:00:00Z"))
    assert Span.of(Span(1, 2, 1)) == Span(1, 2, 1)


@pytest.mark.parametrize("value", ["2020-02-30", "2020-2-28x", "0123456789", "", 5, None, [], "2020-02-28T"])
def test_what_is_no_time_makes_no_span(value: object) -> None:
    with pytest.raises(BadInput):
        Span.of(value)
