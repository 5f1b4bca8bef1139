"""What of a search a site is asked, what is left to the hub, and how it is written for GET and POST."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import msgspec

from cscale.discovery.stac_api import conditions
from cscale.discovery.stac_api.claims import Claims
from cscale.discovery.stac_api.writing import number, text_of
from cscale.stac.cql2 import Expression
from cscale.stac.geometry import bounds_of, planar
from cscale.stac.search import SearchRequest

LETTERS = {
    "collections": "c",
    "ids": "i",
    "bbox": "b",
    "intersects": "x",
    "datetime": "d",
    "filter": "f",
    "q": "q",
    "sortby": "s",
}
"""The parts of a search, each with the letter that stands for it in a token."""
_CLAIMED = {"q": "free-text", "sortby": "sort"}
_MAX_ADDRESS = 6000  # bytes; many servers and proxies take no more than 8 KB


@dataclass(frozen=True, slots=True)
class Plan:
    """A search as a site is asked it.

    Attributes:
        request: The whole search, in the site's words.
        dropped: The parts that are not sent.
        condition: What is sent of the filter, as CQL2.
        query: What is sent of it as `query` instead.
        whole: Whether that is all of the filter.
        limit: The longest page that is asked for.
    """

    request: SearchRequest
    dropped: frozenset[str] = frozenset()
    condition: Expression | None = None
    query: Mapping[str, Any] | None = None
    whole: bool = True
    limit: int = 10

    @property
    def sent(self) -> frozenset[str]:
        """The parts that are sent, whole or not."""
        given = {name for name in LETTERS if getattr(self.request, name) is not None}
        if self.condition is None and self.query is None:
            given.discard("filter")
        return frozenset(given - self.dropped)

    @property
    def left(self) -> frozenset[str]:
        """The parts that the site does not evaluate, or not whole."""
        given = {name for name in LETTERS if getattr(self.request, name) is not None}
        partly = set() if self.whole else {"filter"}
        return frozenset(((given - self.sent) | partly) & given)

    def without(self, parts: Iterable[str]) -> "Plan":
        """The same search with some more parts left out."""
        return replace(self, dropped=self.dropped | frozenset(parts))

    def shorter(self, most: int) -> "Plan":
        """The same search by pages of at most so many items."""
        return self if self.limit <= most else replace(self, limit=most)

    def body(self) -> dict[str, Any]:
        """The search as the JSON body of `POST /search`."""
        body = self.request.body() | {"limit": self.limit}
        for part in LETTERS.keys() - self.sent:
            body.pop(part, None)
        body.pop("filter-lang", None)
        if "filter" in self.sent:
            body.pop("filter")
            if self.query is not None:
                body["query"] = self.query
            else:
                body |= {"filter": self.condition, "filter-lang": "cql2-json"}
        return body


def planned(request: SearchRequest, claims: Claims, leaves: frozenset[str], tried: frozenset[str]) -> Plan:
    """How a site is asked.

    Args:
        request: The search, in the site's words.
        claims: What the site claims.
        leaves: What it was seen not to evaluate.
        tried: The parts that it was seen to evaluate, whatever it claims.
    """
    dropped = set(leaves)
    for part, claim in _CLAIMED.items():
        if claim not in claims.parts and part not in tried:
            dropped.add(part)
    if not claims.told and "sortby" not in leaves:
        dropped.discard("sortby")  # older ones sort and say nothing of it; the hub sees whether they do
    condition, query, whole = None, None, True
    if request.filter is not None and "filter" not in leaves:
        if claims.filters:
            condition, whole = conditions.said(request.filter, claims)
        elif "query" in claims.parts:
            query, whole = conditions.as_query(request.filter)
        elif "filter" in tried:
            condition = request.filter
    return Plan(request, frozenset(dropped), condition, query, whole, request.limit)


def parameters(plan: Plan, claims: Claims) -> tuple[Plan, list[tuple[str, str]]]:
    """The search as the parameters of an address, and the plan that this leaves.

    What cannot be said in an address, or makes it too long, is left out.
    """
    plan, texts = _texts(plan, claims)
    for part in ("intersects", "filter", "q", "ids", "collections"):
        if sum(len(quote(text, safe="")) for text in texts.values()) <= _MAX_ADDRESS:
            break
        if part == "intersects" and "intersects" in texts and "bbox" not in texts:
            texts["bbox"] = _around(plan)
        for name in (part, "filter-lang", "query") if part == "filter" else (part,):
            texts.pop(name, None)
        plan = plan.without([part])
    return plan, [("limit", str(plan.limit)), *texts.items()]


def _texts(plan: Plan, claims: Claims) -> tuple[Plan, dict[str, str]]:
    request = plan.request
    texts: dict[str, str] = {}
    for part in ("collections", "ids", "q"):
        values = getattr(request, part)
        if part not in plan.sent:
            continue
        if any("," in value or value != value.strip() for value in values):
            plan = plan.without([part])  # where a list has commas between, none can be in it
        else:
            texts[part] = ",".join(values)
    if "bbox" in plan.sent and request.bbox is not None:
        texts["bbox"] = ",".join(map(number, request.bbox.numbers()))
    if "intersects" in plan.sent:
        texts["intersects"] = msgspec.json.encode(request.intersects).decode()
    if "datetime" in plan.sent:
        texts["datetime"] = str(request.datetime)
    if "filter" in plan.sent:
        plan, said = _filter(plan, claims)
        texts |= said
    if "sortby" in plan.sent:
        if any("," in each.name or each.name[0] in "+- " for each in request.sortby):
            plan = plan.without(["sortby"])
        else:
            texts["sortby"] = ",".join(
                ("-" if each.descending else "") + each.name for each in request.sortby
            )
    return plan, texts


def _filter(plan: Plan, claims: Claims) -> tuple[Plan, dict[str, str]]:
    if plan.query is not None:
        return plan, {"query": msgspec.json.encode(plan.query).decode()}
    assert plan.condition is not None
    if "cql2-text" in claims.classes or "cql2-json" not in claims.classes:
        text = text_of(plan.condition)
        if text is not None:
            return plan, {"filter": text, "filter-lang": "cql2-text"}
    if "cql2-json" in claims.classes:
        text = msgspec.json.encode(plan.condition).decode()
        return plan, {"filter": text, "filter-lang": "cql2-json"}
    return plan.without(["filter"]), {}


def _around(plan: Plan) -> str:
    """The box around an area that is too long for an address."""
    assert plan.request.intersects is not None
    return ",".join(map(number, bounds_of(planar(plan.request.intersects)).numbers()))


def address(root: str, given: Iterable[tuple[str, str]]) -> str:
    """An address with parameters, quoted so that nothing in them can be anything but a value."""
    return f"{root}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in given)
