"""What an answer of a hub over sites with faults must be, judged by the union of what its sites hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cscale.stac.search import SearchRequest
from tests.discovery.federations import Archive, union
from tests.discovery.misbehaving.fault import Fault, Harm

Place = tuple[str, str, str]
"""A copy: site, collection, id."""


@dataclass(frozen=True)
class Shown:
    """A product on a page: its name and collection, and its copies."""

    name: str
    collection: str
    places: tuple[Place, ...]


def harm_of(faults: Sequence[Fault]) -> Harm:
    """What a hub can make of all the faults of a site: the gravest counts."""
    grades: list[Harm] = ["none", "may", "must"]
    return max((fault.harm for fault in faults), key=grades.index, default="none")


def shown_on(page: dict[str, Any]) -> list[Shown]:
    """What a page shows."""
    return [
        Shown(
            item["id"],
            item["collection"],
            tuple((each["site"], each["collection"], each["id"]) for each in item["federation:sites"]),
        )
        for item in page["features"]
    ]


def states(page: dict[str, Any]) -> dict[str, str]:
    """The state of each site, and its reason."""
    return {each["id"]: f"{each['state']}: {each.get('reason', '')}" for each in page["federation"]["sites"]}


@dataclass
class Truth:
    """What the sites hold that matches, and how far each can be had.

    Attributes:
        archives: The sites.
        request: The search.
        harms: What can be made of each.
    """

    archives: Sequence[Archive]
    request: SearchRequest
    harms: dict[str, Harm]

    def __post_init__(self) -> None:
        self.groups = union(self.archives, self.request)
        copies = union(self.archives, replace(self.request, duplicates="keep"))
        self.order = {places[0]: at for at, (_, _, places) in enumerate(copies)}
        self.names = {places[0]: (name, collection) for name, collection, places in copies}
        self.group = {place: at for at, (_, _, places) in enumerate(self.groups) for place in places}

    def judge(self, pages: Sequence[dict[str, Any]], *, counted: bool = True) -> None:
        """Check a whole walk.

        Args:
            pages: Its pages.
            counted: Whether the sites count rightly.
        """
        if all(harm == "none" for harm in self.harms.values()):
            self._judge_whole(pages, counted=counted)
        else:
            self._judge_partial(pages)

    def _judge_whole(self, pages: Sequence[dict[str, Any]], *, counted: bool) -> None:
        for page in pages:
            assert page["federation:missing"] == [], states(page)
            if counted and "numberMatched" in page:
                assert page["numberMatched"] == len(self.groups), "a count that is not exact"
        found = [(each.name, each.collection, list(each.places)) for page in pages for each in shown_on(page)]
        assert found == self.groups, [states(page) for page in pages]

    def _judge_partial(self, pages: Sequence[dict[str, Any]]) -> None:
        shown = [(number, each) for number, page in enumerate(pages) for each in shown_on(page)]
        for _, each in shown:
            self.judge_shown(each)
        at = [place for _, each in shown for place in each.places]
        assert len(at) == len(set(at)), "a copy was shown twice"
        standing = [self._stands(each) for _, each in shown]
        assert standing == sorted(standing), "against the order"
        named = [{name.partition("/")[0] for name in page["federation:missing"]} for page in pages]
        for site, harm in self.harms.items():
            assert harm != "none" or not any(site in each for each in named), [states(page) for page in pages]
        for page, missing in zip(pages, named, strict=True):
            said = states(page)
            for site, harm in self.harms.items():
                broken = harm != "must" or site in missing or said[site].startswith("skipped")
                assert broken, f"{site} cannot have answered: {said}"
        for place in self.order.keys() - set(at):
            self._judge_missing(place, pages, shown, named)

    def judge_shown(self, each: Shown) -> None:
        """Check that a product that is shown is one, and matches."""
        for place in each.places:
            assert place in self.order, f"{place} does not match, or is nowhere"
            assert self.names[place] == (each.name, each.collection)
        groups = {self.group[place] for place in each.places}
        assert len(groups) == 1, f"{each.places} are not of one product"

    def _stands(self, each: Shown) -> int:
        return min(self.order[place] for place in each.places)

    def _judge_missing(
        self,
        place: Place,
        pages: Sequence[dict[str, Any]],
        shown: Sequence[tuple[int, Shown]],
        named: Sequence[set[str]],
    ) -> None:
        """What is not there is of a site that is named where it would have stood."""
        site = place[0]
        assert self.harms[site] != "none", f"{place} is missing: {[states(page) for page in pages]}"
        beyond = [number for number, each in shown if self._stands(each) > self.order[place]]
        product = [number for number, each in shown if self.group[each.places[0]] == self.group[place]]
        concerned = {min(beyond, default=len(pages) - 1), *product}
        told = any(site in named[number] for number in concerned)
        assert told, f"{place} is missing on page {concerned}: {[states(page) for page in pages]}"
