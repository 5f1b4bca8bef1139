"""OData as the Data Hub Software (DHuS, OData version 2) speaks it: fewer conditions, other records.

It knows neither areas nor attributes in conditions, answers 100 products at most, and keeps times to the
millisecond. Collections are told by the names of products.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from shapely.geometry.base import BaseGeometry

from cscale.discovery.odata.asked.attributes import Named, Number, Property, Word
from cscale.discovery.odata.asked.conditions import ANYTHING, Condition, Words
from cscale.discovery.odata.asked.vocabulary import (
    CONSTELLATIONS,
    INSTRUMENTS,
    LEVELS,
    ORBIT_STATES,
    ORBITS,
    PLATFORMS,
    TIMELINESS_WORDS,
    by_name,
)
from cscale.discovery.odata.asking import Parameters, count, record
from cscale.discovery.odata.csc import OPERATORS, quoted
from cscale.discovery.odata.paging import Batch
from cscale.discovery.odata.products import (
    Product,
    checksum_told,
    fixed_time,
    name_told,
    place_of_wkt,
    size_told,
    text_told,
)
from cscale.errors import BadInput

WORDS = Words("and", "or")
ASKED = by_name((Named("platform", PLATFORMS), Named("constellation", CONSTELLATIONS)))
_READ: tuple[Property, ...] = (
    Number("eo:cloud_cover", "cloud cover percentage", 0, 100, whole=False),
    Number("sat:absolute_orbit", "orbit number (start)", *ORBITS),
    Number("sat:relative_orbit", "relative orbit (start)", *ORBITS),
    Word("sat:orbit_state", "orbit direction (start)", ORBIT_STATES),
    Word("sat:orbit_state", "pass direction", ORBIT_STATES),
    Word("product:timeliness_category", "timeliness category", TIMELINESS_WORDS),
    Word("processing:level", "product level", LEVELS),
    Word("processing:level", "processing level", LEVELS),
)
"""Attributes that records may tell, by their names in small letters."""
_SECOND = "IngestionDate"
_STAMPS = {"published": "IngestionDate", "updated": "ModificationDate"}
_START, _END = "ContentDate/Start", "ContentDate/End"
_MILLISECOND = 1000
_TYPES = {"1": slice(4, 14), "3": slice(4, 15), "5": slice(9, 19)}
"""Where the type of product stands in a name, by the mission's number."""
_DATE = re.compile(r"/Date\((-?\d{1,14})\)/", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def collection_of(name: str) -> str | None:
    """The collection of a product by its name, as `csc` names collections; None where it does not tell.

    Names are those of the missions' product definitions: `S1A_IW_GRDH_1SDV_...`, `S2A_MSIL1C_...`,
    `S3A_OL_1_EFR____...`, `S5P_OFFL_L2__NO2____...`.
    """
    if not re.match(r"S[1235][A-DP]_", name):
        return None
    if name[1] == "2":
        match = re.match(r"S2[A-D]_MSIL(1A|1B|1C|2A)_", name)
        return f"SENTINEL-2/S2MSI{match[1]}" if match else None
    kind = name[_TYPES[name[1]]]
    mission = "SENTINEL-5P" if name[1] == "5" else f"SENTINEL-{name[1]}"
    return f"{mission}/{kind}" if re.fullmatch(r"\w{10,11}", kind, re.ASCII) else None


class DhusRecord(msgspec.Struct):
    """A product as it comes; nothing of it is believed."""

    Id: Any = None
    Name: Any = None
    ContentLength: Any = None
    IngestionDate: Any = None
    ModificationDate: Any = None
    Online: Any = None
    ContentDate: Any = None
    Checksum: Any = None
    ContentGeometry: Any = None
    Attributes: Any = None

    def time(self, path: str) -> int | None:
        """A time by its path in a filter."""
        name, _, part = path.partition("/")
        told = getattr(self, name)
        if part:
            told = told.get(part) if isinstance(told, Mapping) else None
        match = _DATE.fullmatch(told) if isinstance(told, str) else None
        return int(match[1]) * _MILLISECOND if match and abs(int(match[1])) < 62_000_000_000_000 else None


class _Results(msgspec.Struct):
    results: list[msgspec.Raw]
    matched: Any = msgspec.field(name="__count", default=None)


class _Answer(msgspec.Struct):
    d: _Results


class Dhus:
    """The Data Hub Software's OData: how it is asked, and how it answers; see `csc.Csc`."""

    words = WORDS
    path: ClassVar[str] = "/Products"
    properties: ClassVar[Mapping[str, Property]] = ASKED
    sorts: ClassVar[Mapping[str, str]] = {"datetime": _START, "start_datetime": _START, **_STAMPS}
    second: ClassVar[str] = _SECOND
    top: ClassVar[int] = 100

    @staticmethod
    def parameters(condition: str, order: str, top: int, skip: int, *, counted: bool) -> Parameters:  # noqa: ARG004  # as in `csc`
        """The parameters of a request."""
        told = [("$format", "json"), ("$orderby", order), ("$top", str(top)), ("$expand", "Attributes")]
        told += [("$filter", condition)] if condition else []
        told += [("$skip", str(skip))] if skip else []
        return [*told, ("$inlinecount", "allpages")]

    @staticmethod
    def batch(body: msgspec.Raw, top: int, skip: int) -> Batch[msgspec.Raw]:
        """The records of an answer.

        Raises:
            msgspec.DecodeError: If it is none.
        """
        answer = msgspec.json.decode(body, type=_Answer).d
        matched = count(answer.matched)
        more = len(answer.results) >= top or skip + len(answer.results) < (matched or 0)
        return Batch(answer.results, more, matched)

    @staticmethod
    def record(raw: msgspec.Raw) -> DhusRecord | None:
        """A record; None where it is none."""
        return record(raw, DhusRecord)

    @staticmethod
    def product(told: DhusRecord, root: str, asked: Sequence[str]) -> Product:  # noqa: ARG004  # as in `csc`
        """See `product_of`."""
        return product_of(told, root)

    def key(self, name: str, op: str, moment: int) -> Condition:
        """That a sort key, by STAC's name, is before, at or after an instant."""
        return _timed(self.sorts[name], op, moment)

    def equals(self, attribute: str, value: str) -> Condition:
        """See `attributes.Dialect`."""
        return ANYTHING

    def within(self, attribute: str, low: float, high: float, *, whole: bool) -> Condition:
        """See `attributes.Dialect`."""
        return ANYTHING

    def begins(self, prefix: str) -> Condition:
        """See `attributes.Dialect`."""
        return Condition(f"startswith(Name,{quoted(prefix)})")

    def contains(self, text: str) -> Condition:
        """See `filters.Site`."""
        return Condition(f"substringof({quoted(text)},Name)")

    def named(self, names: Sequence[str]) -> Condition:
        """See `filters.Site`; the Data Hub's names have no ending."""
        known = [name for name in names if name_told(name) == name]
        return WORDS.either(Condition(f"Name eq {quoted(name)}") for name in known)

    def starts(self, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return _timed(_START, op, moment)

    def ends(self, op: str, moment: int) -> Condition:
        """See `filters.Site`; the hub holds products that end before they start."""
        started = _timed(_START, op, moment)
        if op in (">", ">="):
            return WORDS.either([_timed(_END, op, moment), started])
        return Condition(started.text, exact=False)

    def stamped(self, name: str, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return _timed(_STAMPS[name], op, moment)

    def meets(self, area: BaseGeometry) -> Condition:
        """See `filters.Site`."""
        return ANYTHING

    def collected(self, collection: str) -> Condition:
        """That a product is in a collection, by the beginning of its name."""
        mission, _, kind = collection.partition("/")
        number = mission.removeprefix("SENTINEL-")
        if number == "2":
            return self._begin("2", f"MSIL{kind.removeprefix('S2MSI')}_")
        if number in ("1", "3"):
            return self._begin(number, kind)
        if number == "5P" and kind:
            kinds = [Condition(f"substringof({quoted(f'_{kind}_')},Name)", exact=False), self.begins("S5P_")]
            return WORDS.both(kinds)
        return Condition(True, exact=False)

    def _begin(self, number: str, then: str) -> Condition:
        return WORDS.either(self.begins(f"S{number}{unit}_{then}") for unit in "ABCD")


def _timed(path: str, op: str, moment: int) -> Condition:
    """A comparison with an instant, where the site knows whole milliseconds only."""
    floor = moment // _MILLISECOND * _MILLISECOND
    whole = floor == moment
    if op in ("=", "<>") and not whole:
        return Condition(op == "<>")
    if op in ("<", ">=") and not whole:
        op, moment = ("<=" if op == "<" else ">"), floor
    return Condition(f"{path} {OPERATORS[op]} datetime'{fixed_time(moment // 1000 * 1000)[:-4]}'")


def product_of(told: DhusRecord, root: str) -> Product:
    """The product that a record describes.

    Raises:
        BadInput: If it has no name, identifier, time or collection.
    """
    name, start = name_told(told.Name), told.time(_START)
    identifier = told.Id if isinstance(told.Id, str) and _UUID.fullmatch(told.Id) else None
    collection = collection_of(name) if name is not None else None
    if name is None or identifier is None or start is None or collection is None:
        raise BadInput("a product without a name that tells its collection, an identifier or a time")
    attributes = _attributes(told.Attributes)
    properties: dict[str, Any] = {"product:type": collection.partition("/")[2]}
    for known in (*_READ, *ASKED.values()):
        value = known.read(attributes, name)
        if value is not None:
            properties.setdefault(known.name, value)
    instrument = attributes.get("instrument abbreviation") or attributes.get("instrument")
    if instrument in INSTRUMENTS:
        properties["instruments"] = list(INSTRUMENTS[instrument])
    for key, path in _STAMPS.items():
        moment = told.time(path)
        properties |= {} if moment is None else {key: fixed_time(moment)}
    if isinstance(told.Online, bool):
        properties["order:status"] = "succeeded" if told.Online else "orderable"
    end = told.time(_END)
    place = place_of_wkt(attributes.get("jts footprint")) or place_of_gml(told.ContentGeometry)
    product = Product(name, collection, start, start if end is None else end, place, properties)
    address = f"{root}/Products('{identifier}')"
    checksum = told.Checksum if isinstance(told.Checksum, Mapping) else {}
    asset = {
        "href": f"{address}/$value",
        "type": "application/zip",
        "title": "The product, zipped",
        "roles": ["data"],
        "file:size": size_told(told.ContentLength),
        "file:checksum": checksum_told((checksum.get("Algorithm"), checksum.get("Value"))),
    }
    picture = f"{address}/Products('Quicklook')/$value"
    product.assets = {
        "product": {key: value for key, value in asset.items() if value is not None},
        "quicklook": {"href": picture, "type": "image/jpeg", "title": "Quicklook", "roles": ["overview"]},
    }
    product.links = [{"rel": "via", "href": address}]
    return product


def _attributes(told: object) -> dict[str, Any]:
    """The attributes by name in small letters, numbers as such."""
    listed = told.get("results") if isinstance(told, Mapping) else None
    found: dict[str, Any] = {}
    for each in listed if isinstance(listed, list) else []:
        name, value = (
            (text_told(each.get("Name")), each.get("Value")) if isinstance(each, Mapping) else (None, None)
        )
        if name is not None and isinstance(value, str):
            plain = name.lower().removesuffix(" (%)")
            number = re.fullmatch(r"-?\d{1,12}(\.\d{1,12})?", value, re.ASCII)
            found.setdefault(plain, float(value) if number and "level" not in plain else value)
    return found


def place_of_gml(text: object) -> BaseGeometry | None:
    """Where a product lies, by a GML polygon as text: `<gml:coordinates>` of latitude,longitude pairs.

    Read by its coordinates alone; as XML it is not parsed.
    """
    if not isinstance(text, str) or len(text) > 1 << 20:
        return None
    rings = re.findall(r"<gml:coordinates>([-+0-9.eE, \n]{1,1000000})</gml:coordinates>", text)
    polygons = []
    for ring in rings:
        pairs = [pair.split(",") for pair in ring.split()]
        if len(pairs) < 4 or any(len(pair) != 2 for pair in pairs):
            return None
        polygons.append("(" + ",".join(f"{pair[1]} {pair[0]}" for pair in pairs) + ")")
    if not polygons:
        return None
    return place_of_wkt(f"MULTIPOLYGON ({','.join(f'({ring})' for ring in polygons)})")
