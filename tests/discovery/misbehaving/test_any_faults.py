"""Any faults at any sites: a hub's answer is the union of what can be had, or says what is missing."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cscale.stac.search import from_json
from tests.discovery.federations import MORNING, OWN_PRODUCT, PLACES, Archive, feature, held_items, member
from tests.discovery.misbehaving.breaking import (
    GARBLED,
    Closes,
    CutsShort,
    Delays,
    Dies,
    Endless,
    Garbles,
    Hangs,
    HangsHalfway,
)
from tests.discovery.misbehaving.fault import Fault
from tests.discovery.misbehaving.faults import (
    WRONG,
    Caps,
    EndlessPages,
    FailsLater,
    Form,
    Ignores,
    LeavesOut,
    Loops,
    Mislabels,
    NotANumber,
    NotFoundIfNone,
    Overlaps,
    PagesBy,
    Refuses,
    RefusesFilter,
    RefusesForeign,
    RefusesMethod,
    RefusesSort,
    Reorders,
    Style,
    Uninvited,
    Wrong,
)
from tests.discovery.misbehaving.hubs import Stage, walked
from tests.discovery.misbehaving.truth import Truth, harm_of, states

_KINDS: dict[str, st.SearchStrategy[Fault]] = {
    "method": st.builds(
        RefusesMethod, st.sampled_from(["POST", "POST", "GET"]), st.sampled_from([405, 404, 501])
    ),
    "foreign": st.builds(RefusesForeign, st.sampled_from([400, 404])),
    "filter": st.builds(RefusesFilter) | st.just("filter").map(Ignores),
    "sortby": st.builds(RefusesSort) | st.builds(Ignores, st.just("sortby"), st.booleans()),
    "ignored": st.sampled_from(["datetime", "bbox", "ids", "collections", "intersects"]).map(Ignores),
    "cap": st.builds(Caps, st.sampled_from([1, 2, 5]), st.booleans()),
    "paging": st.builds(
        PagesBy,
        st.sampled_from(["token", "merged token", "offset", "page", "link", "header"]),
        st.sampled_from(["absolute", "relative", "without port"]),
    ),
    "none": st.builds(NotFoundIfNone),
    "overlap": st.builds(Overlaps),
    "wrong": st.sampled_from([*WRONG, "no object"]).map(Wrong),
    "uninvited": st.builds(Uninvited),
    "label": st.sampled_from(["text/html; charset=utf-8", "application/octet-stream", "x"]).map(Mislabels),
    "bare": st.builds(LeavesOut),
    "late": st.builds(Delays, everywhere=st.booleans()),
    "reordered": st.builds(Reorders),
    "nan": st.builds(NotANumber),
    "later": st.builds(FailsLater, st.sampled_from([500, 404, 400])),
    "refused": st.builds(Refuses, st.sampled_from([429, 500, 503, 403]), st.sampled_from([None, 1])),
    "loop": st.builds(Loops, st.sampled_from(["itself", "first"])),
    "endless": st.builds(EndlessPages),
    "broken": st.one_of(
        *(
            st.builds(kind, st.sampled_from([0, 0, 1, 3]), st.booleans())
            for kind in (Hangs, HangsHalfway, Closes, CutsShort, Endless, Dies)
        ),
        st.builds(Garbles, st.sampled_from([0, 0, 1, 3]), st.booleans(), st.sampled_from(sorted(GARBLED))),
    ),
}
_HARMLESS = ("method", "foreign", "filter", "sortby", "ignored", "cap", "paging", "none", "overlap", "wrong",
             "uninvited", "label", "bare", "late")  # fmt: skip
_HARMFUL = ("reordered", "nan", "later", "refused", "loop", "endless", "broken", "sortby")


def _drawn(kinds: Sequence[str], most: int) -> st.SearchStrategy[list[Fault]]:
    """Up to so many faults, no two of a kind."""
    some = st.lists(st.sampled_from(kinds), max_size=most, unique=True)
    return some.flatmap(lambda names: st.tuples(*(_KINDS[name] for name in names)).map(list))


COPING = _drawn(_HARMLESS, 3).filter(lambda faults: harm_of(faults) == "none")
ANY = _drawn((*_HARMLESS, *_HARMFUL), 3)

REQUESTS = st.fixed_dictionaries(
    {"limit": st.sampled_from([1, 2, 3, 7, 50])},
    optional={
        "sortby": st.sampled_from(["-datetime", "+datetime", "eo:cloud_cover", "-eo:cloud_cover", "id"]).map(
            lambda field: [
                {"field": field.lstrip("+-"), "direction": "desc" if field.startswith("-") else "asc"}
            ]
        ),
        "filter": st.sampled_from(
            [
                {"op": "<", "args": [{"property": "eo:cloud_cover"}, 50]},
                {"op": "=", "args": [{"property": "platform"}, "sentinel-2a"]},
            ]
        ),
        "bbox": st.just([0, 0, 5, 5]),
        "datetime": st.sampled_from(
            [
                "2020-05-20T18:40:00Z/2020-05-20T18:55:00Z",
                "2020-05-20T18:55:00Z/..",
                "2019-01-01T00:00:00Z/2019-02-01T00:00:00Z",
            ]
        ),
        "ids": st.lists(st.sampled_from("PQX"), min_size=1, max_size=2, unique=True),
        "collections": st.lists(st.sampled_from(["c", "d", "beta|A-C"]), min_size=1, max_size=2, unique=True),
        "duplicates": st.sampled_from(["join", "keep"]),
    },
)


def _archives(count: int) -> st.SearchStrategy[list[Archive]]:
    return st.tuples(*(_archive(site) for site in ("alpha", "beta", "gamma", "delta")[:count])).map(list)


def _archive(site: str) -> st.SearchStrategy[Archive]:
    entry = st.builds(
        lambda collections, product: member(site, collections=collections, product=product),
        st.sampled_from([{}, {}, {"c": "A-C"}]),
        st.sampled_from([None, None, OWN_PRODUCT]),
    )
    return st.builds(Archive, entry, held_items())


@st.composite
def federations(draw: st.DrawFn, faults: st.SearchStrategy[list[Fault]]) -> list[tuple[Archive, list[Fault]]]:
    """Two to four sites, each with its faults."""
    archives = draw(st.integers(2, 4).flatmap(_archives))
    return [(archive, draw(faults)) for archive in archives]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage().open() as opened:
        yield opened


def _check(stage: Stage, drawn: Sequence[tuple[Archive, list[Fault]]], asked: dict[str, Any]) -> None:
    archives, faults = zip(*drawn, strict=True)
    harms = {archive.member.id: harm_of(some) for archive, some in drawn}
    counted = not any(fault.miscounts for some in faults for fault in some)
    truth = Truth(archives, from_json(asked), harms)
    with stage.federation(archives, faults):
        pages = []
        for got in walked(f"{stage.stac}/search", asked):
            if got.status == 502:
                said = states(got.json)
                able = [site for site, harm in harms.items() if harm == "none"]
                assert all(said[site].startswith("skipped") for site in able), said
                return
            assert got.status == 200, got.body
            pages.append(got.json)
    truth.judge(pages, counted=counted)


def _alone(*kinds: Callable[[], Fault]) -> Callable[[], list[Fault]]:
    return lambda: [kind() for kind in kinds]


_SHORT = partial(Caps, 3)  # what goes wrong between pages needs some
ALONE: dict[str, Callable[[], list[Fault]]] = {
    "no fault": _alone(),
    **{f"refuses {method} by {status}": _alone(partial(RefusesMethod, method, status))
       for method in ("POST", "GET") for status in (405, 404, 501)},
    **{f"refuses foreign collections by {status}": _alone(partial(RefusesForeign, status))
       for status in (400, 404)},
    "refuses filters": _alone(RefusesFilter),
    "refuses orders": _alone(RefusesSort),
    **{f"ignores {name}": _alone(partial(Ignores, name))
       for name in ("datetime", "bbox", "ids", "collections", "filter", "sortby")},
    "ignores sortby and says so": _alone(partial(Ignores, "sortby", claims=False)),
    "caps pages": _alone(_SHORT),
    "refuses long pages": _alone(partial(Caps, 2, refuses=True)),
    **{f"pages by {style}, links {form}": _alone(_SHORT, partial(PagesBy, style, form))
       for style in get_args(Style) for form in get_args(Form)},
    **{f"refuses POST, pages by {style}": _alone(_SHORT, RefusesMethod, partial(PagesBy, style))
       for style in get_args(Style)},
    "404 where nothing matches": _alone(NotFoundIfNone),
    "refuses POST, 404 where nothing matches": _alone(RefusesMethod, NotFoundIfNone),
    "overlapping pages": _alone(_SHORT, Overlaps),
    **{f"among its items {kind}": _alone(partial(Wrong, kind)) for kind in (*WRONG, "no object")},
    "items of a collection not asked for": _alone(Uninvited),
    "another content type": _alone(Mislabels),
    "only features": _alone(_SHORT, LeavesOut),
    "late": _alone(Delays),
    "late with everything": _alone(partial(Delays, everywhere=True)),
    "pages turned round": _alone(_SHORT, Reorders),
    "NaN": _alone(NotANumber),
    "500 from the second page on": _alone(_SHORT, FailsLater),
    **{f"{status} once": _alone(partial(Refuses, status, 1)) for status in (429, 503)},
    **{f"{status} always": _alone(partial(Refuses, status)) for status in (429, 500, 403)},
    "next leads to itself": _alone(_SHORT, Loops),
    "next leads to the first page": _alone(_SHORT, partial(Loops, "first")),
    "empty pages without end": _alone(_SHORT, EndlessPages),
    **{f"{kind.__name__} after {after} answers": _alone(_SHORT, partial(kind, after))
       for kind in (Hangs, HangsHalfway, Closes, CutsShort, Endless, Dies) for after in (0, 1, 2)},
    **{f"{kind.__name__} with everything": _alone(partial(kind, everywhere=True))
       for kind in (Hangs, Closes, CutsShort, Endless, Dies)},
    **{f"answers with {kind}": _alone(partial(Garbles, kind=kind)) for kind in GARBLED},
}  # fmt: skip
ASKED: tuple[dict[str, Any], ...] = (
    {"limit": 4},
    {"limit": 50, "datetime": "2020-05-20T18:40:00Z/2020-05-20T19:40:00Z"},
    {"limit": 4, "sortby": [{"field": "eo:cloud_cover", "direction": "asc"}]},
    {"limit": 4, "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 50]}},
    {"limit": 4, "collections": ["c", "e"], "bbox": [0, 0, 5, 5]},
    {"limit": 50, "datetime": "2019-01-01T00:00:00Z/2019-02-01T00:00:00Z"},
)


def _holding(site: str, first: int) -> Archive:
    """Copies at other sites, ties, items without a cloud cover."""
    items = [
        feature(
            f"P{number * 7 % 30:02}",
            "cde"[number % 3 if number < 6 else number % 2],
            MORNING + number // 2 * 9 * 60_000_000,
            {"eo:cloud_cover": number * 37 % 100} if number % 5 else {},
            PLACES[number % 4 == 0],
        )
        for number in range(first, first + 12)
    ]
    return Archive(member(site), items)


HELD = {"alpha": _holding("alpha", 0), "beta": _holding("beta", 6), "gamma": _holding("gamma", 9)}


@pytest.mark.parametrize("name", list(ALONE))
def test_each_fault_alone(stage: Stage, name: str) -> None:
    is_slow = any(fault.is_slow for fault in ALONE[name]())
    for asked in ASKED[:2] if is_slow else ASKED:
        faults = {"alpha": [], "beta": ALONE[name](), "gamma": []}
        _check(stage, [(HELD[site], faults[site]) for site in HELD], asked)


def test_a_site_that_holds_nothing_is_not_missing(stage: Stage) -> None:
    """It takes only GET, and says with 404 that nothing matches."""
    empty = Archive(member("beta"), [])
    _check(stage, [(HELD["alpha"], []), (empty, [RefusesMethod(), NotFoundIfNone()])], {"limit": 4})


def _tried(examples: int, *more: Phase) -> Callable[[Any], Any]:
    """Where what fails is slow, to make it small takes minutes: that is left to the long run."""
    return settings(
        max_examples=examples,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *more],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


@_tried(25)
@given(federations(COPING), REQUESTS)
def test_what_a_hub_can_cope_with_is_not_seen(
    stage: Stage, drawn: list[tuple[Archive, list[Fault]]], asked: dict[str, Any]
) -> None:
    _check(stage, drawn, asked)


@_tried(40)
@given(federations(ANY), REQUESTS)
def test_what_is_missing_is_said_and_what_is_shown_is_true(
    stage: Stage, drawn: list[tuple[Archive, list[Fault]]], asked: dict[str, Any]
) -> None:
    _check(stage, drawn, asked)


@pytest.mark.soak
@_tried(500, Phase.shrink)
@given(federations(ANY), REQUESTS)
def test_five_hundred_federations(
    stage: Stage, drawn: list[tuple[Archive, list[Fault]]], asked: dict[str, Any]
) -> None:
    _check(stage, drawn, asked)
