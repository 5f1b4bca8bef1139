"""OData as the Copernicus Space Component speaks it (Copernicus Data Space, CREODIAS): conditions, records.

Written after the Data Space's documentation of its OData interface: texts of attributes are only compared
for equality, areas are single polygons, times are written with microseconds.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
from shapely.geometry.base import BaseGeometry

from cscale.discovery.odata.asked.attributes import Property
from cscale.discovery.odata.asked.conditions import Condition, Words
from cscale.discovery.odata.asked.places import parts_of, wkt
from cscale.discovery.odata.asked.vocabulary import CSC
from cscale.discovery.odata.asking import Parameters, count, record
from cscale.discovery.odata.paging import Batch
from cscale.discovery.odata.products import (
    ENDINGS,
    Product,
    address_told,
    checksum_told,
    fixed_time,
    name_told,
    place_of_wkt,
    place_told,
    size_told,
    text_told,
    time_told,
)
from cscale.errors import BadInput

WORDS = Words("and", "or")
OPERATORS = {"=": "eq", "<>": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_START, _END = "ContentDate/Start", "ContentDate/End"
_STAMPS = {"published": "PublicationDate", "updated": "ModificationDate"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOGINS = {
    ".dataspace.copernicus.eu": "https://identity.dataspace.copernicus.eu/auth/realms/CDSE"
    "/.well-known/openid-configuration"
}
"""Where the users of a site, by the end of its host, get their tokens."""


def quoted(text: str) -> str:
    """A text as OData writes it."""
    return "'" + text.replace("'", "''") + "'"


class Csc:
    """The Copernicus Space Component's OData: how it is asked, and how it answers.

    Attributes:
        words: See `asked.conditions`.
        properties: What filters can ask for.
        sorts: STAC's names of what it sorts by, and its own.
        second: What products of one instant are sorted by.
        top: The longest page.
    """

    words = WORDS
    path: ClassVar[str] = "/Products"
    properties: ClassVar[Mapping[str, Property]] = CSC
    sorts: ClassVar[Mapping[str, str]] = {"datetime": _START, "start_datetime": _START, **_STAMPS}
    second: ClassVar[str] = "PublicationDate"
    top: ClassVar[int] = 1000

    @staticmethod
    def parameters(condition: str, order: str, top: int, skip: int, *, counted: bool) -> Parameters:
        """The parameters of a request."""
        told = [("$filter", condition)] if condition else []
        told += [("$orderby", order), ("$top", str(top)), ("$expand", "Attributes"), ("$expand", "Assets")]
        told += [("$skip", str(skip))] if skip else []
        return told + ([("$count", "true")] if counted else [])

    @staticmethod
    def batch(body: msgspec.Raw, top: int, skip: int) -> Batch[msgspec.Raw]:  # noqa: ARG004
        """The records of an answer. The link to the next page tells that there is one; it is not followed.

        Raises:
            msgspec.DecodeError: If it is none.
        """
        answer = msgspec.json.decode(body, type=_Answer)
        more = len(answer.value) >= top or answer.next is not None
        return Batch(answer.value, more, count(answer.matched))

    @staticmethod
    def record(raw: msgspec.Raw) -> "Record | None":
        """A record; None where it is none."""
        return record(raw, Record)

    @staticmethod
    def product(told: "Record", root: str, asked: Sequence[str]) -> Product:
        """See `product_of`."""
        return product_of(told, root, asked)

    def key(self, name: str, op: str, moment: int) -> Condition:
        """That a sort key, by STAC's name, is before, at or after an instant."""
        return _timed(self.sorts[name], op, moment)

    def equals(self, attribute: str, value: str) -> Condition:
        """See `attributes.Dialect`."""
        return self._any("String", attribute, f"eq {quoted(value)}")

    def within(self, attribute: str, low: float, high: float, *, whole: bool) -> Condition:
        """See `attributes.Dialect`."""
        kind = "Integer" if whole else "Double"
        if low == high:
            return self._any(kind, attribute, f"eq {low!r}")
        return self._any(kind, attribute, f"ge {low!r}", f"le {high!r}")

    @staticmethod
    def _any(kind: str, attribute: str, *tests: str) -> Condition:
        value = f"att/OData.CSC.{kind}Attribute/Value"
        told = " and ".join(f"{value} {test}" for test in tests)
        return Condition(
            f"Attributes/OData.CSC.{kind}Attribute/any(att:att/Name eq {quoted(attribute)} and {told})"
        )

    def begins(self, prefix: str) -> Condition:
        """See `attributes.Dialect`."""
        return Condition(f"startswith(Name,{quoted(prefix)})")

    def contains(self, text: str) -> Condition:
        """See `filters.Site`."""
        return Condition(f"contains(Name,{quoted(text)})")

    def named(self, names: Sequence[str]) -> Condition:
        """See `filters.Site`."""
        files = [name + ending for name in names if name_told(name) == name for ending in ("", *ENDINGS)]
        return WORDS.either(Condition(f"Name eq {quoted(file)}") for file in files)

    def starts(self, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return _timed(_START, op, moment)

    def ends(self, op: str, moment: int) -> Condition:
        """See `filters.Site`; some archives hold products that end before they start."""
        started = _timed(_START, op, moment)
        if op in (">", ">="):
            return WORDS.either([_timed(_END, op, moment), started])
        return Condition(started.text, exact=False)  # nothing ends before it starts

    def stamped(self, name: str, op: str, moment: int) -> Condition:
        """See `filters.Site`."""
        return _timed(_STAMPS[name], op, moment)

    def meets(self, area: BaseGeometry) -> Condition:
        """See `filters.Site`."""
        parts = parts_of(area)
        if parts is None:
            return Condition(True, exact=False)
        return WORDS.either(
            Condition(f"OData.CSC.Intersects(area=geography'SRID=4326;{wkt(part)}')", exact=False)
            for part in parts
        )

    def collected(self, collection: str) -> Condition:
        """That a product is in one of this source's collections: `SENTINEL-2/S2MSI2A`, or `SENTINEL-2`."""
        name, _, kind = collection.partition("/")
        if not kind:
            return Condition(f"Collection/Name eq {quoted(name)}", exact=False)
        return WORDS.both([Condition(f"Collection/Name eq {quoted(name)}"), self.equals("productType", kind)])


def _timed(path: str, op: str, moment: int) -> Condition:
    if op == "<>":
        return WORDS.either([_timed(path, "<", moment), _timed(path, ">", moment)])
    return Condition(f"{path} {OPERATORS[op]} {fixed_time(moment)}")


class _Answer(msgspec.Struct):
    value: list[msgspec.Raw]
    next: Any = msgspec.field(name="@odata.nextLink", default=None)
    matched: Any = msgspec.field(name="@odata.count", default=None)


class Record(msgspec.Struct):
    """A product as it comes; nothing of it is believed."""

    Id: Any = None
    Name: Any = None
    ContentLength: Any = None
    PublicationDate: Any = None
    ModificationDate: Any = None
    Online: Any = None
    S3Path: Any = None
    Checksum: Any = None
    ContentDate: Any = None
    Footprint: Any = None
    GeoFootprint: Any = None
    Attributes: Any = None
    Assets: Any = None

    def time(self, path: str) -> int | None:
        """A time by its path in a filter."""
        name, _, part = path.partition("/")
        told = getattr(self, name)
        if part:
            told = told.get(part) if isinstance(told, Mapping) else None
        return time_told(told)


def product_of(record: Record, root: str, asked: Sequence[str]) -> Product:
    """The product that a record describes.

    Args:
        record: As it came.
        root: The service's address.
        asked: The collections asked for; empty for all.

    Raises:
        BadInput: If it has no name, identifier, time or collection.
    """
    name, start = name_told(record.Name), record.time(_START)
    identifier = record.Id if isinstance(record.Id, str) and _UUID.fullmatch(record.Id) else None
    if name is None or identifier is None or start is None:
        raise BadInput("a product without a name, an identifier or a time")
    end = record.time(_END)
    attributes = _attributes(record.Attributes)
    properties = {key: known.read(attributes, name) for key, known in CSC.items()}
    place = place_told(record.GeoFootprint) or place_of_wkt(record.Footprint)
    stamps = {key: record.time(path) for key, path in _STAMPS.items()}
    told = {key: value for key, value in properties.items() if value is not None}
    told |= {key: fixed_time(moment) for key, moment in stamps.items() if moment is not None}
    if isinstance(record.Online, bool):
        told["order:status"] = "succeeded" if record.Online else "orderable"
    login = next(
        (url for host, url in _LOGINS.items() if (urlsplit(root).hostname or "").endswith(host)), None
    )
    if login is not None:
        told["auth:schemes"] = {"site": {"type": "openIdConnect", "openIdConnectUrl": login}}
    collection = _collection(record, told.get("product:type"), asked)
    product = Product(name, collection, start, start if end is None else end, place, told)
    address = f"{root}/Products({identifier})"
    product.assets = {"product": _download(record, address, login is not None)} | _more(record)
    product.links = [{"rel": "via", "href": address, "type": "application/json"}]
    return product


def _attributes(told: object) -> dict[str, Any]:
    """The attributes by name, of those whose value is of the type that they say."""
    found: dict[str, Any] = {}
    for each in told if isinstance(told, list) else []:
        name = text_told(each.get("Name")) if isinstance(each, Mapping) else None
        if name is not None and name not in found:
            kind = each.get("@odata.type") or f"#OData.CSC.{each.get('ValueType')}Attribute"
            types = _TYPES.get(str(kind)[:100], ())
            value = each.get("Value")
            if isinstance(value, types) and not isinstance(value, bool):
                found[name] = value
    return found


_TYPES: Mapping[str, tuple[type, ...]] = {
    "#OData.CSC.StringAttribute": (str,),
    "#OData.CSC.DoubleAttribute": (int, float),
    "#OData.CSC.IntegerAttribute": (int,),
}


def _collection(record: Record, kind: str | None, asked: Sequence[str]) -> str:
    """The collection of a record, which does not tell it: by its type among those asked for, else its path.

    Raises:
        BadInput: If neither tells it.
    """
    fitting = [each for each in asked if each.partition("/")[2] == (kind or "")]
    if len(fitting) == 1:
        return fitting[0]
    path = (text_told(record.S3Path) or "").split("/")
    name = path[2].upper() if len(path) > 2 and path[1] == "eodata" else ""
    if not name:
        raise BadInput("a product without a collection")
    return f"{name}/{kind}" if kind else name


def _download(record: Record, address: str, login: bool) -> dict[str, Any]:  # noqa: FBT001  # not public
    """The asset that is the whole product."""
    sums = record.Checksum if isinstance(record.Checksum, list) else []
    pairs = ((each.get("Algorithm"), each.get("Value")) for each in sums[:20] if isinstance(each, Mapping))
    path = text_told(record.S3Path)
    asset: dict[str, Any] = {
        "href": f"{address}/$value",
        "type": "application/zip",
        "title": "The product, zipped",
        "roles": ["data"],
        "file:size": size_told(record.ContentLength),
        "file:checksum": checksum_told(*pairs),
        "auth:refs": ["site"] if login else None,
    }
    if path is not None and path.startswith("/eodata/"):
        asset["alternate"] = {
            "s3": {"href": f"s3:/{path}", "title": "The product's files in the object store"}
        }
    return {key: value for key, value in asset.items() if value is not None}


def _more(record: Record) -> dict[str, dict[str, Any]]:
    """The other assets: the quicklook, and what else the record lists."""
    found: dict[str, dict[str, Any]] = {}
    for each in record.Assets[:50] if isinstance(record.Assets, list) else []:
        address = address_told(each.get("DownloadLink")) if isinstance(each, Mapping) else None
        kind = text_told(each.get("Type")) if isinstance(each, Mapping) else None
        if address is None or kind is None:
            continue
        key = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-") or "asset"
        picture = key == "quicklook"
        asset: dict[str, Any] = {"href": address, "title": kind.capitalize()}
        asset |= {"type": "image/jpeg", "roles": ["overview"]} if picture else {"roles": ["metadata"]}
        found.setdefault(key if key != "product" else "asset", asset)
    return found
