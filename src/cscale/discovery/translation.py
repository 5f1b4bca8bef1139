"""Between the federation's words and one site's: collection ids, product names, filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cscale.errors import BadRequest
from cscale.federation import Member
from cscale.stac.cql2 import Expression, compile_filter, plain_name
from cscale.stac.search import SearchRequest, SortField

BAR = "|"
"""Between a site's id and one of its collections: `alpha|S2_L2A` is that site's alone."""


@dataclass(frozen=True)
class Translation:
    """The words of one member.

    Attributes:
        member: Its entry in the configuration.
    """

    member: Member

    def collections(self, asked: tuple[str, ...] | None) -> dict[str, str] | None:
        """What is asked for, as the site's collection id -> the id it is shown under.

        Returns:
            None if all collections are asked for; empty if the site can hold none of them.
        """
        if asked is None:
            return None
        found: dict[str, str] = {}
        for name in sorted(asked, key=lambda name: BAR in name):
            native = self._native(name)
            if native is not None:
                found.setdefault(native, name)
        return found

    def _native(self, name: str) -> str | None:
        site, bar, rest = name.partition(BAR)
        if bar:
            return rest if site == self.member.id else None
        if name in self.member.collections:
            return self.member.collections[name]
        return None if name in self.member.collections.values() else name

    def shown(self, native: str) -> str:
        """The id under which the site's collection is shown when all are asked for."""
        for name, own in self.member.collections.items():
            if own == native:
                return name
        clashes = native in self.member.collections or BAR in native
        return self.prefixed(native) if clashes else native

    def prefixed(self, native: str) -> str:
        """The id under which a collection is this site's alone."""
        return f"{self.member.id}{BAR}{native}"

    def request(self, request: SearchRequest, held: Iterable[str]) -> SearchRequest | None:
        """A search in the site's words; None if nothing there can match.

        Args:
            request: In the federation's words.
            held: The site's own collection ids, as far as a filter speaks of collections.
        """
        natives = self.collections(request.collections)
        if natives is not None and not natives:
            return None
        expression = request.filter
        ids = request.ids
        if ids is not None and self.member.product is not None:
            named = {"op": "in", "args": [{"property": "id"}, list(ids)]}
            expression = named if expression is None else {"op": "and", "args": [expression, named]}
            ids = None
        if expression is not None:
            expression = self._filter(expression, natives, list(held))
        return replace(
            request,
            collections=None if natives is None else tuple(natives),
            ids=ids,
            filter=expression,
            sortby=tuple(field for each in request.sortby for field in self._sort_field(each)),
            token=None,
        )

    def _sort_field(self, field: SortField) -> list[SortField]:
        if field.name == "collection" and self.member.collections:
            raise BadRequest(
                f"sortby: sites name their collections differently ({self.member.id} does), so they cannot "
                "sort by collection; ask for one collection after the other"
            )
        if field.name == "id" and self.member.product is not None:
            return [SortField(self.member.product, field.descending), field]
        return [field]

    def _filter(self, node: Expression, natives: Mapping[str, str] | None, held: list[str]) -> Expression:
        if node["op"] in ("and", "or", "not"):
            args = [self._filter(each, natives, held) if _is_node(each) else each for each in node["args"]]
            return {"op": node["op"], "args": args}
        names = set(_properties(node))
        if names == {"collection"}:
            return self._on_collections(node, natives, held)
        if "collection" in names:
            raise BadRequest("filter: compare collection with names, not with other properties")
        if "id" in names and self.member.product is not None:
            return _by_product(node, self.member.product)
        return node

    def _on_collections(
        self, node: Expression, natives: Mapping[str, str] | None, held: list[str]
    ) -> Expression:
        """What a condition on collections means here: the list of those for which it holds."""
        accepts = compile_filter(node)
        shown = {native: self.shown(native) for native in held} if natives is None else natives
        fitting = [native for native, name in shown.items() if accepts({"collection": name})]
        unlikely = "|none"  # no collection has this id, and an empty list is no CQL2
        return {"op": "in", "args": [{"property": "collection"}, fitting or [unlikely]]}


def speaks_of_collections(expression: Expression | None) -> bool:
    """Whether a filter speaks of collections."""
    return expression is not None and "collection" in set(_properties(expression))


def _by_product(node: Expression, product: str) -> Expression:
    """A condition on the id, where an item is named by a product property if it has one."""
    absent = {"op": "isNull", "args": [{"property": product}]}
    renamed = _rename(node, "id", product)
    return {
        "op": "or",
        "args": [
            {"op": "and", "args": [{"op": "not", "args": [absent]}, renamed]},
            {"op": "and", "args": [absent, node]},
        ],
    }


def _rename(node: Any, old: str, new: str) -> Any:
    if isinstance(node, Mapping):
        if "property" in node:
            return {"property": new} if plain_name(node["property"]) == old else node
        return {name: _rename(value, old, new) for name, value in node.items()}
    return [_rename(each, old, new) for each in node] if isinstance(node, list) else node


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
