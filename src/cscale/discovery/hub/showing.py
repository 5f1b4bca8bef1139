"""The items that stand for the products of a page."""

from collections.abc import Sequence
from urllib.parse import quote

from cscale.discovery.hub.merging.joining import Held, shown_item
from cscale.discovery.hub.merging.merge import Copy, Page
from cscale.discovery.hub.translation import PRODUCT
from cscale.discovery.products import Identity, Version, versions
from cscale.stac.items import OpenItem
from cscale.stac.search import SearchRequest
from cscale.stac.times import text_of


def shown(page: Page, at_hand: Sequence[Copy], request: SearchRequest, url: str) -> list[OpenItem]:
    """The items of a page; those of one acquisition as versions of each other.

    Args:
        page: The products.
        at_hand: What else is known of the sites' holdings, such as the copies around the page.
        request: The search.
        url: The address of the STAC API where they are shown.
    """
    related = _versions(page, at_hand, url)
    return [_item(copies, request, version) for copies, version in zip(page.products, related, strict=True)]


def _versions(page: Page, at_hand: Sequence[Copy], url: str) -> list[Version | None]:
    """How each product of a page is a version of what else is at hand."""
    copies = [*(_told(copies) for copies in page.products), *at_hand]
    known = [(identity, _address(copy, identity, url)) for copy in copies if (identity := _identity(copy))]
    acquisitions = [one.acquisition for one, _ in known if one.acquisition is not None]
    if len(set(acquisitions)) == len({one.product for one, _ in known if one.acquisition is not None}):
        return [None] * len(page.products)  # mostly: each of an acquisition of its own
    found = {one.product: version for (one, _), version in zip(known, versions(known), strict=True)}
    told = (_identity(_told(copies)) for copies in page.products)
    return [None if one is None else found[one.product] for one in told]


def _told(copies: Sequence[Copy]) -> Copy:
    """The copy that tells most of the product."""
    return next((copy for copy in copies if (one := _identity(copy)) is not None and one.name), copies[0])


def _identity(copy: Copy) -> Identity | None:
    held: Held = copy.item
    return held.identity


def _address(copy: Copy, identity: Identity, url: str) -> str:
    collection = quote(copy.rank.product.collection, safe="")
    return f"{url}/collections/{collection}/items/{quote(identity.name or copy.item.name, safe='')}"


def _item(copies: Sequence[Copy], request: SearchRequest, version: Version | None) -> OpenItem:
    """The item of a product: the copy of the site first in the configuration is preferred."""
    first = copies[0]
    ordered = sorted(copies, key=lambda copy: (copy.rank.site, copy.rank))
    held: list[Held] = [copy.item for copy in ordered]
    name, collection = _name(held, first.item), first.rank.product.collection
    values = dict(zip((field.name for field in request.sortby), first.values, strict=True))
    known = {"id": values.get(PRODUCT, name), "datetime": text_of(first.time)}
    place = {field: value for field, value in values.items() if field not in (PRODUCT, "collection")} | known
    stands_for_itself = first is ordered[0] and place["id"] == name
    return shown_item(name, collection, held, place=None if stands_for_itself else place, version=version)


def _name(held: Sequence[Held], first: Held) -> str:
    """The product's name in its mission's own form, where a copy tells it; else as its first copy has it."""
    names = (each.identity.name for each in held if each.identity is not None)
    return next(filter(None, names), first.name)
