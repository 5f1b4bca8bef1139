"""What the documents of a static catalogue say, STAC 0.8 to 1.1; nothing of it is believed."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from cscale.discovery.stac_static.places import Outside, joined
from cscale.errors import BadInput
from cscale.stac.items import STAC_VERSION, own_links

Kind = Literal["item", "items", "collection", "catalog"]
Document = dict[str, msgspec.Raw]
"""A JSON object whose members are not read yet."""

_TYPES: Mapping[object, Kind] = {
    "Feature": "item",
    "FeatureCollection": "items",
    "Collection": "collection",
    "Catalog": "catalog",
}
_OBJECT = msgspec.json.Decoder(Document)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def read_document(data: bytes | msgspec.Raw) -> tuple[Kind, Document]:
    """A document, and what it is. Before STAC 1.0 catalogues and collections did not say their type.

    Raises:
        BadInput: If it is neither item, list of items, collection nor catalogue.
    """
    try:
        raw = bytes(memoryview(data)).removeprefix(b"\xef\xbb\xbf")
        document = _OBJECT.decode(raw)
    except _UNREADABLE as error:
        raise BadInput(f"not a JSON object: {error}") from error
    kind = value_of(document, "type")
    if isinstance(kind, str) and kind in _TYPES:
        return _TYPES[kind], document
    if kind is None and identifier(document) is not None and "links" in document:
        return ("collection" if "extent" in document else "catalog"), document
    raise BadInput("neither a STAC Item, ItemCollection, Collection nor Catalog")


def value_of(document: Mapping[str, Any], name: str) -> Any:
    """A member of a document, read; None where it is absent or cannot be read."""
    value = document.get(name)
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.json.decode(value)
    except _UNREADABLE:
        return None


def identifier(document: Mapping[str, Any]) -> str | None:
    """A document's id; None where it has none that is text."""
    value = value_of(document, "id")
    return value if isinstance(value, str) and value else None


def features_of(document: Document) -> list[msgspec.Raw]:
    """The features of a list of items.

    Raises:
        BadInput: If it has none.
    """
    try:
        return _LIST.decode(document["features"])
    except (KeyError, *_UNREADABLE) as error:
        raise BadInput("it has no list of features") from error


def links_of(document: Document, *relations: str) -> Iterator[tuple[str, str]]:
    """Relation and href of the links that have one of the relations.

    Raises:
        BadInput: If its links cannot be read.
    """
    try:
        links = own_links(document)
    except _UNREADABLE as error:
        raise BadInput(f"its links cannot be read: {error}") from error
    for link in links:
        rel, href = link.get("rel"), link.get("href")
        if isinstance(rel, str) and rel in relations and isinstance(href, str) and href:
            yield rel, href


def finished_item(document: Document, address: str, collection: str) -> msgspec.Raw:
    """An item as it leaves the catalogue: in a collection, all its addresses absolute.

    Args:
        document: The item.
        address: Where it was read.
        collection: The collection above it, for items that name none.

    Raises:
        BadInput: If it has no id or no properties, or its assets or links are no such things.
    """
    properties = value_of(document, "properties")
    if identifier(document) is None or not isinstance(properties, dict):
        raise BadInput("an item without an id, or without properties")
    own = value_of(document, "collection")
    if own is None:
        own = properties.get("collection")  # as STAC 0.6 had it
    if own is not None and not (isinstance(own, str) and own):
        raise BadInput("the collection it names is no text")
    item: dict[str, Any] = {**document, "collection": own or collection}
    item |= absolute(document, address)
    kept = [link for link in item["links"] if link.get("rel") != "via" or link.get("href") != address]
    item["links"] = [*kept, {"rel": "via", "href": address, "type": "application/geo+json"}]
    return _encoded(item)


def finished_collection(document: Document, address: str) -> dict[str, Any]:
    """A collection as it leaves the catalogue, all its addresses absolute.

    Raises:
        BadInput: If it cannot be read to its end.
    """
    try:
        collection: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    except _UNREADABLE as error:
        raise BadInput(f"it cannot be read: {error}") from error
    return collection | absolute(document, address)


def made_collection(name: str, title: str | None, description: str | None) -> dict[str, Any]:
    """A collection for items whose own has no document; its extent is not told."""
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": name,
        **({"title": title} if title else {}),
        "description": description or "Items of a static catalogue that has no document on their collection",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [[None, None]]},
        },
        "links": [],
    }


def absolute(document: Document, address: str) -> dict[str, Any]:
    """The assets and links of a document with absolute addresses; what is no object is left out.

    Raises:
        BadInput: If assets or links cannot be read.
    """
    made: dict[str, Any] = {}
    try:
        links = own_links(document)
        assets = msgspec.json.decode(document.get("assets", b"{}"))
    except _UNREADABLE as error:
        raise BadInput(f"its assets or links cannot be read: {error}") from error
    made["links"] = [
        _with_address(link, address)
        for link in links
        if isinstance(link.get("href"), str) and isinstance(link.get("rel"), str)
    ]
    if assets is not None and not isinstance(assets, dict):
        raise BadInput("its assets are no object")
    if "assets" in document:
        made["assets"] = {
            key: _with_alternates(_with_address(asset, address), address)
            for key, asset in (assets or {}).items()
            if isinstance(asset, dict)
        }
    return made


def _with_address(thing: dict[str, Any], beside: str) -> dict[str, Any]:
    """A link or an asset with its `href` absolute; one that is no address stays as it is."""
    href = thing.get("href")
    if not isinstance(href, str) or _is_absolute(href):
        return thing
    try:
        return {**thing, "href": joined(href, beside)}
    except Outside:
        return thing


def _is_absolute(href: str) -> bool:
    scheme, colon, _ = href.partition(":")
    return bool(colon) and scheme.isascii() and scheme.replace("+", "").replace("-", "").isalnum()


def _with_alternates(asset: dict[str, Any], beside: str) -> dict[str, Any]:
    others = asset.get("alternate")
    if not isinstance(others, dict):
        return asset
    made = {
        key: _with_address(each, beside) if isinstance(each, dict) else each for key, each in others.items()
    }
    return {**asset, "alternate": made}


def _encoded(item: Mapping[str, Any]) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.json.encode(item))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadInput(f"it cannot be written as JSON: {error}") from error
