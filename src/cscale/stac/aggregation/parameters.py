"""What an aggregation asks for, read from a URL or a JSON body."""

from collections.abc import Mapping, Sequence
from typing import Any

from cscale.errors import BadRequest
from cscale.stac.aggregation.words import KINDS, PRECISIONS, STEPS, AggregateRequest, Step
from cscale.stac.search import SearchRequest
from cscale.stac.search import from_json as search_from_json
from cscale.stac.search import from_query as search_from_query

INTERVAL = "datetime_frequency_interval"
OWN = frozenset({"aggregations", INTERVAL, *(f"{name}_precision" for name in PRECISIONS)})
"""The parameters that a search does not have."""
WITHOUT_MEANING = frozenset({"limit", "token", "sortby", "fields"})
"""The parameters of a search that an aggregation does not have."""


def from_query(parameters: Sequence[tuple[str, str]]) -> AggregateRequest:
    """Read an aggregation from the parameters of a URL.

    Raises:
        BadRequest: If a parameter is unknown, given twice, or cannot be read.
    """
    own: dict[str, Any] = {}
    for name, text in parameters:
        if name in own:
            raise BadRequest(f"{name}: given twice")
        if name in OWN:
            own[name] = text
    if "aggregations" in own:
        own["aggregations"] = [part.strip() for part in own["aggregations"].split(",")]
    for name in own.keys() - {"aggregations", INTERVAL}:
        own[name] = _whole_number(name, own[name])
    rest = [each for each in parameters if each[0] not in OWN]
    _refuse_without_meaning(name for name, _ in rest)
    return _read(own, search_from_query(rest))


def from_json(body: object) -> AggregateRequest:
    """Read an aggregation from the JSON body of `POST /aggregate`.

    Raises:
        BadRequest: If a member is unknown or cannot be read.
    """
    if not isinstance(body, Mapping):
        raise BadRequest("the body is not a JSON object")
    own = {name: value for name, value in body.items() if name in OWN and value is not None}
    rest = {name: value for name, value in body.items() if name not in OWN}
    _refuse_without_meaning(rest)
    return _read(own, search_from_json(rest))


def _refuse_without_meaning(names: Any) -> None:
    if refused := sorted(WITHOUT_MEANING.intersection(names)):
        raise BadRequest(f"{', '.join(refused)}: has no meaning where items are counted; leave it out")


def _read(own: Mapping[str, Any], search: SearchRequest) -> AggregateRequest:
    precision = {name: _precision(name, own[f"{name}_precision"]) for name in PRECISIONS if _has(own, name)}
    names = own.get("aggregations", ["total_count"])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest("aggregations: not a list of names")
    if unknown := sorted(set(names) - KINDS.keys()):
        raise BadRequest(f"aggregations: {', '.join(unknown)} not known here; known are {', '.join(KINDS)}")
    return AggregateRequest(search, tuple(dict.fromkeys(names)), _step(own.get(INTERVAL)), precision)


def _has(own: Mapping[str, Any], name: str) -> bool:
    return f"{name}_precision" in own


def _precision(name: str, value: object) -> int:
    least, greatest, _ = PRECISIONS[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        raise BadRequest(f"{name}_precision: {value!r} is not a whole number from {least} to {greatest}")
    return value


def _step(value: object) -> Step | None:
    for step in STEPS:
        if value == step:
            return step
    if value is not None:
        raise BadRequest(f"{INTERVAL}: {value!r} is none of {', '.join(STEPS)}")
    return None


def _whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4):
        raise BadRequest(f"{name}: {text!r} is not a small whole number")
    return int(text)
