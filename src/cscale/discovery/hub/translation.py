"""Between the federation's words and one site's: collection ids, product names, filters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cscale.discovery.products.collections import SAME, canonical
from cscale.federation import Member
from cscale.stac.cql2 import Expression, compile_filter, plain_name
from cscale.stac.search import SearchRequest, SortField

BAR = "|"
"""Between a site's id and one of its collections: `alpha|S2_L2A` is that site's alone."""
PRODUCT = "|product"
"""In an order, a product's name: at a site the property that holds it, absent ones last, else the id."""


def total_order(request: SearchRequest) -> SearchRequest:
    """The request with an order that each site can keep to the last tie, as pages are cut in it.

    `id` becomes the product's name, then the id. An order by time needs no more than that: its ties
    are read whole.
    """
    order = request.sortby
    if order[0].name != "datetime" and "id" not in {field.name for field in order}:
        order = (*order, SortField("id"))
    named = (
        (SortField(PRODUCT, field.descending), field) if field.name == "id" else (field,) for field in order
    )
    return replace(request, sortby=tuple(field for fields in named for field in fields))


@dataclass(frozen=True)
class Translation:
    """The words of one member.

    Attributes:
        member: Its entry in the configuration.
    """

    member: Member

    def collections(
        self, asked: tuple[str, ...] | None, listed: Sequence[str] | None = None
    ) -> dict[str, str] | None:
        """What is asked for, as the site's collection id -> the id it is shown under.

        Args:
            asked: The federation's ids; None for all.
            listed: The ids that the site lists; None where that is not known: then it is asked for those
                that such a collection is known to have.

        Returns:
            None if all collections are asked for; empty if the site can hold none of them.
        """
        if asked is None:
            return None
        found: dict[str, str] = {}
        for name in sorted(asked, key=lambda name: BAR in name):
            for native in self._natives(name, listed):
                found.setdefault(native, name)
        return found

    def needs_list(self, asked: tuple[str, ...] | None) -> bool:
        """Whether only the site's list of collections tells what it calls those that are asked for."""
        return any(BAR not in name and name not in self.member.collections for name in asked or ())

    def _natives(self, name: str, listed: Sequence[str] | None) -> Sequence[str]:
        site, bar, rest = name.partition(BAR)
        if bar:
            return [rest] if site == self.member.id else []
        if name in self.member.collections:
            return self.member.natives[name]
        candidates = (name, *SAME.get(name, ())) if listed is None else listed
        return [native for native in candidates if self.shown(native) == name]

    def shown(self, native: str) -> str:
        """The id under which the site's collection is shown when all are asked for."""
        for name, own in self.member.natives.items():
            if native in own:
                return name
        if BAR in native:
            return self.prefixed(native)
        name = canonical(native) or native
        return self.prefixed(native) if name in self.member.collections else name

    def product(self, natives: Mapping[str, str] | None) -> str | None:
        """The property that names the products of what is asked for; None where their ids do.

        Args:
            natives: What `collections` says of what is asked for.
        """
        only_own = natives is not None and all(BAR in name for name in natives.values())
        return None if only_own else self.member.product

    def prefixed(self, native: str) -> str:
        """The id under which a collection is this site's alone."""
        return f"{self.member.id}{BAR}{native}"

    def request(
        self, request: SearchRequest, natives: Mapping[str, str] | None, held: Iterable[str]
    ) -> SearchRequest:
        """A search in the site's words.

        Args:
            request: In the federation's words.
            natives: What `collections` says of what is asked for; not empty.
            held: The site's own collection ids, as far as a filter speaks of collections.
        """
        expression = request.filter
        ids = request.ids
        if ids is not None and self.product(natives) is not None:
            named = _op("in", {"property": "id"}, list(ids))
            expression = named if expression is None else _op("and", expression, named)
            ids = None
        if expression is not None:
            shown = {native: self.shown(native) for native in held} if natives is None else natives
            expression = self._filter(expression, natives, shown)
        return replace(
            request,
            collections=None if natives is None else tuple(natives),
            ids=ids,
            filter=expression,
            sortby=self._order(request.sortby, natives),
            token=None,
        )

    def sorts(
        self, order: tuple[SortField, ...], natives: Mapping[str, str] | None, listed: Sequence[str] | None
    ) -> bool:
        """Whether the site can keep an order: by collection only if its ids stand as those shown do.

        Args:
            order: In the federation's words.
            natives: What `collections` says of what is asked for.
            listed: The ids that the site lists; None where that is not known.
        """
        if all(field.name != "collection" for field in order):
            return True
        names = natives
        if names is None:
            if listed is None:
                return False
            names = {native: self.shown(native) for native in listed}
        return sorted(names) == sorted(names, key=lambda native: (names[native], native)) and len(
            set(names.values())
        ) == len(names)

    def _order(
        self, order: tuple[SortField, ...], natives: Mapping[str, str] | None
    ) -> tuple[SortField, ...]:
        fields: dict[str, SortField] = {}
        for field in order:
            name = self.product(natives) if field.name == PRODUCT else field.name
            if name is not None:
                fields.setdefault(name, SortField(name, field.descending))
        return tuple(fields.values())

    def _filter(
        self, node: Expression, natives: Mapping[str, str] | None, shown: Mapping[str, str]
    ) -> Expression:
        if str(node["op"]).lower() in ("and", "or", "not"):
            args = [self._filter(each, natives, shown) if _is_node(each) else each for each in node["args"]]
            return _op(node["op"], *args)
        names = set(_properties(node))
        if names == {"collection"}:
            return _on_collections(node, shown)
        if "collection" in names:
            cases = [
                _op("and", _op("=", _COLLECTION, native), self._filter(there, natives, shown))
                for native, there in _in_each(node, shown)
            ]
            return _op("or", *cases, _any_of([])) if cases else _any_of([])
        product = self.product(natives)
        if "id" in names and product is not None:
            own = self._own(natives)
            named = _by_product(node, product)
            return _op("or", _op("and", own, node), _op("and", _op("not", own), named)) if own else named
        return node

    def _own(self, natives: Mapping[str, str] | None) -> Expression | None:
        """The condition for the collections in which ids are the site's own; None if there are none."""
        if natives is None:
            renamed = [native for names in self.member.natives.values() for native in names]
            taken = [native for name in self.member.collections for native in (name, *SAME.get(name, ()))]
            barred = _op("like", _COLLECTION, f"%{BAR}%")
            if not renamed:
                return barred
            kept = _op("not", _op("in", _COLLECTION, renamed))
            return _op("and", kept, _op("or", _op("in", _COLLECTION, taken), barred))
        own = [native for native, name in natives.items() if BAR in name]
        return _op("in", _COLLECTION, own) if own else None


_COLLECTION = {"property": "collection"}
_NOTHING = f"{BAR}none"
"""What no collection and no property is called."""


def _op(op: str, *args: Any) -> Expression:
    return {"op": op, "args": list(args)}


_UNTOLD = _op("=", {"property": _NOTHING}, 1)


def _any_of(natives: Iterable[str]) -> Expression:
    """The condition that an item is in one of some collections; an empty list is no CQL2."""
    return _op("in", _COLLECTION, list(natives) or [_NOTHING])


def speaks_of_collections(expression: Expression | None) -> bool:
    """Whether a filter speaks of collections."""
    return expression is not None and "collection" in set(_properties(expression))


def _by_product(node: Expression, product: str) -> Expression:
    """A condition on the id, where an item is named by a product property if it has one."""
    absent = _op("isNull", {"property": product})
    renamed = _replaced(node, "id", {"property": product})
    return _op("or", _op("and", _op("not", absent), renamed), _op("and", absent, node))


def _on_collections(node: Expression, shown: Mapping[str, str]) -> Expression:
    """What a condition on collections alone means: the list of those for which it holds."""
    accepts = compile_filter(node)
    truths = {native: accepts({"collection": name}) for native, name in shown.items()}
    fitting = _any_of(native for native, truth in truths.items() if truth)
    untold = [native for native, truth in truths.items() if truth is None]
    if not untold:
        return fitting
    return _op("or", fitting, _op("and", _any_of(untold), _UNTOLD))  # also under `not`


def _in_each(node: Expression, shown: Mapping[str, str]) -> Iterable[tuple[str, Expression]]:
    """A condition on collections and more as it reads in each of them."""
    return ((native, _replaced(node, "collection", name)) for native, name in shown.items())


def _replaced(node: Any, name: str, by: Any) -> Any:
    """An expression with something else in the place of a property."""
    if isinstance(node, Mapping):
        if "property" in node:
            return by if plain_name(node["property"]) == name else node
        return {member: _replaced(value, name, by) for member, value in node.items()}
    return [_replaced(each, name, by) for each in node] if isinstance(node, list) else node


def _properties(node: Any) -> Iterable[str]:
    """The names of all properties that an expression speaks of."""
    if isinstance(node, Mapping):
        if "property" in node:
            yield plain_name(str(node["property"]))
        for value in node.values():
            yield from _properties(value)
    elif isinstance(node, list):
        for each in node:
            yield from _properties(each)


def _is_node(node: object) -> bool:
    return isinstance(node, Mapping) and "op" in node
