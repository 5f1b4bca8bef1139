"""What a site sends becomes copies: checked to be items, and to be what was asked for; known by product."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import msgspec

from cscale.discovery.hub.asking.site import Site
from cscale.discovery.hub.asking.status import Status
from cscale.discovery.hub.merging.joining import PLACE, Held
from cscale.discovery.hub.merging.merge import WIDEST, Copy, Product, Rank
from cscale.discovery.hub.naming import Wanted
from cscale.discovery.hub.translation import BAR, PRODUCT
from cscale.discovery.products import Identity, forms_of, identify, place, span_of
from cscale.errors import BadInput
from cscale.stac.evaluation import Value, matcher, order_key, sort_value, sortable
from cscale.stac.geometry import GEOJSON
from cscale.stac.items import item_times, property_value
from cscale.stac.search import SearchRequest

_Name = Annotated[str, msgspec.Meta(min_length=1)]


_NULL = msgspec.Raw(b"null")


class _Head(msgspec.Struct):
    """What an item must have, as far as the merge and its readers need it."""

    type: Literal["Feature"]
    id: _Name
    collection: _Name
    properties: dict[str, Any]
    assets: dict[str, dict[str, msgspec.Raw]]
    geometry: msgspec.Raw = _NULL
    bbox: msgspec.Raw = _NULL
    place: dict[str, Any] = msgspec.field(name=PLACE, default_factory=dict)


_HEAD = msgspec.json.Decoder(_Head)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadInput)


@dataclass(frozen=True)
class Reading:
    """How one site's items are read in one search.

    Attributes:
        site: The site.
        status: Where it is counted what is left out.
        names: The site's collection ids and what each is shown as; None for all.
        request: The search in the site's words.
        shown: The search in the federation's words.
        wanted: The products asked for by name; None where none are.
        known: What has come, by collection, id and time: an item that comes again is no other.
    """

    site: Site
    status: Status
    names: Mapping[str, str] | None
    request: SearchRequest
    shown: SearchRequest
    wanted: Wanted | None = None
    known: set[tuple[str, str, int]] = field(default_factory=set)

    def copies(self, features: Iterable[msgspec.Raw], left: frozenset[str]) -> list[Copy]:
        """The copies among what came, in its order; the rest is counted.

        Args:
            features: What came.
            left: The parts of the search that the site says it did not evaluate.
        """
        accepts = self._check(left)
        natural = bool(left - {"sortby"})  # where it says so, what does not match is no fault
        copies = []
        for raw in features:
            try:
                head = _HEAD.decode(raw)
                GEOJSON.decode(head.geometry)
                moment = item_times({"properties": head.properties | head.place})[0]
                matches = accepts(head, raw)
            except _UNREADABLE:
                moment = None
            if moment is None or (shown := self._shown(head.collection)) is None:
                self.status.rejected += 1
                continue
            came = (head.collection, head.id, moment)
            if came in self.known:
                continue
            self.known.add(came)
            copy = self._copy(head, raw, shown, moment)
            if matches and (self.wanted is None or self.wanted.accepts(copy.item.name, copy.item.identity)):
                copies.append(copy)
            elif not natural:
                self.status.unasked += 1
        return copies

    def _check(self, left: frozenset[str]) -> Callable[[_Head, msgspec.Raw], bool]:
        """Whether an item is what was asked for, whatever the site says that it has evaluated.

        But what free text finds, a site that knows it decides: its words may be stemmed.
        """
        asked = replace(
            self.request,
            q=self.request.q if "q" in left else None,
            ids=None if self.wanted is not None else self.request.ids,
        )
        matches = matcher(asked)
        if asked.q is not None:
            return lambda _, raw: matches(msgspec.json.decode(raw))
        spatial = asked.bbox is not None or asked.intersects is not None or asked.filter is not None

        def check(head: _Head, _: msgspec.Raw) -> bool:
            item = {"id": head.id, "collection": head.collection, "properties": head.properties}
            if spatial:
                item["geometry"] = msgspec.json.decode(head.geometry)
                item["bbox"] = msgspec.json.decode(head.bbox)
            return matches(item)

        return check

    def _shown(self, native: str) -> str | None:
        return self.site.translation.shown(native) if self.names is None else self.names.get(native)

    def _copy(self, head: _Head, raw: msgspec.Raw, shown: str, moment: int) -> Copy:
        own = BAR in shown
        text = head.id if own else self._product_name(head)
        identity = None if own else self._identity(head, shown)
        product = Product(text if identity is None else place(identity), shown)
        item = {"id": head.id, "collection": shown, "properties": head.properties | head.place}
        order = self.shown.sortby
        values = tuple(
            self._name_in_order(head) if field.name == PRODUCT else sort_value(item, field.name)
            for field in order
        )
        rank = Rank(order_key(values, order), product, self.site.rank, head.id, moment)
        return Copy(rank, values, self._held(head, raw, text, identity), _span(identity, moment))

    def _identity(self, head: _Head, shown: str) -> Identity | None:
        """Of a mission that is known; None of another."""
        item = {
            "id": head.id,
            "collection": head.collection,
            "properties": head.properties,
            "assets": head.assets,
        }
        one = identify(item, shown, self._product)
        if one.name is None and one.acquisition is None and one.partial is None:
            return None
        by_name = one.name is not None and (head.id == one.name or head.id in forms_of(one.name))
        (self.site.seen.named if by_name else self.site.seen.odd).add(head.collection)
        return one

    @property
    def _product(self) -> str | None:
        return self.site.translation.product(self.names)

    def _product_name(self, head: _Head) -> str:
        name = property_value({"properties": head.properties}, self._product) if self._product else None
        return name if isinstance(name, str) and name else head.id

    def _name_in_order(self, head: _Head) -> Value:
        """By what the site sorts where an order goes by the product's name."""
        if "id" in head.place:
            return sortable(head.place["id"])
        return sort_value({"properties": head.properties, "id": head.id}, self._product or "id")

    def _held(self, head: _Head, raw: msgspec.Raw, text: str, identity: Identity | None) -> Held:
        member = self.site.member
        url = self.site.source.item_url(head.collection, head.id)
        return Held(member.id, member.name, head.collection, head.id, url, raw, text, identity)


def _span(identity: Identity | None, moment: int) -> tuple[int, int] | None:
    """From when to when copies of a product may stand, if this one stands there, too."""
    if identity is None or identity.partial is not None:
        return None
    span = span_of(identity)
    if span is None or span[1] - span[0] > WIDEST or not span[0] <= moment <= span[1]:
        return None
    return span
