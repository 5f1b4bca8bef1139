"""What a site does of a search, tried through either way of asking it."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from cscale.errors import BadRequest
from cscale.federation.profiles import Tried
from cscale.membership import questions as q
from cscale.membership.asking import Asker, Came
from cscale.stac.evaluation import order_key, sort_value
from cscale.stac.search import SearchRequest, SortField

_LONGEST = 1000
_STEP, _PAGES = 3, 4
_SUSPICIOUS = 10_000  # where Elasticsearch stops counting


class Searching:
    """Tries what a site does of a search, on its own items.

    Args:
        asker: How it is asked.
    """

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        self.sample: Sequence[Mapping[str, Any]] = ()
        self.known: Mapping[str, Any] | None = None
        self.tried: dict[str, Tried] = {}
        self.page: int | None = None
        self._seen: list[Came] = []
        self._nothing_is_404 = False

    def start(self, first: Came) -> None:
        """Begin with some items of the site."""
        self._saw(first)
        self.sample = first.items
        self.known = q.known_item(first.items)

    async def parts(self) -> None:
        """Try each part of a search."""
        if self.known is None:
            said = "none of its first items has an id, a collection, a time and a geometry"
            for part in ("datetime", "bbox", "intersects", "ids", "collections", "filter"):
                self._keep(Tried(part, "untried", said))
            return
        asked: dict[str, list[Tried]] = {}
        for question in q.questions(self.sample, self.known):
            asked.setdefault(question.part, []).append(await self._judged(question))
        for part, tried in asked.items():
            self._keep(q.together(part, tried))
        await self._filter(self.known)

    async def _filter(self, known: Mapping[str, Any]) -> None:
        text, what = q.comparison(self.sample, known)
        try:
            some = q.filter_question(text, what, known)
        except BadRequest as error:
            self._keep(Tried("filter", "untried", str(error)))
            return
        none = q.filter_question(f"id = '{q.NOWHERE}'", "of no item", None)
        self._keep(q.together("filter", [await self._judged(some), await self._judged(none)]))

    async def _judged(self, question: q.Question) -> Tried:
        came = await self.asker.search(f"{question.part} {question.what}", question.request)
        self._saw(came)
        tried = q.judge(question, came)
        self._nothing_is_404 |= tried.said == q.NOTHING_FOUND
        return tried

    async def sort(self) -> None:
        """Try an order both ways: by time, and by id where the times tell nothing."""
        for name in ("datetime", "id"):
            pages = []
            for descending in (False, True):
                field = SortField(name, descending)
                request = SearchRequest(sortby=(field,), limit=q.SAMPLE)
                came = await self.asker.search(f"sortby {field}", request, sort=True)
                self._saw(came)
                if came.problem or "sortby" in came.left:
                    self._keep(_not_sorted(came))
                    return
                pages.append((field, came))
            if fault := next((said for field, came in pages if (said := self._fault(field, came))), ""):
                self._keep(Tried("sortby", "ignored", fault))
                return
            if _tells(pages):
                self._keep(Tried("sortby", "done", f"by {name}, both ways"))
                return
        self._keep(Tried("sortby", "untried", "its items are too few or too alike to tell"))

    def _fault(self, field: SortField, came: Came) -> str:
        """How items are not in an order, or not the first of all that were seen; empty where they are."""
        values = [sort_value(item, field.name) for item in came.items]
        keys = [order_key([value], [field]) for value in values if value is not None]
        if any(one > other for one, other in pairwise(keys)):
            return f"sorted by {field}, items came in another order"
        known = [sort_value(item, field.name) for page in self._seen for item in page.items]
        every = [order_key([value], [field]) for value in known if value is not None]
        if keys and every and min(every) < keys[0]:
            return f"sorted by {field}, the first items of all did not come first"
        return ""

    async def paging(self) -> None:
        """Walk the first items twice in small pages, and once in one: the same must come."""
        sort = self.tried.get("sortby", Tried("sortby", "untried")).outcome == "done"
        whole = await self.asker.search("the first items", SearchRequest(limit=_STEP * _PAGES), sort=sort)
        self._saw(whole)
        walks = [await self._walk(sort=sort, number=number) for number in (1, 2)]
        if problem := whole.problem or next((said for _, said, _ in walks if said), ""):
            asked = whole.asked and "were spent" not in problem
            self._keep(Tried("paging", "wrong" if asked else "untried", problem))
            return
        (one, _, ended), (other, _, _) = walks
        expected = _names(whole.items)
        shorter = min(len(one), len(expected))
        fault = ""
        if len(set(one)) < len(one):
            fault = "items came twice in one walk"
        elif one != other:
            fault = "two walks over the same pages gave different items"
        elif one[:shorter] != expected[:shorter]:
            fault = "pages of three gave other items than one page of twelve"
        elif ended and len(one) < min(_STEP * _PAGES, len(self._known_names())):
            fault = f"pages ended after {len(one)} items, and there are more"
        said = fault or f"the first {len(one)} items in pages of {_STEP}, twice the same"
        self._keep(Tried("paging", "wrong" if fault else "done", said))

    async def _walk(self, *, sort: bool, number: int) -> tuple[list[tuple[Any, Any]], str, bool]:
        what = f"paging, walk {number}"
        page = await self.asker.search(what, SearchRequest(limit=_STEP), sort=sort)
        self._saw(page)
        names = _names(page.items)
        for _ in range(_PAGES - 1):
            if page.problem or page.next is None:
                break
            if len(page.items) > _STEP:
                return names, f"asked for {_STEP} items, {len(page.items)} came", False
            page = await self.asker.follow(what, page)
            names += _names(page.items)
        return names, page.problem, page.next is None

    def _known_names(self) -> set[tuple[Any, Any]]:
        """The items that were seen so far."""
        return {name for page in self._seen for name in _names(page.items)}

    async def longest(self) -> None:
        """Try how long a page can be."""
        for limit in (_LONGEST, 250, 100):
            came = await self.asker.search(f"a page of {limit}", SearchRequest(limit=limit))
            self._saw(came)
            if came.problem and came.asked:
                continue
            if not came.asked:
                self._keep(Tried("page", "untried", came.problem))
            elif came.complete and self._pages:
                self._keep(Tried("page", "done", f"all there is, {len(came.items)} items, in one page"))
            else:
                self.page = max(1, min(limit, len(came.items) + came.invalid))
                self._keep(
                    Tried("page", "done", f"{self.page} items at most, of {limit} that were asked for")
                )
            return
        self._keep(Tried("page", "wrong", f"no page of 100 or more: {came.problem}"))

    def counted(self) -> None:
        """Judge the numbers of matches that were told on the way."""
        told = [(page.matched, page) for page in self._seen if page.matched is not None]
        full = [page for page in self._seen if page.complete and page.items and self._pages]
        faults = (_miscounted(matched, page) for matched, page in told)
        wrong = next((fault for fault in faults if fault), "") if self._pages else ""
        if not told:
            self._keep(Tried("counts", "ignored", "it does not say how many items match"))
        elif wrong:
            self._keep(Tried("counts", "wrong", wrong))
        elif not any(page.matched is not None for page in full):
            self._keep(Tried("counts", "untried", "no answer was short enough to count"))
        else:
            self._keep(Tried("counts", "done", "numberMatched is right wherever it could be counted"))
        if self._nothing_is_404:
            self._keep(Tried("no match", "wrong", f"it answers {q.NOTHING_FOUND}; an empty list is right"))
        else:
            self._keep(Tried("no match", "done", "an empty list where nothing matches"))

    @property
    def _pages(self) -> bool:
        """Whether a missing link to a next page can be believed."""
        return self.tried.get("paging", Tried("paging", "untried")).outcome != "wrong"

    @property
    def invalid(self) -> int:
        """How many of the records that came were no items."""
        return sum(page.invalid for page in self._seen)

    @property
    def median(self) -> float | None:
        """The median of the times its answers took, seconds."""
        times = [page.elapsed for page in self._seen if page.asked and not page.problem]
        return statistics.median(times) if times else None

    def _saw(self, page: Came) -> None:
        self._seen.append(page)

    def _keep(self, tried: Tried) -> None:
        self.tried[tried.name] = tried


def _names(items: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    return [(item["id"], str(item.get("collection"))) for item in items]


def _not_sorted(came: Came) -> Tried:
    if not came.asked:
        return Tried("sortby", "untried", came.problem)
    if not came.problem:
        return Tried("sortby", "ignored", "the site's dialect has no words for it")
    return Tried("sortby", "refused" if 400 <= came.status < 500 else "wrong", came.problem)


def _tells(pages: Sequence[tuple[SortField, Came]]) -> bool:
    """Whether values differ so that both orders cannot be the same."""
    name = pages[0][0].name
    values = {sort_value(item, name) for _, came in pages for item in came.items}
    return len(values - {None}) > 1


def _miscounted(matched: int, page: Came) -> str:
    count = len(page.items) + page.invalid
    if page.complete and matched != count:
        return f"numberMatched is {matched} where {count} came, and there are no more"
    if page.next is not None and matched < count:
        return f"numberMatched is {matched}, and {count} came already"
    if matched == _SUSPICIOUS:
        return f"numberMatched is {matched}, where a database has stopped counting"
    return ""
