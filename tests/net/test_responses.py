"""The table of errors and status codes; the choice of a coding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from cscale import errors
from cscale.net.responses import STATUS, error_response, reply, status_of
from tests.test_errors import error_classes, made


def request(method: str = "GET", **headers: str) -> Request:
    fields = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": fields, "query_string": b""})


# An error that says what the caller asked wrongly, or who did not answer, has a status of its own; these
# are errors of commands and of configuration, which never reach a caller of the web
NO_STATUS = {errors.CscaleError, errors.BadConfiguration, errors.BadInput, errors.ChecksumMismatch}


@pytest.mark.parametrize("kind", error_classes())
def test_every_error_has_a_status_or_is_none_of_the_webs(kind: type[errors.CscaleError]) -> None:
    inherits = any(parent in STATUS for parent in kind.__mro__)
    assert inherits != (kind in NO_STATUS)
    if kind in NO_STATUS:
        assert status_of(made(kind)) == 500


def test_the_nearest_ancestors_status_is_taken() -> None:
    assert status_of(errors.BadCursor("x")) == 400
    assert status_of(errors.SiteTimeout("x")) == 504
    assert status_of(errors.UnsortedPage("x")) == 502


async def test_an_error_is_a_code_and_a_sentence() -> None:
    response = await error_response(request(), errors.NotFound("no item 'x' here"))
    assert (response.status_code, response.media_type) == (404, "application/json")
    assert response.body == b'{"code":"NotFound","description":"no item \'x\' here"}'
    assert (await error_response(request("HEAD"), errors.NotFound("x"))).body == b""


async def test_who_is_missing_is_told() -> None:
    response = await error_response(request(), errors.SitesMissing("nobody", [{"id": "alpha"}]))
    assert b'"federation":{"sites":[{"id":"alpha"}]}' in bytes(response.body)


async def test_the_size_is_told_where_a_range_is_outside_of_it() -> None:
    response = await error_response(request(), errors.RangeNotSatisfiable("outside", 12))
    assert response.headers["content-range"] == "bytes */12"


@pytest.mark.parametrize("error", [ZeroDivisionError(), errors.BadConfiguration("/etc/site.yaml: secret")])
async def test_an_error_that_no_caller_can_mend_is_not_told_to_one(error: Exception) -> None:
    with pytest.raises(type(error)):
        await error_response(request(), error)


PARTS = ["gzip", "zstd", "*", ";q=0", ";q=", ",", "q=1e400", ";q=nan", "é", "\t"]


@given(st.lists(st.sampled_from(PARTS)).map("".join))
async def test_no_accept_encoding_breaks_a_reply(accepted: str) -> None:
    body = b"x" * 5000
    response = await reply(request(accept_encoding=accepted), body)
    coding = response.headers.get("content-encoding")
    assert coding in (None, "gzip", "zstd")
    assert (response.body == body) == (coding is None)


@pytest.mark.parametrize(("size", "coded"), [(1023, False), (1024, True), (200_000, True)])
async def test_what_is_small_is_not_compressed(size: int, *, coded: bool) -> None:
    response = await reply(request(accept_encoding="gzip"), b"x" * size)
    assert ("content-encoding" in response.headers) == coded
    assert int(response.headers["content-length"]) == len(response.body)


async def test_the_same_body_has_the_same_tag_and_each_coding_its_own() -> None:
    async def tag(coding: str, body: bytes = b"x" * 5000) -> str:
        return (await reply(request(accept_encoding=coding), body)).headers["etag"]

    assert await tag("gzip") == await tag("gzip")
    assert len({await tag(coding) for coding in ("", "gzip", "zstd")}) == 3
    assert await tag("", b"y" * 5000) != await tag("")
