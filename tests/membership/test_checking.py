"""A check finds what a site does, and claims no more: small servers with faults on real sockets."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cscale.errors import SiteError
from cscale.federation import Endpoint, Member, Policy
from cscale.federation.profiles import Tried
from cscale.membership import Report, check
from cscale.membership.checking import REQUESTS
from tests.membership.archive import PARTS, Archive
from tests.scripted import Request, answer, scripted

GOOD = ("done", "roughly")


async def checked(archive: Archive, member: Member | None = None, patience: float = 10) -> Report:
    async with scripted(archive.respond) as server:
        report = await check(Endpoint(kind="stac-api", url=server.url), member=member, patience=patience)
        assert len(server.asked) <= report.requests <= REQUESTS
        return report


def outcomes(report: Report) -> Mapping[str, Tried]:
    return {each.name: each for each in report.profile.tries}


def faulty(report: Report) -> dict[str, str]:
    """What was found wrong; a site on this machine needs no TLS, and nobody must know free text."""
    tried = outcomes(report).values()
    return {e.name: e.outcome for e in tried if e.outcome not in GOOD and e.name not in ("tls", "q")}


def state(report: Report, name: str) -> str:
    return next(line.state for line in report.join if line.name == name)


async def test_a_site_without_faults_has_none() -> None:
    report = await checked(Archive())
    assert faulty(report) == {}
    profile = report.profile
    assert profile.leaves == {"q"}
    assert (profile.refuses, profile.page, profile.counts) == (frozenset(), None, True)
    assert (profile.stable, profile.cors, profile.tls, profile.ranges) == (True, True, False, True)
    assert profile.checked_at is not None
    assert report.met
    assert report.versions == {"stac": "1.0.0", "api": "1.0.0"}
    assert state(report, "contacts") == "met"
    assert report.median_ms is not None


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("no cors", {"cors": "refused"}),
        ("no preflight", {"cors": "refused"}),
        ("no claims", {"landing page": "wrong"}),
        ("no next", {"paging": "wrong"}),
        ("first again", {"paging": "wrong"}),
        ("doubles", {"paging": "wrong"}),
        ("gaps", {"paging": "wrong"}),
        ("leads away", {"paging": "wrong"}),
        ("404", {"no match": "wrong"}),
        ("no counts", {"counts": "ignored"}),
        ("wrong counts", {"counts": "wrong"}),
        ("sorts pages only", {"sortby": "ignored"}),
        ("whole files", {"ranges": "ignored"}),
        ("other bytes", {"ranges": "wrong"}),
        ("short ranges", {"ranges": "wrong"}),
        ("shifted", {"ranges": "wrong"}),
        ("no head", {"ranges": "wrong"}),
        ("wrong length", {"ranges": "wrong"}),
        ("needs login", {"ranges": "refused"}),
    ],
)
async def test_a_fault_is_found_and_no_other(fault: str, found: dict[str, str]) -> None:
    report = await checked(Archive(faults=frozenset({fault})))
    found_there = faulty(report)
    if "paging" in found:
        found_there.pop("counts", None)  # where pages end wrongly, nothing can be counted
    assert found_there == found
    met = fault in ("no cors", "no preflight", "no counts", "sorts pages only")  # good to have, not needed
    assert report.met is met


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("how", ["ignores", "refuses"])
async def test_a_part_that_is_not_done_is_left(part: str, how: str) -> None:
    report = await checked(Archive(**{how: frozenset({part})}))  # type: ignore[arg-type]  # by name
    outcome = {"ignores": "ignored", "refuses": "refused"}[how]
    expected = {part: outcome}
    if part == "filter":
        expected["filter as text"] = outcome
    assert faulty(report) == expected
    assert report.profile.leaves == {part, "q"}
    assert report.met is (part in ("filter", "sortby"))  # not claimed: the hub does it


async def test_pages_that_are_shuffled_are_found() -> None:
    report = await checked(Archive(faults=frozenset({"unstable"})))
    assert report.profile.stable is False
    assert "sortby" in report.profile.leaves


async def test_a_page_cap_is_found() -> None:
    report = await checked(Archive(cap=7))
    assert faulty(report) == {}
    assert report.profile.page == 7


@pytest.mark.parametrize("cap", [1, 2, 3])
async def test_a_tiny_page_cap_is_no_fault(cap: int) -> None:
    report = await checked(Archive(cap=cap))
    assert "paging" not in faulty(report)
    assert report.profile.page == cap


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_site_that_knows_one_method_is_tried_by_it(method: str) -> None:
    report = await checked(Archive(methods=frozenset({method})))
    other = {"GET": "POST", "POST": "GET"}[method]
    assert faulty(report) == {f"{other} search": "refused"}
    assert report.profile.refuses == {other}
    assert report.profile.leaves == {"q"}
    assert report.met is (method == "GET")  # STAC API asks for GET


async def test_records_that_are_no_items_are_counted() -> None:
    report = await checked(Archive(faults=frozenset({"junk"})))
    assert report.rejected > 0
    assert report.profile.leaves == {"q"}


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_site_with_few_items_is_not_blamed_for_what_cannot_be_tried(count: int) -> None:
    report = await checked(Archive(count=count))
    assert set(faulty(report).values()) <= {"untried"}
    assert report.met


async def test_a_site_that_hangs_costs_its_time_and_is_not_reached() -> None:
    with pytest.raises(SiteError, match="no search is answered"):
        await checked(Archive(faults=frozenset({"hangs"})), patience=0.2)


async def test_a_site_that_is_not_there_is_not_reached() -> None:
    async with scripted(lambda _: b"") as server:
        url = server.url
    with pytest.raises(SiteError, match="no connection"):
        await check(Endpoint(kind="stac-api", url=url))


NESTED = b'{"features": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"\xff\xfe",
        NESTED,
        b'{"features": {"a": 1}, "links": 7, "conformsTo": {"x": 1}, "collections": [[]]}',
        b'{"features": [{"id": "a", "properties": {"datetime": [], "a\\"b": 1e999}, "geometry": {}}]}',
        b'{"features": [{"id": "a", "collection": "c", "properties": {"datetime": "2020-01-01T00:00:00Z",'
        b' "x\\u0000[red]": 5, "eo:cloud_cover": 1e400},'
        b' "geometry": {"type": "Point", "coordinates": [1, 2]},'
        b' "assets": {"a": {"href": "http://[bad"}, "b": {"href": "file:///etc/passwd"}, "c": 3}}],'
        b' "links": [{"rel": "next", "method": "POST", "headers": {"a\\r\\nb": "c\\r\\nd"},'
        b' "href": "search"}]}',
    ],
)
async def test_no_answer_breaks_a_check(body: bytes) -> None:
    async with scripted(lambda _: answer(body)) as server:
        report = await check(Endpoint(kind="stac-api", url=server.url))
    assert not report.met


async def test_an_answer_without_end_is_cut_off() -> None:
    """A length that is claimed is not believed, and no more is read than the limit."""
    endless = b"HTTP/1.1 200 So\r\nconnection: close\r\n\r\n" + b'{"features": [' + b" " * (40 << 20)

    def respond(request: Request) -> bytes:
        return endless if request.path == "/search" else answer({"conformsTo": []})

    async with scripted(respond) as server:
        report = await check(Endpoint(kind="stac-api", url=server.url))
    assert "longer than" in outcomes(report)["POST search"].said


async def test_assets_at_inner_addresses_are_not_asked() -> None:
    """What a site names may lead into the network that the hub stands in."""
    archive = Archive()

    def inner(request: Request) -> bytes:
        return answer(b"secret")

    async with scripted(inner) as other:
        for item in archive.items:
            item["assets"] = {"data": {"href": f"{other.url}/files/a.tif"}}
        report = await checked(archive)
        assert other.asked == []
    assert outcomes(report)["ranges"].outcome == "untried"
    assert report.profile.ranges is None


async def test_policies_and_retention_come_from_the_members_entry() -> None:
    policy = Policy.model_validate({"data": {"access": "open"}, "retention": {"kind": "rolling", "days": 30}})
    endpoint = Endpoint(kind="stac-api", url="http://alpha.test")
    member = Member(id="alpha", endpoints=(endpoint,), policies={"default": policy})
    report = await checked(Archive(count=1), member)
    assert [state(report, name) for name in ("policy", "retention", "login")] == [
        "met",
        "met",
        "not declared",
    ]
    bare = await checked(Archive(count=1), Member(id="alpha", endpoints=(endpoint,)))
    assert [state(bare, name) for name in ("policy", "retention")] == ["not declared", "not declared"]


ARCHIVES = st.builds(
    Archive,
    ignores=st.frozensets(st.sampled_from(PARTS)),
    refuses=st.frozensets(st.sampled_from(PARTS)),
    methods=st.sampled_from([frozenset({"GET", "POST"}), frozenset({"GET"}), frozenset({"POST"})]),
    cap=st.sampled_from([1, 2, 7, 12, 1000]),
    faults=st.frozensets(
        st.sampled_from(
            ["no cors", "no next", "first again", "doubles", "gaps", "leads away", "404", "no counts",
             "wrong counts", "sorts pages only", "whole files", "other bytes", "no head", "junk", "unstable"]
        ),
        max_size=3,
    ),
)  # fmt: skip


@settings(max_examples=30)
@given(archive=ARCHIVES)
def test_a_profile_claims_nothing_that_the_site_does_not_do(archive: Archive) -> None:
    report = asyncio.run(checked(archive))
    profile = report.profile
    undone = archive.ignores | archive.refuses
    if "sorts pages only" in archive.faults:
        undone |= {"sortby"}
    done = {each.name for each in profile.tries if each.outcome in GOOD}
    assert not done & undone
    tried = {each.name for each in profile.tries if each.outcome != "untried"}
    assert undone & tried <= profile.leaves
    assert profile.refuses == {"GET", "POST"} - archive.methods
    faults = archive.faults
    assert not (profile.cors and "no cors" in faults)
    assert not (profile.ranges and faults & {"whole files", "other bytes", "no head"})
    assert not (profile.counts and faults & {"no counts", "wrong counts"})
    paging = {"unstable", "doubles", "gaps", "first again", "leads away", "no next"}
    if archive.cap <= 2:  # one page of twelve, to hold the small ones against, cannot be had
        paging -= {"gaps"} | (paging if undone else set())
    assert not (profile.stable and faults & paging)
    if profile.page is not None:
        assert profile.page <= archive.cap + 2 * ("junk" in faults)
