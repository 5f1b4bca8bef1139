"""Log lines: their form, the request they belong to, and what they never hold."""

import json
import logging
from collections.abc import Callable
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cscale.net.telemetry.logs import JsonLines, TextLines, log_site, request_id, scrubbed

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


def written(form: logging.Formatter, write: Callable[[], None], request: str = "") -> str:
    """What stands in the log after `write`."""
    stream = StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger("cscale")
    handler.setFormatter(form)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    token = request_id.set(request)
    try:
        write()
    finally:
        request_id.reset(token)
        root.removeHandler(handler)
        root.setLevel(level)
    return stream.getvalue()


def test_a_site_in_a_search_is_one_line_of_json() -> None:
    line = written(
        JsonLines(),
        lambda: log_site("alpha", "error", reason="no\nconnection", elapsed_ms=41, items=0, retries=2),
        "abc-1",
    )
    said = json.loads(line)
    assert line.count("\n") == 1
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "info",
        "logger": "cscale.requests",
        "request": "abc-1",
        "event": "site",
        "site": "alpha",
        "state": "error",
        "reason": "no connection",
        "elapsed_ms": 41,
        "items": 0,
        "retries": 2,
    }


def test_a_site_in_a_search_is_one_line_of_text() -> None:
    line = written(TextLines(), lambda: log_site("alpha", "ok", elapsed_ms=41, items=10), "abc")
    assert line.endswith(
        "Z INFO cscale.requests [abc] site site=alpha state=ok elapsed_ms=41 items=10 retries=0\n"
    )
    line = written(TextLines(), lambda: log_site("alpha", "error", reason='it said "no"\nlevel=error x'))
    assert line.endswith(' site site=alpha state=error reason="it said \\"no\\" level=error x" retries=0\n')


@pytest.mark.parametrize("form", [JsonLines(), TextLines()])
def test_no_line_holds_a_token_or_a_query(form: logging.Formatter) -> None:
    log = logging.getLogger("cscale.test")

    def write() -> None:
        log.info("asked with Authorization: Bearer %s", TOKEN)
        log.warning("GET https://user:secret@a.example/x?token=%s&sig=secret#secret failed", TOKEN)
        log_site("alpha", "error", reason=f"https://a.example/x?sig=secret said {TOKEN}")
        try:
            raise ValueError(f"bearer {TOKEN} at http://a.example/?key=secret")
        except ValueError:
            log.exception("it failed")

    said = written(form, write)
    assert "https://a.example/x" in said
    assert "it failed" in said
    assert "ValueError" in said
    assert TOKEN not in said
    assert "sig=" not in said
    assert "user" not in said
    assert "?key" not in said


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bearer abc.def", "Bearer ..."),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic ..."),
        (f"said {TOKEN}!", "said ...!"),
        ("https://a.example/b?c=d", "https://a.example/b"),
        ("HTTPS://u:p@a.example:8443/b;c?d 'http://x/?y'", "HTTPS://a.example:8443/b;c 'http://x/'"),
        ("no connection: Connection refused", "no connection: Connection refused"),
        (
            "not asked since 2026-03-01T12:00:00Z: it failed",
            "not asked since 2026-03-01T12:00:00Z: it failed",
        ),
        ("did it? yes", "did it? yes"),
    ],
)
def test_what_is_left_of_a_text(text: str, left: str) -> None:
    assert scrubbed(text) == left


@given(st.text(max_size=300))
def test_any_text_is_one_line_of_json(text: str) -> None:
    line = written(JsonLines(), lambda: log_site("alpha", "error", reason=text))
    assert line.count("\n") == 1
    assert len(json.loads(line)["reason"]) <= 300


@given(st.text(st.characters(codec="ascii"), max_size=300))
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    assert scrubbed(scrubbed(text)) == scrubbed(text)


def test_a_long_text_is_scrubbed_in_little_time() -> None:
    for text in (
        "https://" * 20_000,
        "http://" + "a@" * 50_000,
        "eyJ" * 50_000,
        "Bearer " * 30_000,
        "http://x?" * 20_000,
    ):
        scrubbed(text)
