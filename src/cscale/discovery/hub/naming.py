"""Products asked for by name, in any form: `ids`, and the address of an item."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cscale.discovery.products import Identity, forms_of, identify_name, matches, place_of, span_of
from cscale.stac.geometry import Box
from cscale.stac.search import MAX_LIMIT, SearchRequest
from cscale.stac.times import Interval


@dataclass(frozen=True)
class Wanted:
    """The products that a search names.

    Attributes:
        texts: The names, as they were written.
        known: Those of missions that are known here, by text.
    """

    texts: frozenset[str]
    known: dict[str, Identity]

    @classmethod
    def of(cls, ids: Iterable[str]) -> "Wanted":
        """What is asked for by these ids."""
        texts = frozenset(ids)
        found = ((text, identify_name(text)) for text in texts)
        return cls(texts, {text: one for text, one in found if one is not None})

    def accepts(self, name: str, identity: Identity | None) -> bool:
        """Whether an item is one of these, by its name at its site or by what is known of it."""
        if name in self.texts:
            return True
        return identity is not None and any(matches(asked, identity) for asked in self.known.values())

    def quick(self) -> list[str]:
        """The ids under which sites mostly hold them."""
        forms = (form for text in sorted(self.texts) for form in (text, *forms_of(text)))
        return list(dict.fromkeys(forms))

    def elsewhere(
        self, request: SearchRequest, found: Sequence[Identity], *, named: bool = False
    ) -> list[SearchRequest]:
        """Searches by time and place for what was not found by its name.

        Args:
            request: The search that names them.
            found: What was found by name at the site that shall be asked.
            named: Whether a product's whole name leads to all that the site holds of it.
        """
        asked = []
        for one in self.known.values():
            if one.partial is None and (named or any(matches(one, each) for each in found)):
                continue
            if (search := _by_time_and_place(request, one)) is not None:
                asked.append(search)
        return asked


def _by_time_and_place(request: SearchRequest, one: Identity) -> SearchRequest | None:
    """The search for what lies when and where a product does; None where its name does not tell when."""
    span = span_of(one)
    if span is None:
        return None
    asked = request.datetime or Interval(None, None)
    start = span[0] if asked.start is None else max(span[0], asked.start)
    end = span[1] if asked.end is None else min(span[1], asked.end)
    if start > end:
        return None
    box = place_of(one) if request.bbox is None and request.intersects is None else None
    bbox = request.bbox if box is None else Box.parse(list(box))
    return replace(request, ids=None, datetime=Interval(start, end), bbox=bbox, limit=MAX_LIMIT)
