"""Identities of names and of items. Pure: no clock, no network, nothing kept but what follows from a name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import quote

from cscale.discovery.products.collections import canonical
from cscale.discovery.products.hrefs import hrefs_of
from cscale.discovery.products.identity import HOUR, MINUTE, Facts, Identity, agree, joined, moment
from cscale.discovery.products.missions import land, sentinel1, sentinel2, sentinel3
from cscale.discovery.products.missions.forms import Form, Groups

FORMS: tuple[Form, ...] = (
    *sentinel1.FORMS,
    *sentinel2.FORMS,
    *sentinel3.FORMS,
    *sentinel3.FORMS5,
    *land.LANDSAT_FORMS,
    *land.CLMS_FORMS,
)
"""All forms that are read."""

NAMES = (
    "s2:product_uri",
    "s1:product_identifier",
    "sentinel:product_id",
    "productIdentifier",
    "product_id",
    "landsat:product_id",
    "identifier",
    "title",
    "name",
    "filename",
)
"""The properties in which sites keep a product's name, in the order in which they are believed.

Not `landsat:landsat_product_id` nor `sentinel:product_ids`: they name what a product was made from.
"""

CLUES = ("s2:tile_id", "s2:granule_id", "s1:processing_datetime", "processing:datetime", "s2:generation_time")
"""The properties that tell processings of one id apart where nothing tells the name."""

_BY_BEGINNING: dict[str, tuple[Form, ...]] = {
    "S1": sentinel1.FORMS,
    "S2": sentinel2.OFTEN_FIRST,
    "S3": sentinel3.FORMS,
    "S5": sentinel3.FORMS5,
    **{f"L{sensor}": land.LANDSAT_FORMS for sensor in "COTEM"},
}
_LONGEST = 300
_ASSETS, _HREF, _DEPTH = 64, 2048, 12
_EXTENSIONS = frozenset(
    {"safe", "sen3", "eof", "zip", "nc", "tif", "tiff", "tar", "gz", "json", "xml", "zarr"}
)
_BASELINE = re.compile(r"\d\d\.\d\d", re.ASCII)
_GRANULE_BASELINE = re.compile(r"_N\d\d\.\d\d$", re.ASCII)
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d*)?(?:Z|\+00:00)?", re.ASCII)
_WIDE = 46 * MINUTE


def identify_name(name: str) -> Identity | None:
    """Read a product's name in any form, as a user types it.

    Args:
        name: With or without folders before it, extensions, the `urn:` of a catalogue, `_COG`, or the
            baseline; see the table of names.

    Returns:
        Its identity; with `partial` where the form does not tell the processing. None where it is
        no name of a mission that is known here.
    """
    found = read(name)
    return None if found is None else found.identity


def identify(
    item: Mapping[str, Any],
    collection: str | None = None,
    product_property: str | None = None,
    *,
    hrefs: Callable[[], Iterable[object]] | None = None,
) -> Identity:
    """Which product an item is of.

    Args:
        item: As a site gives it; nothing is taken for granted of what it holds. Only `id`, `collection`,
            `properties` and `assets` are looked at.
        collection: The id of the collection it is shown in, which ids that are no names count in; the item's
            own where it is left out.
        product_property: The property that holds the product's name at this site; it is believed first.
        hrefs: Tells the `href` of each asset where they are not in `item`, as `hrefs_of` does of assets
            that are still bytes; called only where neither id nor properties tell the name.

    Returns:
        Its identity.
    """
    told = item.get("properties")
    properties: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    if collection is None:
        own = item.get("collection")
        collection = own if isinstance(own, str) else ""
    text = _text(item.get("id"))
    if product_property is not None:
        value = properties.get(product_property)
        if isinstance(value, str) and value:
            text = value
    found = read(text)
    if found is None:
        return _unnamed(text, collection, properties)
    one = found.identity
    if one.partial is not None:
        of_assets = hrefs or (lambda: hrefs_of(item.get("assets")))
        return _completed(one, one.partial, collection, properties, of_assets)
    if one.name is None:
        return _named(found, properties)
    return _dated(one, properties)


def _text(own_id: object) -> str:
    """An id as text; a site may number its items."""
    if isinstance(own_id, str):
        return own_id
    return str(own_id) if isinstance(own_id, int | float) and abs(own_id) < 2**63 else ""


def span_of(of: Identity | str) -> tuple[int, int] | None:
    """The window in which the `datetime` of a product's items lies, at any site.

    Returns:
        Its first and last microsecond since 1970, in UTC; None where nothing tells it.
    """
    one = identify_name(of) if isinstance(of, str) else of
    told = None if one is None else facts_of(one)
    if told is None or told.first is None or told.last is None:
        return None
    # what is told of a tile is when it was sensed; others write when its datatake began
    wide = _WIDE if told.mission == "S2" and told.start is None else 0
    return told.first - wide, told.last + wide


def resolve(identities: Sequence[Identity]) -> list[Identity]:
    """Make whole what tells less: an item joins the one product among these that agrees with all it tells.

    Where none agrees, or more than one, it stays by itself. The order of the identities does not matter, and
    items that tell less are never joined by what each other tell.

    A processing that is not among these may be the right one, so a merge of pages does not do this: use it
    where all that is held of a place and time is at hand.

    Returns:
        One identity for each, in the same order.
    """
    known = ((each, facts_of(each)) for each in identities)
    return joined(identities, [(each, facts) for each, facts in known if facts and each.partial is None])


def matches(asked: Identity, held: Identity) -> bool:
    """Whether an item is what was asked for by name.

    Args:
        asked: Of the name; where it does not tell the processing, every processing that agrees is meant.
        held: Of the item.
    """
    if asked.product == held.product:
        return True
    if asked.partial is None:
        return False
    told = facts_of(held)
    return told is not None and agree(asked.partial, told)


def facts_of(one: Identity) -> Facts | None:
    """What is known of a product; None where it is of no mission that is known here."""
    if one.partial is not None:
        return one.partial
    found = read(one.name or one.product)
    return None if found is None else found.facts()


class Read:
    """A name that was read.

    Args:
        form: Which form of names it is of.
        text: The name.
        groups: Its parts.

    Attributes:
        identity: What it says.
    """

    __slots__ = ("_facts", "_form", "_groups", "identity")

    def __init__(self, form: Form, text: str, groups: Groups) -> None:
        self.identity = form.identity(text, groups)
        self._facts = self.identity.partial
        self._form, self._groups = form, groups

    def facts(self) -> Facts:
        """What its parts tell; found when it is first asked for, as most names are read for the identity."""
        if self._facts is None:
            self._facts = self._form.facts(self._groups)
        return self._facts


def read(text: str) -> Read | None:
    """A name in any form; None where it is none."""
    return _read(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=16_384)
def _read(text: str) -> Read | None:
    text = bare(text)
    return _match(text) or (_match(text.upper()) if text[:1] in "sSlL" else None)


def bare(text: str) -> str:
    """A text without folders, extensions and the `urn:` of a catalogue."""
    text = text.strip().rstrip("/").rpartition("/")[2]
    if text[:4].lower() == "urn:":
        text = text.rpartition(":")[2]
    while (dot := text.rfind(".")) >= 0 and text[dot + 1 :].lower() in _EXTENSIONS:
        text = text[:dot]
    return text


def _match(text: str) -> Read | None:
    for form in _BY_BEGINNING.get(text[:2], land.CLMS_FORMS):
        if match := form.pattern.fullmatch(text):
            return Read(form, text, match.groups(default=""))
    return None


def _unnamed(text: str, collection: str, properties: Mapping[str, Any]) -> Identity:
    """The identity of an item whose id is no name: of the name in a property, else of the id."""
    if not _derived(text):
        for each in _names(properties):
            if each.identity.partial is None:
                return _whole(each, properties)
    return Identity(f"{_within(collection)}/{text if _IS_PLAIN(text) else _quoted(text, _PLAIN)}")


def _whole(found: Read, properties: Mapping[str, Any]) -> Identity:
    """The identity of a name that tells its processing, with what properties tell beside."""
    return _dated(found.identity if found.identity.name else _named(found, properties), properties)


def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="surrogatepass")


_PLAIN = "/:;,=+@!$&'()*[]|~ "
"""What stands as it is in the key of an id; not `%`, nor `?`, which sets off a clue."""
_IS_PLAIN = re.compile(rf"[\w.{re.escape(_PLAIN)}-]*", re.ASCII).fullmatch


def _within(collection: str) -> str:
    """The collection's part of a key: canonical, and without the sign that ends it."""
    return _within_known(collection) if len(collection) <= _LONGEST else _quoted(collection, ":|")


@lru_cache(maxsize=1024)
def _within_known(collection: str) -> str:
    return _quoted(canonical(collection) or collection, ":|")


def _derived(text: str) -> bool:
    """Whether an id is a product's name with something more, as what is made from a product may be called."""
    forms = _BY_BEGINNING.get(text[:2], ())
    return len(text) <= _LONGEST and any(form.pattern.match(text) for form in forms)


def _names(properties: Mapping[str, Any]) -> Iterator[Read]:
    for each in NAMES:
        if each in properties:
            value = properties[each]
            if isinstance(value, str) and (found := read(value)):
                yield found


def _named(found: Read, properties: Mapping[str, Any]) -> Identity:
    """An identity without a name, with the name that a property tells or the baseline makes."""
    one = found.identity
    for each in _names(properties):
        if each.identity.product == one.product and each.identity.name is not None:
            return each.identity
    baseline = properties.get("s2:processing_baseline")
    if one.product[:2] != "S2" or not isinstance(baseline, str) or not _BASELINE.fullmatch(baseline):
        return one
    place = one.product.find("_R")
    name = f"{one.product[:place]}_N{baseline.replace('.', '')}{one.product[place:]}"
    return one._replace(name=name, version=(one.version[0], baseline))


def _dated(one: Identity, properties: Mapping[str, Any]) -> Identity:
    """An identity with when its product was made, if its name does not tell."""
    if one.version != ("", ""):
        return one
    for each in ("s1:processing_datetime", "processing:datetime"):
        if stamp := _stamp(properties.get(each)):
            return one._replace(version=(stamp, one.version[1]))
    return one


def _completed(
    one: Identity,
    facts: Facts,
    collection: str,
    properties: Mapping[str, Any],
    hrefs: Callable[[], Iterable[object]],
) -> Identity:
    """The identity of an item whose id tells less: whole, if properties or assets tell the name."""
    for each in _names(properties):
        if each.identity.partial is None and agree(facts, each.facts()):
            return _whole(each, properties)
    facts = _told(facts, collection, properties)
    named = _in_assets(hrefs(), one.product[1:3])
    found = {each.identity.product: each.identity for each in named if agree(facts, each.facts())}
    if len(found) == 1:
        return _dated(next(iter(found.values())), properties)
    clue = next((text for each in CLUES if (text := _clue(properties.get(each)))), "")
    key = f"{_within(collection)}{one.product}"  # which begins with a slash
    made = max(one.version[0], *(_stamp(properties.get(each)) for each in CLUES[2:]))
    return Identity(
        f"{key}?{_quoted(clue, '')}" if clue else key,
        one.acquisition or (sentinel2.acquisition(facts) if facts.mission == "S2" else None),
        None,
        (made, one.version[1] or facts.baseline or ""),
        facts,
    )


def _told(facts: Facts, collection: str, properties: Mapping[str, Any]) -> Facts:
    """What the id tells, with what other properties tell of it."""
    if facts.mission == "S3":
        stream = properties.get("s3:processing_timeliness")
        return facts._replace(stream=stream) if stream in ("NR", "ST", "NT") else facts
    if facts.mission != "S2":
        return facts
    if facts.kind is None:
        facts = facts._replace(kind=_level(properties.get("s2:product_type"), collection))
    if facts.first is None or facts.last is None or facts.last - facts.first > HOUR:
        at = moment(_stamp(properties.get("datetime")))
        if at is not None and (facts.first or at) <= at <= (facts.last or at):
            facts = facts._replace(first=at, last=at)
    datatake = properties.get("s2:datatake_id")
    if isinstance(datatake, str) and len(datatake) <= _LONGEST:
        facts = sentinel2.datatake(datatake, facts)
    return facts


def _level(product_type: object, collection: str) -> str | None:
    if product_type in ("S2MSI1C", "S2MSI2A"):
        return str(product_type)[5:]
    return {"sentinel-2-l1c": "1C", "sentinel-2-l2a": "2A"}.get(canonical(collection) or "")


def _in_assets(hrefs: Iterable[object], beginning: str) -> Iterator[Read]:
    """The products in whose folders or files an item's assets lie, of names with this beginning."""
    folders: set[str] = set()
    for href in islice(hrefs, _ASSETS):
        if not isinstance(href, str) or beginning not in href or len(href) > _HREF:
            continue
        folder, _, file = href.rpartition("/")
        pieces = [file] if file.startswith(beginning) else []
        if folder not in folders:
            folders.add(folder)
            pieces += [each for each in folder.split("/")[-_DEPTH:] if each.startswith(beginning)]
        for piece in pieces:
            found = read(piece)
            if found is not None and found.identity.partial is None:
                yield found


def _stamp(value: object) -> str:
    """An instant in UTC as YYYYMMDDTHHMMSS; empty where it is none."""
    match = _STAMP.fullmatch(value) if isinstance(value, str) and len(value) <= 40 else None
    return "{}{}{}T{}{}{}".format(*match.groups()) if match else ""


def _clue(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        return ""
    return _stamp(value) or _GRANULE_BASELINE.sub("", value)
