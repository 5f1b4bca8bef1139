"""The search of the Data Hub Software (DHuS): Solr's query language, answers as an Atom feed in JSON.

Texts are compared without certainty about capitals, so that a condition on them may hold for more; times
are kept to the millisecond; areas are compared exactly by the hub.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from shapely.geometry.base import BaseGeometry

from cscale.discovery.odata.asked.attributes import Named, Number, Property
from cscale.discovery.odata.asked.conditions import ANYTHING, Condition, Words
from cscale.discovery.odata.asked.places import parts_of, wkt
from cscale.discovery.odata.asked.vocabulary import CONSTELLATIONS, ORBITS, PLATFORMS, by_name
from cscale.discovery.odata.asking import Parameters, count, record
from cscale.discovery.odata.dhus import collection_of
from cscale.discovery.odata.paging import Batch
from cscale.discovery.odata.products import Product, fixed_time, name_told, text_told, time_told
from cscale.discovery.opensearch.records import Flat, product_of
from cscale.errors import BadInput

WORDS = Words("AND", "OR")
_MILLISECOND = 1000
_START, _END, _STAMP = "beginposition", "endposition", "ingestiondate"
_NAME = "identifier"


def quoted(text: str) -> str:
    """A text as Solr writes a phrase."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def escaped(text: str) -> str:
    """A text as Solr writes a word that a wildcard follows."""
    return re.sub(r"([^A-Za-z0-9_])", r"\\\1", text)


class Solr:
    """The Data Hub's search: how it is asked, and how it answers; see `odata.walking.Archive`."""

    words = WORDS
    path: ClassVar[str] = ""
    name: ClassVar[str] = _NAME
    properties: ClassVar[Mapping[str, Property]] = by_name(
        (
            Number("eo:cloud_cover", "cloudcoverpercentage", 0, 100, whole=False),
            Number("sat:absolute_orbit", "orbitnumber", *ORBITS),
            Number("sat:relative_orbit", "relativeorbitnumber", *ORBITS),
            Named("platform", PLATFORMS),
            Named("constellation", CONSTELLATIONS),
        )
    )
    sorts: ClassVar[Mapping[str, str]] = {"datetime": _START, "start_datetime": _START, "published": _STAMP}
    second: ClassVar[str] = _STAMP
    top: ClassVar[int] = 100

    @staticmethod
    def parameters(condition: str, order: str, top: int, skip: int, *, counted: bool) -> Parameters:  # noqa: ARG004
        """The parameters of a request; the hub always counts."""
        told = [("format", "json"), ("rows", str(top)), ("start", str(skip)), ("orderby", order)]
        return [*told, ("q", condition or "*")]

    @staticmethod
    def batch(body: msgspec.Raw, top: int, skip: int) -> Batch[msgspec.Raw]:
        """The records of an answer; one alone comes without its list.

        Raises:
            msgspec.DecodeError: If it is none.
        """
        feed = msgspec.json.decode(body, type=_Answer).feed
        records: list[msgspec.Raw] = []
        if feed.entry is not msgspec.UNSET:
            listed = bytes(feed.entry).lstrip().startswith(b"[")
            records = msgspec.json.decode(feed.entry, type=list[msgspec.Raw]) if listed else [feed.entry]
        matched = count(feed.matched)
        more = len(records) >= top or skip + len(records) < (matched or 0)
        return Batch(records, more, matched)

    @staticmethod
    def record(raw: msgspec.Raw) -> "Entry | None":
        """A record; None where it is none."""
        told = record(raw, dict[str, Any])
        return None if told is None else Entry(told)

    @staticmethod
    def product(told: "Entry", root: str, asked: Sequence[str]) -> Product:  # noqa: ARG004  # as others
        """The product that an entry describes.

        Raises:
            BadInput: If it describes none.
        """
        name = name_told(told.values.get(_NAME) or told.values.get("title"))
        collection = collection_of(name) if name is not None else None
        if name is None or collection is None:
            raise BadInput("a product whose name does not tell its collection")
        return product_of(told.flat(name, collection))

    def key(self, name: str, op: str, moment: int) -> Condition:
        """That a sort key, by STAC's name, is before, at or after an instant."""
        return timed(self.sorts[name], op, moment)

    def equals(self, attribute: str, value: str) -> Condition:
        """See `attributes.Dialect`."""
        return Condition(f"{attribute}:{quoted(value)}", exact=False)

    def within(self, attribute: str, low: float, high: float, *, whole: bool) -> Condition:
        """See `attributes.Dialect`."""
        return Condition(f"{attribute}:[{low!r} TO {high!r}]")

    def begins(self, prefix: str) -> Condition:
        """See `attributes.Dialect`."""
        return Condition(f"{self.name}:{escaped(prefix)}*", exact=False)

    def contains(self, text: str) -> Condition:
        """See `filters.Site`."""
        return Condition(f"{self.name}:*{escaped(text)}*", exact=False)

    def named(self, names: Sequence[str]) -> Condition:
        """See `filters.Site`."""
        known = [name for name in names if name_told(name) == name]
        return WORDS.either(self.equals(self.name, name) for name in known)

    def starts(self, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return timed(_START, op, moment)

    def ends(self, op: str, moment: int) -> Condition:
        """See `filters.Site`; the hub holds products that end before they start."""
        started = timed(_START, op, moment)
        if op in (">", ">="):
            return WORDS.either([timed(_END, op, moment), started])
        return Condition(started.text, exact=False)

    def stamped(self, name: str, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return timed(_STAMP, op, moment) if name == "published" else ANYTHING

    def meets(self, area: BaseGeometry) -> Condition:
        """See `filters.Site`."""
        parts = parts_of(area)
        if parts is None:
            return Condition(True, exact=False)
        return WORDS.either(Condition(f'footprint:"Intersects({wkt(part)})"', exact=False) for part in parts)

    def collected(self, collection: str) -> Condition:
        """That a product is in a collection, by the beginning of its name; see `odata.dhus`."""
        mission, _, kind = collection.partition("/")
        number = mission.removeprefix("SENTINEL-")
        then = f"MSIL{kind.removeprefix('S2MSI')}_" if number == "2" else kind
        if number in ("1", "2", "3") and kind:
            return WORDS.either(self.begins(f"S{number}{unit}_{then}") for unit in "ABCD")
        near = self.begins("S5P_") if number == "5P" else Condition(True)
        return Condition(near.text, exact=False)


def timed(field: str, op: str, moment: int) -> Condition:
    """A comparison with an instant, where the site knows whole milliseconds and closed ranges."""
    floor = moment // _MILLISECOND * _MILLISECOND
    if op == "<>":
        return WORDS.either([timed(field, "<", moment), timed(field, ">", moment)])
    if op == "=" and floor != moment:
        return Condition(False)
    before = floor - _MILLISECOND if op == "<" and floor == moment else floor
    after = floor if op in (">=", "=") and floor == moment else floor + _MILLISECOND
    low = _written(after) if op in ("=", ">", ">=") else "*"
    high = _written(before) if op in ("=", "<", "<=") else "*"
    return Condition(f"{field}:[{low} TO {high}]")


def _written(moment: int) -> str:
    return fixed_time(moment)[:-4] + "Z"


class _Feed(msgspec.Struct):
    matched: Any = msgspec.field(name="opensearch:totalResults", default=None)
    entry: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Answer(msgspec.Struct):
    feed: _Feed


class Entry:
    """An entry of an answer: its fields by name; nothing of them is believed.

    Args:
        told: As it came.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = {"title": told.get("title")}
        for kind in ("date", "int", "long", "double", "str", "bool"):
            listed = told.get(kind)
            for each in listed if isinstance(listed, list) else [listed]:
                if isinstance(each, Mapping) and isinstance(each.get("name"), str):
                    self.values.setdefault(each["name"], _typed(kind, each.get("content")))
        links = told.get("link")
        self.links = [
            each for each in (links if isinstance(links, list) else [links]) if isinstance(each, Mapping)
        ]

    def time(self, field: str) -> int | None:
        """A time by its field."""
        return time_told(self.values.get(field))

    def flat(self, name: str, collection: str) -> Flat:
        """What it tells, by the names that all archives' records share."""
        link = {text_told(each.get("rel")): each.get("href") for each in reversed(self.links)}
        values = self.values
        return Flat(
            name=name,
            collection=collection,
            start=self.time(_START),
            end=self.time(_END),
            wkt=values.get("footprint"),
            values=values | {"productType": collection.partition("/")[2]},
            published=self.time(_STAMP),
            download=link.get(None),
            quicklook=link.get("icon"),
            via=link.get("alternative"),
        )


def _typed(kind: str, content: object) -> Any:
    if kind not in ("int", "long", "double"):
        return content
    if not isinstance(content, str) or not re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", content, re.ASCII):
        return None
    return float(content) if kind == "double" else int(float(content))
