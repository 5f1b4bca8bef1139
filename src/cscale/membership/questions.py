"""What a site is asked in a check, and whether the items that come are an answer to it.

The questions are made from items that the site itself has shown: around one of them something must come,
far from all of them nothing that is not there. Every item that comes is held against the question.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from cscale.errors import BadInput, BadRequest
from cscale.federation.profiles import Outcome, Tried
from cscale.membership.asking import Came
from cscale.stac import cql2
from cscale.stac.evaluation import matcher
from cscale.stac.geometry import Box
from cscale.stac.items import item_geometry, item_times
from cscale.stac.search import SearchRequest
from cscale.stac.times import Interval

SAMPLE = 12
"""How many items a question asks for."""
NOWHERE = "cscale-no-such-thing"
"""An id that nobody has."""
_SECOND = 1_000_000
_FAR = ((-150.0, -40.0), (60.0, -50.0), (-30.0, 45.0), (0.0, 85.0), (150.0, 10.0), (-100.0, 5.0))
_ITEM_FAULTS = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, BadInput)


@dataclass(frozen=True, slots=True)
class Question:
    """A search whose answer can be judged.

    Attributes:
        part: The part of a search that it tries, by the name of STAC API's parameter.
        what: The same in words.
        request: The search.
        known: The item that matches; None where nothing is known to match.
    """

    part: str
    what: str
    request: SearchRequest
    known: Mapping[str, Any] | None = None


def known_item(items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The first item that has all that questions are made from: a time, a place, a collection."""
    for item in items:
        if isinstance(item.get("collection"), str) and _time(item) and _bounds(item) is not None:
            return item
    return None


def questions(items: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> Iterator[Question]:
    """What to ask a site that holds these items.

    Args:
        items: Some of its items.
        known: The one that questions are about; see `known_item`.
    """
    first, last = _time(known) or (0, 0)
    around = Interval(first - _SECOND, last + _SECOND)
    long_ago = Interval.parse("1950-01-01T00:00:00Z/1950-12-31T23:59:59Z")
    yield Question("datetime", "around an item", SearchRequest(datetime=around, limit=SAMPLE), known)
    yield Question("datetime", "in 1950", SearchRequest(datetime=long_ago, limit=SAMPLE))
    near, far = _boxes(items, known)
    yield Question("bbox", "around an item", SearchRequest(bbox=near, limit=SAMPLE), known)
    yield Question("bbox", "far away", SearchRequest(bbox=far, limit=SAMPLE))
    for box, what, held in ((near, "around an item", known), (far, "far away", None)):
        area = shapely.geometry.mapping(box.geometry())
        yield Question("intersects", what, SearchRequest(intersects=_plain(area), limit=SAMPLE), held)
    name, collection = str(known["id"]), str(known["collection"])
    yield Question("ids", "of an item", SearchRequest(ids=(name,), limit=SAMPLE), known)
    yield Question("ids", "of no item", SearchRequest(ids=(NOWHERE,), limit=SAMPLE))
    yield Question(
        "collections", "one of its own", SearchRequest(collections=(collection,), limit=SAMPLE), known
    )
    yield Question("collections", "unknown to it", SearchRequest(collections=(NOWHERE,), limit=SAMPLE))


def comparison(items: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> tuple[str, str]:
    """A comparison that some items pass and others do not, as CQL2 text, and the same in words.

    Where no property tells the items apart, it asks for the known item by its id.
    """
    for name in _by_worth(known):
        values = [value for item in items if _is_number(value := item["properties"].get(name))]
        own = known["properties"][name]
        if values and max(values) > own:
            return f'"{name}" <= {own!r}', f"{name} <= {own}"
        if values and min(values) < own:
            return f'"{name}" >= {own!r}', f"{name} >= {own}"
    return f"id = {_quoted(str(known['id']))}", f"id = {known['id']}"


def filter_question(text: str, what: str, known: Mapping[str, Any] | None) -> Question:
    """The question of a filter.

    Raises:
        BadRequest: If the filter cannot be read: names of a site may hold anything.
    """
    parsed = cql2.parse(text, "cql2-text")
    return Question("filter", what, SearchRequest(filter=parsed, limit=SAMPLE), known)


def judge(question: Question, came: Came) -> Tried:
    """What a site has done with a question."""
    name = f"{question.part} {question.what}"
    if not came.asked:
        return Tried(name, "untried", came.problem)
    if came.status in (404, 400, 422) and question.part == "collections" and question.known is None:
        return Tried(name, "done", f"refused: {came.problem}")
    if came.status == 404 and question.known is None:
        return Tried(name, "done", NOTHING_FOUND)
    if came.problem:
        return Tried(name, "refused" if 400 <= came.status < 500 else "wrong", came.problem)
    if question.part in came.left:
        return Tried(name, "ignored", "the site's dialect has no words for it")
    fits = matcher(question.request)
    odd = [item for item in came.items if not _holds(fits, item)]
    rough = [item for item in odd if _meets_box(item, question.request)]
    if len(odd) > len(rough):
        return Tried(name, "ignored", f"{len(odd)} of the {len(came.items)} items that came do not match")
    if question.known is not None and not _there(question.known, came):
        return Tried(name, "wrong", f"the item {str(question.known['id'])[:80]} matches and did not come")
    if rough:
        return Tried(name, "roughly", f"{len(rough)} items came that match by their boxes only")
    return Tried(name, "done", _all_match(len(came.items)))


def _all_match(count: int) -> str:
    if count == 0:
        return "no item, as it must be"
    return "1 item, which matches" if count == 1 else f"{count} items, all match"


NOTHING_FOUND = "404 where nothing matches"


_WORST: tuple[Outcome, ...] = ("refused", "ignored", "wrong", "roughly", "untried", "done")


def together(part: str, tried: Sequence[Tried]) -> Tried:
    """One try out of several of one part: the worst that came."""
    worst = min(tried, key=lambda each: _WORST.index(each.outcome))
    if worst.outcome == "done":
        return Tried(part, "done", "; ".join(f"{each.name.partition(' ')[2]}: {each.said}" for each in tried))
    return Tried(part, worst.outcome, f"{worst.name.partition(' ')[2]}: {worst.said}")


def _holds(fits: Any, item: Mapping[str, Any]) -> bool:
    try:
        return bool(fits(item))
    except _ITEM_FAULTS:
        return False


def _there(known: Mapping[str, Any], came: Came) -> bool:
    """Whether the known item came; on a page that others have filled, any item will do."""
    names = {(item["id"], item.get("collection")) for item in came.items}
    return (known["id"], known.get("collection")) in names or (bool(names) and not came.complete)


def _meets_box(item: Mapping[str, Any], request: SearchRequest) -> bool:
    """Whether an item's box meets the area that is asked for: what many archives go by."""
    if request.bbox is None and request.intersects is None:
        return False
    box = _bounds(item)
    asked = request.bbox or Box.parse(shapely.geometry.shape(request.intersects).bounds)
    return box is not None and bool(shapely.intersects(box.geometry(), asked.geometry()))


def _time(item: Mapping[str, Any]) -> tuple[int, int] | None:
    try:
        known, first, last = item_times(item)
    except _ITEM_FAULTS:
        return None
    return None if known is None else (first, last)


def _bounds(item: Mapping[str, Any]) -> Box | None:
    try:
        geometry = item_geometry(item)
        return None if geometry is None or geometry.is_empty else Box.parse(geometry.bounds)
    except (*_ITEM_FAULTS, BadRequest, shapely.errors.ShapelyError):
        return None


def _boxes(items: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> tuple[Box, Box]:
    """A small box on an item, and one that is far from all items."""
    geometry = item_geometry(known)
    assert geometry is not None
    point = geometry.representative_point()
    near = _around(point.x, point.y)
    held = [box.geometry() for item in items if (box := _bounds(item)) is not None]
    everything = shapely.union_all(held)
    boxes = [_around(x, y) for x, y in _FAR]
    return near, max(boxes, key=lambda box: shapely.distance(box.geometry(), everything))


def _around(x: float, y: float) -> Box:
    """A box of a hundredth of a degree, written with few digits."""
    south = min(max(math.floor(y * 200) / 200, -90.0), 89.99)
    west = min(max(math.floor(x * 200) / 200, -180.0), 179.99)
    return Box(round(west, 3), round(south, 3), round(west + 0.01, 3), round(south + 0.01, 3))


def _plain(geometry: Mapping[str, Any]) -> dict[str, Any]:
    rings = [[list(point) for point in ring] for ring in geometry["coordinates"]]
    return {"type": geometry["type"], "coordinates": rings}


def _by_worth(known: Mapping[str, Any]) -> list[str]:
    """The names of the known item's numbers; those first that archives are most used to filter by."""
    names = [
        name
        for name, value in known["properties"].items()
        if _is_number(value) and 0 < len(name) < 60 and name.isprintable() and '"' not in name
    ]
    worth: Mapping[str, int] = {
        "eo:cloud_cover": 0,
        "sat:relative_orbit": 1,
        "gsd": 2,
        "view:sun_elevation": 3,
    }
    return sorted(names, key=lambda name: worth.get(name, 9))


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
    except OverflowError:
        return False


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
