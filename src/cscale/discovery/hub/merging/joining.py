"""What several sites hold as one: copies of a product as one item, collections of a name as one.

An item is the preferred copy's, with the others' assets beside.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename
from typing import Any

import msgspec

from cscale.discovery.products import Identity, Version
from cscale.discovery.products.versions import EXTENSION, RELATIONS
from cscale.errors import BadInput
from cscale.stac.items import GEOJSON, STAC_VERSION, STRUCTURAL, Collection, OpenItem, open_body, own_links
from cscale.stac.times import instant

ALTERNATE_ASSETS = "https://stac-extensions.github.io/alternate-assets/v1.2.0/schema.json"
PLACE = "federation:place"


@dataclass(frozen=True, slots=True)
class Held:
    """An item as a site holds it.

    Attributes:
        site: The site's id.
        site_name: Its name for people.
        collection: The collection's id at the site.
        id: The item's id at the site.
        url: The item's address at the site.
        raw: The item, as it came.
        name: What the site names its product by.
        identity: What is known of its product; None where its mission is not known here.
    """

    site: str
    site_name: str
    collection: str
    id: str
    url: str
    raw: msgspec.Raw
    name: str = ""
    identity: Identity | None = None


def shown_item(
    item_id: str,
    collection: str,
    copies: Sequence[Held],
    *,
    place: Mapping[str, Any] | None = None,
    version: Version | None = None,
) -> OpenItem:
    """The item that stands for one product.

    Args:
        item_id: The product's name, or the preferred copy's id.
        collection: The id of the collection it is shown in.
        copies: The preferred copy first.
        place: The properties by which it stands where it does, if they are another copy's: told under
            `PLACE`, so that a hub that has this one as a member finds the order kept.
        version: How it is a version of other items that are shown.
    """
    item: dict[str, Any] = _top(copies[0].raw)
    nested = [_inner_places(copy) for copy in copies]
    item |= {"id": item_id, "collection": collection}
    item["federation:sites"] = [
        place for copy, inner in zip(copies, nested, strict=True) for place in inner or [_place(copy)]
    ]
    item["links"] = [*own_links({"links": _read(item, "links")}), *(_link_to(copy) for copy in copies)]
    if len(copies) > 1 or nested[0]:
        item["assets"] = _joined_assets(copies)
    if place is not None:
        item[PLACE] = place
    if version is not None:
        item["properties"] = {**(_read(item, "properties") or {}), **version.properties}
        kept = [link for link in item["links"] if link.get("rel") not in RELATIONS]
        item["links"] = [*kept, *version.links]
    if added := [ALTERNATE_ASSETS] * (len(copies) > 1) + [EXTENSION] * (version is not None):
        item["stac_extensions"] = _extensions(item, added)
    return OpenItem(item_id, collection, open_body(item))


Assets = dict[str, dict[str, Any]]
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _top(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of an item, each still the bytes that came."""
    return _RAW.decode(raw)


def _read(item: Mapping[str, msgspec.Raw], member: str) -> Any:
    """A member of an item; None where it has none, or one that JSON allows and no reader takes."""
    try:
        return msgspec.json.decode(item[member])
    except (KeyError, msgspec.DecodeError, RecursionError):
        return None


def _place(copy: Held) -> dict[str, str]:
    return {"site": copy.site, "collection": copy.collection, "id": copy.id}


def _inner_places(copy: Held) -> list[dict[str, str]]:
    """Where a copy lies inside its site, if that is a hub."""
    places = _read(_top(copy.raw), "federation:sites")
    inner = [place for place in places if isinstance(place, dict)] if isinstance(places, list) else []
    return [
        {"site": f"{copy.site}/{place.get('site', '')}"}
        | {name: str(place.get(name, "")) for name in ("collection", "id")}
        for place in inner
    ]


def _link_to(copy: Held) -> dict[str, str]:
    return {"rel": "alternate", "href": copy.url, "type": GEOJSON, "title": f"This item at {copy.site_name}"}


def _extensions(item: Mapping[str, Any], added: Sequence[str]) -> list[Any]:
    declared = _read(item, "stac_extensions")
    declared = declared if isinstance(declared, list) else []
    return [*declared, *(each for each in added if each not in declared)]


def _joined_assets(copies: Sequence[Held]) -> dict[str, Any]:
    """The preferred copy's assets; the others' as alternates of these, or added where it has none."""
    joined: dict[str, Any] = _assets(copies[0])
    for copy in copies[1:]:
        assets = _assets(copy)
        same = _matched(joined, assets)
        for key, asset in assets.items():
            if key in same:
                _add_alternate(joined[same[key]], copy, asset)
            else:
                joined[key] = {"federation:site": copy.site} | asset
    return joined


def _matched(joined: Assets, others: Assets) -> dict[str, str]:
    """Which of the joined assets each of the others is, by key, else band, else file name."""
    same = {key: key for key in others if key in joined}
    for name in (_band, _file):
        ours = _by_name(joined, name)
        for label, key in _by_name(others, name).items():
            if key not in same and label in ours and ours[label] not in same.values():
                same[key] = ours[label]
    return same


def _assets(copy: Held) -> Assets:
    """A copy's assets; those of a hub with its own members named as seen from here."""
    assets: Assets = _read(_top(copy.raw), "assets") or {}
    is_hub = bool(_inner_places(copy))
    for asset in assets.values():
        member = asset.pop("federation:site", None)
        if is_hub and isinstance(member, str):
            asset["federation:site"] = f"{copy.site}/{member}"
        if is_hub and isinstance(inner := asset.get("alternate"), dict):
            asset["alternate"] = {f"{copy.site}/{name}": value for name, value in inner.items()}
    return assets


_ALTERNATE_MEMBERS = ("href", "title", "type", "file:size", "file:checksum", "auth:refs", "storage:refs")


def _add_alternate(asset: dict[str, Any], copy: Held, other: Mapping[str, Any]) -> None:
    own, inner = (
        (each if isinstance(each, dict) else {}) for each in (asset.get("alternate"), other.get("alternate"))
    )
    name = copy.site if copy.site not in own else f"{copy.site}:{copy.id}"  # a site may hold a product twice
    shown = {member: other[member] for member in _ALTERNATE_MEMBERS if member in other}
    asset["alternate"] = inner | own | {name: shown | {"alternate:name": copy.site_name}}


def _by_name(assets: Assets, name: Callable[[Mapping[str, Any]], str | None]) -> dict[str, str]:
    """The keys of the assets that are the only one of their name."""
    names = {key: name(asset) for key, asset in assets.items()}
    often = Counter(names.values())
    return {each: key for key, each in names.items() if each is not None and often[each] == 1}


def _band(asset: Mapping[str, Any]) -> str | None:
    """The name of an asset's only band."""
    for member, label in (("bands", "name"), ("eo:bands", "name")):
        bands = asset.get(member)
        if isinstance(bands, list) and len(bands) == 1 and isinstance(bands[0], dict):
            name = bands[0].get(label)
            return name if isinstance(name, str) else None
    return None


def _file(asset: Mapping[str, Any]) -> str | None:
    """The name of an asset's file."""
    href = asset.get("href")
    path = href.partition("#")[0].partition("?")[0] if isinstance(href, str) else ""
    return basename(path) or None


Answered = tuple[str, str, Mapping[str, Any], str]
"""A member's collection: site id, site's name, the collection as it came, its address there."""


def prefixed(name: str, answered: Answered) -> Collection:
    """One site's collection as it is there, but for id and links."""
    _, site_name, collection, url = answered
    return {**collection, "id": name, "links": [*_kept_links(collection), _link(site_name, url)]}


def merged(name: str, members: Sequence[Answered]) -> Collection:
    """The federation's collection of one name.

    Extents and lists are united, ranges span all; title and description are the first member's.

    Args:
        name: Its id.
        members: At least one, in order of configuration.
    """
    bodies = [collection for _, _, collection, _ in members]
    licences = {str(body.get("license", "proprietary")) for body in bodies}
    result: Collection = {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": name,
        "title": _first_text(bodies, "title") or name,
        "description": _first_text(bodies, "description") or name,
        "license": licences.pop() if len(licences) == 1 else "various",
        "extent": {
            "spatial": {"bbox": [_united_box(bodies)]},
            "temporal": {"interval": [_united_interval(bodies)]},
        },
        "federation:backends": list(dict.fromkeys(site for site, _, _, _ in members)),
    }
    for member, united in (("keywords", _united), ("providers", _united)):
        if values := united(body.get(member) for body in bodies):
            result[member] = values
    if summaries := _united_summaries([body.get("summaries") for body in bodies]):
        result["summaries"] = summaries
    links = [link for body in bodies for link in _kept_links(body)]
    result["links"] = _united([links]) + [_link(site_name, url) for _, site_name, _, url in members]
    return result


def _link(site_name: str, url: str) -> dict[str, str]:
    return {"rel": "alternate", "href": url, "type": "application/json", "title": f"As it is at {site_name}"}


def _kept_links(collection: Mapping[str, Any]) -> list[dict[str, Any]]:
    dropped = STRUCTURAL | {"http://www.opengis.net/def/rel/ogc/1.0/queryables"}
    return [link for link in own_links(collection) if str(link.get("rel")) not in dropped]


def _first_text(bodies: Iterable[Mapping[str, Any]], member: str) -> str | None:
    return next((body[member] for body in bodies if isinstance(body.get(member), str) and body[member]), None)


def _united(lists: Iterable[Any]) -> list[Any]:
    """The distinct values of several lists, in order."""
    united: list[Any] = []
    for values in lists:
        united += [value for value in (values if isinstance(values, list) else []) if value not in united]
    return united


def _extent(body: Mapping[str, Any], kind: str, member: str) -> list[Any]:
    extent = body.get("extent")
    part = extent.get(kind) if isinstance(extent, dict) else None
    values = part.get(member) if isinstance(part, dict) else None
    return [value for value in values[:1] if isinstance(value, list)] if isinstance(values, list) else []


def _united_box(bodies: Iterable[Mapping[str, Any]]) -> list[float]:
    """The box around all boxes; the world if one crosses the antimeridian, or none is told."""
    flat = []
    for body in bodies:
        for box in _extent(body, "spatial", "bbox"):
            if len(box) in (4, 6) and all(type(number) in (int, float) for number in box):
                half = len(box) // 2
                flat.append((box[0], box[1], box[half], box[half + 1]))
    if not flat or any(west > east for west, _, east, _ in flat):
        return [-180, -90, 180, 90]
    wests, souths, easts, norths = zip(*flat, strict=True)
    return [min(wests), min(souths), max(easts), max(norths)]


def _united_interval(bodies: Iterable[Mapping[str, Any]]) -> list[str | None]:
    """From the first start to the last end; open where one is open or cannot be read."""
    intervals = [interval for body in bodies for interval in _extent(body, "temporal", "interval")]
    try:
        starts = [(instant(interval[0]), interval[0]) for interval in intervals if interval[0] is not None]
        ends = [(instant(interval[1]), interval[1]) for interval in intervals if interval[1] is not None]
    except (BadInput, IndexError):
        return [None, None]
    start = min(starts)[1] if len(starts) == len(intervals) and starts else None
    end = max(ends)[1] if len(ends) == len(intervals) and ends else None
    return [start, end]


def _united_summaries(summaries: Sequence[Any]) -> dict[str, Any]:
    united: dict[str, Any] = {}
    for summary in summaries:
        for name, value in (summary if isinstance(summary, dict) else {}).items():
            if name not in united:
                united[name] = value
            elif isinstance(value, list) and isinstance(united[name], list):
                united[name] = _united([united[name], value])
            elif _is_range(value) and _is_range(united[name]):
                united[name] = _span(united[name], value)
    return united


def _is_range(value: Any) -> bool:
    return isinstance(value, dict) and {"minimum", "maximum"} <= value.keys()


def _span(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    try:
        least = min(one["minimum"], other["minimum"])
        most = max(one["maximum"], other["maximum"])
    except TypeError:  # of two kinds
        return dict(one)
    return {"minimum": least, "maximum": most}
