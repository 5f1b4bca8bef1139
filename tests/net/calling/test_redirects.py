"""Where a redirect may lead a request, and what goes with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from cscale.errors import SiteError
from cscale.net.calling.redirects import Call, redirected


def call(method: str = "GET", url: str = "https://a.example/stac/search?x=1") -> Call:
    content = b"{}" if method == "POST" else None
    return Call(method, URL(url), content, {"Accept": "text/xml", "x-key": "k"}, "secret")


@pytest.mark.parametrize(
    ("method", "status", "follows"),
    [("GET", each, True) for each in (301, 302, 303, 307, 308)]
    + [("POST", each, each > 303) for each in (301, 302, 303, 307, 308)]
    + [("GET", each, False) for each in (200, 201, 300, 304, 305, 404, 503)],
)
def test_a_body_is_sent_on_only_where_the_method_stays(method: str, status: int, follows: bool) -> None:
    led = redirected(call(method), status, "/other")
    assert (led is not None) == follows
    if led is not None:
        assert (led.method, led.content) == (method, b"{}" if method == "POST" else None)
        assert str(led.url) == "https://a.example/other"


def test_without_a_place_to_go_the_answer_stays() -> None:
    assert redirected(call(), 302, None) is None


@pytest.mark.parametrize(
    "there",
    [
        "/x",
        "x",
        "?y=2",
        "//a.example/x",
        "https://a.example:443/x",
        "https://A.EXAMPLE/x",
        "https://u:p@a.example/",
    ],
)
def test_within_an_origin_all_goes_along(there: str) -> None:
    led = redirected(call(), 307, there)
    assert led is not None
    assert led.all_headers() == {"Accept": "text/xml", "x-key": "k", "authorization": "Bearer secret"}
    assert led.url.user is None


@pytest.mark.parametrize(
    "there",
    [
        "https://b.example/x",
        "https://a.example:444/x",
        "//b.example",
        "https://a.example@b.example/",
        "https://a.example.b.example/",
    ],
)
def test_to_another_origin_goes_no_token_and_nothing_of_ones_own(there: str) -> None:
    led = redirected(call(), 307, there)
    assert led is not None
    assert led.all_headers() == {"Accept": "text/xml"}
    back = redirected(led, 307, "https://a.example/stac/search")
    assert back is not None
    assert back.all_headers() == {"Accept": "text/xml"}


@pytest.mark.parametrize("there", ["/a%7Eb?sig=%2B%2F%3d", "https://b.example/a%2Fb?x=%C3%A9"])
def test_a_signed_address_stays_as_it_is(there: str) -> None:
    led = redirected(call(), 307, there)
    assert led is not None
    assert str(led.url).endswith(there)


def test_from_plain_http_to_tls_is_another_origin() -> None:
    led = redirected(call(url="http://a.example/"), 301, "https://a.example/")
    assert led is not None
    assert led.bearer is None


@pytest.mark.parametrize(
    "there",
    [
        "http://a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "http://[",
        "data:,x",
        "javascript:x",
    ],
)
def test_what_leads_off_the_web_or_out_of_tls_is_refused(there: str) -> None:
    with pytest.raises(SiteError, match="redirects"):
        redirected(call(), 302, there)


@given(st.text(max_size=80), st.sampled_from([301, 302, 303, 307, 308]))
def test_no_place_breaks_it_or_takes_the_token_elsewhere(there: str, status: int) -> None:
    try:
        led = redirected(call(), status, there)
    except SiteError:
        return
    assert led is not None
    assert led.url.scheme == "https"
    assert led.bearer is None or led.url.host == "a.example"
