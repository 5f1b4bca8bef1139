"""Collection search: which collections match, and in which order they stand.

Evaluated on all collections of a source; there are few enough of them to be held in memory.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cscale.errors import BadCursor, BadInput, BadRequest
from cscale.stac.evaluation import OrderKey, Value, order_key, sortable
from cscale.stac.geometry import Bounds, Box
from cscale.stac.items import Collection
from cscale.stac.search import SearchRequest, SortField, from_query
from cscale.stac.text import holds, words_of_collection
from cscale.stac.times import instant

PARAMETERS = frozenset({"bbox", "datetime", "q", "sortby", "fields", "limit", "token"})
DEFAULT_LIMIT = 100
"""The length of a page where none is asked for; more than most sources have collections."""

_BY_ID = (SortField("id"),)


@dataclass(frozen=True, slots=True)
class CollectionPage:
    """One page of a collection search.

    Attributes:
        collections: In the order that was asked for.
        token: What leads to the next page; None on the last.
        matched: How many match in all.
    """

    collections: Sequence[Collection]
    token: str | None
    matched: int


def read(parameters: Sequence[tuple[str, str]]) -> SearchRequest:
    """Read a collection search from the parameters of a URL.

    Returns:
        The search, as far as it can be asked of collections; in order of id where no order is asked for.

    Raises:
        BadRequest: If a parameter is unknown, given twice, or cannot be read.
    """
    names = {name for name, _ in parameters}
    if unknown := sorted(names - PARAMETERS):
        raise BadRequest(
            f"{', '.join(unknown)}: not known of collections; known are {', '.join(sorted(PARAMETERS))}"
        )
    request = from_query(parameters)
    limit = request.limit if "limit" in names else DEFAULT_LIMIT
    return replace(request, limit=limit, sortby=request.sortby if "sortby" in names else _BY_ID)


def search(collections: Iterable[Collection], request: SearchRequest) -> CollectionPage:
    """One page of the collections that match.

    Raises:
        BadCursor: If `request.token` was not made for this search.
    """
    accepts = matcher(request)
    ranked = sorted(((_place(each, request), each) for each in collections if accepts(each)), key=_first)
    after = _position(request)
    left = ranked if after is None else [each for each in ranked if each[0] > after]
    page = left[: request.limit]
    more = len(left) > request.limit
    return CollectionPage(
        [collection for _, collection in page],
        _token(request, page[-1][1]) if more else None,
        len(ranked),
    )


def matcher(request: SearchRequest) -> Callable[[Collection], bool]:
    """The function that says whether a collection matches: any of its boxes, any of its intervals."""
    tests: list[Callable[[Collection], bool]] = []
    if request.bbox is not None:
        asked = request.bbox
        tests.append(lambda collection: any(_boxes_meet(asked, box) for box in _boxes(collection)))
    if request.datetime is not None:
        when = request.datetime
        tests.append(lambda collection: any(_times_meet(when, ends) for ends in _intervals(collection)))
    if request.q is not None:
        terms = request.q
        tests.append(lambda collection: holds(words_of_collection(collection), terms))
    return lambda collection: all(test(collection) for test in tests)


def _first(pair: tuple[Any, Collection]) -> Any:
    return pair[0]


def _boxes(collection: Collection) -> Iterator[Box]:
    for box in _listed(collection, "spatial", "bbox"):
        try:
            yield Box.parse(box)
        except BadRequest:
            continue


def _intervals(collection: Collection) -> Iterator[tuple[int | None, int | None]]:
    for ends in _listed(collection, "temporal", "interval"):
        try:
            start, end = (None if end is None else instant(end) for end in ends)
        except (BadInput, TypeError, ValueError):
            continue
        yield start, end


def _listed(collection: Collection, kind: str, member: str) -> Sequence[Any]:
    """What stands in a collection's extent; nothing where that cannot be read."""
    extent = collection.get("extent")
    part = extent.get(kind) if isinstance(extent, Mapping) else None
    listed = part.get(member) if isinstance(part, Mapping) else None
    return listed if isinstance(listed, list) else []


def _boxes_meet(one: Box, other: Box) -> bool:
    if not one.meets_heights(other.bottom, other.top):
        return False
    return any(_parts_meet(mine, its) for mine in _around(one) for its in _around(other))


def _around(box: Box) -> list[Bounds]:
    """A box's parts; what touches the antimeridian lies on both sides of it."""
    parts = box.parts()
    parts += [(180.0, s, 180.0, n) for w, s, _, n in parts if w == -180]
    return parts + [(-180.0, s, -180.0, n) for _, s, e, n in parts if e == 180]


def _parts_meet(one: Bounds, other: Bounds) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _times_meet(asked: Any, ends: tuple[int | None, int | None]) -> bool:
    start, end = ends
    return not (
        (asked.end is not None and start is not None and start > asked.end)
        or (asked.start is not None and end is not None and end < asked.start)
    )


def _values(collection: Collection, request: SearchRequest) -> list[Value]:
    return [_sort_value(collection, field.name) for field in request.sortby]


def _sort_value(collection: Collection, name: str) -> Value:
    value: Any = collection
    for step in [name] if name in collection else name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return sortable(value)


def _place(collection: Collection, request: SearchRequest) -> tuple[OrderKey, str]:
    return order_key(_values(collection, request), request.sortby), str(collection["id"])


def _token(request: SearchRequest, last: Collection) -> str:
    """The position after a collection: nothing secret, and good for no other search."""
    packed = msgspec.json.encode([request.digest(), _values(last, request), last["id"]])
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _position(request: SearchRequest) -> tuple[OrderKey, str] | None:
    if request.token is None:
        return None
    try:
        packed = base64.b64decode(request.token + "=" * (-len(request.token) % 4), b"-_", validate=True)
        digest, values, last = _TOKEN.decode(packed)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise BadCursor("token: not one that this service made; start again without it") from error
    if digest != request.digest() or len(values) != len(request.sortby):
        raise BadCursor("token: made for another search; repeat that search's parameters or start again")
    return order_key(values, request.sortby), last


_TOKEN = msgspec.json.Decoder(tuple[str, list[float | int | str | None], str])
