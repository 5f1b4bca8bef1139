"""The forms of OpenSearch answers: GeoJSON of resto and of OGC 17-047 (EUMETSAT Data Store), and Atom."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cscale.catalogue.products.markup import Node, parse_xml
from cscale.discovery.odata.asking import count, excerpt
from cscale.discovery.odata.dhus import collection_of
from cscale.discovery.odata.products import MAX_RECORD, name_told, text_told, time_told
from cscale.discovery.opensearch.records import Flat
from cscale.errors import BadInput, SiteError

MAX_RECORDS = 10_000


@dataclass(frozen=True)
class Answer:
    """What a site answered.

    Attributes:
        records: As they stand there; None for what is none.
        matched: How many match in all, where it says so; some sites estimate it.
        more: Whether it links to a next page. The link is not followed.
    """

    records: Sequence[Flat | None]
    matched: int | None
    more: bool = False


class _Features(msgspec.Struct):
    features: list[msgspec.Raw]
    properties: Any = None
    matched: Any = msgspec.field(name="totalResults", default=None)


def read_answer(body: bytes, home: str) -> Answer:
    """Read an answer of any of the forms.

    Args:
        body: As it came.
        home: The collection of products that tell none.

    Raises:
        SiteError: If it is of none of the forms.
    """
    try:
        if body.lstrip()[:1] == b"<":
            return _feed(parse_xml(body, "its answer"), home)
        told = msgspec.json.decode(body, type=_Features)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, BadInput) as error:
        raise SiteError(f"its answer is not what OpenSearch says ({error}): {excerpt(body)}") from error
    if len(told.features) > MAX_RECORDS:
        raise SiteError(f"it answered more than {MAX_RECORDS} products at once")
    more = told.properties if isinstance(told.properties, Mapping) else {}
    matched = count(told.matched)
    return Answer(
        [_feature(each, home) for each in told.features],
        matched if matched is not None else count(more.get("totalResults")),
        any(link.get("rel") == "next" for link in _objects(more.get("links"))),
    )


def _feature(raw: msgspec.Raw, home: str) -> Flat | None:
    if len(memoryview(raw)) > MAX_RECORD:
        return None
    try:
        told = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    properties = _object(told, "properties")
    if "acquisitionInformation" in properties or "productInformation" in properties:
        return _eo(told, properties, home)
    return _resto(told, properties, home)


def _resto(told: Mapping[str, Any], properties: Mapping[str, Any], home: str) -> Flat | None:
    name = name_told(properties.get("productIdentifier")) or name_told(properties.get("title"))
    if name is None:
        return None
    download = _object(_object(properties, "services"), "download")
    mode = _object(properties, "storage").get("mode")
    links = properties.get("links")
    via = next(
        (each.get("href") for each in _objects(links) if each.get("rel") in ("self", "alternate")), None
    )
    return Flat(
        name=name,
        collection=_collection(name, properties, home),
        start=time_told(properties.get("startDate")),
        end=time_told(properties.get("completionDate")),
        geometry=told.get("geometry"),
        values={"tileId": properties.get("mgrs"), **properties},
        published=time_told(properties.get("published")),
        updated=time_told(properties.get("updated")),
        download=download.get("url"),
        media=download.get("mimeType"),
        size=download.get("size") or properties.get("resourceSize"),
        checksums=_sum(download.get("checksum") or properties.get("resourceChecksum")),
        quicklook=properties.get("quicklook"),
        thumbnail=properties.get("thumbnail"),
        via=via,
        online={"disk": True, "tape": False}.get(mode) if isinstance(mode, str) else None,
    )


def _eo(told: Mapping[str, Any], properties: Mapping[str, Any], home: str) -> Flat | None:
    """A product as OGC 17-047 has it."""
    name = name_told(properties.get("identifier")) or name_told(told.get("id"))
    if name is None:
        return None
    start, _, end = (text_told(properties.get("date")) or "").partition("/")
    acquired = next(iter(_objects(properties.get("acquisitionInformation"))), {})
    product = _object(properties, "productInformation")
    instrument = {"instrument": _object(acquired, "instrument").get("instrumentShortName")}
    links = _object(properties, "links")
    data = next(iter(_objects(links.get("data"))), {})
    previews = next(iter(_objects(links.get("previews"))), {})
    via = next(iter(_objects(links.get("alternates"))), {})
    return Flat(
        name=name,
        collection=_collection(name, properties, home),
        start=time_told(start),
        end=time_told(end),
        geometry=told.get("geometry"),
        values={**_object(acquired, "acquisitionParameters"), **product, **instrument},
        published=time_told(properties.get("published")),
        updated=time_told(properties.get("updated")),
        download=data.get("href"),
        media=data.get("mediaType"),
        size=data.get("length"),  # the product's `size` is in bytes at some sites, in kilobytes at others
        checksums=_sum(_object(properties, "extraInformation").get("md5")),
        quicklook=previews.get("href"),
        via=via.get("href"),
    )


def _collection(name: str, properties: Mapping[str, Any], home: str) -> str:
    """The collection of a product: its parent, else what its name tells, else the site's own word."""
    parent = text_told(properties.get("parentIdentifier"))
    if parent is not None and parent != name and not parent.startswith("urn:"):
        return parent
    return collection_of(name) or text_told(properties.get("collection")) or home


def _sum(digest: object) -> tuple[tuple[object, object], ...]:
    """A digest whose algorithm is told by its length alone: MD5 or SHA-256."""
    return (("MD5", digest), ("SHA256", digest))


def _object(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = told.get(name)
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, Mapping)]


def _feed(root: Node, home: str) -> Answer:
    if root.name != "feed":
        raise SiteError(f"its answer is no Atom feed, but {root.name[:50]!r}")
    entries = [node for node in root.children() if node.name == "entry"]
    if len(entries) > MAX_RECORDS:
        raise SiteError(f"it answered more than {MAX_RECORDS} products at once")
    links = [node for node in root.children() if node.name == "link"]
    more = any(link.attribute("rel") == "next" for link in links)
    return Answer([_entry(node, home) for node in entries], count(root.find("totalResults")), more)


def _entry(node: Node, home: str) -> Flat | None:
    """An entry of an Atom feed, with the fields of Dublin Core, GeoRSS and EO (OGC 13-026r8)."""
    values = {each.name: each.text for each in node.children() if each.text}
    name = name_told(values.get("identifier")) or name_told(values.get("title"))
    if name is None:
        return None
    start, _, end = values.get("date", "").partition("/")
    links = [each for each in node.children() if each.name == "link"]
    enclosure = next((each for each in links if each.attribute("rel") == "enclosure"), None)
    via = next((each for each in links if each.attribute("rel") in ("alternate", "search", "via")), None)
    pictures = {
        (media.find("category") or "").upper(): media.attribute("url") for media in node.all("content")
    }
    status = values.get("onlineStatus", "").lower()
    length = enclosure.attribute("length") if enclosure else None
    return Flat(
        name=name,
        collection=_collection(name, values, home),
        start=time_told(values.get("sensingStartDate") or start),
        end=time_told(values.get("sensingStopDate") or end),
        wkt=_wkt(values.get("polygon") or ""),
        values={key: _number(value) for key, value in values.items()} | _unlike(values),
        published=time_told(values.get("published")),
        updated=time_told(values.get("updated")),
        download=enclosure.attribute("href") if enclosure else None,
        media=enclosure.attribute("type") if enclosure else None,
        size=length or _number(values.get("productDatapackSize", "")),
        checksums=_sum(values.get("checksum")),
        quicklook=pictures.get("QUICKLOOK"),
        thumbnail=pictures.get("THUMBNAIL"),
        via=via.attribute("href") if via else None,
        online={"online": True, "orderable": False, "offline": False}.get(status),
    )


def _unlike(values: Mapping[str, str]) -> dict[str, Any]:
    """Fields whose name does not say it all: beside an absolute orbit, the other one is relative."""
    baseline = values.get("processingBaseline", "").rpartition(":")[2] or None
    if "startOrbitNumber" not in values:
        return {"processingBaseline": baseline}
    relative = values.get("relativeOrbitNumber", values.get("orbitNumber", ""))
    return {
        "processingBaseline": baseline,
        "orbitNumber": _number(values["startOrbitNumber"]),
        "relativeOrbitNumber": _number(relative),
    }


def _number(text: str) -> Any:
    if re.fullmatch(r"-?\d{1,15}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,15}\.\d{1,15}", text, re.ASCII) else text


def _wkt(polygon: str) -> str | None:
    """A GeoRSS polygon, latitude before longitude, as well-known text."""
    numbers = polygon.split()
    if (
        len(numbers) < 8
        or len(numbers) % 2
        or not all(re.fullmatch(r"[-+0-9.eE]{1,40}", each) for each in numbers)
    ):
        return None
    pairs = zip(numbers[1::2], numbers[::2], strict=True)
    return "POLYGON ((" + ",".join(f"{longitude} {latitude}" for longitude, latitude in pairs) + "))"
