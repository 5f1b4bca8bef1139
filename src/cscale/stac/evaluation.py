"""A search evaluated on items in memory: which match, and in which order they stand.

It is the plain meaning of `SearchRequest`. Archives answer faster by their indexes, and must answer
the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import shapely

from cscale.errors import BadInput, BadRequest
from cscale.stac import cql2
from cscale.stac.geometry import Box, planar
from cscale.stac.items import item_geometry, item_times, property_value
from cscale.stac.search import SearchRequest, SortField
from cscale.stac.text import holds, words_of

Value = float | str | None
"""What an item can be sorted by: a number (times in microseconds), a text, or nothing."""
OrderKey = tuple[tuple[int, int, Any], ...]
"""What sorts items: one comparable element a field."""


def matcher(request: SearchRequest) -> Callable[[Mapping[str, Any]], bool]:
    """The function that says whether an item matches all that a request asks for."""
    tests: list[Callable[[Mapping[str, Any]], bool]] = []
    if request.collections is not None:
        tests.append(lambda item: item.get("collection") in request.collections)  # type: ignore[operator]  # checked above
    if request.ids is not None:
        tests.append(lambda item: item.get("id") in request.ids)  # type: ignore[operator]  # checked above
    if request.datetime is not None:
        tests.append(_meets_time(request))
    area = search_area(request)
    if area is not None:
        tests.append(lambda item: _meets_area(item, area))
    if request.bbox is not None and request.bbox.bottom is not None:
        tests.append(lambda item: _meets_heights(item, request))
    if request.filter is not None:
        accepts = cql2.compile_filter(request.filter)
        tests.append(lambda item: accepts(item) is True)
    if request.q is not None:
        tests.append(lambda item: holds(words_of(item), request.q or ()))
    return lambda item: all(test(item) for test in tests)


def search_area(request: SearchRequest) -> shapely.Geometry | None:
    """The area that `bbox` or `intersects` asks for, prepared; None for everywhere."""
    if request.bbox is not None:
        area = request.bbox.geometry()
    elif request.intersects is not None:
        area = planar(request.intersects)
    else:
        return None
    shapely.prepare(area)
    return area


def _meets_time(request: SearchRequest) -> Callable[[Mapping[str, Any]], bool]:
    def test(item: Mapping[str, Any]) -> bool:
        span = cql2.item_span(item)
        return request.datetime is None or (span is not None and request.datetime.meets(span.start, span.end))

    return test


def _meets_area(item: Mapping[str, Any], area: shapely.Geometry) -> bool:
    geometry = item_geometry(item)
    return geometry is not None and bool(shapely.intersects(area, geometry))


def _meets_heights(item: Mapping[str, Any], request: SearchRequest) -> bool:
    try:
        box = Box.parse(item.get("bbox"))
    except BadRequest:
        return True  # an item without a box that can be read is at every height
    return request.bbox is None or request.bbox.meets_heights(box.bottom, box.top)


def sort_value(item: Mapping[str, Any], name: str) -> Value:
    """What an item is sorted by under a field; None where it has nothing that sorts."""
    if name in ("id", "collection"):
        return str(item.get(name, ""))
    if name == "datetime":
        try:
            return item_times(item)[0]
        except BadInput:
            return None
    return sortable(property_value(item, name))


def sortable(value: Any) -> Value:
    """A property's value as far as it sorts: booleans as 0 and 1, lists and objects not at all."""
    return value if isinstance(value, int | float | str) else None


_ABSENT = (2, 0, 0)


def order_key(values: Sequence[Value], sortby: Sequence[SortField]) -> OrderKey:
    """The comparable key of an item's sort values: numbers before texts, absent ones last.

    Args:
        values: One a field, by `sort_value`.
        sortby: The order.
    """
    return tuple(_element(value, field.descending) for value, field in zip(values, sortby, strict=True))


def _element(value: Value, descending: bool) -> tuple[int, int, Any]:  # noqa: FBT001  # always a field's own
    if value is None:
        return _ABSENT
    if not descending:
        return (0, isinstance(value, str), value)
    if isinstance(value, str):
        return (0, 0, (*(-ord(character) for character in value), 1))  # the 1 puts "ab" before "a"
    return (0, 1, -value)
