"""A site that speaks the aggregation extension: what it is asked, and its answer, which is hostile."""

from typing import Any

import msgspec

from cscale.discovery.counting.tally import SITES, SitesFrequency, Unfit, asked_of_a_site
from cscale.stac.aggregation.parameters import INTERVAL, WITHOUT_MEANING
from cscale.stac.aggregation.words import (
    KINDS,
    MAX_BUCKETS,
    OVER_TIME,
    PRECISIONS,
    STEPS,
    AggregateRequest,
    Aggregation,
    AggregationCollection,
    Bucket,
    Step,
)

_LONGEST = 1024  # characters of a bucket's key


class _Bucket(msgspec.Struct):
    key: str | int | float
    frequency: int
    start: float | None = msgspec.field(name="from", default=None)
    end: float | None = msgspec.field(name="to", default=None)


class _Aggregation(msgspec.Struct):
    name: str
    value: int | str | None = None
    buckets: list[_Bucket] | None = None
    overflow: int | None = None
    interval: str | None = None


class _Answer(msgspec.Struct):
    aggregations: list[msgspec.Raw]
    missing: Any = msgspec.field(name="federation:missing", default=None)


_ANSWER, _ONE = msgspec.json.Decoder(_Answer), msgspec.json.Decoder(_Aggregation)


def body_of(request: AggregateRequest) -> dict[str, Any]:
    """What a site is asked, as the JSON body of `POST /aggregate`.

    Args:
        request: In the site's words.
    """
    body = {name: value for name, value in request.search.body().items() if name not in WITHOUT_MEANING}
    body["aggregations"] = list(asked_of_a_site(request))
    if request.step is not None:
        body[INTERVAL] = request.step
    body |= {f"{name}_precision": request.precision_of(name) for name in PRECISIONS if name in request.names}
    return body


def read_answer(body: bytes, request: AggregateRequest) -> AggregationCollection:
    """A site's answer to it.

    Args:
        body: The answer, as it came.
        request: What was asked, in the site's words.

    Returns:
        The aggregations that were asked for, and where the site is a hub, how many matches its members
        hold. In `extra` under `federation:missing` who is missing.

    Raises:
        Unfit: If it is no such answer.
    """
    names = {*asked_of_a_site(request), SITES}
    try:
        answer = _ANSWER.decode(body)
        read = [_ONE.decode(raw) for raw in answer.aggregations if _name_of(raw) in names]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unfit(f"its answer is not what the aggregation extension says ({error})") from error
    missing = answer.missing if isinstance(answer.missing, list) else []
    extra = {"federation:missing": [each for each in missing if isinstance(each, str)]}
    return AggregationCollection([_told(each, request) for each in read], extra)


class _Named(msgspec.Struct):
    name: Any = None


_NAMED = msgspec.json.Decoder(_Named)


def _name_of(raw: msgspec.Raw) -> str | None:
    name = _NAMED.decode(raw).name
    return name if isinstance(name, str) else None


def _told(read: _Aggregation, request: AggregateRequest) -> Aggregation:
    if KINDS.get(read.name, "") is None:
        return Aggregation(read.name, read.value)
    if read.buckets is None or len(read.buckets) > MAX_BUCKETS:
        raise Unfit(f"its {read.name} has no buckets, or more than {MAX_BUCKETS:,}")
    buckets = [Bucket(_key(each), each.frequency, each.start, each.end) for each in read.buckets]
    kind = SitesFrequency if read.name == SITES else Aggregation
    step = _step(read.interval, request) if read.name == OVER_TIME else None
    return kind(read.name, None, buckets, read.overflow or 0, step)


def _key(bucket: _Bucket) -> str:
    key = str(bucket.key)
    if len(key) > _LONGEST:
        raise Unfit(f"it has a bucket whose key is longer than {_LONGEST:,} characters")
    return key


def _step(interval: str | None, request: AggregateRequest) -> Step | None:
    """The step that it tells, else the one that it was asked for."""
    return request.step if interval is None else next((step for step in STEPS if step == interval), None)
