"""What a search asks for: STAC API's search parameters, read from a URL or a JSON body.

Nothing is guessed and nothing dropped: what cannot be read, or is not known, is refused with a
`BadRequest` that names the parameter.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import shapely

from cscale.errors import BadCursor, BadRequest
from cscale.net.signing import Signer
from cscale.stac import cql2, stacql
from cscale.stac.geometry import Box, planar
from cscale.stac.text import read_terms
from cscale.stac.times import Interval

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000
"""The longest page; a greater limit gets this many, as STAC API allows."""

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@dataclass(frozen=True, slots=True)
class SortField:
    """One field of an order.

    Attributes:
        name: `id`, `collection`, `datetime` or the name of a property.
        descending: Greatest first. Items without the property come last either way.
    """

    name: str
    descending: bool = False

    def __str__(self) -> str:
        return ("-" if self.descending else "+") + self.name


NEWEST_FIRST = (SortField("datetime", descending=True),)
"""The default order."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Which members of an item are wanted, by dotted path; empty for all."""

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search.

    Attributes:
        collections: Ids; None for all. An unknown one matches nothing.
        ids: Item ids; None for all.
        bbox: Where the item's geometry must meet it.
        intersects: A GeoJSON geometry that the item's must meet.
        datetime: Which the item's time, or its `start_datetime` to `end_datetime`, must meet.
        filter: CQL2 as JSON, read by `cql2.parse`; what was asked by `query` is part of it.
        q: Free text in normal form, of which any must hold; see `cscale.stac.text`.
        sortby: The order; ties are broken by id, then collection.
        limit: The longest page wanted.
        token: The cursor of a page after the first.
        fields: What to show of each item; sources may ignore it, the web API applies it.
        duplicates: Whether copies of one product are joined into one item.
        strict: Whether an answer that misses a site is an error.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    bbox: Box | None = None
    intersects: Mapping[str, Any] | None = None
    datetime: Interval | None = None
    filter: cql2.Expression | None = None
    q: tuple[str, ...] | None = None
    sortby: tuple[SortField, ...] = NEWEST_FIRST
    limit: int = DEFAULT_LIMIT
    token: str | None = None
    fields: Fields = field(default_factory=Fields)
    duplicates: Literal["join", "keep"] = "join"
    strict: bool = False

    def body(self) -> dict[str, Any]:
        """The request as the JSON body of `POST /search`, without token, fields and federation words."""
        body: dict[str, Any] = {"limit": self.limit}
        if self.collections is not None:
            body["collections"] = list(self.collections)
        if self.ids is not None:
            body["ids"] = list(self.ids)
        if self.bbox is not None:
            body["bbox"] = self.bbox.numbers()
        if self.intersects is not None:
            body["intersects"] = self.intersects
        if self.datetime is not None:
            body["datetime"] = str(self.datetime)
        if self.filter is not None:
            body |= {"filter": self.filter, "filter-lang": "cql2-json"}
        if self.q is not None:
            body["q"] = list(self.q)
        body["sortby"] = [
            {"field": each.name, "direction": "desc" if each.descending else "asc"} for each in self.sortby
        ]
        return body

    def digest(self) -> str:
        """A short name of what is asked for, the same on every page of one search."""
        asked = self.body() | {"limit": 0, "duplicates": self.duplicates}
        packed = msgspec.json.encode(asked, order="deterministic")
        return hashlib.blake2b(packed, digest_size=6).hexdigest()

    def seal(self, position: Sequence[Any], signer: Signer) -> str:
        """The cursor of a position in this search's answer: what `opened` gives back, for it alone."""
        return signer.seal(msgspec.json.encode([self.digest(), *position]))

    def opened(self, signer: Signer) -> list[Any] | None:
        """The position that `token` holds; None on a walk's first page.

        Raises:
            BadCursor: If the signer did not seal it, or it was made for another search.
        """
        if self.token is None:
            return None
        payload = signer.open(self.token)
        if payload is None:
            raise BadCursor("token: not one that this service made; start again without it")
        digest, *position = msgspec.json.decode(payload, type=list)
        if digest != self.digest():
            raise BadCursor("token: made for another search; repeat that search's parameters or start again")
        return position


def from_query(parameters: Sequence[tuple[str, str]]) -> SearchRequest:
    """Read a search from the parameters of a URL.

    Raises:
        BadRequest: If a parameter is unknown, given twice, or cannot be read.
    """
    asked: dict[str, Any] = {}
    for name, text in parameters:
        if name in asked:
            raise BadRequest(f"{name}: given twice")
        asked[name] = text
    for name, read in _FROM_TEXT.items():
        if name in asked:
            asked[name] = read(asked[name])
    asked.setdefault("filter-lang", "cql2-text")
    return from_json(asked)


def from_json(body: object) -> SearchRequest:
    """Read a search from the JSON body of `POST /search`.

    Raises:
        BadRequest: If a member is unknown or cannot be read.
    """
    if not isinstance(body, Mapping):
        raise BadRequest("the body is not a JSON object")
    asked = {name: value for name, value in body.items() if value is not None}
    language = _LANGUAGE(asked.pop("filter-lang", "cql2-json"))
    crs = asked.pop("filter-crs", CRS84)
    if crs != CRS84:
        raise BadRequest(f"filter-crs: only {CRS84} is known, not {crs!r}")
    if unknown := sorted(asked.keys() - _READERS.keys()):
        raise BadRequest(
            f"{', '.join(map(str, unknown))}: not known here; known are {', '.join(sorted(_READERS))}"
        )
    if "bbox" in asked and "intersects" in asked:
        raise BadRequest("bbox and intersects: give one of the two, not both")
    values = {name: _READERS[name](value) for name, value in asked.items()}
    query = values.pop("query", None)
    if "filter" in asked:
        values["filter"] = cql2.parse(asked["filter"], language)
    if query is not None:
        values["filter"] = stacql.joined(values.get("filter"), query)
    return SearchRequest(**values)


def _strings(name: str) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise BadRequest(f"{name}: {value!r} is not a list of names")
        if not all(isinstance(each, str) and each for each in value):
            raise BadRequest(f"{name}: each must be a name, got {list(value)!r}")
        return tuple(dict.fromkeys(value))

    return read


def _geometry(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or "type" not in value:
        raise BadRequest("intersects: not a GeoJSON geometry")
    try:
        shapely.from_geojson(msgspec.json.encode(value))  # stricter with texts in the place of numbers
        planar(value)
    except (ValueError, TypeError, OverflowError, RecursionError, shapely.errors.ShapelyError) as error:
        raise BadRequest(f"intersects: not a GeoJSON geometry ({error})") from error
    return value


def _query(value: object) -> cql2.Expression:
    translated = stacql.translate(value)
    try:
        return cql2.parse(translated, "cql2-json")
    except BadRequest as error:
        raise BadRequest(str(error).replace("filter:", "query:", 1)) from error


def _limit(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequest(f"limit: {value!r} is not a whole number from 1")
    return min(value, MAX_LIMIT)


def _sortby(value: object) -> tuple[SortField, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise BadRequest("sortby: not a list of objects with field and direction")
    return tuple(_sort_field(each) for each in value) or NEWEST_FIRST


def _sort_field(value: object) -> SortField:
    name = value.get("field") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(name, str) or not cql2.plain_name(name):
        raise BadRequest(f"sortby: {value!r} has no field")
    direction = value.get("direction", "asc")
    if direction not in ("asc", "desc"):
        raise BadRequest(f"sortby: direction {direction!r} of {name} is neither asc nor desc")
    return SortField(cql2.plain_name(name), direction == "desc")


def _fields(value: object) -> Fields:
    if not isinstance(value, Mapping) or not value.keys() <= {"include", "exclude"}:
        raise BadRequest("fields: not an object with include and exclude")
    given = {part: [] if value.get(part) is None else value[part] for part in ("include", "exclude")}
    return Fields(**{part: frozenset(_strings(f"fields.{part}")(names)) for part, names in given.items()})


def _token(value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest("token: not text")
    return value


def _one_of(name: str, choices: Mapping[object, Any]) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        for choice, meaning in choices.items():
            if value is choice or (isinstance(value, str) and value == choice):
                return meaning
        known = ", ".join(str(choice) for choice in choices if isinstance(choice, str))
        raise BadRequest(f"{name}: {value!r} is none of {known}")

    return read


_LANGUAGE = _one_of("filter-lang", {language: language for language in ("cql2-text", "cql2-json")})
_READERS: dict[str, Callable[[object], Any]] = {
    "collections": _strings("collections"),
    "ids": _strings("ids"),
    "bbox": Box.parse,
    "intersects": _geometry,
    "datetime": Interval.parse,
    "filter": lambda value: value,
    "query": _query,
    "q": read_terms,
    "sortby": _sortby,
    "limit": _limit,
    "token": _token,
    "fields": _fields,
    "duplicates": _one_of("duplicates", {"join": "join", "keep": "keep"}),
    "strict": _one_of("strict", {"true": True, "false": False, True: True, False: False}),
}


def _list_from_text(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _bbox_from_text(text: str) -> list[float]:
    try:
        return [float(part.replace("_", "x")) for part in text.split(",")]  # 1_0 is no number but in Python
    except ValueError as error:
        raise BadRequest(f"bbox: {text!r} is not four or six numbers with commas between") from error


def _limit_from_text(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest(f"limit: {text!r} is not a whole number from 1")
    return int(text.lstrip("0")[:9] or 0)  # nine digits are more than any page


def _object_from_text(name: str) -> Callable[[str], Any]:
    def read(given: str) -> Any:
        try:
            return msgspec.json.decode(given, type=dict)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BadRequest(f"{name}: not a JSON object ({error})") from error

    return read


def _sortby_from_text(text: str) -> list[dict[str, str]]:
    # A plus sign that was not encoded arrives as a space.
    return [
        {"field": part[part[0] in "+- " :], "direction": "desc" if part[0] == "-" else "asc"}
        for part in text.split(",")
        if part
    ]


def _fields_from_text(text: str) -> dict[str, list[str]]:
    parts = [part for part in text.split(",") if part]
    return {
        "include": [part[part[0] in "+ " :] for part in parts if part[0] != "-"],
        "exclude": [part[1:] for part in parts if part.startswith("-")],
    }


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "collections": _list_from_text,
    "ids": _list_from_text,
    "bbox": _bbox_from_text,
    "intersects": _object_from_text("intersects"),
    "query": _object_from_text("query"),
    "sortby": _sortby_from_text,
    "limit": _limit_from_text,
    "fields": _fields_from_text,
}
