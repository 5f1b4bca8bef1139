"""An aggregation evaluated on items in memory: its plain meaning.

Archives count faster by their indexes, and must count the same.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cscale.errors import BadInput
from cscale.stac.aggregation.counting import (
    HOUR,
    Counts,
    answer,
    cell_of,
    centre,
    range_of,
    term_keys,
)
from cscale.stac.aggregation.words import (
    OVER_TIME,
    PRECISIONS,
    RANGES,
    TERMS,
    AggregateRequest,
    AggregationCollection,
)
from cscale.stac.evaluation import matcher
from cscale.stac.geometry import bounds_of
from cscale.stac.items import item_geometry, item_times, property_value


def aggregate(items: Iterable[Mapping[str, Any]], request: AggregateRequest) -> AggregationCollection:
    """All that is asked for, of the items that match."""
    accepts, counts = matcher(request.search), Counts()
    for item in items:
        if accepts(item):
            _count(item, request, counts)
    return AggregationCollection([answer(name, counts, request) for name in request.names])


def _count(item: Mapping[str, Any], request: AggregateRequest, counts: Counts) -> None:
    counts.total += 1
    moment = _moment(item)
    counts.meet(moment, moment)
    if moment is None:
        counts.without[OVER_TIME] += 1
    else:
        counts.hours[moment // HOUR * HOUR] += 1
    for name in request.names:
        if name in TERMS or name in RANGES or name in PRECISIONS:
            keys = _keys(item, name, request)
            counts.keys.setdefault(name, Counter()).update(keys)
            counts.without[name] += not keys


def _keys(item: Mapping[str, Any], name: str, request: AggregateRequest) -> list[Any]:
    """The buckets that an item falls into."""
    if name in TERMS:
        of = TERMS[name]
        return term_keys(item.get(of) if of == "collection" else property_value(item, of))
    if name in RANGES:
        at = range_of(name, property_value(item, RANGES[name][0]))
        return [] if at is None else [at]
    geometry = item_geometry(item)
    if geometry is None:
        return []
    return [cell_of(name, *centre(bounds_of(geometry)), request.precision_of(name))]


def _moment(item: Mapping[str, Any]) -> int | None:
    try:
        return item_times(item)[0]
    except BadInput:
        return None
